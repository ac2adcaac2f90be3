package causalsqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestDigests(t *testing.T) {
	path := testPath(t)
	handles := []adapter.Store{openAt(t, path, nil), openAt(t, path, nil)}
	c, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	adaptertest.TestDigests(t, handles, func() int {
		count, err := sqlitex.ResultInt(c.Prep("SELECT count(*) FROM digests"))
		require.NoError(t, err)
		return count
	})
}

// A file opened read-only has the keys stored earlier, and reports if some are
// missing.
func TestDigestsReadOnly(t *testing.T) {
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 10)))
	adaptertest.RequireNoDigests(t, openAt(t, path, &causalsqlite.Options{ReadOnly: true}))
	keys := adaptertest.MakeDigests(t, s)
	require.Equal(t, keys, adaptertest.MakeDigests(t, openAt(t, path, &causalsqlite.Options{ReadOnly: true})))
	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 10)))
	adaptertest.RequireNoDigests(t, openAt(t, path, &causalsqlite.Options{ReadOnly: true}))
}

func TestDigestsFullDatabase(t *testing.T) {
	s := openNew(t)
	require.NoError(t, s.Exec("PRAGMA max_page_count = 200"))
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 10_000, 10_200)))
	saved := 200 + fill(t, s, false)
	adaptertest.RequireNoDigests(t, s)
	require.NoError(t, s.Exec("PRAGMA max_page_count = 100000"))
	require.Len(t, adaptertest.MakeDigests(t, s), saved)
}
