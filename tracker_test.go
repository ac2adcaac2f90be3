package causal_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// newTracker returns a tracker of a node on the storage.
func newTracker(t testing.TB, node string, s causal.ClockStorage, o *causal.LamportClockOptions) *causal.VectorTracker {
	t.Helper()
	clock, err := causal.NewLamportClock(t.Context(), node, s, o)
	require.NoError(t, err)
	tracker, err := causal.NewVectorTracker(clock)
	require.NoError(t, err)
	return tracker
}

// stamp makes the n-th event of a test with the tracker.
func stamp(t testing.TB, tracker *causal.VectorTracker, node string, n int) causal.Event {
	t.Helper()
	value, seen, err := tracker.Stamp(t.Context())
	require.NoError(t, err)
	return eventtest.New(t, n, func(p *causal.EventParams) { p.NodeID, p.LamportClock, p.VectorClock = node, value, seen })
}

func TestVectorTracker(t *testing.T) {
	ctx := t.Context()
	alice := newTracker(t, "alice", &causal.MemClockStorage{}, nil)
	bob := newTracker(t, "bob", &causal.MemClockStorage{}, nil)
	a := stamp(t, alice, "alice", 1)
	require.NoError(t, bob.Observe(ctx, a))
	b := stamp(t, bob, "bob", 2)
	require.Equal(t, `{"alice":1,"bob":3}`, b.VectorClock().String())
	require.Equal(t, causal.OrderBefore, causal.Relation(a, b))
	c := stamp(t, alice, "alice", 3)
	require.Equal(t, causal.OrderConcurrent, causal.Relation(b, c))

	require.NoError(t, alice.Observe(ctx, a), "its own event")
	plain := eventtest.New(t, 4, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "carol", 9 })
	require.NoError(t, alice.Observe(ctx, plain))
	require.NoError(t, alice.Observe(ctx, eventtest.New(t, 5, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "dave", 0 })))
	seen, err := alice.Seen(ctx)
	require.NoError(t, err)
	require.Equal(t, `{"alice":2,"carol":9}`, seen.String())
}

func TestVectorTrackerRestore(t *testing.T) {
	ctx := t.Context()
	var store causal.MemEventStore
	clocks := &causal.MemClockStorage{}
	alice := newTracker(t, "alice", clocks, nil)
	for n := range 5 {
		e := stamp(t, alice, "alice", n)
		require.NoError(t, store.SaveEvent(ctx, e))
		other := eventtest.New(t, 100+n, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "bob", int64(10*n+1) })
		require.NoError(t, alice.Observe(ctx, other))
		require.NoError(t, store.SaveEvent(ctx, other))
	}
	want, err := alice.Seen(ctx)
	require.NoError(t, err)
	for name, storage := range map[string]causal.ClockStorage{"with its clock": clocks, "without": &causal.MemClockStorage{}} {
		restored := newTracker(t, "alice", storage, nil)
		require.NoError(t, restored.Restore(ctx, &store))
		seen, err := restored.Seen(ctx)
		require.NoError(t, err)
		require.Equal(t, want.String(), seen.String(), name)
		e := stamp(t, restored, "alice", 200) // NewEvent checks that no other time is later
		require.Greater(t, e.LamportClock(), int64(41), name)
	}
}

func TestVectorTrackerObserveClock(t *testing.T) {
	ctx := t.Context()
	tracker := newTracker(t, "alice", &causal.MemClockStorage{}, &causal.LamportClockOptions{MaxJump: 10})
	require.NoError(t, tracker.ObserveClock(ctx, vector(t, map[string]int64{"bob": 7, "carol": 2})))
	require.NoError(t, tracker.ObserveClock(ctx, vector(t, map[string]int64{"bob": 3})), "less than was seen")
	require.NoError(t, tracker.ObserveClock(ctx, causal.VectorClock{}))
	require.ErrorIs(t, tracker.ObserveClock(ctx, vector(t, map[string]int64{"bob": 70})), causal.ErrClockJump)
	e := stamp(t, tracker, "alice", 1)
	require.Equal(t, `{"alice":9,"bob":7,"carol":2}`, e.VectorClock().String())
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, tracker.ObserveClock(cancelled, e.VectorClock()), context.Canceled)
	var zero causal.VectorTracker
	require.ErrorIs(t, zero.ObserveClock(ctx, e.VectorClock()), causal.ErrValidation)
}

