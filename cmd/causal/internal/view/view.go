// Package view finds the interesting facts in a set of events: the lane of each
// event, concurrent edits of an aggregate and who joined them, and problems.
// The order of events is that of [causal.History].
package view

import (
	"cmp"
	"slices"

	"github.com/spec-kitty/causal"
)

// View is a view of a set of events, numbered as in its History. Use New. It is
// safe for concurrent use while its slices are not modified.
type View struct {
	*causal.History
	Lanes  []Lane
	LaneOf []int // of each event
	IsHead []bool
}

// Lane is a sequence of events emitted by a node. A node that has forked has
// two.
type Lane struct {
	NodeID   string
	IsSecond bool // emitted by a second writer with this node ID
}

// New returns the view of a history.
func New(h *causal.History) *View {
	v := &View{History: h, LaneOf: make([]int, h.Len()), IsHead: make([]bool, h.Len())}
	for _, e := range h.Heads() {
		i, _ := h.Index(e.ID())
		v.IsHead[i] = true
	}
	v.findLanes()
	return v
}

// findLanes assigns each event to the lane of its node or, if the node has
// forked, to the one it continues. Near a fork this may be ambiguous, so some
// may be on the other one.
func (v *View) findLanes() {
	isForked, on := map[string]bool{}, make([]Lane, v.Len())
	for _, f := range v.Forks() {
		isForked[f.NodeID] = true
	}
	last := map[Lane]map[string]int{} // of each lane, in each project
	for i := range v.Len() {
		e := v.At(i)
		at := Lane{NodeID: e.NodeID()}
		if before, ok := last[at][e.ProjectUUID()]; ok && isForked[at.NodeID] && !v.continues(before, i) {
			at.IsSecond = true
		}
		if last[at] == nil {
			last[at] = map[string]int{}
			v.Lanes = append(v.Lanes, at)
		}
		last[at][e.ProjectUUID()] = i
		on[i] = at
	}
	slices.SortFunc(v.Lanes, func(a, b Lane) int {
		if a.NodeID == b.NodeID && a.IsSecond != b.IsSecond {
			if a.IsSecond {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.NodeID, b.NodeID)
	})
	number := make(map[Lane]int, len(v.Lanes))
	for k, at := range v.Lanes {
		number[at] = k
	}
	for i, at := range on {
		v.LaneOf[i] = number[at]
	}
}

// continues reports whether event i may directly follow another one of its node
// and project.
func (v *View) continues(last, i int) bool {
	if e := v.At(i); e.IsStamped() {
		return e.PreviousClock() == v.At(last).LamportClock()
	}
	return v.Relation(last, i) == causal.OrderBefore
}

// Select returns the selected events in ascending order.
func (v *View) Select(isShown func(causal.Event) bool) []int {
	shown := []int{}
	for i := range v.Len() {
		if isShown(v.At(i)) {
			shown = append(shown, i)
		}
	}
	return shown
}

// Parents returns, for each of the given events in ascending order, its last
// predecessors among them: the transitive reduction (Aho, Garey and Ullman
// 1972) of the order among them. Each result is in descending order.
func (v *View) Parents(of []int) [][]int {
	parents := make([][]int, len(of))
	if len(of) == v.Len() {
		for k, i := range of {
			parents[k] = v.History.Parents(i)
			slices.Reverse(parents[k])
		}
		return parents
	}
	if len(of)*len(of) < 20*v.Len() {
		return v.parentsOfFew(of)
	}
	// The last ones at or before each event that is not among them, found
	// through its parents.
	last := make([][]int, v.Len())
	next := 0
	for i := range v.Len() {
		found := v.lastBefore(i, last)
		last[i] = found
		if next < len(of) && of[next] == i {
			parents[next], last[i] = found, []int{i}
			next++
		}
	}
	return parents
}

// lastBefore returns the last of the events at or before the parents of event
// i.
func (v *View) lastBefore(i int, last [][]int) (found []int) {
	before := v.History.Parents(i)
	if len(before) == 1 {
		return last[before[0]] // none of them precedes another
	}
	for _, p := range before {
		found = append(found, last[p]...)
	}
	return v.lastOf(found)
}

// parentsOfFew does so by comparing all pairs. A stamped event of an aggregate
// shown alone has its answer in its parents.
func (v *View) parentsOfFew(of []int) [][]int {
	parents := make([][]int, len(of))
	isOne := v.isOneAggregate(of)
	for k, i := range of {
		if isOne && v.At(i).IsStamped() {
			if named, areShown := v.namedAmong(i, of[:k]); areShown {
				parents[k] = v.lastOf(named)
				continue
			}
		}
		for _, j := range slices.Backward(of[:k]) {
			if v.Relation(j, i) == causal.OrderBefore && !v.isBeforeOne(j, parents[k]) {
				parents[k] = append(parents[k], j)
			}
		}
	}
	return parents
}

func (v *View) isOneAggregate(of []int) bool {
	return !slices.ContainsFunc(of, func(i int) bool {
		return v.At(i).AggregateID() != v.At(of[0]).AggregateID() || v.At(i).ProjectUUID() != v.At(of[0]).ProjectUUID()
	})
}

// namedAmong returns the parents named by an event, and reports whether all are
// among the given events, and precede it.
func (v *View) namedAmong(i int, among []int) (named []int, areShown bool) {
	for _, id := range v.At(i).Parents() {
		j, ok := v.Index(id)
		if ok {
			_, ok = slices.BinarySearch(among, j)
		}
		if !ok || v.Relation(j, i) != causal.OrderBefore {
			return nil, false
		}
		named = append(named, j)
	}
	return named, true
}

// isBeforeOne reports whether event i precedes one of others.
func (v *View) isBeforeOne(i int, others []int) bool {
	return slices.ContainsFunc(others, func(j int) bool { return v.Relation(i, j) == causal.OrderBefore })
}

// lastOf returns the events that precede no other of the given ones, without
// duplicates, in descending order.
func (v *View) lastOf(events []int) []int {
	if len(events) < 2 {
		return events
	}
	slices.SortFunc(events, func(i, j int) int { return j - i })
	events = slices.Compact(events)
	last := events[:1]
	for _, i := range events[1:] {
		if !v.isBeforeOne(i, last) {
			last = append(last, i)
		}
	}
	return last
}
