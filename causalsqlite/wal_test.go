package causalsqlite_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// snapshot is the content of a store's files, by suffix.
type snapshot map[string][]byte

// snap reads files that may be open, as they would be found after a kill. It
// uses another process, because this one would drop its locks.
func snap(t require.TestingT, path string) snapshot {
	s := snapshot{}
	for _, end := range []string{"", "-wal"} {
		if _, err := os.Stat(path + end); err == nil {
			data, err := exec.Command("cat", path+end).Output()
			require.NoError(t, err)
			s[end] = data
		}
	}
	return s
}

// put writes the files of a store that is not open.
func (s snapshot) put(t require.TestingT, path string) {
	for end, data := range s {
		require.NoError(t, os.WriteFile(path+end, data, 0o600))
	}
}

// requireForeign requires that a store is not opened because of a file next to
// it, without any change, and that the store has n events once that file is
// removed.
func requireForeign(t *testing.T, files snapshot, n int) {
	t.Helper()
	path := testPath(t)
	files.put(t, path)
	for range 2 {
		_, err := causalsqlite.Open(t.Context(), path, nil)
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, "from another state of the database")
		require.Equal(t, files["-journal"] != nil, strings.Contains(err.Error(), "-journal"))
		for end, data := range files {
			now, err := os.ReadFile(path + end)
			require.NoError(t, err)
			require.Equal(t, data, now, end)
		}
	}
	for end := range files {
		if end != "" {
			require.NoError(t, os.Remove(path+end))
		}
	}
	require.NoError(t, os.RemoveAll(path+"-shm"))
	require.Len(t, eventtest.LoadAll(t, openAt(t, path, nil)), n)
}

// requireOpens requires that a store has n events.
func requireOpens(t *testing.T, files snapshot, n int) {
	t.Helper()
	path := testPath(t)
	files.put(t, path)
	s := openAt(t, path, nil)
	require.Len(t, eventtest.LoadAll(t, s), n)
	require.NoError(t, s.Check(t.Context(), nil))
}

// A killed process leaves its write-ahead log, and its file is replaced by
// another one.
func TestLogLeftBehind(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	with := func(main, other snapshot) snapshot { return snapshot{"": main[""], "-wal": other["-wal"]} }
	save := func(s *causalsqlite.Store, from, to int) {
		t.Helper()
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, from, to)))
	}
	s := openAt(t, path, nil)
	save(s, 0, 20)
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(ctx, backup))
	require.NoError(t, s.Close())
	first := snap(t, path)
	require.NotContains(t, first, "-wal")
	s = openAt(t, path, nil)
	save(s, 20, 40)
	require.NoError(t, s.Close())
	second := snap(t, path)
	s = openAt(t, path, nil)
	save(s, 40, 41)
	killed := snap(t, path)
	require.NoError(t, s.Backup(ctx, backup+"2"))
	save(s, 41, 42)
	requireForeign(t, with(snap(t, backup+"2"), snap(t, path)), 41)
	require.NoError(t, s.Checkpoint())
	pages, err := s.LoggedPages()
	require.NoError(t, err)
	require.EqualValues(t, 1, pages, "the next log of writes begins with a mark")
	save(s, 42, 60)
	later := snap(t, path)
	for n := 60; n < 700; n++ { // more than a write-ahead log holds
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
	}
	latest := snap(t, path)

	requireOpens(t, killed, 41)
	requireOpens(t, later, 60)
	requireOpens(t, latest, 700)
	requireOpens(t, with(second, killed), 41) // at which the write-ahead log began
	requireForeign(t, with(first, killed), 20)
	requireForeign(t, with(first, later), 20)
	requireForeign(t, with(second, later), 40)
	requireForeign(t, with(second, latest), 40)
	requireForeign(t, with(killed, latest), 40)
	requireForeign(t, with(latest, killed), len(loadFile(t, latest[""])))
	for _, s := range []snapshot{killed, later, latest} {
		requireForeign(t, with(snap(t, backup), s), 20)
	}
	journal := killed["-wal"] // any content: it is not read
	requireForeign(t, snapshot{"": first[""], "-journal": journal}, 20)
	requireForeign(t, snapshot{"": killed[""], "-wal": killed["-wal"], "-journal": journal}, 40)
	requireForeign(t, snapshot{"": snap(t, backup)[""], "-journal": journal}, 20)
}

// loadFile returns the events of a file without a write-ahead log.
func loadFile(t *testing.T, main []byte) []causal.Event {
	path := testPath(t)
	snapshot{"": main}.put(t, path)
	return eventtest.LoadAll(t, openAt(t, path, nil))
}

