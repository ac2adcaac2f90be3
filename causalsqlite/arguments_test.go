package causalsqlite_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// calls are all methods, called with good arguments.
var calls = map[string]func(context.Context, *causalsqlite.Store, causal.Event) error{
	"SaveEvent": func(ctx context.Context, s *causalsqlite.Store, e causal.Event) error { return s.SaveEvent(ctx, e) },
	"SaveEvents": func(ctx context.Context, s *causalsqlite.Store, e causal.Event) error {
		return s.SaveEvents(ctx, []causal.Event{e})
	},
	"SaveEvents of nothing": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error { return s.SaveEvents(ctx, nil) },
	"LoadEvents": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		_, err := s.LoadEvents(ctx, "WP001")
		return err
	},
	"AllEvents": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) (last error) {
		for _, err := range s.AllEvents(ctx) {
			last = err
		}
		return last
	},
	"ReadLog": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) (last error) {
		for _, err := range s.ReadLog(ctx, causal.Cursor{}) {
			last = err
		}
		return last
	},
	"Head": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		_, err := s.Head(ctx)
		return err
	},
	"LoadClock": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		_, err := s.LoadClock(ctx, "alice")
		return err
	},
	"SaveClock": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		return s.SaveClock(ctx, "alice", 9)
	},
	"AdvanceClock": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		_, err := s.AdvanceClock(ctx, "alice", 0, 1)
		return err
	},
	"AppendError": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		return s.AppendError(ctx, causal.ErrorEntry{Timestamp: eventtest.Time, ActionAttempted: "a", ErrorMessage: "m"})
	},
	"RecentErrors": func(ctx context.Context, s *causalsqlite.Store, _ causal.Event) error {
		_, err := s.RecentErrors(ctx, 1)
		return err
	},
}

// requireEmpty checks that nothing was written.
func requireEmpty(t *testing.T, s *causalsqlite.Store) {
	t.Helper()
	ctx := t.Context()
	require.Empty(t, eventtest.LoadAll(t, s))
	value, err := s.LoadClock(ctx, "alice")
	require.NoError(t, err)
	require.Zero(t, value)
	entries, err := s.RecentErrors(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestContextThatHasEnded(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	cause := errors.New("shutting down")
	canceled, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	late, cancelLate := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer cancelLate()
	for name, call := range calls {
		err := call(canceled, s, eventtest.New(t, 1))
		require.ErrorIs(t, err, context.Canceled, name)
		require.ErrorIs(t, err, cause, name)
		require.NotErrorIs(t, err, causal.ErrStorage, name)
		require.ErrorIs(t, call(late, s, eventtest.New(t, 1)), context.DeadlineExceeded, name)
		require.ErrorIs(t, call(canceled, s, causal.Event{}), context.Canceled, "%s: the context is checked first", name)
		requireField(t, call(nil, s, eventtest.New(t, 1)), "ctx", "must not be nil")
	}
	requireEmpty(t, s)
	_, err := causalsqlite.Open(canceled, testPath(t), nil)
	require.ErrorIs(t, err, cause)
}

func TestClosedStore(t *testing.T) {
	ctx := t.Context()
	for name, s := range map[string]*causalsqlite.Store{"closed": openNew(t), "zero": {}} {
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		for call, f := range calls {
			err := f(ctx, s, eventtest.New(t, 1))
			require.ErrorIs(t, err, causal.ErrClosed, "%s %s", name, call)
			require.ErrorIs(t, err, causal.ErrStorage)
			var e *causal.StorageError
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.Op)
		}
		require.ErrorIs(t, s.SaveEvent(ctx, causal.Event{}), causal.ErrValidation, "arguments are checked first")
	}
}

func requireField(t *testing.T, err error, field, reason string) {
	t.Helper()
	var e *causal.ValidationError
	require.ErrorAs(t, err, &e)
	require.Equal(t, []causal.FieldError{{Field: field, Reason: reason}}, e.Fields)
}

func TestArguments(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	second := func(_ any, err error) error { return err }
	for _, test := range []struct {
		err           error
		field, reason string
	}{
		{s.SaveEvent(ctx, causal.Event{}), "event", "must not be the zero Event"},
		{s.SaveEvents(ctx, []causal.Event{eventtest.New(t, 1), {}}), "event", "must not be the zero Event"},
		{second(s.LoadEvents(ctx, "")), "aggregate_id", "must not be empty"},
		{second(s.LoadEvents(ctx, "\xff")), "aggregate_id", "must be valid UTF-8"},
		{second(s.LoadClock(ctx, "")), "node_id", "must not be empty"},
		{second(s.LoadClock(ctx, "\xff")), "node_id", "must be valid UTF-8"},
		{s.SaveClock(ctx, "", 1), "node_id", "must not be empty"},
		{s.SaveClock(ctx, "\xff", 1), "node_id", "must be valid UTF-8"},
		{s.SaveClock(ctx, "alice", -1), "value", "must not be negative"},
		{second(s.AdvanceClock(ctx, "", 0, 1)), "node_id", "must not be empty"},
		{second(s.AdvanceClock(ctx, "alice", -1, 1)), "floor", "must not be negative"},
		{second(s.AdvanceClock(ctx, "alice", 0, 0)), "by", "must be at least 1"},
		{second(s.RecentErrors(ctx, 0)), "limit", "must be at least 1"},
		{second(s.RecentErrors(ctx, -1)), "limit", "must be at least 1"},
		{second(causalsqlite.Open(ctx, "", nil)), "path", "must not be empty"},
		{second(causalsqlite.Open(ctx, ":memory:", nil)), "path", "must name a file"},
		{second(causalsqlite.Open(ctx, "x", &causalsqlite.Options{ErrorLimit: -1})), "error_limit", "must not be negative"},
		{second(causalsqlite.Open(ctx, "x", &causalsqlite.Options{Readers: -1})), "readers", "must not be negative"},
		{second(causalsqlite.Open(ctx, "x", &causalsqlite.Options{Readers: 1001})), "readers", "must be at most 1000"},
		{second(causalsqlite.Open(ctx, "x", &causalsqlite.Options{Synchronous: 7})), "synchronous", "must be SyncFull or SyncNormal"},
	} {
		requireField(t, test.err, test.field, test.reason)
	}
	require.ErrorIs(t, s.AppendError(ctx, causal.ErrorEntry{}), causal.ErrValidation)
	requireEmpty(t, s)
}

// Contexts that end at any moment of a save harm neither the connection nor other
// callers, and a repeated save leaves one copy.
func TestContextsThatEndDuringSaves(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := range 100 {
				e := eventtest.New(t, worker*1000+n)
				short, cancel := context.WithTimeout(ctx, time.Duration(n)*5*time.Microsecond)
				err := s.SaveEvent(short, e)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if err := s.SaveEvent(ctx, e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, eventtest.LoadAll(t, s), 400)
	require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), 400)
}

