package causalpg_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/causaltest"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

const envWrite = "CAUSALPG_WRITE" // the schema for the child process

// config returns the configuration of the suite for a Store as one of the
// storages.
func config[S any](t *testing.T, errorLimit int) causaltest.Config[S] {
	t.Helper()
	schemas := map[*causalpg.Store]string{}
	open := func(t testing.TB, schema string) S {
		s := openAt(t, testDSN, &causalpg.Options{Schema: schema, ErrorLimit: errorLimit})
		schemas[s] = schema
		return any(s).(S)
	}
	schemaOf := func(s S) string { return schemas[any(s).(*causalpg.Store)] }
	return causaltest.Config[S]{
		Open: func(t testing.TB) S { return open(t, newSchema(t)) },
		Reopen: func(t testing.TB, s S) S {
			require.NoError(t, any(s).(*causalpg.Store).Close())
			return open(t, schemaOf(s))
		},
		Peer:      func(t testing.TB, s S) S { return open(t, schemaOf(s)) },
		PageSizes: adapter.PageSizes(),
		Crash: func(t testing.TB) causaltest.Crash[S] {
			schema := newSchema(t)
			return causaltest.Crash[S]{
				Command: func() *exec.Cmd { return child("TestConformanceWriter", envWrite+"="+schema) },
				Open:    func(t testing.TB) S { return open(t, schema) },
			}
		},
	}
}

// child runs one test of this program in another process.
func child(test string, environment ...string) *exec.Cmd {
	return adaptertest.ChildCommand(test, append(environment, envDSN+"="+testDSN)...)
}

func TestConformance(t *testing.T) {
	t.Run("events", func(t *testing.T) { causaltest.TestEventStore(t, config[causal.EventStore](t, 0)) })
	t.Run("clocks", func(t *testing.T) { causaltest.TestClockStorage(t, config[causal.ClockStorage](t, 0)) })
	t.Run("checkpoints", func(t *testing.T) { causaltest.TestCheckpointStorage(t, config[causal.CheckpointStorage](t, 0)) })
	t.Run("rejected", func(t *testing.T) { causaltest.TestRejectedStorage(t, config[causal.RejectedStorage](t, 0)) })
	t.Run("errors", func(t *testing.T) { causaltest.TestErrorStorage(t, config[causal.ErrorStorage](t, 0)) })
	t.Run("few errors", func(t *testing.T) {
		c := config[causal.ErrorStorage](t, 7)
		c.Limits.Entries = 7
		causaltest.TestErrorStorage(t, c)
	})
}

func TestPromises(t *testing.T) {
	schemas := map[adapter.Store]string{}
	adaptertest.Test(t, adaptertest.Engine{
		Zero: &causalpg.Store{},
		Open: func(t *testing.T) adapter.Store {
			schema := newSchema(t)
			s := openIn(t, schema)
			schemas[s] = schema
			return s
		},
		Again: func(t *testing.T, s adapter.Store, errorLimit int) adapter.Store {
			return openAt(t, testDSN, &causalpg.Options{Schema: schemas[s], ErrorLimit: errorLimit})
		},
		Delete: func(t *testing.T, s adapter.Store, position int) {
			edit(t, schemas[s], fmt.Sprint("DELETE FROM {s}.events WHERE position = ", position))
		},
		Block:  func(t *testing.T, s adapter.Store) func() { return block(t, schemas[s]) },
		Queued: func(s adapter.Store) int { return s.(*causalpg.Store).Queued() },
	})
}

// TestConformanceWriter runs in the processes killed by the suite.
func TestConformanceWriter(t *testing.T) {
	schema := os.Getenv(envWrite)
	if schema == "" {
		return
	}
	require.NoError(t, causaltest.Write(t.Context(), openIn(t, schema), os.Stdout))
}
