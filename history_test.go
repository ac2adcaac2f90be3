package causal_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// relate returns how two events of a history relate.
func relate(t require.TestingT, h *causal.History, a, b causal.Event) causal.Order {
	i, ok := h.Index(a.ID())
	require.True(t, ok)
	j, ok := h.Index(b.ID())
	require.True(t, ok)
	return h.Relation(i, j)
}

// hostile draws events that say anything of each other: forks, contradictions, parents
// that are none.
func hostile(t *rapid.T) []causal.Event {
	nodes := []string{"alice", "bob", "carol"}
	events := make([]causal.Event, 0, 10)
	for n := range rapid.IntRange(0, 10).Draw(t, "events") {
		p := eventtest.Params(n)
		p.NodeID = rapid.SampledFrom(nodes).Draw(t, "node")
		p.LamportClock = rapid.Int64Range(0, 6).Draw(t, "clock")
		p.AggregateID = rapid.SampledFrom([]string{"A", "A", "A", "B"}).Draw(t, "aggregate")
		if rapid.IntRange(0, 5).Draw(t, "other project") == 0 {
			p.ProjectUUID = "00000000-0000-0000-0000-000000000000"
		}
		other := rapid.Custom(func(t *rapid.T) causal.EventID { return eventtest.ID(rapid.IntRange(0, 10).Draw(t, "other")) })
		if rapid.Bool().Draw(t, "caused") {
			p.CausationID = other.Draw(t, "cause")
		}
		if rapid.Bool().Draw(t, "vector") && p.LamportClock > 0 {
			times := map[string]int64{}
			for _, node := range nodes {
				if time := rapid.Int64Range(0, p.LamportClock-1).Draw(t, "seen"); time > 0 {
					times[node] = time
				}
			}
			times[p.NodeID] = p.LamportClock
			p.VectorClock = must(causal.NewVectorClock(times))
		}
		if rapid.Bool().Draw(t, "stamped") && p.LamportClock > 0 {
			p.Parents = rapid.SliceOfN(other.Filter(func(id causal.EventID) bool { return id != p.ID }), 0, 3).Draw(t, "parents")
			p.PreviousClock = rapid.Int64Range(0, p.LamportClock-1).Draw(t, "previous")
		}
		events = append(events, must(causal.NewEvent(p)))
	}
	return events
}

// keyOf is what an event of a test is about, by its ID.
func keyOf(e causal.Event) string { return []string{"", "title", "state"}[e.ID()[25]%3] }

// What a History says is consistent, whatever the events say.
func TestHistoryLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := hostile(t)
		h := must(causal.NewHistory(events))
		requireLaws(t, h)
		again := append(rapid.Permutation(allOf(h)).Draw(t, "order"), events[:min(2, len(events))]...)
		same := must(causal.NewHistory(again))
		require.Equal(t, eventtest.IDs(allOf(h)), eventtest.IDs(allOf(same)))
		for i := range h.Len() {
			require.Equal(t, h.Parents(i), same.Parents(i))
			for j := range h.Len() {
				require.Equal(t, h.Relation(i, j), same.Relation(i, j))
			}
		}
		require.Equal(t, h.Missing(), same.Missing())
		require.Equal(t, h.Forks(), same.Forks())
		require.Equal(t, h.Contradictions(), same.Contradictions())
	})
}

// requireLaws requires that the methods agree with each other.
func requireLaws(t require.TestingT, h *causal.History) {
	requireEqual := func(want, got bool, i, j int) { // which is much cheaper than require
		if want != got {
			require.Equal(t, want, got, "%d and %d", i, j)
		}
	}
	n := h.Len()
	before := make([][]bool, n)
	for i := range n {
		before[i] = make([]bool, n)
		for j := range n {
			order, back := h.Relation(i, j), h.Relation(j, i)
			before[i][j] = order == causal.OrderBefore
			requireEqual(before[i][j], back == causal.OrderAfter, i, j)
			requireEqual(order == causal.OrderConcurrent, back == causal.OrderConcurrent, i, j)
			requireEqual(i == j, order == causal.OrderSame, i, j)
			requireEqual(false, before[i][j] && h.At(i).LamportClock() >= h.At(j).LamportClock(), i, j)
		}
	}
	closure := make([][]bool, n) // of Parents
	for j := range n {
		closure[j] = make([]bool, n)
		parents := h.Parents(j)
		require.True(t, slices.IsSorted(parents))
		for _, i := range parents {
			for _, other := range parents {
				requireEqual(false, before[i][other], i, other) // no parent follows from another
			}
			closure[j][i] = true
			for k := range n {
				closure[j][k] = closure[j][k] || closure[i][k]
			}
		}
		var past, future []int
		for i := range n {
			requireEqual(before[i][j], closure[j][i], i, j) // what parents lead to is what is before
			if before[i][j] {
				past = append(past, i)
			}
			if before[j][i] {
				future = append(future, i)
			}
		}
		require.Equal(t, past, slices.Collect(h.Past(j)))
		require.Equal(t, future, slices.Collect(h.Future(j)))
	}
	requireConflicts(t, h, nil)
	requireConflicts(t, h, keyOf)
}

