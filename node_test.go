package causal_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// nodeOptions returns the options of the nodes in a test.
func nodeOptions(change ...func(*causal.NodeOptions)) causal.NodeOptions {
	o := causal.NodeOptions{ProjectUUID: eventtest.ProjectUUID}
	for _, f := range change {
		f(&o)
	}
	return o
}

// openNode opens a node that is closed at the end of the test.
func openNode(t testing.TB, id string, s causal.NodeStorage, change ...func(*causal.NodeOptions)) *causal.Node {
	t.Helper()
	n, err := causal.OpenNode(t.Context(), id, s, nodeOptions(change...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

// note returns the parameters of an event in a test.
func note(aggregateID string, change ...func(*causal.EventParams)) causal.EventParams {
	p := causal.EventParams{Type: "Noted", AggregateID: aggregateID}
	for _, f := range change {
		f(&p)
	}
	return p
}

func emit(t testing.TB, n *causal.Node, p causal.EventParams) causal.Event {
	t.Helper()
	e, err := n.Emit(t.Context(), p)
	require.NoError(t, err)
	return e
}

func receive(t testing.TB, n *causal.Node, events ...causal.Event) causal.Receipt {
	t.Helper()
	r, err := n.Receive(t.Context(), events, nil)
	require.NoError(t, err)
	return r
}

func TestNodeStampsEvents(t *testing.T) {
	var s causal.MemStore
	alice := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.ProjectSlug = "slug" })
	bob := openNode(t, "bob", &s)
	a := emit(t, alice, note("A"))
	require.EqualValues(t, 1, a.LamportClock())
	require.True(t, a.IsStamped())
	require.Empty(t, a.Parents())
	require.Equal(t, "slug", a.ProjectSlug())
	require.Equal(t, "alice", a.NodeID())
	require.Equal(t, eventtest.ProjectUUID, a.ProjectUUID())
	require.True(t, a.VectorClock().IsZero())
	b := emit(t, bob, note("A"))
	require.EqualValues(t, 2, b.LamportClock(), "bob has seen what his store has")
	require.Equal(t, []causal.EventID{a.ID()}, b.Parents())
	require.Zero(t, b.PreviousClock())
	c := emit(t, alice, note("B"))
	require.EqualValues(t, 3, c.LamportClock())
	require.EqualValues(t, 1, c.PreviousClock())
	require.Empty(t, c.Parents())
	d := emit(t, alice, note("A"))
	require.Equal(t, []causal.EventID{b.ID()}, d.Parents())
	require.Equal(t, `{"alice":4,"bob":2}`, alice.Seen().String())
	eventtest.RequireEqual(t, []causal.Event{a, b, c, d}, eventtest.LoadAll(t, &s))
	require.Equal(t, "alice", alice.ID())
	require.Equal(t, eventtest.ProjectUUID, alice.ProjectUUID())
}

// For an edit of an earlier version, the caller gives the heads of that
// version.
func TestNodeEmitsAfterWhatWasRead(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "server", &s)
	first := emit(t, n, note("A"))
	read := func(p *causal.EventParams) { p.Parents = []causal.EventID{first.ID()} }
	a, b := emit(t, n, note("A", read)), emit(t, n, note("A", read))
	conflicts := must(causal.NewHistory(eventtest.LoadAll(t, &s))).Conflicts(nil)
	require.Len(t, conflicts, 1)
	eventtest.RequireEqual(t, []causal.Event{a, b}, conflicts[0].Events)
	require.True(t, conflicts[0].IsCertain)
	merged := emit(t, n, note("A"))
	require.ElementsMatch(t, []causal.EventID{a.ID(), b.ID()}, merged.Parents())

	none := emit(t, n, note("A", func(p *causal.EventParams) { p.Parents = []causal.EventID{} }))
	require.Empty(t, none.Parents(), "who has read nothing")
	late := emit(t, n, note("A", func(p *causal.EventParams) { p.Parents = []causal.EventID{none.ID(), first.ID()} }))
	require.ElementsMatch(t, []causal.EventID{first.ID(), none.ID()}, late.Parents())
	require.ElementsMatch(t, []causal.EventID{merged.ID(), late.ID()}, emit(t, n, note("A")).Parents())

	other := emit(t, n, note("B"))
	for name, id := range map[string]causal.EventID{"of another aggregate": other.ID(), "of nobody": eventtest.ID(77)} {
		_, err := n.Emit(t.Context(), note("A", func(p *causal.EventParams) { p.Parents = []causal.EventID{first.ID(), id} }))
		requireFault(t, err, "parents must be earlier events of the aggregate", name)
	}
	ids := []causal.EventID{causal.NewEventID(), causal.NewEventID(), causal.NewEventID()}
	events, err := n.EmitAll(t.Context(), []causal.EventParams{
		note("C", func(p *causal.EventParams) { p.ID = ids[0] }),
		note("C", func(p *causal.EventParams) { p.ID, p.Parents = ids[1], []causal.EventID{} }),
		note("C", func(p *causal.EventParams) { p.ID, p.Parents = ids[2], ids[:1] }),
	})
	require.NoError(t, err)
	require.Equal(t, ids[:1], events[2].Parents(), "an event of the same call")
	_, err = n.EmitAll(t.Context(), []causal.EventParams{
		note("D", func(p *causal.EventParams) { p.Parents = []causal.EventID{eventtest.ID(5)} }),
		note("D", func(p *causal.EventParams) { p.ID = eventtest.ID(5) }),
	})
	require.ErrorIs(t, err, causal.ErrValidation, "a parent comes before")
}

