package causalsqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

var readOnly = &causalsqlite.Options{ReadOnly: true}

// makeStore creates a store with two events, a clock and an entry, and closes
// it.
func makeStore(t *testing.T, path string) {
	t.Helper()
	ctx := t.Context()
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 3)))
	require.NoError(t, s.SaveClock(ctx, "alice", 7))
	require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(1)))
	require.NoError(t, s.Close())
}

// requireReads requires that a store has the content of makeStore.
func requireReads(t *testing.T, s *causalsqlite.Store) {
	t.Helper()
	ctx := t.Context()
	eventtest.RequireEqual(t, eventtest.NewRange(t, 1, 3), eventtest.LoadAll(t, s))
	require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), 2)
	clock, err := s.LoadClock(ctx, "alice")
	require.NoError(t, err)
	require.EqualValues(t, 7, clock)
	entries, err := s.RecentErrors(ctx, 10)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, s.Check(ctx, nil))
}

// A read-only store creates and changes nothing.
func TestReadOnly(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "a b?c#d%20.db")
	makeStore(t, path)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	s := openAt(t, path, readOnly)
	requireReads(t, s)
	for call, f := range adaptertest.Calls {
		err := f(ctx, s, eventtest.New(t, 3))
		if adaptertest.Writes[call] {
			eventtest.RequireStorageError(t, err)
			require.ErrorIs(t, err, errors.ErrUnsupported, call)
		} else {
			require.NoError(t, err, call)
		}
	}
	requireOnly(t, dir, filepath.Base(path))
	require.NoError(t, s.Close())
	requireOnly(t, dir, filepath.Base(path))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.ErrorIs(t, s.SaveEvent(ctx, eventtest.New(t, 3)), causal.ErrClosed)
}

// Files that cannot be read in their present state.
func TestReadOnlyRefuses(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		make func(path string)
		want string
	}{
		"missing": {func(string) {}, "no such file"},
		"empty":   {func(p string) { write(t, p, "") }, "empty"},
		"text":    {func(p string) { write(t, p, string(make([]byte, 4096))) }, "not a database"},
		"other":   {func(p string) { sql(t, p, "CREATE TABLE t (x)") }, "another application"},
		"begun":   {func(p string) { makeStore(t, p); write(t, p+"-journal", "a journal") }, "another state"},
		"newer": {func(p string) {
			s, err := causalsqlite.OpenNewer(ctx, p, "CREATE TABLE later (x)")
			require.NoError(t, err)
			require.NoError(t, s.Close())
		}, "schema version 3"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "events.db")
			test.make(path)
			before, err := os.ReadDir(dir)
			require.NoError(t, err)
			_, err = causalsqlite.Open(ctx, path, readOnly)
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, name == "missing", errors.Is(err, os.ErrNotExist))
			after, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

// A file of an earlier schema is not migrated.
func TestReadOnlyOlder(t *testing.T) {
	path := testPath(t)
	makeStore(t, path)
	_, err := causalsqlite.OpenNewerReadOnly(t.Context(), path, "CREATE TABLE later (x)")
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "schema version 2")
}

// A reader sees the writes of another store opened before or after it, and
// leaves the write-ahead log alone.
func TestReadOnlyBesideWriter(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	makeStore(t, path)
	s := openAt(t, path, readOnly)
	start, err := s.Head(ctx)
	require.NoError(t, err)
	for n := 3; n < 10; n++ {
		writer := openAt(t, path, nil)
		require.NoError(t, writer.SaveEvent(ctx, eventtest.New(t, n)))
		if n%2 == 0 {
			require.Len(t, eventtest.LoadAll(t, s), n)
		}
		if n%3 == 0 {
			require.NoError(t, writer.Checkpoint())
			require.NoError(t, writer.SaveClock(ctx, "bob", int64(n)))
		}
		require.NoError(t, writer.Close())
		require.Len(t, eventtest.LoadAll(t, s), n)
	}
	adaptertest.RequireCursor(t, s, start, 3, 4, 5, 6, 7, 8, 9)
	clock, err := s.LoadClock(ctx, "bob")
	require.NoError(t, err)
	require.EqualValues(t, 9, clock)
}

