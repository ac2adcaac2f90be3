package causal

import "slices"

// pastIndex has the pasts of events, as stated by the events, in the order of
// Compare.
type pastIndex struct {
	events []Event
	found  *deduper  // has their numbers
	pasts  []pastSet // of each event, including the event
	onLine []pastSet // the same, with the earlier events of its node
	spots  []spot
	lanes  [][]int32 // the events on each lane
	hidden []int64   // see hides
	lines  []*line   // in the order of node IDs, then of projects

	contradictions []Contradiction
}

// spot is the position of an event.
type spot struct {
	line      *line // of its node
	lane, nth int32 // from 0, and from 1
	aggregate int32 // the number of its aggregate
}

// isBefore reports whether event i happens before event j.
func (x *pastIndex) isBefore(i, j int) bool {
	return i != j && x.pasts[j].of(x.spots[i].lane) >= x.spots[i].nth
}

// relation implements [History.Relation].
func (x *pastIndex) relation(i, j int) Order {
	a, b := x.events[i], x.events[j]
	switch {
	case i == j:
		return OrderSame
	case i > j:
		return x.relation(j, i).reverse()
	case x.isBefore(i, j):
		return OrderBefore
	case isFork(a, b), a.names(b.p.ID), b.names(a.p.ID):
		return OrderUnknown
	case a.clock == b.clock, a.clock > x.hidden[j] && x.isAbout(j, i):
		return OrderConcurrent
	}
	return OrderUnknown
}

// isAbout reports whether event j states whether it follows event i. It does if
// it is in the same aggregate or, unless it is stamped, in the same project.
func (x *pastIndex) isAbout(j, i int) bool {
	if x.events[j].IsStamped() {
		return x.spots[i].aggregate == x.spots[j].aggregate
	}
	return x.spots[i].line.project == x.spots[j].line.project
}

// parents returns the last events before event i, in ascending order.
func (x *pastIndex) parents(i int) []int32 {
	own := x.spots[i]
	var last []int32 // of each lane
	for lane, n := range x.pasts[i].all {
		if lane == own.lane {
			n--
		}
		if n > 0 {
			last = append(last, x.lanes[lane][n-1])
		}
	}
	slices.Sort(last)
	return x.maximal(last, nil)
}

// maximal returns those of the given events that no other one of them follows.
// Both are in ascending order. covered lets callers avoid an allocation: it has
// a zero for each lane, and is left so.
func (x *pastIndex) maximal(events, covered []int32) (maximal []int32) {
	if len(events) > 32 && covered == nil {
		covered = make([]int32, len(x.lanes))
	}
	for _, k := range slices.Backward(events) { // the pasts of later events are covered
		at := x.spots[k]
		switch {
		case len(events) > 32:
			if covered[at.lane] >= at.nth {
				continue
			}
			for lane, n := range x.pasts[k].all {
				covered[lane] = max(covered[lane], n)
			}
		case slices.ContainsFunc(maximal, func(m int32) bool { return x.pasts[m].of(at.lane) >= at.nth }):
			continue
		}
		maximal = append(maximal, k)
	}
	if len(events) > 32 {
		for _, k := range maximal {
			for lane := range x.pasts[k].all {
				covered[lane] = 0
			}
		}
	}
	slices.Reverse(maximal)
	return maximal
}

// names reports whether e names the event as its cause or a parent.
func (e Event) names(id EventID) bool {
	_, isParent := slices.BinarySearch(e.p.Parents, id)
	return isParent || e.p.CausationID == id
}

// isFork reports whether a and b are two events of a node with the same clock,
// at least one of them plain, so that only their clocks relate them.
func isFork(a, b Event) bool {
	return a.clock == b.clock && a.p.NodeID == b.p.NodeID && (!a.IsStamped() || !b.IsStamped())
}

// isCertain reports whether events of an aggregate, in ascending order and with
// none following another, are all concurrent.
func (x *pastIndex) isCertain(events []int32) bool {
	first := x.events[events[0]].clock
	for i, k := range events[1:] {
		e, before := x.events[k], x.events[events[i]]
		// The first has the lowest clock: if it cannot be hidden, no other one
		// can.
		if first < e.clock && first <= x.hidden[k] || isFork(before, e) {
			return false
		}
	}
	ids := map[EventID]struct{}{}
	for _, k := range events {
		ids[x.events[k].p.ID] = struct{}{}
	}
	return !slices.ContainsFunc(events, func(k int32) bool { // naming another one would be a contradiction
		e := x.events[k].p
		_, isCause := ids[e.CausationID]
		return isCause && e.CausationID != e.ID || slices.ContainsFunc(e.Parents, func(id EventID) bool { _, ok := ids[id]; return ok })
	})
}

// at returns the events with these numbers.
func (x *pastIndex) at(numbers []int32) []Event {
	if len(numbers) == 0 {
		return nil
	}
	events := make([]Event, len(numbers))
	for i, k := range numbers {
		events[i] = x.events[k]
	}
	return events
}
