// Package adaptertest checks the promises of the stores of this repository
// beyond the contracts of package causal, which causaltest checks.
package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Engine gives the tests access to a store. The tests of a function that is nil
// are left out.
type Engine struct {
	// Open returns a new store.
	Open func(t *testing.T) adapter.Store
	// Again opens the data of a store with another limit of its error log.
	Again func(t *testing.T, s adapter.Store, errorLimit int) adapter.Store
	// Delete removes an entry from the log, which the store forbids.
	Delete func(t *testing.T, s adapter.Store, position int)
	// Zero is the zero value of the store.
	Zero adapter.Store
	// Block makes all writes to the data of the store wait, as another process
	// could, until the caller or the end of the test releases them.
	Block func(t *testing.T, s adapter.Store) (release func())
	// Queued returns the number of saves waiting for others of the same store.
	Queued func(s adapter.Store) int
}

// Test runs all tests as subtests.
func Test(t *testing.T, e Engine) {
	tests := map[string]func(*testing.T, Engine){
		"arguments": testArguments, "contexts": testContexts, "zero": testZero, "snapshot": testSnapshot,
	}
	if e.Block != nil {
		tests["waiting"], tests["close"] = testWaiting, testClose
	}
	if e.Again != nil {
		tests["error limit"] = testErrorLimit
	}
	if e.Delete != nil {
		tests["shorter log"] = testShorterLog
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

// Calls are all methods of a store, with valid arguments; e is the event to
// save.
var Calls = map[string]func(ctx context.Context, s adapter.Store, e causal.Event) error{
	"SaveEvent": func(ctx context.Context, s adapter.Store, e causal.Event) error { return s.SaveEvent(ctx, e) },
	"SaveEvents": func(ctx context.Context, s adapter.Store, e causal.Event) error {
		return s.SaveEvents(ctx, []causal.Event{e})
	},
	"SaveEvents of nothing": func(ctx context.Context, s adapter.Store, _ causal.Event) error { return s.SaveEvents(ctx, nil) },
	"Append": func(ctx context.Context, s adapter.Store, e causal.Event) error {
		return second(s.Append(ctx, []causal.Event{e}))
	},
	"SaveEventsIf": func(ctx context.Context, s adapter.Store, e causal.Event) error {
		condition := causal.Condition{ProjectUUID: eventtest.Params(0).ProjectUUID, NodeID: "nobody"}
		return second(s.SaveEventsIf(ctx, causal.Cursor{}, condition, []causal.Event{e}))
	},
	"LoadEvents": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.LoadEvents(ctx, "WP001"))
	},
	"FindEvent": func(ctx context.Context, s adapter.Store, e causal.Event) error {
		return second(s.FindEvent(ctx, eventtest.ID(1)))
	},
	"Aggregates": func(ctx context.Context, s adapter.Store, _ causal.Event) (last error) {
		for _, err := range s.Aggregates(ctx) {
			last = err
		}
		return last
	},
	"LoadHeads": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.LoadHeads(ctx, eventtest.Params(0).ProjectUUID, "WP001"))
	},
	"MissingParents": func(ctx context.Context, s adapter.Store, _ causal.Event) (last error) {
		for _, err := range s.MissingParents(ctx, eventtest.ProjectUUID) {
			last = err
		}
		return last
	},
	"AllEvents": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(causal.LoadAll(ctx, s))
	},
	"ReadLog": func(ctx context.Context, s adapter.Store, _ causal.Event) (last error) {
		for _, err := range s.ReadLog(ctx, causal.Cursor{}) {
			last = err
		}
		return last
	},
	"Head": func(ctx context.Context, s adapter.Store, _ causal.Event) error { return second(s.Head(ctx)) },
	"WaitLog": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return s.WaitLog(ctx, causal.Cursor{})
	},
	"LoadClock": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.LoadClock(ctx, "alice"))
	},
	"SaveClock": func(ctx context.Context, s adapter.Store, _ causal.Event) error { return s.SaveClock(ctx, "alice", 9) },
	"AdvanceClock": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.AdvanceClock(ctx, "alice", 0, 1))
	},
	"LoadCheckpoint": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.LoadCheckpoint(ctx, "p"))
	},
	"SaveCheckpoint": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.SaveCheckpoint(ctx, string(causal.NewEventID()), causal.Checkpoint{State: []byte("state")}))
	},
	"DeleteCheckpoint": func(ctx context.Context, s adapter.Store, _ causal.Event) error { return s.DeleteCheckpoint(ctx, "p") },
	"Checkpoints": func(ctx context.Context, s adapter.Store, _ causal.Event) (last error) {
		for _, last = range s.Checkpoints(ctx) {
		}
		return last
	},
	"AppendRejected": func(ctx context.Context, s adapter.Store, e causal.Event) error {
		return second(s.AppendRejected(ctx, causal.Rejected{Reason: "none", Time: e.Timestamp().Add(1)}))
	},
	"DeleteRejected": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return s.DeleteRejected(ctx, causal.RejectedKey{})
	},
	"Rejected": func(ctx context.Context, s adapter.Store, _ causal.Event) (last error) {
		for _, last = range s.Rejected(ctx) {
		}
		return last
	},
	"AppendError": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return s.AppendError(ctx, eventtest.NewEntry(1))
	},
	"RecentErrors": func(ctx context.Context, s adapter.Store, _ causal.Event) error {
		return second(s.RecentErrors(ctx, 1))
	},
}

