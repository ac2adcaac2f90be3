package causal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The kinds of faults below were found by attacks on earlier code.

// A batch has different events with one ID: the one that is or can be stored is
// accepted, whatever comes first.
func TestReceiveOneIDTwice(t *testing.T) {
	type events = []causal.Event
	good := from(t, 1, "bob", 0, 5)
	plain := eventtest.New(t, 1, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "bob", 5 })
	other := from(t, 1, "bob", 0, 5, func(p *causal.EventParams) { p.Type = "Other" })
	third := from(t, 1, "bob", 0, 5, func(p *causal.EventParams) { p.Type = "Third" })
	far := from(t, 1, "bob", 0, 5000)
	farther := func(n int64) causal.Event { return from(t, 1, "bob", 0, 5000+n) }
	farPlain := eventtest.New(t, 1, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "bob", 5000 })
	for name, test := range map[string]struct {
		stored, batch          events
		saved, known, rejected int
		want                   causal.Event
	}{
		"the first is too far ahead":   {batch: events{far, good}, saved: 1, rejected: 1, want: good},
		"the second is":                {batch: events{good, far}, saved: 1, rejected: 1, want: good},
		"the second is stored":         {stored: events{good}, batch: events{other, good}, known: 1, rejected: 1, want: good},
		"the third is stored":          {stored: events{good}, batch: events{other, third, good}, known: 1, rejected: 2, want: good},
		"a fuller form is stored":      {stored: events{good}, batch: events{other, plain}, known: 1, rejected: 1, want: good},
		"the fuller form comes first":  {batch: events{good, plain}, saved: 1, known: 1, want: good},
		"the fuller form comes second": {batch: events{plain, good}, saved: 1, known: 1, want: good},
		"the fuller form comes last":   {batch: events{plain, plain, other, good}, saved: 1, known: 2, rejected: 1, want: good},
		"many are too far ahead":       {batch: events{far, farther(1), farther(2), farther(3), farther(4), farther(5), good}, saved: 1, rejected: 6, want: good},
		"both are too far ahead":       {batch: events{far, farPlain}, rejected: 2},
		"the same":                     {batch: events{good, good}, saved: 1, known: 1, want: good},
	} {
		t.Run(name, func(t *testing.T) {
			var s causal.MemStore
			n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 1000 })
			require.NoError(t, s.SaveEvents(t.Context(), test.stored))
			r := receive(t, n, test.batch...)
			require.Equal(t, []int{test.saved, test.known, test.rejected}, []int{r.Saved, r.Known, len(r.Rejected)})
			stored, err := s.FindEvent(t.Context(), eventtest.ID(1))
			require.NoError(t, err)
			require.True(t, test.want.Equal(stored))
		})
	}
}

// Of many different events with one ID all but one are rejected, in as many
// steps as there are.
func TestReceiveManyContents(t *testing.T) {
	contents := func(clock int64) (events []causal.Event) {
		for i := range 3000 {
			events = append(events, from(t, 1, "bob", 0, clock, eventtest.WithPayload(fmt.Sprintf(`{"n":%d}`, i))))
		}
		return events
	}
	for name, test := range map[string]struct {
		stored, clock int64
		fault         string
		want          error
	}{
		"one is stored":     {stored: 3, clock: 3, want: causal.ErrIDConflict},
		"none is":           {clock: 3, want: causal.ErrIDConflict},
		"too far ahead":     {clock: 1 << 50, want: causal.ErrClockJump},
		"stored, and ahead": {stored: 3, clock: 1 << 50, want: causal.ErrIDConflict},
		"the store refuses": {clock: 3, fault: "blames one", want: causal.ErrIDConflict},
	} {
		t.Run(name, func(t *testing.T) {
			s := &appends{fault: test.fault}
			n := openNode(t, "alice", s)
			if test.stored > 0 {
				require.NoError(t, s.SaveEvent(t.Context(), from(t, 1, "carol", 0, test.stored)))
			}
			r := receive(t, n, append(contents(test.clock), from(t, 7, "dave", 0, 1))...)
			require.Equal(t, 3001, r.Saved+r.Known+len(r.Rejected))
			require.GreaterOrEqual(t, r.Saved, 1)
			require.ErrorIs(t, r.Rejected[2999-r.Saved].Err, test.want)
			require.LessOrEqual(t, s.calls, 20)
		})
	}
}

