package causal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

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