func allOf(h *causal.History) (events []causal.Event) {
	for i := range h.Len() {
		events = append(events, h.At(i))
	}
	return events
}

// requireConflicts requires that Conflicts and Heads are what their definitions say.
func requireConflicts(t require.TestingT, h *causal.History, key func(causal.Event) string) {
	type about struct{ project, aggregate, key string }
	heads := map[about][]causal.Event{}
	certain := map[about]bool{}
	var order []about
	var all []causal.Event
	for i := range h.Len() {
		e := h.At(i)
		at := about{e.ProjectUUID(), e.AggregateID(), e.AggregateID()}
		if key != nil {
			at.key = key(e)
		}
		if at.key == "" {
			continue
		}
		if _, ok := certain[at]; !ok {
			order, certain[at] = append(order, at), true
		}
		isHead := true
		for j := range h.Len() {
			f := h.At(j)
			isOther := f.ProjectUUID() != at.project || f.AggregateID() != at.aggregate || key != nil && key(f) != at.key
			isHead = isHead && (isOther || h.Relation(i, j) != causal.OrderBefore)
		}
		if isHead {
			for _, f := range heads[at] {
				certain[at] = certain[at] && relate(t, h, f, e) == causal.OrderConcurrent
			}
			heads[at] = append(heads[at], e)
			all = append(all, e)
		}
	}
	var want []causal.Conflict
	for _, at := range order {
		require.NotEmpty(t, heads[at])
		if len(heads[at]) > 1 {
			want = append(want, causal.Conflict{Key: at.key, Events: heads[at], IsCertain: certain[at]})
		}
	}
	require.Equal(t, want, h.Conflicts(key))
	if key == nil {
		require.Equal(t, all, h.Heads())
	}
}

// The edges of the definition, and the ways round them.
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
				{1, 2}: causal.OrderUnknown, {1, 3}: causal.OrderUnknown, {2, 3}: causal.OrderUnknown,
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

// What events say and cannot be is told, and counts for nothing.
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

func TestHistoryMissing(t *testing.T) {
	stamped := func(n int, node string, previous, clock int64, parents ...int) causal.Event {
		return eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.PreviousClock, p.Parents = node, clock, previous, []causal.EventID{}
			for _, parent := range parents {
				p.Parents = append(p.Parents, eventtest.ID(parent))
			}
		})
	}
	h := must(causal.NewHistory([]causal.Event{
		stamped(1, "bob", 3, 5, 33, 22), stamped(2, "bob", 5, 6), stamped(3, "bob", 8, 9, 1, 33), stamped(4, "alice", 1, 4), eventtest.New(t, 5, func(p *causal.EventParams) { p.NodeID = "carol" }),
	}))
	require.Equal(t, []causal.Gap{
		{NodeID: "alice", After: 0, UpTo: 1, KnownFrom: eventtest.ID(4)},
		{NodeID: "bob", After: 0, UpTo: 3, KnownFrom: eventtest.ID(1)},
		{NodeID: "bob", After: 6, UpTo: 8, KnownFrom: eventtest.ID(3)},
		{Parent: eventtest.ID(22)}, {Parent: eventtest.ID(33)},
	}, h.Missing())
}