// A refused event does not lead beyond MaxJump.
func TestReceiveAfterRefused(t *testing.T) {
	for name, refuse := range map[string]func(*appends){
		"its ID is taken": func(s *appends) { require.NoError(t, s.SaveEvent(t.Context(), from(t, 1, "dave", 0, 1))) },
		"by the store":    func(s *appends) { s.fault = "blames one" },
	} {
		var s appends
		n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 100 })
		refuse(&s)
		r := receive(t, n, from(t, 1, "bob", 0, 90), from(t, 2, "carol", 0, 150), from(t, 3, "carol", 0, 7))
		require.Equal(t, 1, r.Saved, name)
		require.Len(t, r.Rejected, 2, name)
		require.ErrorIs(t, r.Rejected[1].Err, causal.ErrClockJump, name)
		require.Less(t, emit(t, n, note("A")).LamportClock(), int64(10))
	}
}

// A stored event that cannot be decoded is a fault of the store.
func TestReceiveIntoDamagedStore(t *testing.T) {
	s := appends{fault: "is damaged"}
	n := openNode(t, "alice", &s)
	r, err := n.Receive(t.Context(), []causal.Event{from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2)}, nil)
	require.ErrorIs(t, err, causal.ErrStorage)
	require.Empty(t, r.Rejected)
}

// The cause of a done context does not affect events.
func TestReceiveCanceledWithCause(t *testing.T) {
	for _, cause := range []error{causal.ErrConcurrentSave, causal.ErrValidation, causal.ErrIDConflict, causal.ErrInvalidCursor} {
		var s appends
		n := openNode(t, "alice", &s)
		ctx, cancel := context.WithCancelCause(t.Context())
		s.hook = func() { cancel(cause) }
		r, err := n.Receive(ctx, []causal.Event{from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2)}, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, r.Rejected)
		s.hook = nil
		require.Equal(t, 2, receive(t, n, from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2)).Saved)
	}
}

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

// from returns a stamped event of a node.
func from(t require.TestingT, n int, node string, previous, clock int64, change ...func(*causal.EventParams)) causal.Event {
	return eventtest.New(t, n, append([]func(*causal.EventParams){func(p *causal.EventParams) {
		p.NodeID, p.LamportClock, p.PreviousClock, p.Parents = node, clock, previous, []causal.EventID{}
	}}, change...)...)
}

// reasons returns the IDs of rejected events with the reasons.
func reasons(r causal.Receipt) map[causal.EventID]string {
	all := map[causal.EventID]string{}
	for _, rejected := range r.Rejected {
		all[rejected.EventID] = rejected.Reason
	}
	return all
}

