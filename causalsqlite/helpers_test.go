package causalsqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal/causalsqlite"
)

// testPath returns the path of a file that does not exist.
func testPath(t testing.TB) string { return filepath.Join(t.TempDir(), "events.db") }

// openAt opens a store that is closed at the end of the test.
func openAt(t testing.TB, path string, o *causalsqlite.Options) *causalsqlite.Store {
	t.Helper()
	s, err := causalsqlite.Open(t.Context(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openNew opens a new store that does not wait for the disk.
func openNew(t testing.TB) *causalsqlite.Store {
	t.Helper()
	return openAt(t, testPath(t), &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
}

// sql runs a script on a new connection.
func sql(t testing.TB, path, script string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	require.NoError(t, err)
	require.NoError(t, sqlitex.ExecuteScript(c, script, nil))
	require.NoError(t, c.Close())
}

// block locks the file for writing, as another process could, until the caller
// or the end of the test releases it.
func block(t *testing.T, s *causalsqlite.Store) (release func()) {
	t.Helper()
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { done <- s.Hold(begun, end) }()
	<-begun
	release = sync.OnceFunc(func() {
		close(end)
		require.NoError(t, <-done)
	})
	t.Cleanup(release)
	return release
}
