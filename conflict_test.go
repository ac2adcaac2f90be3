package causal_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// simulation is a run of some nodes that emit events and receive each other's in
// any order, with loss and repetition. It knows what happened before what.
type simulation struct {
	events  []causal.Event // with vector clocks
	plain   []causal.Event // the same without
	reaches []map[int]bool // for each event, the events that happened before it
}

func simulate(t *rapid.T) *simulation {
	type state struct {
		clock int64
		seen  causal.VectorClock
		past  map[int]bool
	}
	s := &simulation{}
	nodes := make([]state, rapid.IntRange(2, 5).Draw(t, "nodes"))
	for i := range nodes {
		nodes[i].past = map[int]bool{}
	}
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		at := rapid.IntRange(0, len(nodes)-1).Draw(t, "node")
		n := &nodes[at]
		if len(s.events) > 0 && rapid.Bool().Draw(t, "receive") {
			i := rapid.IntRange(0, len(s.events)-1).Draw(t, "event")
			n.clock = max(n.clock, s.events[i].LamportClock()) + 1
			n.seen = n.seen.Merge(s.events[i].VectorClock())
			n.past[i] = true
			for j := range s.reaches[i] {
				n.past[j] = true
			}
			continue
		}
		n.clock++
		name := fmt.Sprint("node-", at)
		var err error
		n.seen, err = n.seen.Advance(name, n.clock)
		require.NoError(t, err)
		p := eventtest.Params(len(s.events))
		p.NodeID, p.LamportClock, p.AggregateID = name, n.clock, rapid.SampledFrom([]string{"A", "B"}).Draw(t, "aggregate")
		if causes := len(n.past); causes > 0 && rapid.Bool().Draw(t, "caused") {
			for i := range s.events { // the first that it has seen
				if n.past[i] {
					p.CausationID = s.events[i].ID()
					break
				}
			}
		}
		plain, err := causal.NewEvent(p)
		require.NoError(t, err)
		p.VectorClock = n.seen
		e, err := causal.NewEvent(p)
		require.NoError(t, err)
		past := map[int]bool{}
		for i := range n.past {
			past[i] = true
		}
		n.past[len(s.events)] = true
		s.events, s.plain, s.reaches = append(s.events, e), append(s.plain, plain), append(s.reaches, past)
	}
	return s
}

// relation is what really happened.
func (s *simulation) relation(i, j int) causal.Order {
	switch {
	case i == j:
		return causal.OrderSame
	case s.reaches[j][i]:
		return causal.OrderBefore
	case s.reaches[i][j]:
		return causal.OrderAfter
	}
	return causal.OrderConcurrent
}

func TestRelationAgreesWithReachability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := simulate(t)
		for i := range s.events {
			for j := range s.events {
				want := s.relation(i, j)
				require.Equal(t, want, causal.Relation(s.events[i], s.events[j]), "%d and %d", i, j)
				for _, pair := range [][2]causal.Event{
					{s.plain[i], s.plain[j]}, {s.events[i], s.plain[j]}, {s.plain[i], s.events[j]},
				} {
					if got := causal.Relation(pair[0], pair[1]); got != causal.OrderUnknown {
						require.Equal(t, want, got, "with less to go by it may not know, but is never wrong")
					}
				}
				if want == causal.OrderBefore {
					require.Negative(t, causal.Compare(s.events[i], s.events[j]))
				}
				if causal.IsConcurrent(s.events[i], s.events[j]) {
					require.Equal(t, causal.OrderConcurrent, want)
				}
			}
		}
	})
}

func TestHeadsAreMaximal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := simulate(t)
		var want []causal.Event
		for i, e := range s.events {
			maximal := true
			for j, f := range s.events {
				later := s.reaches[j][i] && e.AggregateID() == f.AggregateID()
				maximal = maximal && !later
			}
			if maximal {
				want = append(want, e)
			}
		}
		slices.SortFunc(want, causal.Compare)
		input := append(slices.Clone(s.events), s.events[:len(s.events)/2]...)
		got, err := causal.Heads(rapid.Permutation(input).Draw(t, "order"))
		require.NoError(t, err)
		require.Equal(t, eventtest.IDs(want), eventtest.IDs(got))

		conflicts, err := causal.Conflicts(input)
		require.NoError(t, err)
		var inConflict []causal.EventID
		for _, group := range conflicts {
			for i, e := range group {
				inConflict = append(inConflict, e.ID())
				for _, f := range group[i+1:] {
					require.Equal(t, e.AggregateID(), f.AggregateID())
					require.Equal(t, causal.OrderConcurrent, causal.Relation(e, f))
				}
			}
		}
		var shared []causal.EventID // the heads that share their aggregate with another
		for i, e := range want {
			if slices.ContainsFunc(slices.Concat(want[:i], want[i+1:]), func(f causal.Event) bool { return e.AggregateID() == f.AggregateID() }) {
				shared = append(shared, e.ID())
			}
		}
		require.ElementsMatch(t, shared, inConflict)

		plain, err := causal.Heads(s.plain)
		require.NoError(t, err)
		for _, id := range eventtest.IDs(want) { // with less to go by there are more heads, never fewer
			require.Contains(t, eventtest.IDs(plain), id)
		}
	})
}

