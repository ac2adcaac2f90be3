package causal

import (
	"slices"
	"sort"
)

// memKeys has the keys of a log, computed when they are first read.
type memKeys struct {
	keys  []SyncKey // of the first entries of the log
	order []int     // indexes of keys, in the order of keys
}

// fillStep is the number of keys computed under one lock.
const fillStep = 1 << 13

// fill adds keys of new entries, up to fillStep at a time, and reports whether
// it has all. The caller holds the lock.
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
	// Merge from the end: everything before the first new key stays in place.
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

// find returns the index in order of the first key at or after k.
func (d *memKeys) find(k SyncKey) int {
	return sort.Search(len(d.order), func(i int) bool { return d.keys[d.order[i]].Compare(k) >= 0 })
}
