package causal_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// An event that is too far ahead follows those it names, and hides none of
// them.
func TestNodeEmitsBesidePoison(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 100 })
	first := emit(t, n, note("A"))
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 1, "mallory", 0, 5000, func(p *causal.EventParams) {
		p.AggregateID, p.Parents = "A", []causal.EventID{first.ID()}
	})))
	second := emit(t, n, note("A"))
	require.Equal(t, []causal.EventID{first.ID()}, second.Parents())
	events, err := n.EmitAll(t.Context(), []causal.EventParams{note("A"), note("A")})
	require.NoError(t, err)
	require.Equal(t, []causal.EventID{second.ID()}, events[0].Parents())
	require.Equal(t, []causal.EventID{events[0].ID()}, events[1].Parents())
	receive(t, n, from(t, 2, "bob", 0, 90), from(t, 3, "bob", 90, 190))
	for i := range 49 {
		receive(t, n, from(t, 10+i, "carol", int64(100*i), int64(100*i+100)))
	}
	require.EqualValues(t, 5000, n.Seen().At("mallory"))
	require.ElementsMatch(t, []causal.EventID{eventtest.ID(1), events[1].ID()}, emit(t, n, note("A")).Parents(), "until it is followed")

	require.NoError(t, s.SaveEvent(t.Context(), from(t, 5, "yves", 0, 1<<50)))
	own := openNode(t, "yves", &s)
	require.EqualValues(t, int64(1<<50), emit(t, own, note("A")).PreviousClock(), "an own event is never gone behind")

	end := openNode(t, "zed", &s)
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 4, "zed", 0, math.MaxInt64, func(p *causal.EventParams) {
		p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678"
	})))
	require.Less(t, emit(t, end, note("A")).LamportClock(), int64(10_000), "the node of another project is another")
}

// Others save while the heads beside a far event are loaded: no parent is later
// than its child.
func TestNodeEmitsBesidePoisonAndOthers(t *testing.T) {
	s := &hookedHeads{}
	limit := func(o *causal.NodeOptions) { o.MaxJump = 100 }
	far := from(t, 1, "mallory", 0, 100_000, func(p *causal.EventParams) { p.AggregateID = "A" })
	require.NoError(t, s.SaveEvent(t.Context(), far))
	n, bob := openNode(t, "alice", s, limit), openNode(t, "bob", &s.MemStore, limit)
	for range 20 {
		emit(t, bob, note("A")) // so that heads are loaded
		s.events = func() {
			for range 3 {
				emit(t, bob, note("A"))
			}
			farther := eventtest.New(t, 2, func(p *causal.EventParams) {
				p.ID, p.NodeID, p.LamportClock, p.AggregateID, p.Parents = causal.NewEventID(), "mallory", 200_000, "A", []causal.EventID{far.ID()}
			})
			require.NoError(t, s.SaveEvent(t.Context(), farther))
		}
		e := emit(t, n, note("A"))
		for _, id := range e.Parents() {
			parent, err := s.FindEvent(t.Context(), id)
			require.NoError(t, err)
			require.Less(t, parent.LamportClock(), e.LamportClock())
		}
	}
}

// Heads loaded by a failed emission are not trusted.
func TestNodeForgetsHeadsOfAFailure(t *testing.T) {
	s := &hookedHeads{}
	n := openNode(t, "alice", s, func(o *causal.NodeOptions) { o.MaxJump = 100 })
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 9, "bob", 0, 1)))
	_, err := n.Missing(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 8, "bob", 1, 2)))
	emit(t, n, note("B")) // others have saved
	far := from(t, 1, "mallory", 0, 100_000, func(p *causal.EventParams) { p.AggregateID = "A" })
	s.hook = func() {
		require.NoError(t, s.SaveEvent(t.Context(), far))
		s.err = errDisk
	}
	_, err = n.Emit(t.Context(), note("A"))
	require.ErrorIs(t, err, errDisk)
	s.err = nil
	_, err = n.Emit(t.Context(), note("A", func(p *causal.EventParams) { p.Parents = []causal.EventID{far.ID()} }))
	require.ErrorIs(t, err, causal.ErrValidation)
}

// A failed merge is made when the events arrive again.
func TestNodeMergesAfterFailure(t *testing.T) {
	var s appends
	n := openNode(t, "hub", &s, func(o *causal.NodeOptions) { o.MergeAbove = 1 })
	events := []causal.Event{from(t, 1, "bob", 0, 1), from(t, 2, "carol", 0, 1)}
	s.fault = "fails after"
	_, err := n.Receive(t.Context(), events, nil)
	require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
	s.fault = ""
	require.Equal(t, 2, receive(t, n, events...).Known)
	require.Len(t, eventtest.LoadAll(t, &s), 3)
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 3, "mallory", 0, 1<<50)))
	receive(t, n, events...)
	require.Len(t, eventtest.LoadAll(t, &s), 4, "a head that cannot be named does not count")
}

