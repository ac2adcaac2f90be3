package causal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

var (
	_ causal.EventStore    = (*causal.MemEventStore)(nil)
	_ causal.BatchSaver    = (*causal.MemEventStore)(nil)
	_ causal.LogReader     = (*causal.MemEventStore)(nil)
	_ causal.ClockStorage  = (*causal.MemClockStorage)(nil)
	_ causal.ClockAdvancer = (*causal.MemClockStorage)(nil)
	_ causal.ErrorStorage  = (*causal.MemErrorStorage)(nil)
)

// plainStore hides the capabilities of an EventStore.
type plainStore struct{ causal.EventStore }

func TestEventStoreVectors(t *testing.T) {
	ctx := t.Context()
	type position struct {
		clock int64
		node  string
	}
	type vector struct {
		Events []causal.Event
		All, A [][2]json.RawMessage
	}
	positions := func(raw [][2]json.RawMessage) (out []position) {
		for _, r := range raw {
			var p position
			require.NoError(t, json.Unmarshal(r[0], &p.clock))
			require.NoError(t, json.Unmarshal(r[1], &p.node))
			out = append(out, p)
		}
		return out
	}
	of := func(events []causal.Event) (out []position) {
		for _, e := range events {
			out = append(out, position{e.LamportClock(), e.NodeID()})
		}
		return out
	}
	for i, v := range readVectors[vector](t, "event_store.jsonl") {
		var s causal.MemEventStore
		for _, e := range append(v.Events, v.Events[:min(3, len(v.Events))]...) {
			require.NoError(t, s.SaveEvent(ctx, e))
		}
		all, err := causal.LoadAll(ctx, &s)
		require.NoError(t, err)
		require.Equal(t, positions(v.All), of(all), "line %d", i+1)
		a, err := s.LoadEvents(ctx, "A")
		require.NoError(t, err)
		require.Equal(t, positions(v.A), of(a), "line %d", i+1)
	}
}

func TestMemEventStore(t *testing.T) {
	ctx := t.Context()
	var s causal.MemEventStore
	loaded, err := s.LoadEvents(ctx, "WP001")
	require.NoError(t, err)
	require.Empty(t, loaded)
	all, err := causal.LoadAll(ctx, &s)
	require.NoError(t, err)
	require.Empty(t, all)

	e := eventtest.New(t, 5, eventtest.WithPayload(`{"n":1}`))
	require.NoError(t, s.SaveEvent(ctx, e))
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 5, eventtest.WithPayload(`{"n":1.0}`))), "the same content")
	err = s.SaveEvent(ctx, eventtest.New(t, 5, eventtest.WithPayload(`{"n":2}`)))
	var conflict *causal.IDConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, []causal.EventID{eventtest.ID(5)}, conflict.IDs)
	require.EqualError(t, err, "causal: event ID already has different content: TEST0000000000000000000005")
	require.ErrorIs(t, s.SaveEvent(ctx, causal.Event{}), causal.ErrValidation)
	loaded, err = s.LoadEvents(ctx, "WP001")
	require.NoError(t, err)
	eventtest.RequireEqual(t, []causal.Event{e}, loaded)
	require.Equal(t, `{"n":1}`, string(loaded[0].Payload()), "what came first stays")

	loaded[0] = causal.Event{} // a copy
	loaded, err = s.LoadEvents(ctx, "WP001")
	require.NoError(t, err)
	require.Len(t, loaded, 1)

	_, err = s.LoadEvents(ctx, "")
	requireFault(t, err, "aggregate_id must not be empty")
	_, err = s.LoadEvents(ctx, "\xff")
	requireFault(t, err, "aggregate_id must be valid UTF-8")
}

// Events that arrive late are in order at the next read, and an earlier view
// does not change.
func TestMemEventStoreLateEvents(t *testing.T) {
	ctx := t.Context()
	var s causal.MemEventStore
	events := make([]causal.Event, 200)
	for i := range events {
		events[i] = eventtest.New(t, i, func(p *causal.EventParams) { p.AggregateID = fmt.Sprint("WP", i%3) })
	}
	want := map[string][]causal.Event{}
	for _, i := range []int{100, 150, 50, 199, 0, 120, 60, 198, 1} {
		e := events[i]
		var before []causal.Event
		for e, err := range s.AllEvents(ctx) {
			require.NoError(t, err)
			before = append(before, e)
			if len(before) == 1 {
				require.NoError(t, s.SaveEvent(ctx, events[i]), "saving from inside the loop")
			}
		}
		require.NoError(t, s.SaveEvent(ctx, e))
		want[e.AggregateID()] = append(want[e.AggregateID()], e)
		slices.SortFunc(want[e.AggregateID()], causal.Compare)
		loaded, err := s.LoadEvents(ctx, e.AggregateID())
		require.NoError(t, err)
		eventtest.RequireEqual(t, want[e.AggregateID()], loaded)
		require.True(t, slices.IsSortedFunc(before, causal.Compare))
	}
	all, err := causal.LoadAll(ctx, &s)
	require.NoError(t, err)
	require.Len(t, all, 9)
	require.True(t, slices.IsSortedFunc(all, causal.Compare))
}

