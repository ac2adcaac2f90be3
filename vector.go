package causal

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// A VectorClock records how much of each node's history has been seen: for each
// node the Lamport time of its latest event (Fidge, "Timestamps in
// Message-Passing Systems That Preserve the Partial Ordering", 1988; Mattern,
// "Virtual Time and Global States of Distributed Systems", 1988; here with
// Lamport times as entries, so gaps between the times of one node have no
// meaning). Unlike Lamport clocks, two vector clocks tell exactly whether one
// event can have caused another.
//
// A VectorClock is an immutable value, cheap to copy and safe for concurrent
// use. The zero value has no nodes. No entry is 0: a node is in the clock if
// one of its events was seen. Compare two clocks with [VectorClock.Compare]; ==
// does not compile.
type VectorClock struct {
	entries []vectorEntry // ascending by node; shared by copies, never modified
}

type vectorEntry struct {
	node string
	time int64
}

// maxVectorNodes limits the nodes of a vector clock from outside.
const maxVectorNodes = 1 << 16

// NewVectorClock returns the vector clock with the given times, omitting nodes
// whose time is 0. It returns a [*ValidationError] if a node is empty or not
// valid UTF-8, if a time is negative, or if there are more than 65,536 nodes.
func NewVectorClock(times map[string]int64) (VectorClock, error) {
	entries := make([]vectorEntry, 0, len(times))
	for node, time := range times {
		if err := checkVectorEntry(node, time); err != nil {
			return VectorClock{}, inField(vectorField, err)
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

// The member named by errors about vector clocks, and the reasons.
const (
	vectorField      = "vector_clock"
	reasonVectorSize = "must not have more than 65536 nodes"
	reasonVectorNode = "must have nodes that are not empty and valid UTF-8"
	reasonVectorTime = "must not have negative times"
)

// checkVectorEntry returns the error for an invalid entry.
func checkVectorEntry(node string, time int64) error {
	switch {
	case node == "" || !utf8.ValidString(node):
		return invalid("", reasonVectorNode)
	case time < 0:
		return invalid("", reasonVectorTime)
	}
	return nil
}

// Len returns the number of nodes in v.
func (v VectorClock) Len() int { return len(v.entries) }

// IsZero reports whether v has no nodes.
func (v VectorClock) IsZero() bool { return len(v.entries) == 0 }

// At returns the entry for node, or 0 if v has none.
func (v VectorClock) At(node string) int64 {
	if i, ok := v.search(node); ok {
		return v.entries[i].time
	}
	return 0
}

// search returns the index at which the node is or would be, and reports
// whether it is there.
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

// Advance returns v with the entry for node raised to time, as after seeing an
// event of the node at this time. It returns v itself if the entry is not
// raised, including for the time 0. It returns a [*ValidationError] if node is
// empty or not valid UTF-8, or if time is negative.
func (v VectorClock) Advance(node string, time int64) (VectorClock, error) {
	if err := checkVectorEntry(node, time); err != nil {
		return VectorClock{}, inField(vectorField, err)
	}
	if time <= v.At(node) {
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

// String returns the clock as its JSON text, for people.
func (v VectorClock) String() string { return string(v.appendJSON(nil)) }

// Compare returns how v relates to w. v is [OrderBefore] w if no time of v is
// later than that of w and at least one is earlier (Mattern 1988), in which
// case w covers v. An absent node counts as the time 0. The result is never
// [OrderUnknown]. Compare makes one pass over both and allocates nothing.
func (v VectorClock) Compare(w VectorClock) Order {
	x, y := v.entries, w.entries
	if len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0]) {
		return OrderSame // copies of one clock
	}
	less, greater := false, false // whether a time of v is earlier, or later, than that of w
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
		return OrderConcurrent
	case less:
		return OrderBefore
	case greater:
		return OrderAfter
	}
	return OrderSame
}

// Merge returns the later time of each node in v and w (the least upper bound).
// It returns v or w itself if that is already the result.
func (v VectorClock) Merge(w VectorClock) VectorClock {
	switch v.Compare(w) {
	case OrderSame, OrderAfter:
		return v
	case OrderBefore:
		return w
	}
	x, y := v.entries, w.entries
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

// StableCut returns the earliest time of each node in all clocks (the greatest
// lower bound), which covers the events seen by all. If the clocks are those of
// all nodes, no future event is concurrent with an event covered by the cut, so
// anything kept to resolve such conflicts can be discarded. Nodes can tell
// their clocks, from [Node.Seen], in payloads of events. Without clocks the
// result is the zero VectorClock: nothing is known to be stable.
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

// lowerBound returns the earlier time of each node in both.
func lowerBound(a, b VectorClock) VectorClock {
	switch a.Compare(b) {
	case OrderSame, OrderBefore:
		return a
	case OrderAfter:
		return b
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

// MarshalJSON encodes the clock as an object of integers by node, in ascending
// bytewise order of the nodes. It returns a [*ValidationError] if there are
// more than 65,536 nodes.
func (v VectorClock) MarshalJSON() ([]byte, error) {
	if len(v.entries) > maxVectorNodes {
		return nil, invalid(vectorField, reasonVectorSize)
	}
	return v.appendJSON(nil), nil
}

func (v VectorClock) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, e := range v.entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(rawjson.AppendString(b, e.node), ':')
		b = strconv.AppendInt(b, e.time, 10)
	}
	return append(b, '}')
}

// UnmarshalJSON decodes the output of MarshalJSON. The form is canonical: nodes
// out of order or repeated, and times other than positive integers, are
// invalid. If data is invalid, UnmarshalJSON leaves *v unchanged and returns a
// [*ValidationError]. It does not retain data.
func (v *VectorClock) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	decoded, err := parseVectorClock(text)
	if err != nil {
		return inField(vectorField, err)
	}
	*v = decoded
	return nil
}

// parseVectorClock returns the vector clock in a JSON object.
func parseVectorClock(text string) (VectorClock, error) {
	if text[0] != '{' {
		return VectorClock{}, invalid("", reasonNotObject)
	}
	var entries []vectorEntry
	for rawNode, value := range rawjson.Members(text) {
		node, ok := rawjson.Unquote(rawNode)
		if !ok {
			return VectorClock{}, invalid("", reasonSurrogate)
		}
		time, err := parseInt(value)
		if err != nil {
			return VectorClock{}, inPart("has a time", err)
		}
		if entries, err = appendVectorEntry(entries, strings.Clone(node), time); err != nil {
			return VectorClock{}, err
		}
	}
	return VectorClock{entries}, nil
}

// appendVectorEntry appends an entry from outside, if it is valid and in order.
func appendVectorEntry(entries []vectorEntry, node string, time int64) ([]vectorEntry, error) {
	if err := checkVectorEntry(node, time); err != nil {
		return nil, err
	}
	switch {
	case time == 0:
		return nil, invalid("", "must not have the time 0")
	case len(entries) > 0 && entries[len(entries)-1].node >= node:
		return nil, invalid("", "must have its nodes in ascending order without duplicates")
	case len(entries) == maxVectorNodes:
		return nil, invalid("", reasonVectorSize)
	}
	return append(entries, vectorEntry{node, time}), nil
}
