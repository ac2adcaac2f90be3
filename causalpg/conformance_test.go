package causalpg_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/causaltest"
)

const envWrite = "CAUSALPG_WRITE" // the child writes to this schema

// config is the configuration of the suite for a Store as one of the storages.
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
		Peer: func(t testing.TB, s S) S { return open(t, schemaOf(s)) },
		Crash: func(t testing.TB) causaltest.Crash[S] {
			schema := newSchema(t)
			return causaltest.Crash[S]{
				Command: func() *exec.Cmd { return child("TestConformanceWriter", envWrite+"="+schema) },
				Open:    func(t testing.TB) S { return open(t, schema) },
			}
		},
	}
}

// child is this program as another process, which runs one test.
func child(test string, environment ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), envDSN+"="+testDSN)
	cmd.Env = append(cmd.Env, environment...)
	return cmd
}

func TestConformance(t *testing.T) {
	t.Run("events", func(t *testing.T) { causaltest.TestEventStore(t, config[causal.EventStore](t, 0)) })
	t.Run("clocks", func(t *testing.T) { causaltest.TestClockStorage(t, config[causal.ClockStorage](t, 0)) })
	t.Run("errors", func(t *testing.T) { causaltest.TestErrorStorage(t, config[causal.ErrorStorage](t, 0)) })
	t.Run("few errors", func(t *testing.T) {
		c := config[causal.ErrorStorage](t, 7)
		c.Limits.Entries = 7
		causaltest.TestErrorStorage(t, c)
	})
}

// TestConformanceWriter is what a process runs that the suite kills.
func TestConformanceWriter(t *testing.T) {
	schema := os.Getenv(envWrite)
	if schema == "" {
		return
	}
	require.NoError(t, causaltest.Write(t.Context(), openIn(t, schema), os.Stdout))
}