func TestSaveEventsAllOrNothing(t *testing.T) {
	ctx := t.Context()
	var s causal.MemEventStore
	require.NoError(t, s.SaveEvents(ctx, nil))
	require.NoError(t, causal.SaveAll(ctx, &s, []causal.Event{eventtest.New(t, 1), eventtest.New(t, 2), eventtest.New(t, 1)}))
	for name, batch := range map[string][]causal.Event{
		"conflict with the store": {eventtest.New(t, 3), eventtest.New(t, 2, eventtest.WithPayload(`{"a":1}`))},
		"conflict within":         {eventtest.New(t, 3), eventtest.New(t, 4), eventtest.New(t, 3, eventtest.WithPayload(`{"a":1}`))},
		"zero":                    {eventtest.New(t, 3), {}},
	} {
		require.Error(t, causal.SaveAll(ctx, &s, batch), name)
		all, err := causal.LoadAll(ctx, &s)
		require.NoError(t, err)
		require.Equal(t, toIDs([]int{1, 2}), eventtest.IDs(all), name)
	}
	require.NoError(t, s.SaveEvents(ctx, []causal.Event{eventtest.New(t, 2), eventtest.New(t, 3)}))
	all, err := causal.LoadAll(ctx, &s)
	require.NoError(t, err)
	require.Equal(t, toIDs([]int{1, 2, 3}), eventtest.IDs(all))
}

// The memory of a store cannot be reached, neither through saved nor through
// loaded events.
func TestMemEventStoreSharesNoMemory(t *testing.T) {
	ctx := t.Context()
	var s causal.MemEventStore
	batch := []causal.Event{eventtest.New(t, 3), eventtest.New(t, 1), eventtest.New(t, 2)}
	require.NoError(t, s.SaveEvents(ctx, batch))
	clear(batch)
	for range 2 {
		all, err := causal.LoadAll(ctx, &s)
		require.NoError(t, err)
		require.Equal(t, toIDs([]int{1, 2, 3}), eventtest.IDs(all))
		clear(all)
		loaded, err := s.LoadEvents(ctx, "WP001")
		require.NoError(t, err)
		require.Equal(t, toIDs([]int{1, 2, 3}), eventtest.IDs(loaded))
		clear(loaded)
		_ = append(loaded[:1], eventtest.New(t, 9))
	}
}

func TestSaveAllFallsBack(t *testing.T) {
	ctx := t.Context()
	s := plainStore{&causal.MemEventStore{}}
	batch := []causal.Event{eventtest.New(t, 1), eventtest.New(t, 2)}
	require.NoError(t, causal.SaveAll(ctx, s, batch))
	bad := []causal.Event{eventtest.New(t, 3), eventtest.New(t, 2, eventtest.WithPayload(`{"a":1}`)), eventtest.New(t, 4)}
	require.ErrorIs(t, causal.SaveAll(ctx, s, bad), causal.ErrIDConflict)
	all, err := causal.LoadAll(ctx, s)
	require.NoError(t, err)
	require.Equal(t, toIDs([]int{1, 2, 3}), eventtest.IDs(all), "up to the first error")

	require.ErrorIs(t, causal.SaveAll(ctx, nil, batch), causal.ErrValidation)
	_, err = causal.LoadAll(ctx, nil)
	require.ErrorIs(t, err, causal.ErrValidation)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, causal.SaveAll(cancelled, s, nil), context.Canceled)
	_, err = causal.LoadAll(cancelled, s)
	require.ErrorIs(t, err, context.Canceled)
}

// readLog returns the log after a cursor, and fails at the first error.
func readLog(t testing.TB, s causal.LogReader, after causal.Cursor) []causal.LogEntry {
	t.Helper()
	var entries []causal.LogEntry
	for entry, err := range s.ReadLog(t.Context(), after) {
		require.NoError(t, err)
		entries = append(entries, entry)
	}
	return entries
}

