package causal

import "slices"

// pastSet is a set of events that includes the past of each of its events.
// Events are on lanes, on each of which one follows the other, so the set is
// the number of events on each lane. It is a value. Sets share their common
// parts, so a set derived from another takes memory only for its additions. It
// resembles a vector clock with lanes in place of nodes (Fidge 1988, Mattern
// 1989), because the events of one node need not be ordered.
type pastSet []laneBlock

// laneBlock has the counts of the lanes from first on, in groups; nil stands
// for zeros. Blocks are in ascending order.
type laneBlock struct {
	first  int32
	groups *laneGroups // not to be modified
}

const (
	lanesInGroup = 16
	lanesInBlock = lanesInGroup * lanesInGroup
)

type (
	laneGroups [lanesInGroup]*laneCounts
	laneCounts [lanesInGroup]int32
)

// of returns the number of events of a lane in the set.
func (s pastSet) of(lane int32) int32 {
	i, ok := s.search(lane)
	if !ok {
		return 0
	}
	counts := s[i].groups[lane%lanesInBlock/lanesInGroup]
	if counts == nil {
		return 0
	}
	return counts[lane%lanesInGroup]
}

func (s pastSet) search(lane int32) (int, bool) {
	first := lane - lane%lanesInBlock
	if len(s) > 0 && s[0].first >= first { // the most common case
		return 0, s[0].first == first
	}
	return slices.BinarySearchFunc(s, first, func(b laneBlock, first int32) int { return int(b.first) - int(first) })
}

// has reports whether s includes t.
func (s pastSet) has(t pastSet) bool {
	i := 0
	for _, b := range t {
		for i < len(s) && s[i].first < b.first {
			i++
		}
		if i == len(s) || s[i].first != b.first || !s[i].groups.has(b.groups) {
			return false
		}
	}
	return true
}

func (g *laneGroups) has(h *laneGroups) bool {
	if g == h {
		return true
	}
	for i, counts := range h {
		if counts != nil && (g[i] == nil || !g[i].has(counts)) {
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

// union returns the union of s and t.
func (s pastSet) union(t pastSet) pastSet {
	switch {
	case s.has(t):
		return s
	case t.has(s):
		return t
	}
	both := make(pastSet, 0, max(len(s), len(t))+1)
	for len(s) > 0 && len(t) > 0 {
		switch {
		case s[0].first < t[0].first:
			both, s = append(both, s[0]), s[1:]
		case s[0].first > t[0].first:
			both, t = append(both, t[0]), t[1:]
		default:
			both, s, t = append(both, laneBlock{s[0].first, s[0].groups.union(t[0].groups)}), s[1:], t[1:]
		}
	}
	return append(append(both, s...), t...)
}

func (g *laneGroups) union(h *laneGroups) *laneGroups {
	switch {
	case g.has(h):
		return g
	case h.has(g):
		return h
	}
	both := *g
	for i, counts := range h {
		switch {
		case both[i] == nil:
			both[i] = counts
		case counts != nil:
			both[i] = both[i].union(counts)
		}
	}
	return &both
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

// with returns s with the first n events of a lane, which must be more than s
// has.
func (s pastSet) with(lane, n int32) pastSet {
	at, ok := s.search(lane)
	t := make(pastSet, len(s), len(s)+1)
	copy(t, s)
	var groups laneGroups
	if ok {
		groups = *s[at].groups
	} else {
		t = slices.Insert(t, at, laneBlock{first: lane - lane%lanesInBlock})
	}
	var counts laneCounts
	group := lane % lanesInBlock / lanesInGroup
	if groups[group] != nil {
		counts = *groups[group]
	}
	counts[lane%lanesInGroup] = n
	groups[group] = &counts
	t[at].groups = &groups
	return t
}

// all yields the number of events of each lane in the set, if there are any.
func (s pastSet) all(yield func(lane, n int32) bool) {
	for _, b := range s {
		for i, counts := range b.groups {
			if counts == nil {
				continue
			}
			for k, n := range counts {
				if n > 0 && !yield(b.first+int32(i*lanesInGroup+k), n) {
					return
				}
			}
		}
	}
}

// more yields each lane of which t has more events than s, and their number in
// t, until yield returns false. It reports whether yield never did.
func (s pastSet) more(t pastSet, yield func(lane, n int32) bool) bool {
	i := 0
	for _, b := range t {
		for i < len(s) && s[i].first < b.first {
			i++
		}
		mine := &laneGroups{}
		if i < len(s) && s[i].first == b.first {
			mine = s[i].groups
		}
		for j, counts := range b.groups {
			if counts == nil || counts == mine[j] {
				continue
			}
			for k, n := range counts {
				if (mine[j] == nil && n > 0 || mine[j] != nil && n > mine[j][k]) && !yield(b.first+int32(j*lanesInGroup+k), n) {
					return false
				}
			}
		}
	}
	return true
}

// is reports whether s and t share memory, and so are equal.
func (s pastSet) is(t pastSet) bool { return len(s) == len(t) && (len(s) == 0 || &s[0] == &t[0]) }