// A retried command results in one event.
func TestNodeEmitsOnceForAnID(t *testing.T) {
	var s causal.MemStore
	alice, bob := openNode(t, "alice", &s), openNode(t, "bob", &s)
	p := note("A", func(p *causal.EventParams) { p.ID, p.Payload = eventtest.ID(1), map[string]any{"n": 1.0, "m": "x"} })
	e := emit(t, alice, p)
	p.Payload = []byte(nil)
	p.Payload = map[string]any{"m": "x", "n": 1}
	require.True(t, e.Equal(emit(t, alice, p)))
	require.True(t, e.Equal(emit(t, bob, p)), "whoever has emitted it")
	p.ID = causal.EventID(strings.ToLower(string(p.ID)))
	require.True(t, e.Equal(emit(t, bob, p)))
	for name, change := range map[string]func(*causal.EventParams){
		"type":      func(p *causal.EventParams) { p.Type = "Other" },
		"aggregate": func(p *causal.EventParams) { p.AggregateID = "B" },
		"payload":   func(p *causal.EventParams) { p.Payload = map[string]any{"n": 2} },
	} {
		other := p
		change(&other)
		_, err := bob.Emit(t.Context(), other)
		var conflict *causal.IDConflictError
		require.ErrorAs(t, err, &conflict, name)
		require.Equal(t, []causal.EventID{e.ID()}, conflict.IDs)
	}
	events, err := bob.EmitAll(t.Context(), []causal.EventParams{note("A"), p, note("B")})
	require.NoError(t, err)
	require.True(t, e.Equal(events[1]))
	require.Equal(t, []causal.EventID{e.ID()}, events[0].Parents())
	require.Equal(t, events[0].LamportClock(), events[2].PreviousClock())
	require.Len(t, eventtest.LoadAll(t, &s), 3)
	_, err = bob.EmitAll(t.Context(), []causal.EventParams{note("A"), note("B", func(p *causal.EventParams) { p.ID = e.ID() })})
	require.ErrorIs(t, err, causal.ErrIDConflict)
	_, err = bob.EmitAll(t.Context(), []causal.EventParams{p, p})
	requireFault(t, err, "event_id occurs twice")
	require.Len(t, eventtest.LoadAll(t, &s), 3, "all or none")
	other, err := causal.OpenNode(t.Context(), "alice", &s, causal.NodeOptions{ProjectUUID: "aaaaaaaa-1234-5678-1234-567812345678"})
	require.NoError(t, err)
	_, err = other.Emit(t.Context(), p)
	require.ErrorIs(t, err, causal.ErrIDConflict, "the project differs")
}

func TestNodeRefusesParams(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	_, err := n.Emit(t.Context(), causal.EventParams{
		NodeID: "bob", LamportClock: 3, ProjectUUID: "aaaaaaaa-1234-5678-1234-567812345678", PreviousClock: 1,
		VectorClock: vector(t, map[string]int64{"alice": 1}),
	})
	requireFault(t, err, "node_id must be empty or that of the node; lamport_clock must be zero: the node sets it; "+
		"project_uuid must be empty or that of the node; previous_clock must be zero: the node sets it; "+
		"vector_clock must be zero: the node sets it")
	_, err = n.Emit(t.Context(), causal.EventParams{Payload: 1, Parents: []causal.EventID{"x"}})
	requireFault(t, err, "event_type must not be empty; aggregate_id must not be empty; payload must be a JSON object; "+
		"parents has an item that must be 26 ASCII letters or digits, or a UUID with hyphens")
	_, err = n.Emit(t.Context(), note("A", func(p *causal.EventParams) { p.ID = "x" }))
	require.ErrorIs(t, err, causal.ErrValidation)
	_, err = n.Emit(nil, note("A")) //nolint:staticcheck // the nil context is tested
	requireFault(t, err, "ctx must not be nil")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.Emit(cancelled, note("A"))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	events, err := n.EmitAll(t.Context(), nil)
	require.NoError(t, err)
	require.NotNil(t, events)
	require.Empty(t, events)
	require.Empty(t, eventtest.LoadAll(t, &s))
	e := emit(t, n, note("A", func(p *causal.EventParams) { p.NodeID, p.ProjectUUID = "alice", strings.ToUpper(eventtest.ProjectUUID) }))
	require.EqualValues(t, 1, e.LamportClock())
}

