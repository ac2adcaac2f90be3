package causalsqlite_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// fill saves events until the disk is full, and returns the number saved.
// isUnknown is the expected outcome of the last one.
func fill(t *testing.T, s *causalsqlite.Store, isUnknown bool) int {
	t.Helper()
	large := eventtest.WithPayload(`{"x":"` + strings.Repeat("x", 20_000) + `"}`)
	for n := range 10_000 {
		if err := s.SaveEvent(t.Context(), eventtest.New(t, n, large)); err != nil {
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, "full")
			require.Equal(t, isUnknown, errors.Is(err, causal.ErrOutcomeUnknown))
			return n
		}
	}
	require.Fail(t, "the disk is not full")
	return 0
}

func requireWorks(t *testing.T, s *causalsqlite.Store, saved int) {
	t.Helper()
	ctx := t.Context()
	require.Len(t, eventtest.LoadAll(t, s), saved)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, saved, saved+2)))
	_, err := s.AdvanceClock(ctx, "alice", 0, 1)
	require.NoError(t, err)
	require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), saved+2)
}

// The database reaches a limit, then has room again.
func TestFullDatabase(t *testing.T) {
	s := openNew(t)
	require.NoError(t, s.Exec("PRAGMA max_page_count = 200"))
	saved := fill(t, s, false) // before the commit
	require.Positive(t, saved)
	require.Error(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 5000, 9000)))
	require.Len(t, eventtest.LoadAll(t, s), saved, "what was stored stays readable")
	require.NoError(t, s.Exec("PRAGMA max_page_count = 100000"))
	requireWorks(t, s, saved)
}

// A write too large for the disk does not affect those sharing its transaction.
func TestFullDatabaseInAGroup(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.Exec("PRAGMA max_page_count = 100"))
	release := block(t, openAt(t, path, nil))
	results := make(chan error)
	for n := range 4 {
		go func() { results <- s.SaveEvent(ctx, eventtest.New(t, n)) }()
	}
	large := make(chan error)
	go func() {
		large <- s.SaveEvent(ctx, eventtest.New(t, 9, eventtest.WithPayload(`{"x":"`+strings.Repeat("x", 1<<20)+`"}`)))
	}()
	for s.Queued() < 5 {
		require.False(t, t.Failed())
	}
	release()
	for range 4 {
		require.NoError(t, <-results)
	}
	eventtest.RequireStorageError(t, <-large)
	require.Len(t, eventtest.LoadAll(t, s), 4)
}

// Damage in one place is reported by reads of that place, and by no others.
func TestDamagedPage(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	const count = 2000
	events := eventtest.NewRange(t, 0, count, func(p *causal.EventParams) { p.AggregateID = fmt.Sprint("WP", p.LamportClock/100) })
	require.NoError(t, s.SaveEvents(ctx, events))
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("\xa5", 4096)), info.Size()/2/4096*4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	s = openAt(t, path, nil)
	var whole, damaged int
	for aggregate := range count / 100 {
		loaded, err := s.LoadEvents(ctx, fmt.Sprint("WP", aggregate))
		if err != nil {
			eventtest.RequireStorageError(t, err)
			damaged++
			continue
		}
		eventtest.RequireEqual(t, events[aggregate*100:aggregate*100+100], loaded)
		whole++
	}
	require.Positive(t, damaged)
	require.Positive(t, whole)
}

// An entry that does not decode results in an error naming its position, and is
// not reported as invalid input of the caller.
func TestDamagedEntries(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 6)))
	require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(1)))
	require.NoError(t, s.Close())
	sql(t, path, `DROP TRIGGER events_never_change; UPDATE events SET data = '{"secret":1}' WHERE seq = 3; UPDATE errors SET entry = '[]'`)
	s = openAt(t, path, nil)
	check := func(err error) {
		t.Helper()
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, "entry 3 of the log is damaged")
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := s.LoadEvents(ctx, "WP001")
	check(err)
	adaptertest.RequireDamage(t, s, 3, check)
	check(s.SaveEvent(ctx, eventtest.New(t, 3)))
	_, err = s.RecentErrors(ctx, 1)
	eventtest.RequireStorageError(t, err)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 7)))
}

