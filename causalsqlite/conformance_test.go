package causalsqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/causaltest"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

// config returns the configuration of the suite for a Store as one of the
// storages.
func config[S any](t *testing.T, o *causalsqlite.Options) causaltest.Config[S] {
	t.Helper()
	paths := map[*causalsqlite.Store]string{}
	openAt := func(t testing.TB, path string) S {
		s, err := causalsqlite.Open(t.Context(), path, o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		paths[s] = path
		return any(s).(S)
	}
	pathOf := func(s S) string { return paths[any(s).(*causalsqlite.Store)] }
	return causaltest.Config[S]{
		Open: func(t testing.TB) S { return openAt(t, filepath.Join(t.TempDir(), "store.db")) },
		Reopen: func(t testing.TB, s S) S {
			require.NoError(t, any(s).(*causalsqlite.Store).Close())
			return openAt(t, pathOf(s))
		},
		Peer:      func(t testing.TB, s S) S { return openAt(t, pathOf(s)) },
		PageSizes: adapter.PageSizes(),
		Crash: func(t testing.TB) causaltest.Crash[S] {
			path := filepath.Join(t.TempDir(), "store.db")
			return causaltest.Crash[S]{
				Command: func() *exec.Cmd {
					return adaptertest.ChildCommand("TestConformanceWriter", "CAUSALSQLITE_WRITE="+path)
				},
				Open: func(t testing.TB) S { return openAt(t, path) },
			}
		},
	}
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]*causalsqlite.Options{
		"full": nil, "normal": {Synchronous: causalsqlite.SyncNormal, Readers: 1, ErrorLimit: 7},
	} {
		t.Run(name, func(t *testing.T) {
			causaltest.TestEventStore(t, config[causal.EventStore](t, o))
			causaltest.TestClockStorage(t, config[causal.ClockStorage](t, o))
			causaltest.TestCheckpointStorage(t, config[causal.CheckpointStorage](t, o))
			causaltest.TestRejectedStorage(t, config[causal.RejectedStorage](t, o))
			c := config[causal.ErrorStorage](t, o)
			if o != nil {
				c.Limits.Entries = o.ErrorLimit
			}
			causaltest.TestErrorStorage(t, c)
		})
	}
}

func TestPromises(t *testing.T) {
	paths := map[adapter.Store]string{}
	adaptertest.Test(t, adaptertest.Engine{
		Zero: &causalsqlite.Store{},
		Open: func(t *testing.T) adapter.Store {
			path := testPath(t)
			s := openAt(t, path, nil)
			paths[s] = path
			return s
		},
		Again: func(t *testing.T, s adapter.Store, errorLimit int) adapter.Store {
			return openAt(t, paths[s], &causalsqlite.Options{ErrorLimit: errorLimit})
		},
		Delete: func(t *testing.T, s adapter.Store, position int) {
			sql(t, paths[s], fmt.Sprint("DROP TRIGGER events_are_kept; DELETE FROM events WHERE seq = ", position))
		},
		Block:  func(t *testing.T, s adapter.Store) func() { return block(t, openAt(t, paths[s], nil)) },
		Queued: func(s adapter.Store) int { return s.(*causalsqlite.Store).Queued() },
	})
}

// TestConformanceWriter runs in the processes killed by the suite.
func TestConformanceWriter(t *testing.T) {
	path := os.Getenv("CAUSALSQLITE_WRITE")
	if path == "" {
		return
	}
	s, err := causalsqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, causaltest.Write(t.Context(), s, os.Stdout))
}