func TestOpenNodeRefuses(t *testing.T) {
	var s causal.MemStore
	var none *causal.MemStore
	project := nodeOptions()
	for want, open := range map[string]func() (*causal.Node, error){
		"node_id must not be empty":   func() (*causal.Node, error) { return causal.OpenNode(t.Context(), "", &s, project) },
		"node_id must be valid UTF-8": func() (*causal.Node, error) { return causal.OpenNode(t.Context(), "\xff", &s, project) },
		"store must not be nil":       func() (*causal.Node, error) { return causal.OpenNode(t.Context(), "a", nil, project) },
		"project_uuid must be a UUID with hyphens": func() (*causal.Node, error) {
			return causal.OpenNode(t.Context(), "a", &s, causal.NodeOptions{})
		},
		"project_slug must be valid UTF-8": func() (*causal.Node, error) {
			return causal.OpenNode(t.Context(), "a", &s, nodeOptions(func(o *causal.NodeOptions) { o.ProjectSlug = "\xff" }))
		},
		"merge_above must not be negative": func() (*causal.Node, error) {
			return causal.OpenNode(t.Context(), "a", &s, nodeOptions(func(o *causal.NodeOptions) { o.MergeAbove = -1 }))
		},
		"ctx must not be nil": func() (*causal.Node, error) { return causal.OpenNode(nil, "a", &s, project) }, //nolint:staticcheck // the nil context is tested
	} {
		n, err := open()
		requireFault(t, err, want)
		require.Nil(t, n)
	}
	_, err := causal.OpenNode(t.Context(), "a", none, project)
	requireFault(t, err, "store must not be nil", "a nil pointer")
	require.Empty(t, eventtest.LoadAll(t, &s))
}

func TestZeroAndClosedNodes(t *testing.T) {
	var s causal.MemStore
	closed := openNode(t, "alice", &s)
	emit(t, closed, note("A"))
	require.NoError(t, closed.Close())
	require.NoError(t, closed.Close())
	var zero causal.Node
	requireFault(t, zero.Close(), "node must come from OpenNode")
	for name, call := range map[string]func(*causal.Node) error{
		"emit": func(n *causal.Node) error { _, err := n.Emit(t.Context(), note("A")); return err },
		"emit all": func(n *causal.Node) error {
			_, err := n.EmitAll(t.Context(), []causal.EventParams{note("A")})
			return err
		},
		"decide": func(n *causal.Node) error {
			_, err := n.Decide(t.Context(), "A", func([]causal.Event) ([]causal.EventParams, error) { return []causal.EventParams{note("A")}, nil })
			return err
		},
		"receive": func(n *causal.Node) error { _, err := n.Receive(t.Context(), nil, nil); return err },
		"receive JSON": func(n *causal.Node) error {
			_, err := n.ReceiveJSON(t.Context(), func(func([]byte) bool) {}, nil)
			return err
		},
		"emit nothing": func(n *causal.Node) error { _, err := n.EmitAll(t.Context(), nil); return err },
		"missing":      func(n *causal.Node) error { _, err := n.Missing(t.Context()); return err },
		"retry":        func(n *causal.Node) error { _, err := n.RetryRejected(t.Context()); return err },
	} {
		require.ErrorIs(t, call(closed), causal.ErrClosed, name)
		requireFault(t, call(&zero), "node must come from OpenNode", name)
	}
	require.Equal(t, `{"alice":1}`, closed.Seen().String())
	require.True(t, zero.Seen().IsZero())
	require.Len(t, eventtest.LoadAll(t, &s), 1)
}

// A reopened node resumes, from its checkpoint or from the log.
func TestNodeOpensAgain(t *testing.T) {
	for name, forget := range map[string]struct{ checkpoint, clock bool }{
		"with all": {}, "without its checkpoint": {checkpoint: true}, "without its clock": {clock: true}, "without both": {checkpoint: true, clock: true},
	} {
		t.Run(name, func(t *testing.T) {
			var s causal.MemStore
			n := openNode(t, "alice", &s)
			receive(t, n, eventtest.New(t, 7, func(p *causal.EventParams) { p.NodeID = "bob" }))
			last := emit(t, n, note("A"))
			require.NoError(t, n.Close())
			clock, err := s.LoadClock(t.Context(), "alice")
			require.NoError(t, err)
			require.Equal(t, last.LamportClock(), clock, "for those that are no Node")
			if forget.checkpoint {
				require.NoError(t, s.DeleteCheckpoint(t.Context(), aliceCheckpoint))
			}
			if forget.clock {
				require.NoError(t, s.SaveClock(t.Context(), "alice", 0))
			}
			n = openNode(t, "alice", &s)
			require.Equal(t, `{"alice":8,"bob":7}`, n.Seen().String())
			e := emit(t, n, note("A"))
			require.EqualValues(t, 9, e.LamportClock())
			require.EqualValues(t, 8, e.PreviousClock())
			require.Equal(t, []causal.EventID{last.ID()}, e.Parents())
		})
	}
}