// badEvents are events to reject, by the end of the reason.
func badEvents(t require.TestingT) map[string]causal.Event {
	return map[string]causal.Event{
		"project_uuid must be the project of the node":               from(t, 101, "bob", 0, 1, func(p *causal.EventParams) { p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678" }),
		"has different content: " + string(eventtest.ID(102)):        from(t, 102, "bob", 0, 2, func(p *causal.EventParams) { p.Type = "Other" }),
		"remote clock too far ahead: 5000, more than 1000 beyond 30": from(t, 103, "bob", 0, 5000),
		"clock value above the range":                                from(t, 104, "bob", 0, math.MaxInt64),
	}
}

// Each event is judged separately: a bad one is rejected with its reason and
// kept, and no others.
func TestReceiveTakesEachAlone(t *testing.T) {
	for _, bad := range []int{0, 1, 2, 3, 4} {
		var s causal.MemStore
		n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 1000 })
		require.NoError(t, s.SaveEvent(t.Context(), from(t, 102, "carol", 0, 3)))
		var events []causal.Event
		for i := range 30 {
			events = append(events, from(t, i, "dave", int64(i), int64(i+1)))
		}
		want := badEvents(t)
		for _, e := range want {
			events = slices.Insert(events, len(events)*bad/4, e)
		}
		events = append(events, causal.Event{})
		r, err := n.Receive(t.Context(), events, &causal.ReceiveOptions{Source: "peer"})
		require.NoError(t, err)
		require.Equal(t, 30, r.Saved)
		require.Zero(t, r.Known)
		require.Len(t, r.Rejected, len(want)+1)
		got := reasons(r)
		for reason, e := range want {
			require.True(t, strings.HasSuffix(got[e.ID()], reason), "%s, want %s", got[e.ID()], reason)
		}
		var kept []causal.Rejected
		for k, err := range s.Rejected(t.Context()) {
			require.NoError(t, err)
			kept = append(kept, k)
		}
		require.Len(t, kept, len(want)+1)
		for i, k := range kept {
			require.Equal(t, "peer", k.Source)
			require.True(t, r.Rejected[i].IsStored)
			require.Equal(t, r.Rejected[i].Data, k.Data)
			require.Equal(t, r.Rejected[i].Err.Error(), k.Reason)
			if k.EventID != "" {
				var e causal.Event
				require.NoError(t, json.Unmarshal(k.Data, &e))
				require.Equal(t, k.EventID, e.ID())
			}
		}
		require.EqualValues(t, 31, emit(t, n, note("A")).LamportClock(), "no bad one has moved the clock")
		require.Equal(t, `{"alice":31,"carol":3,"dave":30}`, n.Seen().String())
		again, err := n.Receive(t.Context(), events, &causal.ReceiveOptions{Source: "peer"})
		require.NoError(t, err)
		require.Equal(t, 30, again.Known)
		require.Zero(t, again.Saved)
		require.Len(t, again.Rejected, len(want)+1)
		require.EqualValues(t, 32, emit(t, n, note("A")).LamportClock(), "what comes again moves no clock")
	}
}

// A new node can join a network at any clock near the others, however far it
// has come.
func TestReceiveStepByStep(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 10 })
	var events []causal.Event
	for i := range 100 {
		events = append(events, from(t, i, "bob", int64(10*i), int64(10*i+10)))
	}
	for i := range events {
		j := (i * 37) % len(events)
		events[i], events[j] = events[j], events[i]
	}
	require.Equal(t, 100, receive(t, n, events...).Saved)
	require.EqualValues(t, 1001, emit(t, n, note("A")).LamportClock())
}

