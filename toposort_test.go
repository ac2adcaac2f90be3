package causal_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestTopologicalSortVectors(t *testing.T) {
	type vector struct {
		Events []causal.Event
		Cycle  bool
	}
	for i, v := range readVectors[vector](t, "topological_sort.jsonl") {
		sorted, err := causal.TopologicalSort(v.Events)
		if v.Cycle {
			require.ErrorIs(t, err, causal.ErrCycle, "line %d", i+1)
			continue
		}
		require.NoError(t, err, "line %d", i+1)
		requireCausesFirst(t, sorted)
		require.ElementsMatch(t, eventtest.IDs(v.Events), eventtest.IDs(sorted))
	}
}

// requireCausesFirst requires that no event precedes its cause.
func requireCausesFirst(t require.TestingT, events []causal.Event) {
	at := map[causal.EventID]int{}
	for i, e := range events {
		at[e.ID()] = i
	}
	for i, e := range events {
		if cause, ok := at[e.CausationID()]; ok {
			require.Less(t, cause, i, "%s before its cause", e.ID())
		}
	}
}

// event is one of a graph: its number, its cause's number (0 for none) and its
// clock.
type node struct{ n, cause, clock int }

func graph(t testing.TB, nodes ...node) []causal.Event {
	t.Helper()
	var events []causal.Event
	for _, n := range nodes {
		events = append(events, eventtest.New(t, n.n, func(p *causal.EventParams) {
			p.LamportClock = int64(n.clock)
			if n.cause > 0 {
				p.CausationID = eventtest.ID(n.cause)
			}
		}))
	}
	return events
}

func TestTopologicalSort(t *testing.T) {
	tests := map[string]struct {
		nodes       []node
		want, cycle []int
	}{
		"none":                          {},
		"one":                           {nodes: []node{{1, 0, 0}}, want: []int{1}},
		"by clock":                      {nodes: []node{{1, 0, 3}, {2, 0, 1}, {3, 0, 2}}, want: []int{2, 3, 1}},
		"absent cause":                  {nodes: []node{{1, 99, 3}, {2, 98, 1}}, want: []int{2, 1}},
		"cause with a later clock":      {nodes: []node{{1, 2, 1}, {2, 0, 5}, {3, 0, 3}}, want: []int{3, 2, 1}},
		"effects at once, least first":  {nodes: []node{{1, 0, 9}, {4, 1, 3}, {3, 1, 2}, {2, 1, 1}, {5, 0, 10}}, want: []int{1, 2, 3, 4, 5}},
		"twice":                         {nodes: []node{{1, 0, 1}, {2, 1, 2}, {1, 0, 1}, {2, 1, 2}}, want: []int{1, 2}},
		"itself":                        {nodes: []node{{1, 1, 1}, {2, 0, 1}}, cycle: []int{1}},
		"two":                           {nodes: []node{{1, 2, 1}, {2, 1, 2}, {3, 0, 0}}, cycle: []int{1, 2}},
		"three, cause of next":          {nodes: []node{{1, 3, 3}, {2, 1, 2}, {3, 2, 1}}, cycle: []int{3, 1, 2}},
		"cycle with a tail that is led": {nodes: []node{{1, 2, 0}, {2, 3, 5}, {3, 4, 6}, {4, 2, 7}, {5, 0, 0}}, cycle: []int{2, 4, 3}},
		"two cycles: the least member":  {nodes: []node{{1, 2, 5}, {2, 1, 6}, {3, 4, 1}, {4, 3, 2}}, cycle: []int{3, 4}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			events := graph(t, test.nodes...)
			for range 2 { // forwards and backwards
				before := slices.Clone(eventtest.IDs(events))
				sorted, err := causal.TopologicalSort(events)
				require.Equal(t, before, eventtest.IDs(events), "the input has changed")
				if test.cycle != nil {
					var cycle *causal.CycleError
					require.ErrorAs(t, err, &cycle)
					require.ErrorIs(t, err, causal.ErrCycle)
					require.Equal(t, toIDs(test.cycle), cycle.IDs)
					require.Nil(t, sorted)
				} else {
					require.NoError(t, err)
					require.Equal(t, toIDs(test.want), eventtest.IDs(sorted))
				}
				slices.Reverse(events)
			}
		})
	}
}

func toIDs(numbers []int) []causal.EventID {
	out := make([]causal.EventID, len(numbers))
	for i, n := range numbers {
		out[i] = eventtest.ID(n)
	}
	return out
}

