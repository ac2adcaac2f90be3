package causal

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// VectorClock says how much of each node's history has been seen: for each node
// the Lamport time of its latest event (Fidge, "Timestamps in Message-Passing
// Systems That Preserve the Partial Ordering", 1988; Mattern, "Virtual Time and
// Global States of Distributed Systems", 1988; here with Lamport times as
// entries, so that gaps between the times of one node mean nothing). Two vector
// clocks tell exactly whether one event can have caused another, which Lamport
// clocks cannot.
//
// A VectorClock is an immutable value, cheap to copy and safe for concurrent use.
// The zero value has seen nothing. There are no entries with the time 0: a node
// is in the clock if something of it was seen. Compare two with
// [CompareVectorClocks]; == does not compile.
type VectorClock struct {
	entries []vectorEntry // ascending by node; shared by copies, never written to
}

type vectorEntry struct {
	node string
	time int64
}

// maxVectorNodes bounds how many nodes a vector clock has when it comes from
// outside.
const maxVectorNodes = 1 << 16

// NewVectorClock returns the vector clock with these times; a node with the time
// 0 is left out. The map stays the caller's. The error is a [*ValidationError]
// for a node that is empty or not valid UTF-8, for a negative time and for more
// than 65,536 nodes.
func NewVectorClock(times map[string]int64) (VectorClock, error) {
	entries := make([]vectorEntry, 0, len(times))
	for node, time := range times {
		if reason := checkVectorEntry(node, time); reason != "" {
			return VectorClock{}, invalid(vectorField, reason)
		}
		if time > 0 {
			entries = append(entries, vectorEntry{node, time})
		}
	}
	if len(entries) > maxVectorNodes {
		return VectorClock{}, invalid(vectorField, reasonVectorSize)
	}
	slices.SortFunc(entries, func(a, b vectorEntry) int { return strings.Compare(a.node, b.node) })
	return VectorClock{entries}, nil
}

// The member that errors about vector clocks name, and what may be wrong.
const (
	vectorField      = "vector_clock"
	reasonVectorSize = "must not have more than 65536 nodes"
	reasonVectorNode = "must have nodes that are not empty and valid UTF-8"
	reasonVectorTime = "must not have negative times"
)

// checkVectorEntry returns what is wrong with an entry, "" if nothing is.
func checkVectorEntry(node string, time int64) string {
	switch {
	case node == "" || !utf8.ValidString(node):
		return reasonVectorNode
	case time < 0:
		return reasonVectorTime
	}
	return ""
}

// Len returns the number of nodes of which something was seen.
func (v VectorClock) Len() int { return len(v.entries) }

// IsZero reports whether nothing was seen.
func (v VectorClock) IsZero() bool { return len(v.entries) == 0 }

// Get returns the time of a node's latest event that was seen, 0 if none was.
func (v VectorClock) Get(node string) int64 {
	if i, ok := v.search(node); ok {
		return v.entries[i].time
	}
	return 0
}

// search returns where the node is or would be, and whether it is there.
func (v VectorClock) search(node string) (int, bool) {
	return slices.BinarySearchFunc(v.entries, node, func(e vectorEntry, node string) int {
		return strings.Compare(e.node, node)
	})
}

// All yields the nodes and their times, in ascending bytewise order of the
// nodes.
func (v VectorClock) All() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, e := range v.entries {
			if !yield(e.node, e.time) {
				return
			}
		}
	}
}

// With returns v after an event of the node at this time was seen: the node's
// time becomes the later of the two. It returns v itself if that changes nothing,
// as for the time 0. The error is a [*ValidationError] for a node that is empty
// or not valid UTF-8 and for a negative time.
func (v VectorClock) With(node string, time int64) (VectorClock, error) {
	if reason := checkVectorEntry(node, time); reason != "" {
		return VectorClock{}, invalid(vectorField, reason)
	}
	if time <= v.Get(node) {
		return v, nil
	}
	i, ok := v.search(node)
	if ok {
		entries := slices.Clone(v.entries)
		entries[i].time = time
		return VectorClock{entries}, nil
	}
	entries := make([]vectorEntry, 0, len(v.entries)+1)
	entries = append(entries, v.entries[:i]...)
	entries = append(entries, vectorEntry{node, time})
	return VectorClock{append(entries, v.entries[i:]...)}, nil
}

