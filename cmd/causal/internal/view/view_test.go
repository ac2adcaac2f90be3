package view_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
	"github.com/spec-kitty/causal/cmd/causal/internal/input"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

func newView(t require.TestingT, events []causal.Event) *view.View {
	h, err := causal.NewHistory(events)
	require.NoError(t, err)
	return view.New(h)
}

// teams are teams of all kinds.
var teams = map[string]demo.Options{
	"stamped":       {Events: 150, Seed: 1},
	"with faults":   {Events: 200, Seed: 1, HasFaults: true},
	"vector clocks": {Events: 100, Seed: 2, IsPlain: true, HasVectorClocks: true},
	"plain":         {Events: 100, Seed: 3, IsPlain: true},
	"plain fork":    {Events: 200, Seed: 1, IsPlain: true, HasFaults: true, HasVectorClocks: true},
	"many nodes":    {Events: 150, Seed: 4, Nodes: 60},
	"one aggregate": {Events: 150, Seed: 5, Aggregates: 1},
}

// requireReduction requires that the parents among the given events lead to
// everything before each, and that none follows from another.
func requireReduction(t require.TestingT, v *view.View, of []int) {
	parents := v.Parents(of)
	past := map[int]map[int]bool{}
	for k, i := range of {
		past[i] = map[int]bool{}
		for _, p := range parents[k] {
			for _, q := range parents[k] {
				require.False(t, past[q][p], "%d has the parents %d and %d", i, p, q)
			}
		}
		for _, p := range parents[k] {
			past[i][p] = true
			for j := range past[p] {
				past[i][j] = true
			}
		}
		for _, j := range of[:k] {
			if want := v.Relation(j, i) == causal.OrderBefore; want != past[i][j] {
				require.Equal(t, want, past[i][j], "%d before %d", j, i)
			}
		}
	}
}

// The drawn edges agree with History, whatever is left out.
func TestParents(t *testing.T) {
	for name, o := range teams {
		t.Run(name, func(t *testing.T) {
			v := newView(t, demo.Events(o))
			requireReduction(t, v, v.Select(func(causal.Event) bool { return true }))
			requireReduction(t, v, v.Select(func(e causal.Event) bool { return e.AggregateID() == "WP001" }))
			requireReduction(t, v, v.Select(func(e causal.Event) bool { return e.Type() != "WPStatusChanged" }))
			requireReduction(t, v, nil)
		})
	}
}

func TestParentsOfAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newView(t, demo.Events(demo.Options{
			Events: rapid.IntRange(1, 60).Draw(t, "events"), Nodes: rapid.IntRange(1, 6).Draw(t, "nodes"), Seed: rapid.Uint64().Draw(t, "seed"),
			Aggregates: rapid.IntRange(1, 3).Draw(t, "aggregates"), IsPlain: rapid.Bool().Draw(t, "plain"), HasVectorClocks: rapid.Bool().Draw(t, "vector clocks"),
		}))
		isShown := rapid.SliceOfN(rapid.Bool(), v.Len(), v.Len()).Draw(t, "shown")
		n := -1
		requireReduction(t, v, v.Select(func(causal.Event) bool { n++; return isShown[n] }))
	})
}

// Open conflicts are those of History, and each event that joins one has read
// all branches.
func TestConflicts(t *testing.T) {
	for name, o := range teams {
		for key, takesPart := range map[string]func(causal.Event) bool{
			"all": func(causal.Event) bool { return true }, "states": func(e causal.Event) bool { return e.Type() == "WPStatusChanged" },
		} {
			t.Run(name+", "+key, func(t *testing.T) {
				v := newView(t, demo.Events(o))
				var open []causal.Conflict
				for _, c := range v.Conflicts(takesPart) {
					require.Greater(t, len(c.Branches), 1)
					if !c.IsOpen() {
						for _, i := range c.Branches {
							require.Equal(t, causal.OrderBefore, v.Relation(i, c.JoinedBy))
						}
						continue
					}
					one := causal.Conflict{Key: c.AggregateID, IsCertain: c.IsCertain}
					for _, i := range c.Branches {
						one.Events = append(one.Events, v.At(i))
					}
					open = append(open, one)
				}
				want := v.History.Conflicts(func(e causal.Event) string {
					if takesPart(e) {
						return e.AggregateID()
					}
					return ""
				})
				require.ElementsMatch(t, want, open)
			})
		}
	}
}