// Writes are the calls that write.
var Writes = map[string]bool{
	"SaveEvent": true, "SaveEvents": true, "Append": true, "SaveEventsIf": true, "SaveClock": true, "AdvanceClock": true, "AppendError": true,
	"SaveCheckpoint": true, "DeleteCheckpoint": true, "AppendRejected": true, "DeleteRejected": true,
}

func second(_ any, err error) error { return err }

// RequireField requires the error for one invalid parameter.
func RequireField(t *testing.T, err error, field, reason string) {
	t.Helper()
	var invalid *causal.ValidationError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, []causal.FieldError{{Field: field, Reason: reason}}, invalid.Fields)
}

// requireEmpty requires that nothing was written.
func requireEmpty(t *testing.T, s adapter.Store) {
	t.Helper()
	ctx := t.Context()
	require.Empty(t, eventtest.LoadAll(t, s))
	value, err := s.LoadClock(ctx, "alice")
	require.NoError(t, err)
	require.Zero(t, value)
	entries, err := s.RecentErrors(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, entries)
	for name, err := range s.Checkpoints(ctx) {
		require.NoError(t, err)
		require.Fail(t, "there is a checkpoint", name)
	}
}

// Errors name the invalid parameter and the reason.
func testArguments(t *testing.T, e Engine) {
	ctx, s := t.Context(), e.Open(t)
	for _, test := range []struct {
		name          string
		err           error
		field, reason string
	}{
		{name: "SaveEvent", err: s.SaveEvent(ctx, causal.Event{}), field: "event", reason: "must not be the zero Event"},
		{name: "SaveEvents", err: s.SaveEvents(ctx, []causal.Event{eventtest.New(t, 1), {}}), field: "event", reason: "must not be the zero Event"},
		{name: "LoadEvents", err: second(s.LoadEvents(ctx, "")), field: "aggregate_id", reason: "must not be empty"},
		{name: "LoadEvents, UTF-8", err: second(s.LoadEvents(ctx, "\xff")), field: "aggregate_id", reason: "must be valid UTF-8"},
		{name: "FindEvent", err: second(s.FindEvent(ctx, "A")), field: "event_id", reason: "must be 26 ASCII letters or digits, or a UUID with hyphens"},
		{name: "LoadClock", err: second(s.LoadClock(ctx, "")), field: "node_id", reason: "must not be empty"},
		{name: "LoadClock, UTF-8", err: second(s.LoadClock(ctx, "\xff")), field: "node_id", reason: "must be valid UTF-8"},
		{name: "SaveClock", err: s.SaveClock(ctx, "", 1), field: "node_id", reason: "must not be empty"},
		{name: "SaveClock, UTF-8", err: s.SaveClock(ctx, "\xff", 1), field: "node_id", reason: "must be valid UTF-8"},
		{name: "SaveClock, value", err: s.SaveClock(ctx, "alice", -1), field: "value", reason: "must not be negative"},
		{name: "AdvanceClock", err: second(s.AdvanceClock(ctx, "", 0, 1)), field: "node_id", reason: "must not be empty"},
		{name: "AdvanceClock, floor", err: second(s.AdvanceClock(ctx, "alice", -1, 1)), field: "floor", reason: "must not be negative"},
		{name: "AdvanceClock, by", err: second(s.AdvanceClock(ctx, "alice", 0, 0)), field: "by", reason: "must be at least 1"},
		{name: "LoadCheckpoint", err: second(s.LoadCheckpoint(ctx, "")), field: "name", reason: "must not be empty"},
		{name: "SaveCheckpoint", err: second(s.SaveCheckpoint(ctx, "\xff", causal.Checkpoint{})), field: "name", reason: "must be valid UTF-8"},
		{
			name: "SaveCheckpoint, state", err: second(s.SaveCheckpoint(ctx, "p", causal.Checkpoint{State: make([]byte, causal.MaxCheckpointState+1)})),
			field: "state", reason: "must have at most 16 MiB",
		},
		{name: "DeleteCheckpoint", err: s.DeleteCheckpoint(ctx, ""), field: "name", reason: "must not be empty"},
		{name: "RecentErrors, 0", err: second(s.RecentErrors(ctx, 0)), field: "limit", reason: "must be at least 1"},
		{name: "RecentErrors, -1", err: second(s.RecentErrors(ctx, -1)), field: "limit", reason: "must be at least 1"},
	} {
		t.Run(test.name, func(t *testing.T) { RequireField(t, test.err, test.field, test.reason) })
	}
	require.ErrorIs(t, s.AppendError(ctx, causal.ErrorEntry{}), causal.ErrValidation)
	requireEmpty(t, s)
}

