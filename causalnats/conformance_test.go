package causalnats_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/causaltest"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

var names atomic.Int64 // of stores

const envWrite = "CAUSALNATS_WRITE" // the store for the child process: a URL and a name

// config returns the configuration of the suite for a Store as one of the
// storages.
func config[S any](t *testing.T, urls string, o causalnats.Options) causaltest.Config[S] {
	t.Helper()
	nc := connect(t, urls)
	options := map[*causalnats.Store]causalnats.Options{}
	openOne := func(t testing.TB, o causalnats.Options) S {
		s := open(t, connect(t, urls), o)
		options[s] = o
		return any(s).(S)
	}
	of := func(s S) causalnats.Options { return options[any(s).(*causalnats.Store)] }
	return causaltest.Config[S]{
		Open: func(t testing.TB) S { return openOne(t, provision(t, nc, o)) },
		Reopen: func(t testing.TB, s S) S {
			require.NoError(t, any(s).(*causalnats.Store).Close())
			return openOne(t, of(s))
		},
		Peer: func(t testing.TB, s S) S { return openOne(t, of(s)) },
		Crash: func(t testing.TB) causaltest.Crash[S] {
			o := provision(t, nc, o)
			return causaltest.Crash[S]{
				Command: func() *exec.Cmd {
					return adaptertest.ChildCommand("TestConformanceWriter", envWrite+"="+urls+" "+o.Name)
				},
				Open: func(t testing.TB) S { return openOne(t, o) },
			}
		},
	}
}

func runSuite(t *testing.T, urls string, o causalnats.Options) {
	t.Run("events", func(t *testing.T) { causaltest.TestEventStore(t, config[causal.EventStore](t, urls, o)) })
	t.Run("clocks", func(t *testing.T) { causaltest.TestClockStorage(t, config[causal.ClockStorage](t, urls, o)) })
	t.Run("checkpoints", func(t *testing.T) { causaltest.TestCheckpointStorage(t, config[causal.CheckpointStorage](t, urls, o)) })
	t.Run("rejected", func(t *testing.T) { causaltest.TestRejectedStorage(t, config[causal.RejectedStorage](t, urls, o)) })
	t.Run("errors", func(t *testing.T) { causaltest.TestErrorStorage(t, config[causal.ErrorStorage](t, urls, o)) })
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "replica.db") }

// openWithFile opens a store with a replica in a file.
func openWithFile(t testing.TB, nc *nats.Conn, o causalnats.Options, path string) *causalnats.Store {
	file, err := causalsqlite.Open(t.Context(), path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	o.Replica = file
	return open(t, nc, o)
}

// TestConformanceWriter runs in the processes killed by the suite.
func TestConformanceWriter(t *testing.T) {
	urls, name, ok := strings.Cut(os.Getenv(envWrite), " ")
	if !ok {
		return
	}
	s := open(t, connect(t, urls), causalnats.Options{Name: name, Replicas: 1})
	require.NoError(t, causaltest.Write(t.Context(), s, os.Stdout))
}