// The clock advances past everything in the store, and past values issued by a
// LamportClock of the node.
func TestNodeClock(t *testing.T) {
	var s causal.MemStore
	require.NoError(t, s.SaveClock(t.Context(), "alice", 40))
	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 50, func(p *causal.EventParams) {
		p.NodeID, p.ProjectUUID = "bob", "aaaaaaaa-1234-5678-1234-567812345678"
	})))
	n := openNode(t, "alice", &s)
	require.EqualValues(t, 51, emit(t, n, note("A")).LamportClock())
	require.Equal(t, `{"alice":51}`, n.Seen().String(), "of the project alone")
	for range 1100 {
		emit(t, n, note("A"))
	}
	clock, err := s.LoadClock(t.Context(), "alice")
	require.NoError(t, err)
	require.Greater(t, clock, int64(1000), "it is stored from time to time")

	end := openNode(t, "zed", &s, func(o *causal.NodeOptions) { o.MaxJump = -1 })
	receive(t, end, eventtest.New(t, 1, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "carol", math.MaxInt64-2 }))
	require.EqualValues(t, int64(math.MaxInt64-1), emit(t, end, note("A")).LamportClock())
	_, err = end.EmitAll(t.Context(), []causal.EventParams{note("A"), note("A")})
	require.ErrorIs(t, err, causal.ErrClockOverflow)
	require.EqualValues(t, int64(math.MaxInt64), emit(t, end, note("A")).LamportClock())
	_, err = end.Emit(t.Context(), note("A"))
	require.ErrorIs(t, err, causal.ErrClockOverflow)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
}

func TestNodeOptionsForTests(t *testing.T) {
	var s causal.MemStore
	ids := 0
	n := openNode(t, "alice", &s, func(o *causal.NodeOptions) {
		o.Now = func() time.Time { return eventtest.Time }
		o.NewID = func() causal.EventID { ids++; return eventtest.ID(ids) }
	})
	e := emit(t, n, note("A"))
	require.Equal(t, eventtest.ID(1), e.ID())
	require.True(t, eventtest.Time.Equal(e.Timestamp()))
	own := emit(t, n, note("A", func(p *causal.EventParams) { p.ID, p.Timestamp = eventtest.ID(9), eventtest.Time.Add(time.Hour) }))
	require.Equal(t, eventtest.ID(9), own.ID())
	require.True(t, eventtest.Time.Add(time.Hour).Equal(own.Timestamp()))
	broken := openNode(t, "bob", &s, func(o *causal.NodeOptions) { o.NewID = func() causal.EventID { return "x" } })
	_, err := broken.Emit(t.Context(), note("A"))
	require.ErrorIs(t, err, causal.ErrValidation)
}

func TestNodeVectorClocks(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.VectorClocks = true })
	receive(t, n, eventtest.New(t, 5, func(p *causal.EventParams) { p.NodeID = "bob" }))
	events, err := n.EmitAll(t.Context(), []causal.EventParams{note("A"), note("B")})
	require.NoError(t, err)
	require.Equal(t, `{"alice":6,"bob":5}`, events[0].VectorClock().String())
	require.Equal(t, `{"alice":7,"bob":5}`, events[1].VectorClock().String())
	require.Equal(t, causal.OrderBefore, causal.Relation(events[0], events[1]))
}

// Errors of the store are returned by every call of a node.
func TestNodeOnBrokenLog(t *testing.T) {
	boom := errors.New("boom")
	for name, s := range map[string]*logStore{
		"reads":           {err: boom},
		"a zero event":    {entries: []causal.LogEntry{{}}},
		"a missing entry": {entries: []causal.LogEntry{{Event: eventtest.New(t, 1), Cursor: causal.NewCursor([16]byte{}, 2, [8]byte{})}}},
	} {
		_, err := causal.OpenNode(t.Context(), "alice", s, nodeOptions())
		require.Error(t, err, name)
		if s.err != nil {
			require.ErrorIs(t, err, boom)
		} else {
			eventtest.RequireStorageError(t, err)
		}
	}
}
