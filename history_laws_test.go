package causal_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// relate returns the relation of two events in a history.
func relate(t require.TestingT, h *causal.History, a, b causal.Event) causal.Order {
	i, ok := h.Index(a.ID())
	require.True(t, ok)
	j, ok := h.Index(b.ID())
	require.True(t, ok)
	return h.Relation(i, j)
}

// hostile draws events with arbitrary statements about each other: forks,
// contradictions, invalid parents.
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

// keyOf is the subject of an event in a test, derived from its ID.
func keyOf(e causal.Event) string { return []string{"", "title", "state"}[e.ID()[25]%3] }

// A History is consistent, whatever the events say.
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
				requireEqual(false, before[i][other], i, other) // no parent follows another
			}
			closure[j][i] = true
			for k := range n {
				closure[j][k] = closure[j][k] || closure[i][k]
			}
		}
		var past, future []int
		for i := range n {
			requireEqual(before[i][j], closure[j][i], i, j) // the ancestors are the past
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

// requireConflicts requires that Conflicts and Heads agree with their
// definitions.
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

// A History queried concurrently computes its relation once.
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

// The answers for many lanes, groups and heads agree with those for few.
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
