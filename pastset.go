package causal

import "slices"

// pastSet is a set of events that has, with each event, all that lies before it. Events are
// on lanes, on each of which one comes after the other: the set is how many of each lane are
// in it. It is a value; sets share what they have in common, so that one that adds to
// another one takes the room of what it adds. It is the idea of a vector clock with lanes in
// place of nodes (Fidge 1988, Mattern 1989), as events of one node need not be in order.
type pastSet []laneGroup

// laneGroup is what a set has of the lanes from first on. Groups are in ascending order.
type laneGroup struct {
	first int32
	count *laneCounts // not to be modified
}

const lanesInGroup = 16

type laneCounts [lanesInGroup]int32

// of returns how many events of a lane are in the set.
func (s pastSet) of(lane int32) int32 {
	i, ok := s.search(lane)
	if !ok {
		return 0
	}
	return s[i].count[lane%lanesInGroup]
}

func (s pastSet) search(lane int32) (int, bool) {
	first := lane - lane%lanesInGroup
	for i := range s[:min(len(s), 4)] { // mostly it is here
		if s[i].first >= first {
			return i, s[i].first == first
		}
	}
	return slices.BinarySearchFunc(s, first, func(g laneGroup, first int32) int { return int(g.first) - int(first) })
}

// has reports whether s has all that t has.
func (s pastSet) has(t pastSet) bool {
	i := 0
	for _, g := range t {
		for i < len(s) && s[i].first < g.first {
			i++
		}
		if i == len(s) || s[i].first != g.first || !s[i].count.has(g.count) {
			return false
		}
	}
	return true
}

func (c *laneCounts) has(d *laneCounts) bool {
	if c == d {
		return true
	}
	for i, n := range d {
		if c[i] < n {
			return false
		}
	}
	return true
}

// union returns the set of what is in s or in t.
func (s pastSet) union(t pastSet) pastSet {
	switch {
	case s.has(t):
		return s
	case t.has(s):
		return t
	}
	both := make(pastSet, 0, len(s)+len(t))
	for len(s) > 0 && len(t) > 0 {
		switch {
		case s[0].first < t[0].first:
			both, s = append(both, s[0]), s[1:]
		case s[0].first > t[0].first:
			both, t = append(both, t[0]), t[1:]
		default:
			both, s, t = append(both, laneGroup{s[0].first, s[0].count.union(t[0].count)}), s[1:], t[1:]
		}
	}
	return append(append(both, s...), t...)
}

func (c *laneCounts) union(d *laneCounts) *laneCounts {
	switch {
	case c.has(d):
		return c
	case d.has(c):
		return d
	}
	both := *c
	for i, n := range d {
		both[i] = max(both[i], n)
	}
	return &both
}

// more yields each lane of which t has more than s, and how many of it t has.
func (s pastSet) more(t pastSet, yield func(lane, n int32) bool) bool {
	i := 0
	for _, g := range t {
		for i < len(s) && s[i].first < g.first {
			i++
		}
		var mine laneCounts
		if i < len(s) && s[i].first == g.first {
			if s[i].count == g.count {
				continue
			}
			mine = *s[i].count
		}
		for k, n := range g.count {
			if n > mine[k] && !yield(g.first+int32(k), n) {
				return false
			}
		}
	}
	return true
}

// cover makes covered, which has a place for each lane, say at least what s has of each.
func (s pastSet) cover(covered []int32) {
	for _, g := range s {
		for i, n := range g.count {
			if n > 0 {
				lane := &covered[g.first+int32(i)]
				*lane = max(*lane, n)
			}
		}
	}
}

// uncover makes covered zero for what s has.
func (s pastSet) uncover(covered []int32) {
	for _, g := range s {
		clear(covered[g.first:min(int(g.first)+lanesInGroup, len(covered))])
	}
}
