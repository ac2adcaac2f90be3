package causal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Edge cases of the definition.
func TestHistory(t *testing.T) {
	type change = func(*causal.EventParams)
	by := func(n int, node string, clock int64, aggregate string, changes ...change) causal.Event {
		return eventtest.New(t, n, append([]change{func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.AggregateID = node, clock, aggregate
		}}, changes...)...)
	}
	caused := func(n int) change { return func(p *causal.EventParams) { p.CausationID = eventtest.ID(n) } }
	stamped := func(previous int64, parents ...int) change {
		return func(p *causal.EventParams) {
			p.Parents, p.PreviousClock = []causal.EventID{}, previous
			for _, n := range parents {
				p.Parents = append(p.Parents, eventtest.ID(n))
			}
		}
	}
	seeing := func(times map[string]int64) change {
		return func(p *causal.EventParams) { p.VectorClock = vector(t, times) }
	}
	for name, test := range map[string]struct {
		events []causal.Event
		want   map[[2]int]causal.Order
		heads  []int
	}{
		"a cause of another aggregate carries on": {
			events: []causal.Event{by(1, "alice", 1, "A"), by(2, "bob", 2, "B", caused(1)), by(3, "carol", 3, "A", caused(2))},
			want:   map[[2]int]causal.Order{{1, 3}: causal.OrderBefore}, heads: []int{2, 3},
		},
		"a node without a vector clock between two that have one": {
			events: []causal.Event{
				by(1, "carol", 1, "A", seeing(map[string]int64{"carol": 1})), by(2, "alice", 3, "A", caused(1)),
				by(3, "bob", 5, "A", seeing(map[string]int64{"alice": 3, "bob": 5})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderBefore}, heads: []int{3},
		},
		"the same, and the event between is missing": {
			events: []causal.Event{
				by(1, "carol", 1, "A", seeing(map[string]int64{"carol": 1})), by(3, "bob", 5, "A", seeing(map[string]int64{"alice": 3, "bob": 5})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown}, heads: []int{1, 3},
		},
		"the same, and it cannot hide the later one": {
			events: []causal.Event{
				by(1, "carol", 4, "A", seeing(map[string]int64{"carol": 4})), by(3, "bob", 5, "A", seeing(map[string]int64{"alice": 3, "bob": 5})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderConcurrent}, heads: []int{1, 3},
		},
		"a parent's parent": {
			events: []causal.Event{by(1, "alice", 1, "A", stamped(0)), by(2, "bob", 2, "A", stamped(0, 1)), by(3, "carol", 3, "A", stamped(0, 2))},
			want:   map[[2]int]causal.Order{{1, 3}: causal.OrderBefore}, heads: []int{3},
		},
		"a parent is missing": {
			events: []causal.Event{by(1, "alice", 1, "A", stamped(0)), by(2, "bob", 2, "A", stamped(0)), by(3, "carol", 4, "A", stamped(0, 9)), by(4, "dave", 3, "A", stamped(0))},
			want: map[[2]int]causal.Order{
				{1, 3}: causal.OrderUnknown, {2, 3}: causal.OrderUnknown, {1, 2}: causal.OrderConcurrent, {3, 4}: causal.OrderConcurrent,
			}, heads: []int{1, 2, 4, 3},
		},
		"two users of a server who read the same": {
			events: []causal.Event{
				by(1, "server", 1, "A", stamped(0)), by(2, "server", 2, "A", stamped(1, 1)), by(3, "server", 3, "B", stamped(2)),
				by(4, "server", 4, "A", stamped(3, 1)), by(5, "server", 5, "B", stamped(4, 3)),
			},
			want: map[[2]int]causal.Order{
				{2, 4}: causal.OrderConcurrent, {1, 4}: causal.OrderBefore, {2, 3}: causal.OrderBefore,
				{3, 4}: causal.OrderUnknown, // 3 comes after 2, which 4 had not read
				{4, 5}: causal.OrderBefore, {2, 5}: causal.OrderBefore,
			}, heads: []int{2, 4, 5},
		},
		"what its node did before the unread event": {
			events: []causal.Event{by(1, "server", 1, "B", stamped(0)), by(2, "server", 2, "A", stamped(1)), by(3, "server", 3, "C", stamped(2)), by(4, "server", 4, "A", stamped(3))},
			want: map[[2]int]causal.Order{
				{1, 4}: causal.OrderBefore, {2, 4}: causal.OrderConcurrent, {3, 4}: causal.OrderUnknown,
			}, heads: []int{1, 2, 3, 4},
		},
		"a cause that was not read": {
			events: []causal.Event{by(1, "alice", 1, "A", stamped(0)), by(2, "bob", 2, "A", stamped(0), caused(1))},
			want:   map[[2]int]causal.Order{{1, 2}: causal.OrderUnknown}, heads: []int{1, 2},
		},
		"a chain across aggregates": {
			events: []causal.Event{by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 2, "B", stamped(1)), by(3, "bob", 3, "B", stamped(0, 2)), by(4, "bob", 4, "C", stamped(3))},
			want:   map[[2]int]causal.Order{{1, 4}: causal.OrderBefore}, heads: []int{1, 3, 4},
		},
		"a chain with a hole": {
			events: []causal.Event{by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 7, "B", stamped(5))},
			want:   map[[2]int]causal.Order{{1, 2}: causal.OrderBefore}, heads: []int{1, 2},
		},
		"branches of a fork": {
			events: []causal.Event{
				by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 2, "B", stamped(1)), by(3, "alice", 3, "C", stamped(1)), by(4, "alice", 4, "D", stamped(2)),
				by(5, "alice", 6, "E", stamped(3)),
			},
			want: map[[2]int]causal.Order{
				{1, 4}: causal.OrderBefore, {1, 5}: causal.OrderBefore, {2, 4}: causal.OrderBefore, {3, 5}: causal.OrderBefore,
				{2, 3}: causal.OrderUnknown, {3, 4}: causal.OrderUnknown, {2, 5}: causal.OrderUnknown,
			}, heads: []int{1, 2, 3, 4, 5},
		},
		"one clock on both branches of a fork": {
			events: []causal.Event{by(1, "alice", 2, "A", stamped(0)), by(2, "alice", 2, "B", stamped(0)), by(3, "alice", 3, "C", stamped(2))},
			want: map[[2]int]causal.Order{
				{1, 2}: causal.OrderConcurrent, {1, 3}: causal.OrderUnknown, {2, 3}: causal.OrderUnknown,
			}, heads: []int{1, 2, 3},
		},
		"one clock, one of them plain": {
			events: []causal.Event{by(1, "alice", 2, "A", stamped(0)), by(2, "alice", 2, "A"), by(3, "alice", 2, "A", stamped(0))},
			want: map[[2]int]causal.Order{
				{1, 2}: causal.OrderUnknown, {1, 3}: causal.OrderConcurrent, {2, 3}: causal.OrderUnknown,
			}, heads: []int{1, 2, 3},
		},
		"seen, of a fork": {
			events: []causal.Event{
				by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 2, "B", stamped(1)), by(3, "alice", 3, "C", stamped(1)),
				by(4, "bob", 9, "D", stamped(0), seeing(map[string]int64{"alice": 3, "bob": 9})),
			},
			want:  map[[2]int]causal.Order{{1, 4}: causal.OrderBefore, {3, 4}: causal.OrderBefore, {2, 4}: causal.OrderUnknown},
			heads: []int{1, 2, 3, 4},
		},
		"what a vector clock claims of a node whose events had not read each other": {
			events: []causal.Event{
				by(1, "alice", 3, "A", stamped(0)), by(2, "alice", 5, "A", stamped(3)), by(3, "bob", 6, "B", stamped(0), seeing(map[string]int64{"alice": 5, "bob": 6})),
			},
			want: map[[2]int]causal.Order{{1, 2}: causal.OrderConcurrent, {1, 3}: causal.OrderBefore, {2, 3}: causal.OrderBefore}, heads: []int{1, 2, 3},
		},
		"what a vector clock claims beyond a cause": {
			events: []causal.Event{
				by(1, "alice", 3, "A", stamped(0)), by(2, "alice", 5, "A", stamped(3)), by(3, "bob", 6, "B", caused(2), seeing(map[string]int64{"alice": 5, "bob": 6})),
				by(4, "carol", 6, "B", seeing(map[string]int64{"alice": 5, "carol": 6})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderBefore, {1, 4}: causal.OrderBefore}, heads: []int{1, 2, 3, 4},
		},
		"a chain whose events had not read each other": {
			events: []causal.Event{
				by(1, "server", 1, "A", stamped(0)), by(2, "server", 2, "A", stamped(1, 1)), by(3, "server", 3, "B", stamped(2)),
				by(4, "server", 4, "A", stamped(3, 1)), by(5, "server", 5, "C", stamped(4)),
			},
			want: map[[2]int]causal.Order{{3, 4}: causal.OrderUnknown, {3, 5}: causal.OrderBefore, {4, 5}: causal.OrderBefore}, heads: []int{2, 3, 4, 5},
		},
		"the same with a hole": {
			events: []causal.Event{by(2, "server", 2, "A", stamped(1, 1)), by(3, "server", 3, "B", stamped(2)), by(5, "server", 5, "C", stamped(4))},
			want:   map[[2]int]causal.Order{{3, 5}: causal.OrderBefore}, heads: []int{2, 3, 5},
		},
		"a vector clock of one clock on both branches": {
			events: []causal.Event{
				by(1, "alice", 2, "A", seeing(map[string]int64{"alice": 2})), by(2, "alice", 2, "B", seeing(map[string]int64{"alice": 2})),
				by(3, "bob", 3, "A", seeing(map[string]int64{"alice": 2, "bob": 3})), by(4, "carol", 4, "A", stamped(0, 3)),
			},
			want:  map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown, {2, 3}: causal.OrderUnknown, {1, 4}: causal.OrderUnknown, {3, 4}: causal.OrderBefore},
			heads: []int{1, 2, 4},
		},
		"a vector clock of a clock beyond a fork, of which the event is missing": {
			events: []causal.Event{
				by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 2, "B", stamped(1)), by(3, "alice", 3, "C", stamped(1)),
				by(4, "bob", 9, "D", seeing(map[string]int64{"alice": 4, "bob": 9})),
			},
			want:  map[[2]int]causal.Order{{1, 4}: causal.OrderBefore, {2, 4}: causal.OrderUnknown, {3, 4}: causal.OrderUnknown},
			heads: []int{1, 2, 3, 4},
		},
		"a cause of a tracker is missing": {
			events: []causal.Event{
				by(1, "alice", 3, "A", seeing(map[string]int64{"alice": 3})), by(3, "bob", 6, "A", seeing(map[string]int64{"bob": 6}), caused(2)),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown}, heads: []int{1, 3},
		},
		"a cause of a tracker was plain": {
			events: []causal.Event{
				by(1, "alice", 3, "A", seeing(map[string]int64{"alice": 3})), by(2, "carol", 5, "B"), by(3, "bob", 6, "A", seeing(map[string]int64{"bob": 6}), caused(2)),
				by(4, "dave", 5, "A", seeing(map[string]int64{"dave": 5})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown, {2, 3}: causal.OrderBefore, {3, 4}: causal.OrderConcurrent}, heads: []int{1, 2, 4, 3},
		},
		"an earlier event of a node that a tracker has seen": {
			events: []causal.Event{
				by(1, "dave", 3, "A", seeing(map[string]int64{"dave": 3})), by(2, "alice", 2, "A", seeing(map[string]int64{"alice": 2})),
				by(3, "bob", 6, "A", seeing(map[string]int64{"alice": 5, "bob": 6})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown, {2, 3}: causal.OrderBefore}, heads: []int{1, 3},
		},
		"a cause that a missing parent may lead to": {
			events: []causal.Event{by(1, "alice", 1, "A", stamped(0)), by(3, "carol", 3, "A", stamped(0, 2), caused(1))},
			want:   map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown}, heads: []int{1, 3},
		},
		"a parent that cannot be hides what it likes": {
			events: []causal.Event{by(1, "alice", 2, "A", stamped(0)), by(2, "bob", 2, "B"), by(3, "carol", 3, "A", stamped(0, 2))},
			want:   map[[2]int]causal.Order{{1, 3}: causal.OrderUnknown}, heads: []int{1, 2, 3},
		},
		"clock 0 before an event that has read nothing": {
			events: []causal.Event{by(1, "alice", 0, "A"), by(2, "bob", 5, "A", stamped(0))},
			want:   map[[2]int]causal.Order{{1, 2}: causal.OrderConcurrent}, heads: []int{1, 2},
		},
		"upgraded from an earlier clock": {
			events: []causal.Event{by(1, "alice", 2, "A"), by(2, "alice", 4, "B"), by(3, "alice", 5, "C", stamped(2)), by(4, "alice", 6, "D", stamped(5))},
			want: map[[2]int]causal.Order{
				{1, 2}: causal.OrderBefore, {1, 3}: causal.OrderBefore, {1, 4}: causal.OrderBefore, {2, 3}: causal.OrderUnknown, {2, 4}: causal.OrderUnknown,
			}, heads: []int{1, 2, 3, 4},
		},
		"what a vector clock claims of a branch": {
			events: []causal.Event{
				by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 2, "B", stamped(1)), by(3, "alice", 3, "C", stamped(1)), by(4, "alice", 6, "C", stamped(3)),
				by(5, "bob", 9, "D", stamped(0), seeing(map[string]int64{"alice": 6, "bob": 9})),
			},
			want:  map[[2]int]causal.Order{{3, 4}: causal.OrderConcurrent, {3, 5}: causal.OrderBefore, {4, 5}: causal.OrderBefore, {2, 5}: causal.OrderUnknown},
			heads: []int{1, 2, 3, 4, 5},
		},
		"seen up to a clock of which the event is missing": {
			events: []causal.Event{
				by(1, "alice", 3, "A", stamped(0)), by(2, "alice", 5, "B", stamped(3)), by(3, "bob", 10, "C", seeing(map[string]int64{"alice": 9, "bob": 10})),
			},
			want: map[[2]int]causal.Order{{1, 3}: causal.OrderBefore, {2, 3}: causal.OrderBefore}, heads: []int{1, 2, 3},
		},
		"the fork of a chain begins where it was last one": {
			events: []causal.Event{
				by(1, "alice", 1, "A", stamped(0)), by(2, "alice", 3, "B", stamped(1)), by(3, "alice", 5, "C", stamped(3)), by(4, "alice", 6, "D", stamped(3)),
				by(5, "bob", 9, "E", seeing(map[string]int64{"alice": 8, "bob": 9})),
			},
			want: map[[2]int]causal.Order{
				{2, 3}: causal.OrderBefore, {2, 4}: causal.OrderBefore, {2, 5}: causal.OrderBefore, {3, 4}: causal.OrderUnknown, {3, 5}: causal.OrderUnknown,
			}, heads: []int{1, 2, 3, 4, 5},
		},
		"trackers of two projects": {
			events: []causal.Event{
				by(1, "alice", 4, "A", seeing(map[string]int64{"alice": 4}), func(p *causal.EventParams) { p.ProjectUUID = strings.Replace(p.ProjectUUID, "1", "2", 1) }),
				by(2, "alice", 6, "A", seeing(map[string]int64{"alice": 6})),
			},
			want: map[[2]int]causal.Order{{1, 2}: causal.OrderUnknown}, heads: []int{1, 2},
		},
		"one node of two projects": {
			events: []causal.Event{by(1, "alice", 1, "A"), by(2, "alice", 2, "A", func(p *causal.EventParams) { p.ProjectUUID = strings.Replace(p.ProjectUUID, "1", "2", 1) })},
			want:   map[[2]int]causal.Order{{1, 2}: causal.OrderUnknown}, heads: []int{1, 2},
		},
	} {
		h := must(causal.NewHistory(test.events))
		for pair, want := range test.want {
			i, _ := h.Index(eventtest.ID(pair[0]))
			j, _ := h.Index(eventtest.ID(pair[1]))
			require.Equal(t, want, h.Relation(i, j), "%s: %v", name, pair)
		}
		var heads []causal.EventID
		for _, n := range test.heads {
			heads = append(heads, eventtest.ID(n))
		}
		require.Equal(t, heads, eventtest.IDs(h.Heads()), name)
	}
}