// While another process writes, a caller waits as long as its context allows,
// takes its write back, and reads go on.
func TestContextsThatEndWhileWaiting(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	blocker := openAt(t, path, nil)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 0)))
	release := block(t, blocker)
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.ErrorIs(t, s.SaveEvent(short, eventtest.New(t, 1)), context.DeadlineExceeded)
	_, err := s.AdvanceClock(short, "alice", 0, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 2*time.Second)
	require.Zero(t, s.Queued(), "the write was taken back")
	require.Len(t, eventtest.LoadAll(t, s), 1, "reads do not wait")

	done := make(chan error)
	go func() { done <- s.SaveEvent(ctx, eventtest.New(t, 2)) }()
	select {
	case err := <-done:
		require.Fail(t, "the save did not wait", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	require.NoError(t, <-done)
	require.Equal(t, []causal.EventID{eventtest.ID(0), eventtest.ID(2)}, eventtest.IDs(eventtest.LoadAll(t, s)))
}

// Close waits for the writes that came before it, and refuses later ones.
func TestCloseWaits(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	release := block(t, openAt(t, path, nil))
	results := make(chan error)
	for n := range 3 {
		go func() { results <- s.SaveEvent(ctx, eventtest.New(t, n)) }()
	}
	require.Eventually(t, func() bool { return s.Queued() == 3 }, 5*time.Second, time.Millisecond)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	require.Eventually(t, func() bool {
		_, err := s.Head(ctx)
		return errors.Is(err, causal.ErrClosed)
	}, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, s.SaveEvent(ctx, eventtest.New(t, 99)), causal.ErrClosed)
	select {
	case err := <-closed:
		require.Fail(t, "Close did not wait", "%v", err)
	default:
	}
	release()
	for range 3 {
		require.NoError(t, <-results)
	}
	require.NoError(t, <-closed)
	require.Len(t, eventtest.LoadAll(t, openAt(t, path, nil)), 3)
}