// An event that differs from a stored one only in lacking members dropped by
// older peers is known, and any other is in conflict.
func TestReceiveFromOlderPeers(t *testing.T) {
	full := `{"event_id":"TEST0000000000000000000001","event_type":"T","aggregate_id":"A","payload":{"n":1},` +
		`"timestamp":"2026-01-26T10:00:00+00:00","node_id":"bob","lamport_clock":2,"causation_id":null,` +
		`"project_uuid":"12345678-1234-5678-1234-567812345678","project_slug":null,"correlation_id":"TEST0000000000000000000001"`
	decode := func(more string) causal.Event {
		var e causal.Event
		require.NoError(t, e.UnmarshalJSON([]byte(full+more+"}")))
		return e
	}
	const stamp, seen, extra = `,"parents":["TEST0000000000000000000000"],"previous_clock":1`, `,"vector_clock":{"bob":2}`, `,"later":true`
	for _, test := range []struct {
		name, stored, comes string
		isKnown             bool
	}{
		{"nothing is dropped", stamp + seen + extra, stamp + seen + extra, true},
		{"all is dropped", stamp + seen + extra, "", true},
		{"the stamp", stamp + seen, seen, true},
		{"the vector clock", stamp + seen, stamp, true},
		{"what is unknown", stamp + extra, stamp, true},
		{"one unknown member of two", stamp + extra + `,"more":1`, stamp + extra, false},
		{"another stamp", stamp, `,"parents":[],"previous_clock":1`, false},
		{"another clock", stamp, `,"parents":["TEST0000000000000000000000"],"previous_clock":0`, false},
		{"more than is stored", "", stamp, false},
		{"more, and less", seen, stamp, false},
		{"another vector clock", seen, `,"vector_clock":{"a":1,"bob":2}`, false},
	} {
		var s causal.MemStore
		n := openNode(t, "alice", &s)
		require.Equal(t, 1, receive(t, n, decode(test.stored)).Saved)
		r := receive(t, n, decode(test.comes))
		require.Equal(t, test.isKnown, r.Known == 1, test.name)
		require.Equal(t, !test.isKnown, len(r.Rejected) == 1, test.name)
		if !test.isKnown {
			require.ErrorIs(t, r.Rejected[0].Err, causal.ErrIDConflict)
		}
	}
}

