package causal

import (
	"container/heap"
	"slices"
)

// TopologicalSort returns the events sorted so that every cause precedes its
// effects. Among the events that are ready, the least under [Compare] comes
// first (Kahn, "Topological Sorting of Large Networks", 1962), so the result
// does not depend on the order of the input. Duplicates are dropped, and causes
// missing from events are ignored.
//
// The caller owns the result. TopologicalSort returns a [*CycleError] if events
// cause each other or themselves, an [*IDConflictError] if two different events
// share an ID, and a [*ValidationError] if an event is zero. It takes O(n log
// n) time for any input.
func TopologicalSort(events []Event) ([]Event, error) {
	sorted, found, err := distinct(events)
	if err != nil {
		return nil, err
	}
	cause := make([]int, len(sorted)) // the index of each event's cause, or noIndex
	ordered := true
	for i, e := range sorted {
		cause[i] = noIndex
		if id := e.p.CausationID; id != "" {
			cause[i] = found.index(id)
			ordered = ordered && cause[i] < i
		}
	}
	if ordered {
		return sorted, nil
	}
	return kahn(sorted, cause)
}

// Special values in place of the index of an event's cause.
const (
	noIndex = -1 // the event has no cause among the events
	placed  = -2 // the event is already sorted
)

// kahn sorts events, given in the order of Compare, so that each comes after
// its cause. Each event has at most one cause, so the effects of an event form
// a list: first holds its head and next its links.
func kahn(events []Event, cause []int) ([]Event, error) {
	first, next := make([]int, len(events)), make([]int, len(events))
	for i := range events {
		first[i] = noIndex
	}
	var ready indexHeap
	for i, c := range cause {
		if c == noIndex {
			ready = append(ready, i) // ascending, so it is a heap
		} else {
			next[i] = first[c]
			first[c] = i
		}
	}
	out := make([]Event, 0, len(events))
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int) //nolint:forcetypeassert // the heap has no other type
		out = append(out, events[i])
		cause[i] = placed
		for effect := first[i]; effect != noIndex; effect = next[effect] {
			heap.Push(&ready, effect)
		}
	}
	if len(out) < len(events) {
		return nil, findCycle(events, cause)
	}
	return out, nil
}

// findCycle returns the cycle reached from the first event that could not be
// sorted.
func findCycle(events []Event, cause []int) *CycleError {
	at := slices.IndexFunc(cause, func(c int) bool { return c != placed })
	for range events { // walk to causes until certainly inside the cycle
		at = cause[at]
	}
	least := at
	for i := cause[at]; i != at; i = cause[i] {
		least = min(least, i)
	}
	ids := []EventID{events[least].ID()}
	for i := cause[least]; i != least; i = cause[i] {
		ids = append(ids, events[i].ID())
	}
	slices.Reverse(ids[1:]) // the walk went from effects to causes
	return &CycleError{IDs: ids}
}

// indexHeap is a heap.Interface with the least index on top.
type indexHeap []int

func (h indexHeap) Len() int           { return len(h) }
func (h indexHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h indexHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *indexHeap) Push(x any)        { *h = append(*h, x.(int)) } //nolint:forcetypeassert // see above
func (h *indexHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