// A write-ahead log without its file is not applied to a new one.
func TestLogWithoutFile(t *testing.T) {
	for name, main := range map[string][]byte{"missing": nil, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			path := testPath(t)
			require.NoError(t, os.WriteFile(path+"-wal", []byte("a log of writes"), 0o600))
			if main != nil {
				require.NoError(t, os.WriteFile(path, main, 0o600))
			}
			_, err := causalsqlite.Open(t.Context(), path, nil)
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, "the database is missing")
			_, err = os.Stat(path)
			require.Equal(t, main == nil, os.IsNotExist(err))
			data, err := os.ReadFile(path + "-wal")
			require.NoError(t, err)
			require.Equal(t, "a log of writes", string(data))
			require.NoError(t, os.WriteFile(path+"-wal", nil, 0o600))
			openAt(t, path, nil)
		})
	}
}

// The file is overwritten with an earlier state while it is open. The store
// notices before it copies its write-ahead log there.
func TestFileOverwrittenWhileOpen(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	require.NoError(t, s.Close())
	before := snap(t, path)
	for n := 2; n < 4; n++ {
		s = openAt(t, path, nil)
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
		require.NoError(t, s.Checkpoint())
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n+10)))
		if n < 3 {
			require.NoError(t, s.Close())
		}
	}
	copied := testPath(t)
	before.put(t, copied)
	require.NoError(t, exec.Command("cp", copied, path).Run())
	require.ErrorContains(t, s.Checkpoint(), "from another state of the database")
	err := s.SaveEvent(ctx, eventtest.New(t, 20))
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "from another state of the database")
	now := snap(t, path)
	require.Equal(t, before[""], now[""])
}

// A file of one moment, and a write-ahead log of the same or a later moment, of
// a store opened by two processes. Those of the same moment can always be
// opened, and an opened store always has everything written.
func TestLogsOfMoments(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		path := filepath.Join(dir, strconv.Itoa(runs))
		var stores []*causalsqlite.Store
		var reader *sqlite.Conn
		events := 0
		type moment struct {
			snapshot
			events int
		}
		var moments []moment
		end := func() {
			if reader != nil {
				require.NoError(r, reader.Close())
				reader = nil
			}
		}
		defer func() {
			end()
			for _, s := range stores {
				require.NoError(r, s.Close())
			}
		}()
		open := func(path string) (*causalsqlite.Store, error) {
			return causalsqlite.Open(t.Context(), path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
		}
		choose := func(r *rapid.T) *causalsqlite.Store {
			if len(stores) == 0 {
				r.Skip("no store")
			}
			return stores[rapid.IntRange(0, len(stores)-1).Draw(r, "store")]
		}
		actions := map[string]func(*rapid.T){
			"open": func(r *rapid.T) {
				if len(stores) == 2 {
					r.Skip("enough")
				}
				s, err := open(path)
				require.NoError(r, err)
				stores = append(stores, s)
			},
			"close": func(r *rapid.T) {
				s := choose(r)
				require.NoError(r, s.Close())
				stores = slices.DeleteFunc(stores, func(o *causalsqlite.Store) bool { return o == s })
			},
			"save": func(r *rapid.T) {
				s := choose(r)
				for range rapid.IntRange(1, 3).Draw(r, "events") {
					require.NoError(r, s.SaveEvent(t.Context(), eventtest.New(r, events)))
					events++
				}
			},
			"checkpoint": func(r *rapid.T) { require.NoError(r, choose(r).Checkpoint()) },
			"begin to read": func(r *rapid.T) {
				if reader != nil || events == 0 {
					r.Skip("reads already")
				}
				var err error
				reader, err = sqlite.OpenConn(path, sqlite.OpenReadWrite)
				require.NoError(r, err)
				require.NoError(r, sqlitex.ExecuteScript(reader, "PRAGMA wal_autocheckpoint = 0", nil))
				require.NoError(r, sqlitex.Execute(reader, "BEGIN", nil))
				require.NoError(r, sqlitex.Execute(reader, "SELECT count(*) FROM events", nil))
			},
			"end to read": func(*rapid.T) { end() },
			"moment": func(r *rapid.T) {
				if events == 0 {
					r.Skip("no file")
				}
				moments = append(moments, moment{snap(r, path), events})
			},
		}
		r.Repeat(actions)
		for i, main := range moments {
			for j, log := range moments[i:] {
				copied := filepath.Join(dir, strconv.Itoa(runs)+".copy")
				files := maps.Clone(main.snapshot)
				files["-wal"] = log.snapshot["-wal"]
				for _, end := range []string{"", "-wal", "-shm"} {
					require.NoError(r, os.RemoveAll(copied+end))
				}
				files.put(r, copied)
				s, err := open(copied)
				if j == 0 {
					require.NoError(r, err, "of one moment")
				}
				if err != nil {
					continue
				}
				if len(files["-wal"]) > 0 { // and not only a file copied while it was open
					require.Len(r, eventtest.LoadAll(r, s), log.events)
					require.NoError(r, s.Check(t.Context(), nil))
				}
				require.NoError(r, s.Close())
			}
		}
	})
}