func TestReadLog(t *testing.T) {
	ctx := t.Context()
	var s causal.MemEventStore
	empty, err := s.Head(ctx)
	require.NoError(t, err)
	head := empty
	require.Empty(t, readLog(t, &s, head))
	require.Empty(t, readLog(t, &s, causal.Cursor{}))
	arrival := []int{5, 1, 9, 3}
	for _, n := range arrival {
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 5)), "a repetition does not arrive again")
	}
	for _, start := range []causal.Cursor{{}, head} {
		entries := readLog(t, &s, start)
		require.Len(t, entries, len(arrival))
		chain := empty
		for i, entry := range entries {
			require.Equal(t, eventtest.ID(arrival[i]), entry.Event.ID())
			require.Equal(t, chain.Next(entry.Event.ID()), entry.Cursor)
			chain = entry.Cursor
			require.Len(t, readLog(t, &s, entry.Cursor), len(arrival)-i-1)
		}
		head, err = s.Head(ctx)
		require.NoError(t, err)
		require.Equal(t, entries[len(entries)-1].Cursor, head)
	}
	var other causal.MemEventStore
	otherHead, err := other.Head(ctx)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		bad  causal.Cursor
		want error
	}{
		"foreign":        {bad: otherHead, want: causal.ErrInvalidCursor},
		"forged":         {bad: causal.NewCursor([16]byte{1}, 1, [8]byte{}), want: causal.ErrInvalidCursor},
		"other entries":  {bad: causal.NewCursor(head.LogID(), 1, [8]byte{1}), want: causal.ErrInvalidCursor},
		"other at head":  {bad: causal.NewCursor(head.LogID(), head.Position(), [8]byte{1}), want: causal.ErrInvalidCursor},
		"beyond the end": {bad: head.Next(eventtest.ID(50)), want: causal.ErrCursorAhead},
	} {
		calls := 0
		for entry, err := range s.ReadLog(ctx, test.bad) {
			calls++
			require.ErrorIs(t, err, test.want, name)
			require.Equal(t, causal.LogEntry{}.Cursor, entry.Cursor)
			require.True(t, entry.Event.IsZero())
		}
		require.Equal(t, 1, calls)
	}
	for range s.ReadLog(ctx, causal.Cursor{}) {
		break // releases all
	}
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 100)))
	entries := readLog(t, &s, head)
	require.Len(t, entries, 1)
	require.Equal(t, head.Next(eventtest.ID(100)), entries[0].Cursor)
}

// A truncated read never looks complete: the error comes last, once, with a
// zero value.
func TestRangesEndWithTheirError(t *testing.T) {
	ctx := t.Context()
	var s causal.MemEventStore
	for n := range 5 {
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
	}
	for stop := range 6 { // canceled after this many events
		cancelled, cancel := context.WithCancel(ctx)
		check := func(seen *int, e causal.Event, err error) {
			*seen++
			switch {
			case *seen <= stop:
				require.NoError(t, err)
			default:
				require.ErrorIs(t, err, context.Canceled)
				require.True(t, e.IsZero())
			}
			if *seen == stop {
				cancel()
			}
		}
		if stop == 0 {
			cancel()
		}
		events, entries := 0, 0
		for e, err := range s.AllEvents(cancelled) {
			check(&events, e, err)
		}
		cancelled, cancel = context.WithCancel(ctx)
		if stop == 0 {
			cancel()
		}
		for entry, err := range s.ReadLog(cancelled, causal.Cursor{}) {
			check(&entries, entry.Event, err)
		}
		want := min(stop+1, 5) // canceled after the last event, it is complete
		require.Equal(t, want, events)
		require.Equal(t, want, entries)
		cancel()
	}
}

func TestCancelledAndNilContexts(t *testing.T) {
	ctx := t.Context()
	cancelled, cancel := context.WithCancelCause(ctx)
	cause := errors.New("the reason")
	cancel(cause)
	var store causal.MemEventStore
	var clocks causal.MemClockStorage
	var entries causal.MemErrorStorage
	entry := causal.ErrorEntry{ActionAttempted: "a", ErrorMessage: "m"}
	for name, call := range map[string]func(context.Context) error{
		"SaveEvent":    func(ctx context.Context) error { return store.SaveEvent(ctx, eventtest.New(t, 1)) },
		"SaveEvents":   func(ctx context.Context) error { return store.SaveEvents(ctx, []causal.Event{eventtest.New(t, 1)}) },
		"LoadEvents":   func(ctx context.Context) error { _, err := store.LoadEvents(ctx, "a"); return err },
		"LoadAll":      func(ctx context.Context) error { _, err := causal.LoadAll(ctx, &store); return err },
		"Head":         func(ctx context.Context) error { _, err := store.Head(ctx); return err },
		"LoadClock":    func(ctx context.Context) error { _, err := clocks.LoadClock(ctx, "a"); return err },
		"SaveClock":    func(ctx context.Context) error { return clocks.SaveClock(ctx, "a", 1) },
		"AdvanceClock": func(ctx context.Context) error { _, err := clocks.AdvanceClock(ctx, "a", 0, 1); return err },
		"AppendError":  func(ctx context.Context) error { return entries.AppendError(ctx, entry) },
		"RecentErrors": func(ctx context.Context) error { _, err := entries.RecentErrors(ctx, 1); return err },
		"ReadLog": func(ctx context.Context) error {
			for _, err := range store.ReadLog(ctx, causal.Cursor{}) {
				return err
			}
			return nil
		},
	} {
		err := call(cancelled)
		require.ErrorIs(t, err, context.Canceled, name)
		require.ErrorIs(t, err, cause, name)
		require.ErrorIs(t, call(nil), causal.ErrValidation, name)
	}
	all, err := causal.LoadAll(ctx, &store)
	require.NoError(t, err)
	require.Empty(t, all, "nothing was written")
	value, err := clocks.LoadClock(ctx, "a")
	require.NoError(t, err)
	require.Zero(t, value)
	recent, err := entries.RecentErrors(ctx, 1)
	require.NoError(t, err)
	require.Empty(t, recent)
}