func TestVectorTrackerRefuses(t *testing.T) {
	ctx := t.Context()
	_, err := causal.NewVectorTracker(nil)
	require.ErrorIs(t, err, causal.ErrValidation)
	var zero causal.VectorTracker
	e := eventtest.New(t, 1, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "bob", 50 })
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	boom := errors.New("boom")
	storage := &brokenStorage{}
	tracker := newTracker(t, "alice", storage, &causal.LamportClockOptions{MaxJump: 10})
	stamp(t, tracker, "alice", 2)
	var store causal.MemEventStore
	require.NoError(t, store.SaveEvent(ctx, e))
	require.ErrorIs(t, zero.Observe(ctx, e), causal.ErrValidation)
	require.ErrorIs(t, zero.Restore(ctx, &store), causal.ErrValidation)
	_, _, err = zero.Stamp(ctx)
	require.ErrorIs(t, err, causal.ErrValidation)
	_, err = zero.Seen(ctx)
	require.ErrorIs(t, err, causal.ErrValidation)
	require.ErrorIs(t, tracker.Observe(ctx, causal.Event{}), causal.ErrValidation)
	require.ErrorIs(t, tracker.Observe(ctx, e), causal.ErrClockJump)
	require.ErrorIs(t, tracker.Observe(cancelled, e), context.Canceled)
	require.ErrorIs(t, tracker.Observe(nil, e), causal.ErrValidation) //nolint:staticcheck // the point of the test
	require.ErrorIs(t, tracker.Restore(ctx, nil), causal.ErrValidation)
	require.ErrorIs(t, tracker.Restore(cancelled, &store), context.Canceled)
	_, _, err = tracker.Stamp(cancelled)
	require.ErrorIs(t, err, context.Canceled)
	storage.err = boom
	_, _, err = tracker.Stamp(ctx)
	require.ErrorIs(t, err, boom)
	seen, err := tracker.Seen(ctx)
	require.NoError(t, err)
	require.Equal(t, `{"alice":1}`, seen.String(), "errors change nothing")
	last := eventtest.New(t, 3, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "bob", math.MaxInt64 })
	require.ErrorIs(t, tracker.Observe(ctx, last), causal.ErrClockOverflow)
}

// Stamps of many goroutines that also receive events always agree with the
// Lamport clock, which NewEvent checks.
func TestVectorTrackerFromManyGoroutines(t *testing.T) {
	const workers, each = 8, 100
	tracker := newTracker(t, "alice", &causal.MemClockStorage{}, nil)
	events := make([]causal.Event, workers*each)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				received := eventtest.New(t, 10_000+n, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "bob", int64(n) })
				if err := tracker.Observe(t.Context(), received); err != nil {
					t.Error(err)
				}
				events[n] = stamp(t, tracker, "alice", n)
			}
		})
	}
	wg.Wait()
	heads, err := causal.Heads(events)
	require.NoError(t, err)
	require.Len(t, heads, 1, "the events of one node are in one order")
}

// emitted returns events 1..n of a node.
func emitted(t *testing.T, node string, n int) (events []causal.Event) {
	for clock := range n {
		events = append(events, eventtest.New(t, clock+1, func(p *causal.EventParams) { p.NodeID = node }))
	}
	return events
}

// The clock of a node went back, as with a backup, and peers bring its own events: no
// value is used twice.
func TestVectorTrackerOwnEventsComeBack(t *testing.T) {
	ctx := t.Context()
	clocks := &causal.MemClockStorage{}
	require.NoError(t, clocks.SaveClock(ctx, "alice", 2))
	tracker := newTracker(t, "alice", clocks, nil)
	for _, e := range emitted(t, "alice", 4) {
		require.NoError(t, tracker.Observe(ctx, e))
	}
	e := stamp(t, tracker, "alice", 5)
	require.Greater(t, e.LamportClock(), int64(4))
	ahead := eventtest.New(t, 9, func(p *causal.EventParams) { p.LamportClock = 1 << 41 })
	require.ErrorIs(t, tracker.Observe(ctx, ahead), causal.ErrClockJump, "the name of the node is no proof")
}

// What is delivered again tells nothing new.
func TestVectorTrackerRepeatedDelivery(t *testing.T) {
	ctx := t.Context()
	tracker := newTracker(t, "bob", &causal.MemClockStorage{}, nil)
	for range 50 {
		for _, e := range emitted(t, "alice", 3) {
			require.NoError(t, tracker.Observe(ctx, e))
		}
	}
	e := stamp(t, tracker, "bob", 1)
	require.Equal(t, `{"alice":3,"bob":5}`, e.VectorClock().String())
}