// A fork is reported once, to the receiver and to OnFork, which may use the
// node.
func TestForksAreTold(t *testing.T) {
	var s causal.MemStore
	told := make(chan causal.ForkError, 10)
	var n *causal.Node
	n = openNode(t, "alice", &s, func(o *causal.NodeOptions) {
		o.OnFork = func(f causal.ForkError) {
			_, err := n.Emit(context.WithoutCancel(t.Context()), note("forks"))
			if err != nil && !errors.Is(err, causal.ErrClosed) {
				t.Error(err)
			}
			told <- f
		}
	})
	require.Empty(t, receive(t, n, from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2), from(t, 3, "bob", 2, 4)).Forks)
	r := receive(t, n, from(t, 4, "bob", 1, 3), from(t, 5, "bob", 3, 5), from(t, 6, "bob", 4, 6))
	require.Equal(t, []causal.ForkError{{NodeID: "bob", LamportClock: 3, IDs: []causal.EventID{eventtest.ID(4)}}}, r.Forks)
	require.Equal(t, r.Forks[0], <-told)
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 7, "carol", 0, 7)))
	require.NoError(t, s.SaveEvent(t.Context(), from(t, 8, "carol", 0, 8)))
	emit(t, n, note("A"))
	require.Equal(t, causal.ForkError{NodeID: "carol", LamportClock: 8, IDs: []causal.EventID{eventtest.ID(8)}}, <-told, "that another process has saved")
	require.Empty(t, receive(t, n, from(t, 4, "bob", 1, 3)).Forks)
	require.Empty(t, told)
}

// A stored event that is too far ahead neither stops the node nor advances its
// clock.
func TestNodeOnPoisonedStore(t *testing.T) {
	var s causal.MemStore
	poison := from(t, 1, "mallory", 0, 1<<50, func(p *causal.EventParams) { p.AggregateID = "A" })
	require.NoError(t, s.SaveEvents(t.Context(), []causal.Event{poison, from(t, 2, "mallory", 0, math.MaxInt64)}))
	for range 2 {
		n := openNode(t, "alice", &s)
		require.True(t, n.Seen().At("mallory") == 0)
		e := emit(t, n, note("A"))
		require.Less(t, e.LamportClock(), int64(10))
		require.NotContains(t, e.Parents(), poison.ID(), "which cannot come before")
		require.Equal(t, 1, receive(t, n, poison).Known)
		_, err := n.Emit(t.Context(), note("A", func(p *causal.EventParams) { p.Parents = []causal.EventID{poison.ID()} }))
		require.ErrorIs(t, err, causal.ErrValidation)
		require.NoError(t, n.Close())
	}
	all, err := s.LoadEvents(t.Context(), "A")
	require.NoError(t, err)
	require.Len(t, must(causal.NewHistory(all)).Conflicts(nil), 1, "people see it")

	near := openNode(t, "bob", &s, func(o *causal.NodeOptions) { o.MaxJump = 1 << 51 })
	require.EqualValues(t, int64(1<<50), near.Seen().At("mallory"))
	require.EqualValues(t, int64(1<<50+1), emit(t, near, note("A")).LamportClock())
	n := openNode(t, "alice", &s)
	require.Zero(t, n.Seen().At("bob"), "nor does what follows it")
}

// Events that wait for the clock are followed once it comes near, even from a
// checkpoint.
func TestNodeCatchesUpWithItsStore(t *testing.T) {
	var s causal.MemStore
	few := func(o *causal.NodeOptions) { o.MaxJump = 10 }
	require.NoError(t, s.SaveEvents(t.Context(), []causal.Event{from(t, 1, "bob", 0, 12), from(t, 2, "bob", 12, 20), from(t, 3, "bob", 20, 40)}))
	n := openNode(t, "alice", &s, few)
	require.True(t, n.Seen().IsZero())
	require.NoError(t, n.Close())
	n = openNode(t, "alice", &s, few)
	receive(t, n, from(t, 4, "carol", 0, 5))
	require.Equal(t, `{"bob":20,"carol":5}`, n.Seen().String())
	require.EqualValues(t, 21, emit(t, n, note("A")).LamportClock())
}

