package causal_test

import (
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

// simulation is a run of some nodes that emit events and receive each other's
// in any order, with loss and duplication. It records what happened before
// what.
type simulation struct {
	events  []causal.Event // with vector clocks
	plain   []causal.Event // the same without
	stamped []causal.Event // the same with parents
	reaches []map[int]bool // for each event, the events that happened before it
}

func simulate(t *rapid.T) *simulation {
	type state struct {
		clock int64
		last  int64 // the clock of its last event
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
			for i := range s.events { // the first one seen
				if n.past[i] {
					p.CausationID = s.events[i].ID()
					break
				}
			}
		}
		plain, err := causal.NewEvent(p)
		require.NoError(t, err)
		stamped := p
		stamped.Parents, stamped.PreviousClock = s.heads(n.past, p.AggregateID), n.last
		n.last = n.clock
		withParents, err := causal.NewEvent(stamped)
		require.NoError(t, err)
		s.stamped = append(s.stamped, withParents)
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

// heads returns the events of an aggregate in past that are in the past of no
// other.
func (s *simulation) heads(past map[int]bool, aggregate string) []causal.EventID {
	heads := []causal.EventID{}
	for i := range past {
		isHead := s.events[i].AggregateID() == aggregate
		for j := range past {
			isHead = isHead && (!s.reaches[j][i] || s.events[j].AggregateID() != aggregate)
		}
		if isHead {
			heads = append(heads, s.events[i].ID())
		}
	}
	return heads
}

// relation returns the true relation.
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
		h := must(causal.NewHistory(s.events))
		for i := range s.events {
			for j := range s.events {
				want := s.relation(i, j)
				require.Equal(t, want, relate(t, h, s.events[i], s.events[j]), "%d and %d", i, j)
				for _, pair := range [][2]causal.Event{
					{s.events[i], s.events[j]}, {s.plain[i], s.plain[j]}, {s.events[i], s.plain[j]}, {s.plain[i], s.events[j]},
					{s.stamped[i], s.stamped[j]}, {s.events[i], s.stamped[j]}, {s.stamped[i], s.plain[j]},
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
		h := must(causal.NewHistory(rapid.Permutation(input).Draw(t, "order")))
		require.Equal(t, eventtest.IDs(want), eventtest.IDs(h.Heads()))
		stamped := must(causal.NewHistory(rapid.Permutation(s.stamped).Draw(t, "stamped")))
		require.Equal(t, eventtest.IDs(want), eventtest.IDs(stamped.Heads()), "parents are exact within an aggregate")

		var inConflict []causal.EventID
		for _, conflict := range h.Conflicts(nil) {
			require.True(t, conflict.IsCertain)
			for i, e := range conflict.Events {
				inConflict = append(inConflict, e.ID())
				for _, f := range conflict.Events[i+1:] {
					require.Equal(t, conflict.Key, f.AggregateID())
					require.Equal(t, causal.OrderConcurrent, relate(t, h, e, f))
				}
			}
		}
		var shared []causal.EventID // the heads sharing their aggregate with another
		for i, e := range want {
			if slices.ContainsFunc(slices.Concat(want[:i], want[i+1:]), func(f causal.Event) bool { return e.AggregateID() == f.AggregateID() }) {
				shared = append(shared, e.ID())
			}
		}
		require.ElementsMatch(t, shared, inConflict)

		plain := eventtest.IDs(must(causal.NewHistory(s.plain)).Heads())
		for _, id := range eventtest.IDs(want) { // less information gives more heads, never fewer
			require.Contains(t, plain, id)
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
		"its effect, clock wrong":    {b: by(2, "bob", 1, 1, nil), want: causal.OrderUnknown},
		"its effect, same clock":     {b: by(2, "bob", 3, 1, nil), want: causal.OrderUnknown},
		"its effect, and not seen":   {b: by(2, "bob", 9, 1, map[string]int64{"bob": 9, "alice": 2}), want: causal.OrderBefore},
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
	parent := func(p *causal.EventParams) { p.Parents = []causal.EventID{eventtest.ID(1)} }
	for name, test := range map[string]struct {
		change func(*causal.EventParams)
		want   causal.Order
	}{
		"a parent":                       {change: parent, want: causal.OrderBefore},
		"a parent at its own clock":      {change: func(p *causal.EventParams) { parent(p); p.LamportClock = 3 }, want: causal.OrderUnknown},
		"a parent of another aggregate":  {change: func(p *causal.EventParams) { parent(p); p.AggregateID = "other" }, want: causal.OrderUnknown},
		"a parent of another project":    {change: func(p *causal.EventParams) { parent(p); p.ProjectUUID = strings.Replace(p.ProjectUUID, "1", "2", 1) }, want: causal.OrderUnknown},
		"its cause at its own clock":     {change: func(p *causal.EventParams) { p.CausationID, p.LamportClock = eventtest.ID(1), 3 }, want: causal.OrderUnknown},
		"its cause, not its parent":      {change: func(p *causal.EventParams) { p.CausationID = eventtest.ID(1) }, want: causal.OrderUnknown},
		"later of its node, not a child": {change: func(p *causal.EventParams) { p.NodeID = "alice" }, want: causal.OrderConcurrent},
		"seen, but not a parent":         {change: func(p *causal.EventParams) { p.VectorClock = vector(t, map[string]int64{"alice": 3, "bob": 9}) }, want: causal.OrderConcurrent},
	} {
		b := eventtest.New(t, 2, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.Parents = "bob", 9, []causal.EventID{}
			test.change(p)
		})
		require.Equal(t, test.want, causal.Relation(a, b), name)
	}
	zero, seeing := by(1, "carol", 0, 0, nil), by(2, "bob", 9, 0, map[string]int64{"bob": 9})
	require.Equal(t, causal.OrderUnknown, causal.Relation(zero, seeing), "no vector clock tells of the time 0")
}

func TestHeadsOfContradictions(t *testing.T) {
	by := func(n int, node string, clock int64, cause int) causal.Event {
		return eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock = node, clock
			if cause > 0 {
				p.CausationID = eventtest.ID(cause)
			}
		})
	}
	seeing := func(e causal.Event, times map[string]int64) causal.Event {
		return eventtest.New(t, 0, func(p *causal.EventParams) {
			p.ID, p.NodeID, p.LamportClock, p.VectorClock = e.ID(), e.NodeID(), e.LamportClock(), vector(t, times)
		})
	}
	for name, test := range map[string]struct {
		events []causal.Event
		want   []int
	}{
		"each names the other as its cause": {events: []causal.Event{by(1, "alice", 1, 2), by(2, "bob", 2, 1)}, want: []int{1, 2}},
		"three name each other as their cause": {
			events: []causal.Event{by(1, "bob", 1, 3), by(2, "alice", 2, 1), by(3, "alice", 3, 0)}, want: []int{3},
		},
		"three at one clock": {
			events: []causal.Event{by(1, "alice", 5, 3), by(2, "bob", 5, 1), by(3, "carol", 5, 2)}, want: []int{1, 2, 3},
		},
		"its cause is a later event of its node": {
			events: []causal.Event{by(1, "alice", 1, 2), by(2, "alice", 2, 0)}, want: []int{2},
		},
		"the same, and one more follows": {
			events: []causal.Event{by(1, "alice", 1, 2), by(2, "alice", 2, 0), by(3, "alice", 3, 0)}, want: []int{3},
		},
		"its cause is the last of its node, another one is between": {
			events: []causal.Event{by(1, "alice", 1, 2), by(2, "alice", 5, 0), by(3, "alice", 3, 0)}, want: []int{2},
		},
		"its cause has seen most of its node, another one enough": {
			events: []causal.Event{
				by(1, "alice", 2, 2), seeing(by(2, "bob", 6, 0), map[string]int64{"alice": 5, "bob": 6}),
				seeing(by(3, "carol", 7, 0), map[string]int64{"alice": 3, "carol": 7}),
			}, want: []int{2, 3},
		},
		"it has parents, and a plain event follows it": {
			events: []causal.Event{
				eventtest.New(t, 1, func(p *causal.EventParams) { p.CausationID, p.Parents = eventtest.ID(2), []causal.EventID{} }), by(2, "alice", 2, 0),
			}, want: []int{1, 2},
		},
		"one branch of a fork goes on": {
			events: []causal.Event{by(1, "alice", 6, 0), by(2, "alice", 6, 0), by(3, "alice", 7, 1)}, want: []int{2, 3},
		},
		"both branches of a fork are named": {
			events: []causal.Event{by(1, "alice", 6, 0), by(2, "alice", 6, 0), by(3, "alice", 7, 1), by(4, "bob", 8, 2)}, want: []int{3, 4},
		},
	} {
		heads := must(causal.NewHistory(test.events)).Heads()
		var want []causal.EventID
		for _, n := range test.want {
			want = append(want, eventtest.ID(n))
		}
		require.Equal(t, want, eventtest.IDs(heads), name)
	}
}

// Aggregates belong to projects, which may use the same name.
func TestConflictsAreWithinAProject(t *testing.T) {
	other := func(p *causal.EventParams) { p.ProjectUUID, p.NodeID = "00000000-0000-0000-0000-000000000000", "bob" }
	require.Empty(t, must(causal.NewHistory([]causal.Event{eventtest.New(t, 1), eventtest.New(t, 2, other)})).Conflicts(nil))
}

func TestHeadsOfFaults(t *testing.T) {
	itself := eventtest.New(t, 1, func(p *causal.EventParams) { p.CausationID = eventtest.ID(1) })
	require.Len(t, must(causal.NewHistory([]causal.Event{itself})).Heads(), 1, "what claims to cause itself supersedes nothing")
	twice := []causal.Event{eventtest.New(t, 1, atMax), eventtest.New(t, 2, atMax)}
	require.Len(t, must(causal.NewHistory(twice)).Heads(), 2, "neither of two events with one clock is lost")
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