// Without returns v without these nodes, for nodes that are retired: they emit
// no more events, and everyone has seen all that they emitted. It returns v itself
// if it has none of them.
func (v VectorClock) Without(nodes ...string) VectorClock {
	retired := make(map[string]bool, len(nodes))
	for _, node := range nodes {
		retired[node] = true
	}
	gone := func(e vectorEntry) bool { return retired[e.node] }
	if !slices.ContainsFunc(v.entries, gone) {
		return v
	}
	return VectorClock{slices.DeleteFunc(slices.Clone(v.entries), gone)}
}

// String returns the clock as its JSON text, for people.
func (v VectorClock) String() string { return string(v.appendJSON(nil)) }

// Ordering is how two vector clocks relate; the zero value is Equal.
type Ordering int

// The orderings of a vector clock a to another one b.
const (
	// Equal: both have seen the same.
	Equal Ordering = iota
	// Before: b has seen all that a has, and more.
	Before
	// After: a has seen all that b has, and more.
	After
	// Concurrent: each has seen something that the other has not.
	Concurrent
)

// String returns the name of the ordering.
func (o Ordering) String() string {
	switch o {
	case Equal:
		return "Equal"
	case Before:
		return "Before"
	case After:
		return "After"
	case Concurrent:
		return "Concurrent"
	}
	return "Ordering(" + strconv.Itoa(int(o)) + ")"
}

// CompareVectorClocks returns how a relates to b: a is Before b if no time of a
// is later than that of b and one is earlier (Mattern 1988). A node that is absent
// counts as the time 0. It passes over both once and allocates nothing.
func CompareVectorClocks(a, b VectorClock) Ordering {
	x, y := a.entries, b.entries
	if len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0]) {
		return Equal // copies of one clock
	}
	less, greater := false, false // is a time of a earlier, later than that of b
	for len(x) > 0 && len(y) > 0 && (!less || !greater) {
		switch {
		case x[0].node == y[0].node:
			less = less || x[0].time < y[0].time
			greater = greater || x[0].time > y[0].time
			x, y = x[1:], y[1:]
		case x[0].node < y[0].node:
			greater = true
			x = x[1:]
		default:
			less = true
			y = y[1:]
		}
	}
	less, greater = less || len(y) > 0, greater || len(x) > 0
	switch {
	case less && greater:
		return Concurrent
	case less:
		return Before
	case greater:
		return After
	}
	return Equal
}

// MergeVectorClocks returns what a and b have seen together: for each node the
// later time (the least upper bound). It returns a or b itself if that has seen
// all.
func MergeVectorClocks(a, b VectorClock) VectorClock {
	switch CompareVectorClocks(a, b) {
	case Equal, After:
		return a
	case Before:
		return b
	case Concurrent:
	}
	x, y := a.entries, b.entries
	merged := make([]vectorEntry, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0].node == y[0].node:
			merged = append(merged, vectorEntry{x[0].node, max(x[0].time, y[0].time)})
			x, y = x[1:], y[1:]
		case x[0].node < y[0].node:
			merged, x = append(merged, x[0]), x[1:]
		default:
			merged, y = append(merged, y[0]), y[1:]
		}
	}
	return VectorClock{append(append(merged, x...), y...)}
}

// StableCut returns what every one of the clocks has seen: for each node the
// earliest time (the greatest lower bound). What lies within the cut of the
// clocks of all nodes will never be concurrent with an event to come, so that what
// is kept to resolve conflicts can go. Without clocks it is the zero VectorClock:
// nothing is known to be stable.
func StableCut(clocks ...VectorClock) VectorClock {
	if len(clocks) == 0 {
		return VectorClock{}
	}
	cut := clocks[0]
	for _, v := range clocks[1:] {
		cut = lowerBound(cut, v)
	}
	return cut
}

// lowerBound returns the earlier time of each node that both have.
func lowerBound(a, b VectorClock) VectorClock {
	switch CompareVectorClocks(a, b) {
	case Equal, Before:
		return a
	case After:
		return b
	case Concurrent:
	}
	x, y := a.entries, b.entries
	bound := make([]vectorEntry, 0, min(len(x), len(y)))
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0].node == y[0].node:
			bound = append(bound, vectorEntry{x[0].node, min(x[0].time, y[0].time)})
			x, y = x[1:], y[1:]
		case x[0].node < y[0].node:
			x = x[1:]
		default:
			y = y[1:]
		}
	}
	return VectorClock{bound}
}