func TestReceiveJSON(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	buffer := make([]byte, 0, 4096)
	texts := func(yield func([]byte) bool) {
		for i := range 2500 {
			buffer = buffer[:0]
			switch i % 5 {
			case 0:
				buffer = fmt.Appendf(buffer, `{"event_id": %q, "n": %d`, eventtest.ID(i), i)
			case 1:
				buffer = append(buffer, must(from(t, i, "bob", 0, 1, func(p *causal.EventParams) { p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678" }).MarshalJSON())...)
			default:
				buffer = append(buffer, must(from(t, i, fmt.Sprint("node", i%100), int64(i/100), int64(i/100)+1).MarshalJSON())...)
			}
			if !yield(buffer) {
				return
			}
		}
		for _, text := range [][]byte{nil, {}, []byte("[]"), []byte("null"), []byte(`{"event_id":"` + eventtest.ID(9000) + `"}`)} {
			if !yield(text) {
				return
			}
		}
	}
	r, err := n.ReceiveJSON(t.Context(), texts, nil)
	require.NoError(t, err)
	require.Equal(t, 1500, r.Saved)
	require.Len(t, r.Rejected, 1005)
	require.Equal(t, fmt.Sprintf(`{"event_id": %q, "n": %d`, eventtest.ID(1995), 1995), string(r.Rejected[798].Data), "as it came")
	require.Equal(t, eventtest.ID(9000), r.Rejected[1004].EventID)
	require.NotNil(t, r.Rejected[1000].Data)
	require.True(t, r.Rejected[10].IsStored)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.ReceiveJSON(cancelled, texts, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = n.ReceiveJSON(t.Context(), nil, nil)
	requireFault(t, err, "texts must not be nil")
	_, err = n.Receive(t.Context(), nil, &causal.ReceiveOptions{Source: "\xff"})
	requireFault(t, err, "source must be valid UTF-8")
}

// Events of the node itself come back after its store has gone back.
func TestReceiveOwnEvents(t *testing.T) {
	var s, restored, peer causal.MemStore
	n := openNode(t, "alice", &s)
	var own []causal.Event
	for range 6 {
		own = append(own, emit(t, n, note("A")))
	}
	require.NoError(t, restored.SaveEvents(t.Context(), own[:2]))
	n = openNode(t, "alice", &restored)
	receive(t, n, own[4:]...)
	_, err := n.Emit(t.Context(), note("A"))
	var gap *causal.GapError
	require.ErrorAs(t, err, &gap)
	require.Equal(t, `{"alice":2}`, gap.Seen.String())
	require.Equal(t, `{"alice":4}`, gap.Needed.String())
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.Empty(t, receive(t, n, own...).Forks)
	e := emit(t, n, note("A"))
	require.EqualValues(t, 7, e.LamportClock())
	require.EqualValues(t, 6, e.PreviousClock())
	require.Equal(t, []causal.EventID{own[5].ID()}, e.Parents())

	// The node continued before they arrived.
	require.NoError(t, peer.SaveEvents(t.Context(), own[:2]))
	n = openNode(t, "alice", &peer)
	emit(t, n, note("A"))
	r := receive(t, n, own...)
	require.Len(t, r.Forks, 1)
	require.Equal(t, "alice", r.Forks[0].NodeID)
	require.Equal(t, []causal.EventID{own[2].ID()}, r.Forks[0].IDs)
	e = emit(t, n, note("A"))
	require.EqualValues(t, 7, e.LamportClock(), "and the network goes on")
	require.Len(t, e.Parents(), 2, "with both branches")
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

// Only events rejected for their clock or ID are retried.
func TestRetryRejected(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.MaxJump = 100 })
	far, other := from(t, 1, "bob", 0, 150), from(t, 2, "bob", 0, 1, func(p *causal.EventParams) { p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678" })
	taken := from(t, 3, "carol", 0, 1, func(p *causal.EventParams) { p.Type = "Other" })
	receive(t, n, from(t, 3, "carol", 0, 1))
	r, err := n.Receive(t.Context(), []causal.Event{far, other, taken}, &causal.ReceiveOptions{Source: "x"})
	require.NoError(t, err)
	require.Len(t, r.Rejected, 3)
	_, err = n.ReceiveJSON(t.Context(), slices.Values([][]byte{[]byte("{")}), nil)
	require.NoError(t, err)
	r, err = n.RetryRejected(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Saved)
	require.Len(t, r.Rejected, 2)
	require.Equal(t, "x", r.Rejected[0].Source)
	receive(t, n, from(t, 5, "dave", 0, 60))
	r, err = n.RetryRejected(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, r.Saved)
	require.Len(t, r.Rejected, 1)
	left := 0
	for k, err := range s.Rejected(t.Context()) {
		require.NoError(t, err)
		require.NotEqual(t, far.ID(), k.EventID)
		require.EqualValues(t, 1, k.Count, "a retry is no repetition")
		left++
	}
	require.Equal(t, 3, left)
	bare := struct{ causal.NodeStorage }{&causal.MemStore{}}
	n = openNode(t, "alice", bare)
	r = receive(t, n, other)
	require.False(t, r.Rejected[0].IsStored)
	r, err = n.RetryRejected(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Rejected)
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
	require.Equal(t, "causal.merged", merged.Type())
	require.Equal(t, "{}", string(merged.Payload()))
	require.Len(t, merged.Parents(), 4)
	require.Equal(t, "hub", merged.NodeID())
	receive(t, n, from(t, 10, "node10", 0, 1))
	require.Len(t, eventtest.LoadAll(t, &s), 6)
}

// In any batches and order, and although the store fails, finally each good
// event is stored once, and Seen equals that of a node that reads the log.
func TestReceiveOnFaultyStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &appends{}
		n, err := causal.OpenNode(t.Context(), "alice", s, nodeOptions(func(o *causal.NodeOptions) { o.MaxJump = 1000 }))
		require.NoError(t, err)
		require.NoError(t, s.SaveEvent(t.Context(), from(t, 102, "carol", 0, 3)))
		var good, all []causal.Event
		clocks := map[string]int64{}
		for i := range rapid.IntRange(1, 15).Draw(t, "events") {
			node := rapid.SampledFrom([]string{"bob", "dave"}).Draw(t, "node")
			clock := clocks[node] + rapid.Int64Range(1, 3).Draw(t, "step")
			good = append(good, from(t, i, node, clocks[node], clock))
			clocks[node] = clock
		}
		for _, e := range badEvents(t) {
			all = append(all, e)
		}
		all = rapid.Permutation(append(all, good...)).Draw(t, "order")
		for len(all) > 0 {
			batch := all[:rapid.IntRange(1, len(all)).Draw(t, "batch")]
			s.fault = rapid.SampledFrom([]string{"", "", "fails", "fails after", "blames one", "blames another", "names nobody", "short", "beside"}).Draw(t, "fault")
			r, err := n.Receive(t.Context(), batch, nil)
			if s.fault = ""; err != nil {
				require.ErrorIs(t, err, causal.ErrStorage)
				continue
			}
			require.Equal(t, len(batch), r.Saved+r.Known+len(r.Rejected))
			if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
				require.NoError(t, n.Close())
				n, err = causal.OpenNode(t.Context(), "alice", s, nodeOptions(func(o *causal.NodeOptions) { o.MaxJump = 1000 }))
				require.NoError(t, err)
			}
			all = all[len(batch):]
		}
		r, err := n.RetryRejected(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(r.Rejected), 4)
		stored := map[causal.EventID]bool{}
		for _, e := range eventtest.LoadAll(t, s) {
			stored[e.ID()] = true
		}
		for _, e := range good {
			require.True(t, stored[e.ID()] || s.blamed[e.ID()], "%v", e)
		}
		last, err := n.Emit(t.Context(), note("A"))
		require.NoError(t, err)
		fresh, err := causal.OpenNode(t.Context(), "other", &s.MemStore, nodeOptions(func(o *causal.NodeOptions) { o.MaxJump = 1000 }))
		require.NoError(t, err)
		require.Equal(t, fresh.Seen().String(), n.Seen().String())
		require.Equal(t, last.LamportClock(), n.Seen().At("alice"))
	})
}

// appends is a store whose appends fail.
type appends struct {
	causal.MemStore
	hook   func()
	calls  int // of Append and FindEvent
	fault  string
	blamed map[causal.EventID]bool
	others int
}

func (s *appends) FindEvent(ctx context.Context, id causal.EventID) (causal.Event, error) {
	s.calls++
	return s.MemStore.FindEvent(ctx, id)
}

func (s *appends) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	s.calls++
	if s.hook != nil {
		s.hook()
		return causal.Appended{}, &causal.StorageError{Op: "append", Err: fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))}
	}
	switch s.fault {
	case "fails":
		return causal.Appended{}, errDisk
	case "is damaged":
		return causal.Appended{}, &causal.StorageError{Op: "append", Err: json.Unmarshal([]byte("{}"), new(causal.Event))}
	case "fails after":
		_, _ = s.MemStore.Append(ctx, events)
		return causal.Appended{}, errUnknown
	case "blames one", "blames another":
		for _, e := range events {
			if e.ID() == eventtest.ID(1) {
				err := &causal.ValidationError{Fields: []causal.FieldError{{Field: "event", Reason: "is not liked"}}}
				if s.fault == "blames one" {
					err.EventID = e.ID()
				}
				s.blamed = map[causal.EventID]bool{e.ID(): true}
				return causal.Appended{}, err
			}
		}
	case "names nobody":
		if len(events) > 1 {
			return causal.Appended{}, &causal.IDConflictError{IDs: []causal.EventID{eventtest.ID(500)}}
		}
	case "short":
		a, err := s.MemStore.Append(ctx, events)
		if len(a.New) > 0 {
			a.New = a.New[1:]
		}
		return a, err
	case "beside":
		s.others++
		p := eventtest.Params(1000 + s.others)
		p.NodeID, p.LamportClock = "erin", int64(s.others)
		e, err := causal.NewEvent(p)
		if err == nil {
			err = s.SaveEvent(ctx, e)
		}
		if err != nil {
			return causal.Appended{}, err
		}
	}
	return s.MemStore.Append(ctx, events)
}