// This holds whatever brings it near: own events, a stored clock, another
// limit.
func TestNodeCatchesUpByItself(t *testing.T) {
	few := func(o *causal.NodeOptions) { o.MaxJump = 10 }
	for name, bring := range map[string]func(*causal.MemStore, *causal.Node) *causal.Node{
		"own events": func(_ *causal.MemStore, n *causal.Node) *causal.Node {
			for range 10 {
				emit(t, n, note("B"))
			}
			return n
		},
		"a stored clock": func(s *causal.MemStore, n *causal.Node) *causal.Node {
			require.NoError(t, n.Close())
			require.NoError(t, s.SaveClock(t.Context(), "alice", 10))
			return openNode(t, "alice", s, few)
		},
		"another limit": func(s *causal.MemStore, n *causal.Node) *causal.Node {
			require.NoError(t, n.Close())
			return openNode(t, "alice", s)
		},
	} {
		var s causal.MemStore
		n := openNode(t, "alice", &s, few)
		emit(t, n, note("A"))
		far := from(t, 1, "bob", 0, 15, func(p *causal.EventParams) { p.AggregateID = "A" })
		require.NoError(t, s.SaveEvent(t.Context(), far))
		emit(t, n, note("A"))
		require.Zero(t, n.Seen().At("bob"), name)
		n = bring(&s, n)
		require.EqualValues(t, 15, n.Seen().At("bob"), name)
		require.Contains(t, emit(t, n, note("A")).Parents(), far.ID(), name)
	}
}

// A parent in the same call counts only if the call emits it.
func TestNodeParentIsAhead(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 10 })
	far := eventtest.New(t, 1, func(p *causal.EventParams) {
		p.NodeID, p.LamportClock, p.Type, p.AggregateID = "bob", 1000, "Noted", "A"
	})
	require.NoError(t, s.SaveEvent(t.Context(), far))
	_, err := n.EmitAll(t.Context(), []causal.EventParams{
		note("A", func(p *causal.EventParams) { p.ID = far.ID() }),
		note("A", func(p *causal.EventParams) { p.Parents = []causal.EventID{far.ID()} }),
	})
	require.ErrorIs(t, err, causal.ErrValidation)
}

// A hub joins the heads that pile up.
func TestNodeMerges(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "hub", &s, func(o *causal.NodeOptions) { o.MergeAbove = 3 })
	for i := range 3 {
		receive(t, n, from(t, i, fmt.Sprint("node", i), 0, 1))
	}
	require.Len(t, eventtest.LoadAll(t, &s), 3)
	receive(t, n, from(t, 10, "node10", 0, 1), from(t, 11, "node11", 0, 1, func(p *causal.EventParams) { p.AggregateID = "B" }))
	all := eventtest.LoadAll(t, &s)
	require.Len(t, all, 6)
	merged := all[5]
	require.Equal(t, causal.MergedType, merged.Type())
	require.Equal(t, "{}", string(merged.Payload()))
	require.Len(t, merged.Parents(), 4)
	require.Equal(t, "hub", merged.NodeID())
	receive(t, n, from(t, 10, "node10", 0, 1))
	require.Len(t, eventtest.LoadAll(t, &s), 6)

	// The joined events stay in conflict, until someone who has read them all
	// emits one.
	aggregate := merged.AggregateID()
	inConflict := func() (nodes []string) {
		h, err := causal.NewHistory(eventtest.LoadAll(t, &s))
		require.NoError(t, err)
		conflicts := h.Conflicts(nil)
		keyed := h.Conflicts(func(e causal.Event) string {
			require.NotEqual(t, causal.MergedType, e.Type())
			return e.AggregateID()
		})
		require.Equal(t, conflicts, keyed)
		for _, c := range conflicts {
			for _, e := range c.Events {
				nodes = append(nodes, e.NodeID())
			}
		}
		return nodes
	}
	require.Equal(t, []string{"node0", "node1", "node10", "node2"}, inConflict())
	ofAggregate, err := s.LoadEvents(t.Context(), aggregate)
	require.NoError(t, err)
	writes, err := causal.MergeMVFunc(ofAggregate, func(e causal.Event) (string, bool, error) { return e.NodeID(), true, nil })
	require.NoError(t, err)
	require.Len(t, writes, 4)
	receive(t, n, from(t, 12, "node12", 0, 2))
	require.Equal(t, []string{"node0", "node1", "node10", "node2", "node12"}, inConflict())
	emit(t, n, note(aggregate))
	require.Empty(t, inConflict())
}

// Two hubs that join heads do not answer each other forever.
func TestTwoHubsMerge(t *testing.T) {
	var stores [2]causal.MemStore
	var hubs [2]*causal.Node
	for i := range hubs {
		hubs[i] = openNode(t, fmt.Sprint("hub", i), &stores[i], func(o *causal.NodeOptions) { o.MergeAbove = 1 })
	}
	receive(t, hubs[0], from(t, 1, "alice", 0, 1))
	receive(t, hubs[1], from(t, 2, "bob", 0, 1))
	for range 5 {
		for i := range hubs {
			receive(t, hubs[i], eventtest.LoadAll(t, &stores[1-i])...)
		}
	}
	all := eventtest.LoadAll(t, &stores[0])
	require.Equal(t, all, eventtest.LoadAll(t, &stores[1]))
	require.LessOrEqual(t, len(all), 5)
	h, err := causal.NewHistory(all)
	require.NoError(t, err)
	require.Len(t, h.Heads(), 1)
	conflicts := h.Conflicts(nil)
	require.Len(t, conflicts, 1)
	require.Len(t, conflicts[0].Events, 2)
}