// Another process has ended the write-ahead log, and was killed before it
// marked the next one. The process that begins that one marks it.
func TestLogBegunByAnother(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 20)))
	require.NoError(t, s.Close())
	before := snap(t, path)
	s = openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 20, 300)))
	sql(t, path, "PRAGMA wal_checkpoint")
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 300)))
	killed := snap(t, path)
	requireOpens(t, killed, 301)
	requireForeign(t, snapshot{"": before[""], "-wal": killed["-wal"]}, 20)
}

// A migration marks the write-ahead log it begins, too.
func TestLogOfMigration(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 20)))
	require.NoError(t, s.Close())
	before := snap(t, path)
	s = openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 20, 400)))
	require.NoError(t, s.Close())
	newer := func(path string) (*causalsqlite.Store, error) {
		return causalsqlite.OpenNewer(ctx, path, "CREATE TABLE later (x)")
	}
	s, err := newer(path)
	require.NoError(t, err)
	defer s.Close()
	killed := snap(t, path)
	copied := testPath(t)
	snapshot{"": before[""], "-wal": killed["-wal"]}.put(t, copied)
	_, err = newer(copied)
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "another state")
}

// Concurrent writers leave each other room for checkpoints.
func TestLogStaysSmall(t *testing.T) {
	path := testPath(t)
	large := eventtest.WithPayload(`{"x":"` + strings.Repeat("x", 20_000) + `"}`)
	var writers sync.WaitGroup
	for i := range 3 {
		s := openAt(t, path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
		writers.Go(func() {
			for n := range 500 {
				if err := s.SaveEvent(t.Context(), eventtest.New(t, i*1000+n, large)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(16<<20), "30 MB were written")
}

// A file copied while it contained a part of the write-ahead log does not match
// the next log.
func TestLogAfterPartOfAnother(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 20)))
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	require.NoError(t, err)
	require.NoError(t, sqlitex.ExecuteScript(c, "PRAGMA wal_autocheckpoint = 0", nil))
	require.NoError(t, sqlitex.ExecuteTransient(c, "BEGIN", nil))
	require.NoError(t, sqlitex.ExecuteTransient(c, "SELECT count(*) FROM events", nil))
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 20, 60)))
	require.NoError(t, s.Checkpoint())
	copied := snap(t, path)
	require.NoError(t, c.Close())
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 60, 99)))
	require.NoError(t, s.Close())
	s = openAt(t, path, nil)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 100)))
	later := snap(t, path)
	path = testPath(t)
	snapshot{"": copied[""], "-wal": later["-wal"]}.put(t, path)
	_, err = causalsqlite.Open(ctx, path, nil)
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "from another state of the database")
}

// A write-ahead log ended by another process is small again.
func TestLogEndedByAnother(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
	large := eventtest.WithPayload(`{"x":"` + strings.Repeat("x", 200_000) + `"}`) // some 50 pages
	events := 0
	save := func(n int) (pages int64) {
		t.Helper()
		for range n {
			require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, events, large)))
			events++
		}
		pages, err := s.LoggedPages()
		require.NoError(t, err)
		return pages
	}
	save(1)
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	require.NoError(t, err)
	require.NoError(t, sqlitex.ExecuteTransient(c, "BEGIN", nil))
	require.NoError(t, sqlitex.ExecuteTransient(c, "SELECT count(*) FROM events", nil))
	require.Greater(t, save(90), int64(4000), "a reader is in the way")
	require.NoError(t, c.Close())
	sql(t, path, "PRAGMA wal_checkpoint(RESTART)")
	require.Less(t, save(60), int64(2000))
}

// An interrupted creation is restarted when opening for writing, and refused
// when read-only.
func TestCreationLeftBehind(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	require.NoError(t, err)
	require.NoError(t, sqlitex.ExecuteScript(c, "CREATE TABLE t (x)", nil)) // flushes the journal
	require.NoError(t, sqlitex.ExecuteTransient(c, "DROP TABLE t", nil))
	for _, sql := range []string{"PRAGMA cache_size = 1", "BEGIN IMMEDIATE", "CREATE TABLE t (x)", "INSERT INTO t VALUES (randomblob(100000))"} {
		require.NoError(t, sqlitex.ExecuteTransient(c, sql, nil))
	}
	files := snapshot{}
	for _, end := range []string{"", "-journal"} {
		files[end], err = exec.Command("cat", path+end).Output()
		require.NoError(t, err)
		require.NotEmpty(t, files[end])
	}
	require.NoError(t, c.Close())
	path = testPath(t)
	files.put(t, path)
	_, err = causalsqlite.Open(ctx, path, readOnly)
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "the creation of the file was interrupted")
	require.NoError(t, openAt(t, path, nil).SaveEvent(ctx, eventtest.New(t, 1)))
}