// The context is checked first, and its error is no failure of the store.
func testContexts(t *testing.T, e Engine) {
	s := e.Open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range Calls {
		for _, event := range []causal.Event{eventtest.New(t, 1), {}} {
			err := call(ended, s, event)
			require.ErrorIs(t, err, context.Canceled, name)
			require.NotErrorIs(t, err, causal.ErrStorage, name)
		}
	}
	require.ErrorIs(t, s.SaveClock(ended, "", -1), context.Canceled)
	requireEmpty(t, s)
}

// The zero value is a closed store and, like every closed store, checks
// arguments first.
func testZero(t *testing.T, e Engine) {
	ctx, s := t.Context(), e.Zero
	require.NoError(t, s.Close())
	for name, call := range Calls {
		err := call(ctx, s, eventtest.New(t, 1))
		require.ErrorIs(t, err, causal.ErrClosed, name)
		require.ErrorIs(t, err, causal.ErrStorage, name)
	}
	require.ErrorIs(t, s.SaveEvent(ctx, causal.Event{}), causal.ErrValidation)
}

// A range sees exactly the events stored when it began.
func testSnapshot(t *testing.T, e Engine) {
	ctx, s := t.Context(), e.Open(t)
	const before = 1029 // several pages
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, before)))
	seen := 0
	for event, err := range s.AllEvents(ctx) {
		require.NoError(t, err)
		require.Equal(t, eventtest.ID(seen), event.ID())
		if seen%100 == 0 {
			late := eventtest.New(t, 10*before+seen, func(p *causal.EventParams) { p.LamportClock = int64(seen) })
			require.NoError(t, s.SaveEvent(ctx, late))
		}
		seen++
	}
	require.Equal(t, before, seen)
	seen = 0
	for _, err := range s.ReadLog(ctx, causal.Cursor{}) {
		require.NoError(t, err)
		if seen == 0 {
			require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 20*before)))
		}
		seen++
	}
	require.Equal(t, before+11, seen)
}