// A write is noticed even if the file system does not change the time.
func TestReadOnlyWithoutTimes(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	makeStore(t, path)
	before, err := os.Stat(path)
	require.NoError(t, err)
	s := openAt(t, path, &causalsqlite.Options{ReadOnly: true, Readers: 1})
	requireReads(t, s)
	w := openAt(t, path, nil)
	require.NoError(t, w.SaveClock(ctx, "alice", 8))
	require.NoError(t, w.Close())
	require.NoError(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, before.Size(), after.Size())
	require.Equal(t, before.ModTime(), after.ModTime())
	clock, err := s.LoadClock(ctx, "alice")
	require.NoError(t, err)
	require.EqualValues(t, 8, clock)
}

// Reads without locks never show a mixture of two states.
func TestReadOnlyWhileWritten(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	makeStore(t, path)
	done := make(chan error, 1)
	go func() {
		for n := 3; n < 100; n++ {
			s, err := causalsqlite.Open(ctx, path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
			if err == nil {
				err = errors.Join(s.SaveEvent(ctx, eventtest.New(t, n)), s.Close())
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	reader := openAt(t, path, &causalsqlite.Options{ReadOnly: true, Readers: 1})
	for seen := 0; seen < 99; {
		events := eventtest.LoadAll(t, reader)
		require.GreaterOrEqual(t, len(events), seen)
		seen = len(events)
		eventtest.RequireEqual(t, eventtest.NewRange(t, 1, seen+1), events)
	}
	require.NoError(t, <-done)
	require.NoError(t, reader.Check(ctx, nil))
}

// A backup that is only read keeps the ID assigned when it was made, which
// differs from that of the original log.
func TestReadOnlyBackup(t *testing.T) {
	ctx := t.Context()
	path, backup := testPath(t), testPath(t)
	makeStore(t, path)
	s := openAt(t, path, nil)
	require.NoError(t, s.Backup(ctx, backup))
	ids := [][16]byte{}
	for _, o := range []*causalsqlite.Options{readOnly, readOnly, nil, readOnly} {
		b := openAt(t, backup, o)
		requireReads(t, b)
		head, err := b.Head(ctx)
		require.NoError(t, err)
		ids = append(ids, head.LogID())
		require.NoError(t, b.Close())
	}
	head, err := s.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, ids[0], ids[1])
	require.Equal(t, ids[2], ids[3])
	require.NotEqual(t, ids[0], ids[2])
	require.NotContains(t, ids, head.LogID())
}

// The store of a killed process is read with its write-ahead log, but not with
// that of another file.
func TestReadOnlyLogLeftBehind(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	makeStore(t, path)
	earlier := snap(t, path)
	makeOther := openAt(t, path, nil)
	require.NoError(t, makeOther.SaveEvent(ctx, eventtest.New(t, 3)))
	require.NoError(t, makeOther.Checkpoint())
	require.NoError(t, makeOther.SaveEvent(ctx, eventtest.New(t, 4)))
	killed := snap(t, path)

	path = testPath(t)
	killed.put(t, path)
	require.Len(t, eventtest.LoadAll(t, openAt(t, path, readOnly)), 4)
	now := snap(t, path)
	require.Equal(t, killed, now)

	path = testPath(t)
	snapshot{"": earlier[""], "-wal": killed["-wal"]}.put(t, path)
	_, err := causalsqlite.Open(ctx, path, readOnly)
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "another state")
}

// Another store writes during a range: entries read again are not skipped.
func TestReadOnlyRangeWhileWritten(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	w := openAt(t, path, nil)
	require.NoError(t, w.SaveEvents(ctx, eventtest.NewRange(t, 0, 200)))
	require.NoError(t, w.Close())
	s := openAt(t, path, &causalsqlite.Options{ReadOnly: true, Readers: 1})
	for name, all := range eventtest.Ranges {
		t.Run(name, func(t *testing.T) {
			n := 0
			for _, err := range all(ctx, s) {
				require.NoError(t, err)
				if n++; n == 1 || n == 40 {
					w := openAt(t, path, nil)
					require.NoError(t, w.SaveClock(ctx, "alice", int64(n)))
					require.NoError(t, w.Close())
				}
			}
			require.Equal(t, 200, n)
		})
	}
}