func TestTopologicalSortRefuses(t *testing.T) {
	events := []causal.Event{eventtest.New(t, 1), eventtest.New(t, 2), eventtest.New(t, 2, eventtest.WithPayload(`{"a":1}`)), eventtest.New(t, 1, eventtest.WithPayload(`{"a":1}`))}
	for range 2 {
		_, err := causal.TopologicalSort(events)
		var conflict *causal.IDConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, []causal.EventID{eventtest.ID(1), eventtest.ID(2)}, conflict.IDs)
		_, err = causal.TopologicalSort(append(events, causal.Event{}))
		require.ErrorIs(t, err, causal.ErrValidation)
		slices.Reverse(events)
	}
}

// 100,000 events of one clock, a chain as long with contradicting clocks, and
// one cause of all: no recursion, no quadratic time.
func TestTopologicalSortHostile(t *testing.T) {
	const n = 100_000
	backwards := eventtest.NewChain(t, n, func(i int) int64 { return int64(n - i) })
	slices.Reverse(backwards)
	sorted, err := causal.TopologicalSort(backwards)
	require.NoError(t, err)
	require.Equal(t, eventtest.ID(0), sorted[0].ID())
	requireCausesFirst(t, sorted)

	flat := make([]causal.Event, n)
	for i := range flat {
		flat[i] = eventtest.New(t, i, func(p *causal.EventParams) {
			p.LamportClock, p.NodeID = 1, string(rune('a'+i%26))
			if i > 0 {
				p.CausationID = eventtest.ID(0)
			}
		})
	}
	sorted, err = causal.TopologicalSort(flat)
	require.NoError(t, err)
	requireCausesFirst(t, sorted)
	require.Len(t, sorted, n)

	looped := eventtest.NewChain(t, n, func(int) int64 { return 1 })
	looped[0] = eventtest.New(t, 0, func(p *causal.EventParams) { p.LamportClock, p.CausationID = 1, eventtest.ID(n-1) })
	_, err = causal.TopologicalSort(looped)
	var cycle *causal.CycleError
	require.ErrorAs(t, err, &cycle)
	require.Len(t, cycle.IDs, n)
	require.EqualError(t, err, "causal: causation cycle of 100000 events: TEST0000000000000000000000, TEST0000000000000000000001, TEST0000000000000000000002, ...")
}

func TestSortedEventsStayOurs(t *testing.T) {
	events := graph(t, node{1, 0, 1}, node{2, 0, 2})
	sorted, err := causal.TopologicalSort(events)
	require.NoError(t, err)
	sorted[0] = causal.Event{}
	require.Equal(t, eventtest.ID(1), events[0].ID())
	_, err = json.Marshal(events)
	require.NoError(t, err)
}

// naiveTopologicalSort is the definition: the least event whose cause is sorted
// or absent is next.
func naiveTopologicalSort(events []causal.Event) (sorted []causal.Event, cyclic bool) {
	waiting := map[causal.EventID]causal.Event{}
	for _, e := range events {
		waiting[e.ID()] = e
	}
	for len(waiting) > 0 {
		var next causal.Event
		for _, e := range waiting {
			if _, waits := waiting[e.CausationID()]; !waits && (next.IsZero() || causal.Compare(e, next) < 0) {
				next = e
			}
		}
		if next.IsZero() {
			return nil, true
		}
		delete(waiting, next.ID())
		sorted = append(sorted, next)
	}
	return sorted, false
}

func TestTopologicalSortLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acyclic := rapid.Bool().Draw(t, "acyclic")
		n := rapid.IntRange(0, 15).Draw(t, "n")
		events := make([]causal.Event, n)
		for i := range events {
			cause := rapid.IntRange(-1, n).Draw(t, "cause")
			if acyclic && cause >= i {
				cause = -1
			}
			p := eventtest.Params(i)
			p.LamportClock = int64(rapid.IntRange(0, 4).Draw(t, "clock"))
			if cause >= 0 {
				p.CausationID = eventtest.ID(cause)
			}
			var err error
			events[i], err = causal.NewEvent(p)
			require.NoError(t, err)
		}
		want, cyclic := naiveTopologicalSort(events)
		input := append(slices.Clone(events), events[:n/2]...)
		got, err := causal.TopologicalSort(rapid.Permutation(input).Draw(t, "order"))
		if cyclic {
			var cycle *causal.CycleError
			require.ErrorAs(t, err, &cycle)
			for i, id := range cycle.IDs { // each is the cause of the next
				next := cycle.IDs[(i+1)%len(cycle.IDs)]
				at := slices.Index(eventtest.IDs(events), next)
				require.Equal(t, id, events[at].CausationID())
			}
			return
		}
		require.NoError(t, err)
		require.Equal(t, eventtest.IDs(want), eventtest.IDs(got))
		requireCausesFirst(t, got)
	})
}