func TestMemClockStorage(t *testing.T) {
	ctx := t.Context()
	var s causal.MemClockStorage
	value, err := s.LoadClock(ctx, "alice")
	require.NoError(t, err)
	require.Zero(t, value)
	require.NoError(t, s.SaveClock(ctx, "alice", math.MaxInt64))
	require.NoError(t, s.SaveClock(ctx, "alice", 5), "it overwrites")
	require.NoError(t, s.SaveClock(ctx, "bob", 0))
	value, err = s.AdvanceClock(ctx, "alice", 2, 3)
	require.NoError(t, err)
	require.Equal(t, int64(8), value)
	value, err = s.AdvanceClock(ctx, "alice", 10, 1)
	require.NoError(t, err)
	require.Equal(t, int64(11), value)
	for name, call := range map[string]func() error{
		"value":         func() error { return s.SaveClock(ctx, "alice", -1) },
		"node on load":  func() error { _, err := s.LoadClock(ctx, ""); return err },
		"node on save":  func() error { return s.SaveClock(ctx, "\xff", 1) },
		"node":          func() error { _, err := s.AdvanceClock(ctx, "", 0, 1); return err },
		"floor":         func() error { _, err := s.AdvanceClock(ctx, "alice", -1, 1); return err },
		"by":            func() error { _, err := s.AdvanceClock(ctx, "alice", 0, 0); return err },
		"by minus":      func() error { _, err := s.AdvanceClock(ctx, "alice", 0, math.MinInt64); return err },
		"floor too low": func() error { _, err := s.AdvanceClock(ctx, "alice", math.MinInt64, 1); return err },
	} {
		require.ErrorIs(t, call(), causal.ErrValidation, name)
	}
	for _, args := range [][2]int64{{math.MaxInt64, 1}, {0, math.MaxInt64}, {math.MaxInt64 - 5, 6}} {
		_, err = s.AdvanceClock(ctx, "alice", args[0], args[1])
		require.ErrorIs(t, err, causal.ErrClockOverflow)
	}
	value, err = s.LoadClock(ctx, "alice")
	require.NoError(t, err)
	require.Equal(t, int64(11), value, "refused calls change nothing")
	value, err = s.AdvanceClock(ctx, "alice", math.MaxInt64-5, 5)
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), value)
}

func TestMemStoresFromManyGoroutines(t *testing.T) {
	ctx := t.Context()
	const workers, each = 8, 200
	var store causal.MemEventStore
	var entries causal.MemErrorStorage
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				n := (i*37 + w) % each // each event comes from every worker, in different orders
				if err := store.SaveEvent(ctx, eventtest.New(t, n)); err != nil {
					t.Error(err)
				}
				if err := entries.AppendError(ctx, causal.ErrorEntry{ActionAttempted: "a", ErrorMessage: "m"}); err != nil {
					t.Error(err)
				}
				if i%20 == 0 {
					loaded, err := store.LoadEvents(ctx, "WP001")
					if err != nil || !slices.IsSortedFunc(loaded, causal.Compare) {
						t.Error("a load is out of order", err)
					}
					if recent, err := entries.RecentErrors(ctx, 1000); err != nil || len(recent) > causal.DefaultErrorLimit {
						t.Error("too many entries", err)
					}
					before, err := store.Head(ctx)
					if err != nil {
						t.Error(err)
					}
					for _, err := range store.ReadLog(ctx, before) {
						if err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, readLog(t, &store, causal.Cursor{}), each)
	all, err := causal.LoadAll(ctx, &store)
	require.NoError(t, err)
	require.Len(t, all, each)
}

// faultyStore yields the zero Event without an error.
type faultyStore struct{ causal.MemEventStore }

func (*faultyStore) AllEvents(context.Context) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) { yield(causal.Event{}, nil) }
}

func TestStoresThatYieldTheZeroEvent(t *testing.T) {
	_, err := causal.LoadAll(t.Context(), &faultyStore{})
	require.EqualError(t, err, "causal: storage failed: read events: the storage yielded the zero Event")
}