func TestHistoryOfNothing(t *testing.T) {
	var zero causal.History
	for _, h := range []*causal.History{&zero, must(causal.NewHistory(nil))} {
		require.Zero(t, h.Len())
		require.Empty(t, h.Heads())
		require.Empty(t, h.Conflicts(nil))
		require.Empty(t, h.Missing())
		require.Empty(t, h.Forks())
		require.Empty(t, h.Contradictions())
		_, ok := h.Index(eventtest.ID(1))
		require.False(t, ok)
		for _, f := range []func(){
			func() { h.At(0) }, func() { h.Relation(0, 0) }, func() { h.Parents(0) }, func() { h.Past(0) }, func() { h.Future(0) },
		} {
			require.Panics(t, f)
		}
	}
	_, err := causal.NewHistory([]causal.Event{{}})
	require.ErrorIs(t, err, causal.ErrValidation)
	_, err = causal.NewHistory([]causal.Event{eventtest.New(t, 1), eventtest.New(t, 1, eventtest.WithPayload(`{"a":1}`))})
	require.ErrorIs(t, err, causal.ErrIDConflict)
}

func TestHistoryIndex(t *testing.T) {
	h := must(causal.NewHistory([]causal.Event{eventtest.New(t, 12), eventtest.New(t, 3)}))
	i, ok := h.Index(causal.EventID(strings.ToLower(string(eventtest.ID(12)))))
	require.True(t, ok)
	require.Equal(t, eventtest.ID(12), h.At(i).ID())
	for _, id := range []causal.EventID{"", "x", eventtest.ID(4)} {
		_, ok = h.Index(id)
		require.False(t, ok)
	}
}