// The history of a node itself is trusted, and that of others may lead far up, step by
// step.
func TestVectorTrackerRestoresBeyondMaxJump(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		node string
		last int64
		want string
	}{
		"own events, all at once": {node: "alice", last: 1 << 50, want: `{"alice":1125899906842625}`},
		"others, step by step":    {node: "bob", last: 5, want: `{"alice":6,"bob":5}`},
	} {
		t.Run(name, func(t *testing.T) {
			var store causal.MemEventStore
			require.NoError(t, store.SaveEvents(ctx, emitted(t, test.node, 4)))
			require.NoError(t, store.SaveEvent(ctx, eventtest.New(t, 9, func(p *causal.EventParams) {
				p.NodeID, p.LamportClock = test.node, test.last
			})))
			tracker := newTracker(t, "alice", &causal.MemClockStorage{}, &causal.LamportClockOptions{MaxJump: 3})
			require.NoError(t, tracker.Restore(ctx, &store))
			_, seen, err := tracker.Stamp(ctx)
			require.NoError(t, err)
			require.Greater(t, seen.At("alice"), test.last)
		})
	}
}

// One stored event that is too far ahead does not keep the node from starting, and is
// not followed.
func TestVectorTrackerRestoresPoison(t *testing.T) {
	ctx := t.Context()
	var store causal.MemEventStore
	require.NoError(t, store.SaveEvents(ctx, emitted(t, "alice", 2)))
	require.NoError(t, store.SaveEvent(ctx, eventtest.New(t, 9, func(p *causal.EventParams) {
		p.NodeID, p.LamportClock = "mallory", 1_000_000
	})))
	tracker := newTracker(t, "alice", &causal.MemClockStorage{}, &causal.LamportClockOptions{MaxJump: 1000})
	require.NoError(t, tracker.Restore(ctx, &store))
	e := stamp(t, tracker, "alice", 10)
	require.Equal(t, fmt.Sprintf(`{"alice":%d}`, e.LamportClock()), e.VectorClock().String())
	require.Less(t, e.LamportClock(), int64(10))
}

// A stamp that no event could carry is refused where the limit is passed.
func TestVectorTrackerOfTooManyNodes(t *testing.T) {
	ctx := t.Context()
	times := map[string]int64{}
	for n := range 1<<16 - 1 {
		times[fmt.Sprint("node-", n)] = 1
	}
	most := vector(t, times)
	times["one more"] = 1
	tracker := newTracker(t, "alice", &causal.MemClockStorage{}, nil)
	require.ErrorIs(t, tracker.ObserveClock(ctx, vector(t, times)), causal.ErrValidation)
	seen, err := tracker.Seen(ctx)
	require.NoError(t, err)
	require.True(t, seen.IsZero(), "an error changes nothing")
	require.NoError(t, tracker.ObserveClock(ctx, most))
	stamp(t, tracker, "alice", 1)
	other := eventtest.New(t, 2, func(p *causal.EventParams) { p.NodeID = "one more" })
	require.ErrorIs(t, tracker.Observe(ctx, other), causal.ErrValidation)
	var store causal.MemEventStore
	require.NoError(t, store.SaveEvent(ctx, other))
	require.ErrorIs(t, tracker.Restore(ctx, &store), causal.ErrValidation)
	stamp(t, tracker, "alice", 3)
}

// What the vector clock of an event has seen is seen, too.
func TestVectorTrackerObservesVectorClocks(t *testing.T) {
	ctx := t.Context()
	tracker := newTracker(t, "alice", &causal.MemClockStorage{}, nil)
	require.NoError(t, tracker.Observe(ctx, eventtest.New(t, 1, func(p *causal.EventParams) {
		p.NodeID, p.LamportClock, p.VectorClock = "bob", 5, vector(t, map[string]int64{"bob": 5, "carol": 3})
	})))
	require.Equal(t, `{"alice":7,"bob":5,"carol":3}`, stamp(t, tracker, "alice", 2).VectorClock().String())
}

// Nothing that a tracker knows already moves its clock.
func TestVectorTrackerDoesNotTickForWhatItKnows(t *testing.T) {
	ctx := t.Context()
	clock, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, nil)
	require.NoError(t, err)
	tracker, err := causal.NewVectorTracker(clock)
	require.NoError(t, err)
	first, last := stamp(t, tracker, "alice", 1), stamp(t, tracker, "alice", 2)
	var store causal.MemEventStore
	require.NoError(t, causal.SaveAll(ctx, &store, []causal.Event{first, last}))
	for name, call := range map[string]func() error{
		"an own event":       func() error { return tracker.Observe(ctx, first) },
		"its last event":     func() error { return tracker.Observe(ctx, last) },
		"its vector clock":   func() error { return tracker.ObserveClock(ctx, last.VectorClock()) },
		"an equal time":      func() error { return tracker.ObserveClock(ctx, vector(t, map[string]int64{"bob": 2})) },
		"its store":          func() error { return tracker.Restore(ctx, &store) },
		"nothing to be seen": func() error { return tracker.ObserveClock(ctx, causal.VectorClock{}) },
	} {
		require.NoError(t, call(), name)
		require.EqualValues(t, 2, clock.Current(), name)
	}
}
