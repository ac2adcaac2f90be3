package causal

import (
	"slices"
	"unique"
)

// orAdd is the add of an element by a node, and its removal. Under join it only
// grows: a later add of the node replaces earlier ones, and removed is greater
// than not removed.
type orAdd struct {
	add     origin // without ID if known only from a removal
	removed origin // the event that removed it, the least if several; zero if none
}

func (a orAdd) isRemoved() bool { return a.removed.time > 0 }

// join returns the least upper bound of two adds of one node.
func (a orAdd) join(b orAdd) orAdd {
	switch {
	case a.add.time > b.add.time:
		return a
	case a.add.time < b.add.time:
		return b
	}
	if a.add.id == "" {
		a.add.id = b.add.id
	}
	if !a.isRemoved() || b.isRemoved() && b.removed.compare(a.removed) < 0 {
		a.removed = b.removed
	}
	return a
}

// noteSeen notes the parts of the add covered by v.
func (a orAdd) noteSeen(f *forkFinder, v VectorClock) {
	if a.add.seenBy(v) {
		f.add(a.add)
	}
	if a.isRemoved() && a.removed.seenBy(v) {
		f.add(a.removed)
	}
}

// seenBy reports whether v covers the add and, if it is removed, its removal.
func (a orAdd) seenBy(v VectorClock) bool {
	return a.add.seenBy(v) && (!a.isRemoved() || a.removed.seenBy(v))
}

// maxScan is the number of adds up to which a linear search is used. Few
// elements have more.
const maxScan = 16

// orAdds are the adds of one element: the latest of each node. A copy shares
// storage with the original.
type orAdds struct {
	all   []orAdd
	index *orIndex // nil up to maxScan
}

// orIndex replaces the linear search if there are many adds.
type orIndex struct {
	at   map[unique.Handle[string]]int // the index of each node's add
	live int                           // the number of adds not removed
}

// newOrAdds returns the adds, one for each node. It retains all.
func newOrAdds(all []orAdd) orAdds {
	adds := orAdds{all: all}
	if len(all) <= maxScan {
		return adds
	}
	adds.index = &orIndex{at: make(map[unique.Handle[string]]int, len(all))}
	for i, a := range all {
		adds.index.note(i, a)
	}
	return adds
}

// note records an add of a node that had none.
func (x *orIndex) note(i int, a orAdd) {
	x.at[a.add.node] = i
	if !a.isRemoved() {
		x.live++
	}
}

// find returns the index of the add by a's node, or -1 if there is none.
func (adds orAdds) find(a orAdd) int {
	if adds.index == nil {
		return slices.IndexFunc(adds.all, func(b orAdd) bool { return a.add.node == b.add.node })
	}
	if i, ok := adds.index.at[a.add.node]; ok {
		return i
	}
	return -1
}

// isLive reports whether an element with these adds is in the set.
func (adds orAdds) isLive() bool {
	if adds.index != nil {
		return adds.index.live > 0
	}
	return slices.ContainsFunc(adds.all, func(a orAdd) bool { return !a.isRemoved() })
}

// set replaces the add at i by another one of the same node.
func (adds orAdds) set(i int, a orAdd) {
	if adds.index != nil && adds.all[i].isRemoved() != a.isRemoved() {
		if a.isRemoved() {
			adds.index.live--
		} else {
			adds.index.live++
		}
	}
	adds.all[i] = a
}

// with returns the adds with an add of a node that had none.
func (adds orAdds) with(a orAdd) orAdds {
	adds.all = append(adds.all, a)
	if adds.index == nil {
		return newOrAdds(adds.all)
	}
	adds.index.note(len(adds.all)-1, a)
	return adds
}

// without returns the adds for which gone is false. The receiver must not be
// used afterwards.
func (adds orAdds) without(gone func(orAdd) bool) orAdds {
	kept := slices.DeleteFunc(adds.all, gone)
	if len(kept) == len(adds.all) {
		return adds
	}
	return newOrAdds(kept)
}