// A plain event after a stamped one of its node, and stamped ones that cover the same clocks.
func TestHistoryForks(t *testing.T) {
	by := func(n int, previous, clock int64) causal.Event {
		return eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock = "alice", clock
			if previous >= 0 {
				p.Parents, p.PreviousClock = []causal.EventID{}, previous
			}
		})
	}
	for name, test := range map[string]struct {
		events []causal.Event
		want   [][3]int // the later clock, and the events
	}{
		"plain events":                    {events: []causal.Event{by(1, -1, 1), by(2, -1, 1), by(3, -1, 2)}},
		"upgraded":                        {events: []causal.Event{by(1, -1, 1), by(2, 1, 2), by(3, 2, 5)}},
		"a hole":                          {events: []causal.Event{by(1, 0, 1), by(2, 3, 4)}},
		"plain after stamped":             {events: []causal.Event{by(1, 0, 1), by(2, -1, 3), by(3, -1, 4)}, want: [][3]int{{3, 1, 2}}},
		"two after one":                   {events: []causal.Event{by(1, 0, 1), by(2, 1, 2), by(3, 1, 3), by(4, 2, 4), by(5, 3, 5)}, want: [][3]int{{3, 2, 3}}},
		"three after one":                 {events: []causal.Event{by(1, 0, 1), by(2, 1, 2), by(3, 1, 3), by(4, 1, 4)}, want: [][3]int{{3, 2, 3}, {4, 2, 4}}},
		"two first":                       {events: []causal.Event{by(1, 0, 1), by(2, 0, 1)}, want: [][3]int{{1, 1, 2}}},
		"a branch whose start is missing": {events: []causal.Event{by(1, 0, 1), by(2, 1, 7), by(3, 4, 6)}, want: [][3]int{{7, 2, 3}}},
	} {
		h := must(causal.NewHistory(test.events))
		var want []causal.ForkError
		for _, f := range test.want {
			want = append(want, causal.ForkError{NodeID: "alice", LamportClock: int64(f[0]), IDs: []causal.EventID{eventtest.ID(f[1]), eventtest.ID(f[2])}})
		}
		require.Equal(t, want, h.Forks(), name)
	}
}

// A History that many ask at once finds out once.
func TestHistoryIsSafeForConcurrentUse(t *testing.T) {
	h := must(causal.NewHistory([]causal.Event{eventtest.New(t, 1), eventtest.New(t, 2), eventtest.New(t, 3)}))
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			h.Heads()
			h.Forks()
			h.Missing()
			h.Parents(2)
			h.Contradictions()
		})
	}
	done.Wait()
}

// The answers of many lanes, groups and heads are those of few.
func TestHistoryOfManyNodes(t *testing.T) {
	var events []causal.Event
	var last []causal.EventID
	for n := range 200 {
		e := eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.AggregateID, p.Parents = fmt.Sprint("node-", n), 1, fmt.Sprint(n%2), []causal.EventID{}
		})
		events = append(events, e)
		if n%2 == 1 {
			last = append(last, e.ID())
		}
	}
	join := eventtest.New(t, 999, func(p *causal.EventParams) {
		p.NodeID, p.LamportClock, p.AggregateID, p.Parents = "node-3", 2, "1", last
		p.PreviousClock = 1
	})
	h := must(causal.NewHistory(append(events, join)))
	require.Len(t, h.Heads(), 101)
	i, _ := h.Index(join.ID())
	require.Len(t, h.Parents(i), 100)
	requireConflicts(t, h, nil)
}

// A fork goes on in the history for ever; what it would make wrong is told without one of the branches.
func TestLeaveOutABranch(t *testing.T) {
	add := func(n int, node string, previous, clock int64, element string, parents ...int) causal.Event {
		return eventtest.New(t, n, eventtest.WithPayload(`{"add":["`+element+`"]}`), func(p *causal.EventParams) {
			p.NodeID, p.PreviousClock, p.LamportClock, p.Parents = node, previous, clock, []causal.EventID{}
			for _, parent := range parents {
				p.Parents = append(p.Parents, eventtest.ID(parent))
			}
		})
	}
	events := []causal.Event{
		add(1, "tablet", 0, 1, "kept"),
		add(2, "tablet", 1, 2, "a", 1), add(3, "tablet", 2, 3, "b", 2), // as it went on
		add(4, "tablet", 1, 2, "a", 1), add(5, "tablet", 2, 4, "c", 4), // its copy
		add(6, "server", 0, 5, "d", 3, 5),
	}
	_, err := causal.MergeORSet(events)
	require.ErrorIs(t, err, causal.ErrFork)

	h := must(causal.NewHistory(events))
	forks := h.Forks()
	require.Len(t, forks, 1)
	require.Equal(t, []causal.EventID{eventtest.ID(2), eventtest.ID(4)}, forks[0].IDs)
	branch, ok := h.Index(forks[0].IDs[1])
	require.True(t, ok)
	isLeftOut := map[causal.EventID]bool{h.At(branch).ID(): true}
	for i := range h.Future(branch) {
		if e := h.At(i); e.NodeID() == forks[0].NodeID {
			isLeftOut[e.ID()] = true
		}
	}
	left := slices.DeleteFunc(events, func(e causal.Event) bool { return isLeftOut[e.ID()] })
	set, err := causal.MergeORSet(left)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "d", "kept"}, set)
}