// Impossible statements of events are reported, and otherwise ignored.
func TestHistoryContradictions(t *testing.T) {
	other := func(p *causal.EventParams) { p.ProjectUUID = strings.Replace(p.ProjectUUID, "1", "2", 1) }
	about := func(n int, clock int64, changes ...func(*causal.EventParams)) causal.Event {
		return eventtest.New(t, n, append([]func(*causal.EventParams){func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.AggregateID = fmt.Sprint("node-", n), clock, "A"
		}}, changes...)...)
	}
	parents := func(n ...int) func(*causal.EventParams) {
		return func(p *causal.EventParams) {
			p.Parents = []causal.EventID{}
			for _, n := range n {
				p.Parents = append(p.Parents, eventtest.ID(n))
			}
		}
	}
	cause := func(n int) func(*causal.EventParams) {
		return func(p *causal.EventParams) { p.CausationID = eventtest.ID(n) }
	}
	for name, test := range map[string]struct {
		events []causal.Event
		want   [][2]int
		field  string
	}{
		"nothing":                        {events: []causal.Event{about(1, 1), about(2, 2, parents(1), cause(1)), about(3, 3, cause(9), parents(2, 8))}},
		"itself":                         {events: []causal.Event{about(1, 1, cause(1))}, want: [][2]int{{1, 1}}, field: "causation_id"},
		"a later cause":                  {events: []causal.Event{about(1, 1, cause(2)), about(2, 2)}, want: [][2]int{{1, 2}}, field: "causation_id"},
		"a cause at its clock":           {events: []causal.Event{about(1, 2, cause(2)), about(2, 2)}, want: [][2]int{{1, 2}}, field: "causation_id"},
		"each other":                     {events: []causal.Event{about(1, 1, cause(2)), about(2, 2, cause(1))}, want: [][2]int{{1, 2}, {2, 1}}, field: "causation_id"},
		"a cause that was not read":      {events: []causal.Event{about(1, 1), about(2, 2, parents(), cause(1))}, want: [][2]int{{2, 1}}, field: "causation_id"},
		"a later parent":                 {events: []causal.Event{about(1, 1, parents(2)), about(2, 2)}, want: [][2]int{{1, 2}}, field: "parents"},
		"a parent at its clock":          {events: []causal.Event{about(1, 2, parents(2)), about(2, 2)}, want: [][2]int{{1, 2}}, field: "parents"},
		"a parent of another aggregate":  {events: []causal.Event{about(1, 1, func(p *causal.EventParams) { p.AggregateID = "B" }), about(2, 2, parents(1))}, want: [][2]int{{2, 1}}, field: "parents"},
		"a parent of another project":    {events: []causal.Event{about(1, 1, other), about(2, 2, parents(1))}, want: [][2]int{{2, 1}}, field: "parents"},
		"a cause that may be hidden":     {events: []causal.Event{about(1, 1), about(3, 3, parents(2), cause(1))}},
		"two parents, one of them later": {events: []causal.Event{about(1, 1), about(2, 2, parents(1, 3)), about(3, 3)}, want: [][2]int{{2, 3}}, field: "parents"},
	} {
		h := must(causal.NewHistory(test.events))
		var want []causal.Contradiction
		for _, pair := range test.want {
			want = append(want, causal.Contradiction{EventID: eventtest.ID(pair[0]), Names: eventtest.ID(pair[1]), Field: test.field})
			i, _ := h.Index(eventtest.ID(pair[0]))
			j, _ := h.Index(eventtest.ID(pair[1]))
			require.Contains(t, []causal.Order{causal.OrderUnknown, causal.OrderSame}, h.Relation(i, j), name)
		}
		require.Equal(t, want, h.Contradictions(), name)
	}
}
