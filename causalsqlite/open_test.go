package causalsqlite_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Open opens the file at the given path.
func TestPaths(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{
		"a?b.db", "a?mode=memory", "a#b", "a%20b", "a b", "ü😀.db", "file:x", "file:y?mode=memory", "'quoted\"", "-", "events", "x;y&z",
		filepath.Join(dir, "absolute"), filepath.Join("..", filepath.Base(dir), "relative"),
	} {
		s := openAt(t, name, nil)
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Positive(t, info.Size())
		require.FileExists(t, name+"-wal")
		other := openAt(t, name, nil)
		require.Len(t, eventtest.LoadAll(t, other), 1)
		require.NoError(t, other.Close())
		require.NoError(t, s.Close())
		require.NoFileExists(t, name+"-wal")
		require.NoError(t, os.Remove(name))
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "%q", name)
	}
	// Connections opened later do not depend on the working directory.
	s := openAt(t, "moved.db", nil)
	t.Chdir(t.TempDir())
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	require.Len(t, eventtest.LoadAll(t, s), 1)
}

func TestPermissions(t *testing.T) {
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 1)))
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestSettings(t *testing.T) {
	for mode, level := range map[causalsqlite.Synchronous]int64{causalsqlite.SyncFull: 2, causalsqlite.SyncNormal: 1} {
		s := openAt(t, testPath(t), &causalsqlite.Options{Synchronous: mode})
		for pragma, want := range map[string]int64{
			"synchronous": level, "journal_size_limit": 64 << 20, "user_version": 2, "application_id": 0x63617573,
			"wal_autocheckpoint": 0, "page_size": 4096,
		} {
			value, err := s.Pragma(pragma)
			require.NoError(t, err)
			require.Equal(t, want, value, pragma)
		}
	}
}

func TestForeignFiles(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		make func(path string)
		want string
	}{
		"no database": {make: func(p string) {
			write(t, p, "this is a text file, not a database, and it is long enough for a header"+string(make([]byte, 100)))
		}, want: "not a database"},
		"other application": {make: func(p string) { sql(t, p, "CREATE TABLE t (x); INSERT INTO t VALUES (1)") }, want: "another application"},
		"other ID": {make: func(p string) {
			sql(t, p, "PRAGMA application_id = 7; PRAGMA user_version = 2; CREATE TABLE events (x)")
		}, want: "another application"},
		"newer": {make: func(p string) {
			s, err := causalsqlite.OpenNewer(ctx, p, "CREATE TABLE later (x)")
			require.NoError(t, err)
			require.NoError(t, s.Close())
		}, want: "schema version 3, and this package supports versions up to 2"},
		"never released": {make: func(p string) {
			sql(t, p, "PRAGMA application_id = 0x63617573; PRAGMA user_version = 1; CREATE TABLE events (x)")
		}, want: "an unreleased version"},
		"directory": {make: func(p string) { require.NoError(t, os.Mkdir(p, 0o700)) }, want: "unable to open"},
		"dangling":  {make: func(p string) { require.NoError(t, os.Symlink("nowhere", p)) }, want: "no such file"},
	} {
		path := testPath(t)
		test.make(path)
		before, _ := os.ReadFile(path)
		s, err := causalsqlite.Open(ctx, path, nil)
		require.Nil(t, s)
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, test.want, name)
		after, _ := os.ReadFile(path)
		require.Equal(t, before, after, "%s: the file stays as it was", name)
		left, err := filepath.Glob(path + "*")
		require.NoError(t, err)
		require.Equal(t, []string{path}, left, name)
	}
	_, err := causalsqlite.Open(ctx, filepath.Join(t.TempDir(), "none", "events.db"), nil)
	eventtest.RequireStorageError(t, err)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// An empty file, as created by another process that is about to continue,
// becomes a store.
func TestEmptyFile(t *testing.T) {
	path := testPath(t)
	write(t, path, "")
	require.NoError(t, openAt(t, path, nil).SaveEvent(t.Context(), eventtest.New(t, 1)))
}

func TestMigration(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	events := eventtest.NewRange(t, 0, 10)
	require.NoError(t, s.SaveEvents(ctx, events))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	// A failed migration leaves the file unchanged.
	_, err = causalsqlite.OpenNewer(ctx, path, "CREATE TABLE later (x)", "CREATE TABLE later (x)")
	eventtest.RequireStorageError(t, err)
	require.NoError(t, openAt(t, path, nil).Close())

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := causalsqlite.OpenNewer(ctx, path, "CREATE TABLE later (x); INSERT INTO later VALUES (1)")
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err = causalsqlite.OpenNewer(ctx, path, "never run")
	require.NoError(t, err)
	eventtest.RequireEqual(t, events, eventtest.LoadAll(t, s))
	same, err := s.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, head, same)
	require.NoError(t, s.Close())
	_, err = causalsqlite.Open(ctx, path, nil)
	eventtest.RequireStorageError(t, err)
}

// The first process to open a new file creates it, and the others use it.
func TestConcurrentOpens(t *testing.T) {
	ctx := t.Context()
	for range 5 {
		path := testPath(t)
		heads := make([]causal.Cursor, 8)
		var wg sync.WaitGroup
		for i := range heads {
			wg.Go(func() {
				s, err := causalsqlite.Open(ctx, path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.SaveEvent(ctx, eventtest.New(t, i)); err != nil {
					t.Error(err)
				}
				if heads[i], err = s.Head(ctx); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s := openAt(t, path, nil)
		require.Len(t, eventtest.LoadAll(t, s), len(heads))
		for _, head := range heads {
			for _, err := range s.ReadLog(ctx, head) {
				require.NoError(t, err, "one log")
			}
		}
	}
}

// The schema itself prevents changes of the log.
func TestEventsAreAppendOnly(t *testing.T) {
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 1)))
	require.ErrorContains(t, s.Exec("DELETE FROM events"), "events are never deleted")
	require.ErrorContains(t, s.Exec("UPDATE events SET seq = 5"), "events are never changed")
	require.Len(t, eventtest.LoadAll(t, s), 1)
}