// While another process writes, a caller waits as long as its context allows,
// withdraws its save, and reads still work.
func testWaiting(t *testing.T, e Engine) {
	ctx, s := t.Context(), e.Open(t)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 0)))
	release := e.Block(t, s)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	errs := make(chan error)
	for n := range 3 {
		go func() { errs <- s.SaveEvent(short, eventtest.New(t, n+1)) }()
	}
	for range 3 {
		require.ErrorIs(t, <-errs, context.DeadlineExceeded)
	}
	require.Zero(t, e.Queued(s), "the saves were taken back")
	require.Len(t, eventtest.LoadAll(t, s), 1, "reads do not wait")

	done := make(chan error)
	go func() { done <- s.SaveEvent(ctx, eventtest.New(t, 9)) }()
	select {
	case err := <-done:
		require.Fail(t, "the save did not wait", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	require.NoError(t, <-done)
	stored := eventtest.IDs(eventtest.LoadAll(t, s))
	require.Contains(t, stored, eventtest.ID(9))
	require.NotContains(t, stored, eventtest.ID(2))
	require.NotContains(t, stored, eventtest.ID(3))
}

// Close waits for earlier saves, and refuses later ones.
func testClose(t *testing.T, e Engine) {
	ctx, s := t.Context(), e.Open(t)
	release := e.Block(t, s)
	results := make(chan error)
	for n := range 3 {
		go func() { results <- s.SaveEvent(ctx, eventtest.New(t, n)) }()
	}
	require.Eventually(t, func() bool { return e.Queued(s) >= 2 }, 5*time.Second, time.Millisecond)
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
	saved := 0
	for range 3 {
		if err := <-results; !errors.Is(err, causal.ErrClosed) { // it may have come later
			require.NoError(t, err)
			saved++
		}
	}
	require.GreaterOrEqual(t, saved, 2)
	require.NoError(t, <-closed)
}

// The limit of the error log is that of the appending store.
func testErrorLimit(t *testing.T, e Engine) {
	ctx, s := t.Context(), e.Open(t)
	for n := range 10 {
		require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(n)))
	}
	few := e.Again(t, s, 3)
	require.NoError(t, few.AppendError(ctx, eventtest.NewEntry(10)))
	for _, store := range []adapter.Store{s, few} {
		entries, err := store.RecentErrors(ctx, 100)
		require.NoError(t, err)
		require.Equal(t, []causal.ErrorEntry{eventtest.NewEntry(10), eventtest.NewEntry(9), eventtest.NewEntry(8)}, entries)
	}
}

// ReadAfter returns the events after a cursor, up to the first error.
func ReadAfter(ctx context.Context, s causal.LogReader, after causal.Cursor) (events []causal.Event, err error) {
	for entry, err := range s.ReadLog(ctx, after) {
		if err != nil {
			return events, err
		}
		events = append(events, entry.Event)
	}
	return events, nil
}

// RequireCursor requires that reading after a cursor yields the events with
// these numbers.
func RequireCursor(t *testing.T, s causal.LogReader, after causal.Cursor, want ...int) {
	t.Helper()
	got, err := ReadAfter(t.Context(), s, after)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i, n := range want {
		require.Equal(t, eventtest.ID(n), got[i].ID())
	}
}

// RequireNoCursor requires that a cursor is rejected with the given error.
func RequireNoCursor(t *testing.T, s causal.LogReader, after causal.Cursor, want error) {
	t.Helper()
	got, err := ReadAfter(t.Context(), s, after)
	require.ErrorIs(t, err, want)
	require.Empty(t, got)
}

// RequireDamage requires that, in a log of the events 1, 2 and so on in which
// the one at position is damaged, ranges yield the earlier events and then the
// error.
func RequireDamage(t *testing.T, s adapter.Store, position int, requireError func(error)) {
	t.Helper()
	for name, all := range eventtest.Ranges {
		n := 0
		for id, err := range all(t.Context(), s) {
			if n++; n == position {
				require.Empty(t, id)
				requireError(err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, eventtest.ID(n), id)
		}
		require.Equal(t, position, n, name)
	}
}

// A log that loses its end during a range is a failure of the store, not a
// shorter log.
func testShorterLog(t *testing.T, e Engine) {
	s := e.Open(t)
	const count = 40 // more than a page
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, count)))
	n := 0
	var last error
	for _, err := range s.ReadLog(t.Context(), causal.Cursor{}) {
		if last = err; n == 0 {
			e.Delete(t, s, count)
		}
		n++
	}
	require.Equal(t, count, n, "all but the last entry, and an error")
	eventtest.RequireStorageError(t, last)
	require.ErrorContains(t, last, "entry 40 of the log is missing")
}