// A hub's event that names all heads resolves nothing.
func TestMergedHeadsStayInConflict(t *testing.T) {
	var hub causal.MemStore
	n, err := causal.OpenNode(t.Context(), "hub", &hub, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678", MergeAbove: 1})
	require.NoError(t, err)
	for _, id := range []string{"alice", "bob"} {
		var s causal.MemStore
		author, err := causal.OpenNode(t.Context(), id, &s, causal.NodeOptions{ProjectUUID: n.ProjectUUID()})
		require.NoError(t, err)
		e, err := author.Emit(t.Context(), causal.EventParams{Type: "Edited", AggregateID: "doc"})
		require.NoError(t, err)
		_, err = n.Receive(t.Context(), []causal.Event{e}, nil)
		require.NoError(t, err)
	}
	events, err := causal.LoadAll(t.Context(), &hub)
	require.NoError(t, err)
	require.Len(t, events, 3)
	conflicts := newView(t, events).Conflicts(func(causal.Event) bool { return true })
	require.Len(t, conflicts, 1)
	require.True(t, conflicts[0].IsOpen())
	require.Equal(t, []int{0, 1}, conflicts[0].Branches)
}

// Each event is on a lane of its node; only forked nodes have two, and on each,
// one event follows the other.
func TestLanes(t *testing.T) {
	v := newView(t, demo.Events(teams["with faults"]))
	type at struct {
		lane    int
		project string
	}
	last := map[at]int{}
	var names []string
	for _, lane := range v.Lanes {
		names = append(names, fmt.Sprint(lane.NodeID, lane.IsSecond))
	}
	require.Equal(t, []string{"alice-laptopfalse", "bob-phonefalse", "carol-deskfalse", "ci-runnerfalse", "dave-tabletfalse", "dave-tablettrue"}, names)
	for i := range v.Len() {
		lane := v.LaneOf[i]
		require.Equal(t, v.At(i).NodeID(), v.Lanes[lane].NodeID)
		if j, ok := last[at{lane, v.At(i).ProjectUUID()}]; ok && v.Lanes[lane].NodeID == "dave-tablet" {
			require.Equal(t, v.At(j).LamportClock(), v.At(i).PreviousClock())
		}
		last[at{lane, v.At(i).ProjectUUID()}] = i
	}
}

// event returns a plain event.
func event(t *testing.T, n int, change func(*causal.EventParams)) causal.Event {
	p := causal.EventParams{
		ID: causal.EventID(fmt.Sprintf("01KBTEST%018d", n)), Type: "T", AggregateID: "A", NodeID: "a", LamportClock: int64(n), ProjectUUID: demo.Projects[0],
		Timestamp: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
	}
	if change != nil {
		change(&p)
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	return e
}

func stamped(previous int64, parents ...causal.EventID) func(*causal.EventParams) {
	return func(p *causal.EventParams) {
		p.PreviousClock, p.Parents = previous, append([]causal.EventID{}, parents...)
	}
}

// Each kind of finding, with its event, and similar cases without one.
func TestFindings(t *testing.T) {
	id := func(n int) causal.EventID { return causal.EventID(fmt.Sprintf("01KBTEST%018d", n)) }
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	vector := func(times map[string]int64) causal.VectorClock {
		v, err := causal.NewVectorClock(times)
		require.NoError(t, err)
		return v
	}
	for name, test := range map[string]struct {
		events []causal.Event
		faults []input.Fault
		want   []string // kind and event
	}{
		"none":    {events: []causal.Event{event(t, 1, stamped(0)), event(t, 2, stamped(1, id(1)))}},
		"nothing": {},
		"a hole":  {events: []causal.Event{event(t, 1, stamped(0)), event(t, 5, stamped(4, id(1))), event(t, 6, stamped(5, id(5)))}, want: []string{"gap 1"}},
		"a parent, once": {
			events: []causal.Event{event(t, 5, stamped(0, id(1))), event(t, 6, stamped(5, id(1), id(5)))}, want: []string{"parent 0"},
		},
		"a cause, once": {events: []causal.Event{
			event(t, 5, func(p *causal.EventParams) { p.CausationID = id(1) }), event(t, 6, func(p *causal.EventParams) { p.CausationID = id(1) }),
		}, want: []string{"cause 0"}},
		"a parent that is a cause": {events: []causal.Event{event(t, 5, func(p *causal.EventParams) {
			p.CausationID, p.Parents = id(1), []causal.EventID{id(1)}
		})}, want: []string{"parent 0"}},
		"a hole and a tail by vector clocks": {events: []causal.Event{
			event(t, 1, nil),
			event(t, 4, func(p *causal.EventParams) { p.VectorClock = vector(map[string]int64{"a": 4, "b": 2}) }),
			event(t, 5, func(p *causal.EventParams) { p.VectorClock = vector(map[string]int64{"a": 5, "b": 2}) }),
			event(t, 9, func(p *causal.EventParams) { p.NodeID, p.VectorClock = "c", vector(map[string]int64{"a": 3, "c": 9}) }),
		}, want: []string{"gap 1", "gap 3"}},
		"a fork": {events: []causal.Event{event(t, 1, stamped(0)), event(t, 2, stamped(1, id(1))), event(t, 3, stamped(1, id(1)))}, want: []string{"fork 2"}},
		"two of one clock": {events: []causal.Event{
			event(t, 1, nil), event(t, 2, func(p *causal.EventParams) { p.LamportClock = 1 }), event(t, 3, func(p *causal.EventParams) { p.LamportClock = 1 }),
		}, want: []string{"fork 1"}},
		"a contradiction": {events: []causal.Event{
			event(t, 1, func(p *causal.EventParams) { p.CausationID = id(2) }), event(t, 2, nil),
		}, want: []string{"contradiction 0"}},
		"a jump": {events: []causal.Event{
			event(t, 1, stamped(0)), event(t, 2, stamped(1, id(1))), event(t, 3, stamped(2, id(2))), event(t, 2052, stamped(3, id(3))), event(t, 2053, stamped(2052, id(2052))),
		}, want: []string{"jump 3"}},
		"no jump": {events: []causal.Event{event(t, 5001, nil), event(t, 7049, nil)}},
		"a wall clock": {events: []causal.Event{
			event(t, 1, func(p *causal.EventParams) { p.Timestamp = now }),
			event(t, 2, func(p *causal.EventParams) { p.Timestamp = now.Add(-61 * time.Minute) }),
			event(t, 3, func(p *causal.EventParams) { p.Timestamp = now }),
			event(t, 4, func(p *causal.EventParams) { p.Timestamp = now.Add(-2 * time.Hour) }),
			event(t, 5, func(p *causal.EventParams) { p.NodeID, p.Timestamp = "b", now.Add(-2*time.Hour) }), // did not know of it
		}, want: []string{"wall 1"}},
		"the future, once a node": {events: []causal.Event{
			event(t, 1, func(p *causal.EventParams) { p.Timestamp = now.Add(61 * time.Minute) }),
			event(t, 2, func(p *causal.EventParams) { p.Timestamp = now.Add(62 * time.Minute) }),
		}, want: []string{"future 0"}},
		"lines": {
			events: []causal.Event{event(t, 1, nil)}, want: []string{"line -1", "twice 0"},
			faults: []input.Fault{{Source: "f", Line: 2, Err: causal.ErrValidation}, {Source: "f", Line: 3, EventID: id(1), Err: causal.ErrIDConflict}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range newView(t, test.events).Findings(test.faults, now) {
				require.NotEmpty(t, f.Text)
				require.Contains(t, view.All, f.Kind)
				got = append(got, fmt.Sprint(f.Kind, " ", f.Event))
			}
			require.Equal(t, test.want, got)
		})
	}
	all := slices.Clone(view.All)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(all))), len(view.All))
}