func TestRelation(t *testing.T) {
	by := func(n int, node string, clock int64, cause int, times map[string]int64) causal.Event {
		return eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock = node, clock
			if cause > 0 {
				p.CausationID = eventtest.ID(cause)
			}
			if times != nil {
				p.VectorClock = vector(t, times)
			}
		})
	}
	a := by(1, "alice", 3, 0, nil)
	for name, test := range map[string]struct {
		b    causal.Event
		want causal.Order
	}{
		"itself":                     {b: a, want: causal.OrderSame},
		"zero":                       {b: causal.Event{}, want: causal.OrderUnknown},
		"earlier of its node":        {b: by(2, "alice", 2, 0, nil), want: causal.OrderAfter},
		"later of its node":          {b: by(2, "alice", 4, 0, nil), want: causal.OrderBefore},
		"one clock of one node":      {b: by(2, "alice", 3, 0, nil), want: causal.OrderUnknown},
		"same clock elsewhere":       {b: by(2, "bob", 3, 0, nil), want: causal.OrderConcurrent},
		"its effect":                 {b: by(2, "bob", 9, 1, nil), want: causal.OrderBefore},
		"its effect, clock wrong":    {b: by(2, "bob", 1, 1, nil), want: causal.OrderBefore},
		"later elsewhere":            {b: by(2, "bob", 9, 0, nil), want: causal.OrderUnknown},
		"has seen it":                {b: by(2, "bob", 9, 0, map[string]int64{"bob": 9, "alice": 3}), want: causal.OrderBefore},
		"has not seen it, later":     {b: by(2, "bob", 9, 0, map[string]int64{"bob": 9, "alice": 2}), want: causal.OrderConcurrent},
		"has not seen it, earlier":   {b: by(2, "bob", 2, 0, map[string]int64{"bob": 2}), want: causal.OrderUnknown},
		"clock 0 and a vector clock": {b: by(2, "bob", 0, 0, nil), want: causal.OrderUnknown},
	} {
		require.Equal(t, test.want, causal.Relation(a, test.b), name)
		flipped := map[causal.Order]causal.Order{
			causal.OrderBefore: causal.OrderAfter, causal.OrderAfter: causal.OrderBefore,
		}
		want, ok := flipped[test.want]
		if !ok {
			want = test.want
		}
		require.Equal(t, want, causal.Relation(test.b, a), name)
	}
	zero, seeing := by(1, "carol", 0, 0, nil), by(2, "bob", 9, 0, map[string]int64{"bob": 9})
	require.Equal(t, causal.OrderUnknown, causal.Relation(zero, seeing), "no vector clock tells of the time 0")
}

func TestHeadsRefusesAndIgnores(t *testing.T) {
	none, err := causal.Heads(nil)
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = causal.Heads([]causal.Event{{}})
	require.ErrorIs(t, err, causal.ErrValidation)
	_, err = causal.Heads([]causal.Event{eventtest.New(t, 1), eventtest.New(t, 1, eventtest.WithPayload(`{"a":1}`))})
	require.ErrorIs(t, err, causal.ErrIDConflict)
	_, err = causal.Conflicts([]causal.Event{{}})
	require.ErrorIs(t, err, causal.ErrValidation)
	itself := eventtest.New(t, 1, func(p *causal.EventParams) { p.CausationID = eventtest.ID(1) })
	heads, err := causal.Heads([]causal.Event{itself})
	require.NoError(t, err)
	require.Len(t, heads, 1, "what claims to cause itself supersedes nothing")
	twice := []causal.Event{eventtest.New(t, 1, atMax), eventtest.New(t, 2, atMax)}
	heads, err = causal.Heads(twice)
	require.NoError(t, err)
	require.Len(t, heads, 2, "neither of two events with one clock is lost")
}

func atMax(p *causal.EventParams) { p.LamportClock = math.MaxInt64 }

func TestIsConcurrent(t *testing.T) {
	a := eventtest.New(t, 1)
	sameClock := func(p *causal.EventParams) { p.LamportClock = 1 }
	b := eventtest.New(t, 2, sameClock)
	require.True(t, causal.IsConcurrent(a, b))
	require.False(t, causal.IsConcurrent(a, a))
	require.False(t, causal.IsConcurrent(a, eventtest.New(t, 2)), "other clock")
	require.False(t, causal.IsConcurrent(a, eventtest.New(t, 2, sameClock, func(p *causal.EventParams) { p.AggregateID = "x" })))
	require.False(t, causal.IsConcurrent(a, causal.Event{}))
	require.False(t, causal.IsConcurrent(causal.Event{}, a))
	require.False(t, causal.IsConcurrent(causal.Event{}, causal.Event{}))
}
