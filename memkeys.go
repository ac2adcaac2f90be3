package causal

import (
	"slices"
	"sort"
)

// memKeys are the keys of a log, as far as somebody has read them.
type memKeys struct {
	keys  []SyncKey // of the first entries of the log
	order []int     // indexes of keys, in the order of keys
}

// fillStep is how many keys are made under one lock.
const fillStep = 1 << 13

// fill adds the keys of entries that have come since, some at a time, and reports whether it has all. The
// caller holds the lock.
func (d *memKeys) fill(log []Event) (isDone bool) {
	first := len(d.keys)
	last := min(first+fillStep, len(log))
	if first == last {
		return true
	}
	for _, e := range log[first:last] {
		d.order = append(d.order, len(d.keys))
		d.keys = append(d.keys, e.SyncKey())
	}
	added := slices.Clone(d.order[first:])
	slices.SortFunc(added, func(a, b int) int { return d.keys[a].Compare(d.keys[b]) })
	// From the end: what is before the first new one stays where it is.
	old := first
	for i := len(d.order) - 1; len(added) > 0; i-- {
		next := added[len(added)-1]
		if old > 0 && d.keys[d.order[old-1]].Compare(d.keys[next]) > 0 {
			old--
			d.order[i] = d.order[old]
		} else {
			added = added[:len(added)-1]
			d.order[i] = next
		}
	}
	return last == len(log)
}

// find returns the place in order of the first key that is not before k.
func (d *memKeys) find(k SyncKey) int {
	return sort.Search(len(d.order), func(i int) bool { return d.keys[d.order[i]].Compare(k) >= 0 })
}