// An event whose content has a different order than its columns never hides
// later events.
func TestDamagedOrder(t *testing.T) {
	ctx := t.Context()
	for _, seq := range []int{5, 32, 33} { // within a page, at its end, at the start of the next one
		path := testPath(t)
		s := openAt(t, path, nil)
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 41)))
		require.NoError(t, s.Close())
		sql(t, path, fmt.Sprintf(`DROP TRIGGER events_never_change;
			UPDATE events SET data = replace(data, '"lamport_clock":%d,', '"lamport_clock":1000,') WHERE seq = %d`, seq, seq))
		s = openAt(t, path, nil)
		n := 0
		var last error
		for _, last = range s.AllEvents(ctx) {
			n++
		}
		require.Equal(t, seq+1, n, "the events up to the damaged one, and an error")
		eventtest.RequireStorageError(t, last)
		require.ErrorContains(t, last, fmt.Sprintf("entry %d of the log is damaged, or an event before it", seq+1))
	}
}

func TestMissingEntries(t *testing.T) {
	ctx := t.Context()
	for _, where := range []string{"seq = 1", "seq = 3", "seq IN (3, 4)"} {
		path := testPath(t)
		s := openAt(t, path, nil)
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 6)))
		require.NoError(t, s.Close())
		sql(t, path, "DROP TRIGGER events_are_kept; DELETE FROM events WHERE "+where)
		s = openAt(t, path, nil)
		var last error
		for _, last = range s.ReadLog(ctx, causal.Cursor{}) {
			if last != nil {
				require.ErrorContains(t, last, "of the log is missing")
			}
		}
		eventtest.RequireStorageError(t, last)
	}
}

// A checkpoint that does not decode results in an error, and can be deleted.
func TestDamagedCheckpoint(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	_, err := s.SaveCheckpoint(ctx, "p", causal.Checkpoint{})
	require.NoError(t, err)
	require.NoError(t, s.Exec("UPDATE checkpoints SET cursor = 'secret'"))
	_, err = s.LoadCheckpoint(ctx, "p")
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "the checkpoint is damaged")
	require.NotContains(t, err.Error(), "secret")
	require.NoError(t, s.DeleteCheckpoint(ctx, "p"))
	_, err = s.LoadCheckpoint(ctx, "p")
	require.NoError(t, err)
}

// A read fails within a group, after which SQLite has ended the transaction.
// Later members of the group are not stored outside of one.
func TestReadFailsInAGroup(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s, other := openAt(t, path, nil), openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 50)))
	require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 50)))
	require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 51)))
	before, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 52)))
	wal, err := os.ReadFile(path + "-wal")
	require.NoError(t, err)
	release := block(t, other)
	results := make([]chan error, 3)
	for i, call := range []func() error{
		func() error { return s.SaveEvent(ctx, eventtest.New(t, 200)) },
		func() error { return s.Call(func() { _ = os.WriteFile(path+"-wal", wal, 0o600) }) },
		func() error {
			return s.SaveEvents(ctx, []causal.Event{eventtest.New(t, 201), eventtest.New(t, 7, eventtest.WithPayload(`{"other":1}`))})
		},
	} {
		results[i] = make(chan error, 1)
		go func() { results[i] <- call() }()
		require.Eventually(t, func() bool { return s.Queued() == i+1 }, 10*time.Second, time.Millisecond)
	}
	require.NoError(t, os.Truncate(path+"-wal", before.Size()))
	release()
	<-results[0]
	require.NoError(t, <-results[1])
	require.ErrorIs(t, <-results[2], causal.ErrIDConflict)
	require.NotContains(t, eventtest.IDs(eventtest.LoadAll(t, s)), eventtest.ID(201))
}
