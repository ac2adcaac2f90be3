package causal

import (
	"slices"
)

// IsConcurrent reports whether two different events change the same aggregate at
// equal Lamport clocks, the rule of the Python library; [Relation] is the exact
// answer. IsConcurrent has no false positives, because equal clocks rule out
// causality, but it misses most concurrent pairs, whose clocks differ. In simulations
// of 2 to 10 nodes it found 0.8 to 8.1 per cent of them (TestRecall); Relation finds
// them all if the events carry vector clocks. It is false for the zero Event.
func IsConcurrent(a, b Event) bool {
	return a.p != nil && b.p != nil && a.clock == b.clock &&
		a.p.AggregateID == b.p.AggregateID && a.p.ID != b.p.ID
}

// Relation returns how a relates to b in the order that Lamport calls "happened
// before" (1978). It is exact if both events carry a vector clock. Otherwise it
// says only what is certain: an event comes after the one it names as its cause,
// after the earlier events of its node, and never after an event whose Lamport
// clock is not smaller. Everything else is [OrderUnknown], as are the zero Event
// and two events for which a broken node used one clock value twice.
func Relation(a, b Event) Order {
	switch {
	case a.p == nil || b.p == nil:
		return OrderUnknown
	case a.p.ID == b.p.ID:
		return OrderSame
	case a.p.NodeID == b.p.NodeID && a.clock == b.clock:
		return OrderUnknown
	}
	before, beforeKnown := happensBefore(a, b)
	after, afterKnown := happensBefore(b, a)
	switch {
	case before && after:
		return OrderUnknown
	case before:
		return OrderBefore
	case after:
		return OrderAfter
	case beforeKnown && afterKnown:
		return OrderConcurrent
	}
	return OrderUnknown
}

// happensBefore reports whether a happens before b, and whether that is known.
func happensBefore(a, b Event) (before, known bool) {
	switch {
	case b.p.CausationID == a.p.ID:
		return true, true
	case !b.p.VectorClock.IsZero() && a.clock > 0: // no vector clock has the time 0
		return b.p.VectorClock.At(a.p.NodeID) >= a.clock, true
	case a.clock >= b.clock:
		return false, true
	}
	sameNode := a.p.NodeID == b.p.NodeID
	return sameNode, sameNode
}

// Heads returns the maximal events of each aggregate: those that no other given
// event of the aggregate certainly follows (see [Relation]). A reader must
// reconcile them. With vector clocks, all heads of an aggregate are pairwise
// concurrent. The result is in the order of [Compare] and does not depend on the
// order of the input.
//
// The caller owns the result. Heads returns an [*IDConflictError] if two
// different events share an ID, and a [*ValidationError] if an event is zero.
// Apart from sorting, the time is linear in the size of the events and their
// vector clocks.
func Heads(events []Event) ([]Event, error) {
	sorted, _, err := distinct(events)
	if err != nil {
		return nil, err
	}
	type place struct{ aggregate, node string }
	latest := map[place]int64{}              // the last clock of a node
	seen := map[place]int64{}                // the latest time of a node that another one has seen
	effects := map[EventID]map[string]bool{} // the aggregates of the effects of an event
	for _, e := range sorted {
		aggregate := e.p.AggregateID
		latest[place{aggregate, e.p.NodeID}] = e.clock // ascending
		for node, time := range e.p.VectorClock.All() {
			if node != e.p.NodeID {
				seen[place{aggregate, node}] = max(seen[place{aggregate, node}], time)
			}
		}
		if cause := e.p.CausationID; cause != "" && cause != e.p.ID {
			if effects[cause] == nil {
				effects[cause] = map[string]bool{}
			}
			effects[cause][aggregate] = true
		}
	}
	var heads []Event
	for _, e := range sorted {
		at := place{e.p.AggregateID, e.p.NodeID}
		seenTime, isSeen := seen[at]
		superseded := e.clock < latest[at] || isSeen && seenTime >= e.clock || effects[e.p.ID][e.p.AggregateID]
		if !superseded {
			heads = append(heads, e)
		}
	}
	return heads, nil
}

// Conflicts returns what a resolver must look at: the [Heads] of each aggregate
// that has more than one, in the order of [Compare]. With vector clocks they are
// pairwise concurrent; without, some may be [OrderUnknown] to each other. The
// groups are in the order of their first events.
//
// The caller owns the result. Errors and running time are those of Heads.
func Conflicts(events []Event) ([][]Event, error) {
	heads, err := Heads(events)
	if err != nil {
		return nil, err
	}
	groupOf := map[string]int{} // by aggregate
	var groups [][]Event
	for _, e := range heads {
		i, ok := groupOf[e.p.AggregateID]
		if !ok {
			i = len(groups)
			groupOf[e.p.AggregateID] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	return slices.DeleteFunc(groups, func(group []Event) bool { return len(group) < 2 }), nil
}
