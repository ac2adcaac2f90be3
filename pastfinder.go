package causal

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// pastFinder finds what came before each event of a History, one event after the other in the
// order of Compare, which is that of causality.
type pastFinder struct {
	x          *pastIndex
	projects   map[string]*projectLines
	latest     *projectLines
	aggregates []aggregateLanes
	parents    []int32      // of the events from the next one on, as their numbers or noIndex
	counts     []laneCounts // room for those of sets
	groups     []laneGroup
}

// projectLines is the nodes and aggregates of a project, by their IDs.
type projectLines struct {
	id         string
	lines      map[string]*line
	aggregates map[string]int32
}

// aggregateLanes is where the events of an aggregate are, in the order of lanes.
type aggregateLanes []aggregateLane

type aggregateLane struct {
	lane   int32
	events []int32 // as they are counted on the lane
}

func (l aggregateLanes) search(lane int32) (int, bool) {
	return slices.BinarySearchFunc(l, lane, func(l aggregateLane, lane int32) int { return int(l.lane - lane) })
}

// hasUnread reports whether a set has an event of the lane that was not read.
func (l *aggregateLane) hasUnread(read, set pastSet) bool {
	n := read.of(l.lane)
	if n >= l.events[len(l.events)-1] {
		return false
	}
	next := sort.Search(len(l.events), func(i int) bool { return l.events[i] > n })
	return l.events[next] <= set.of(l.lane)
}

func (f *pastFinder) project(id string) *projectLines {
	if f.latest == nil || f.latest.id != id {
		if f.latest = f.projects[id]; f.latest == nil {
			f.latest = &projectLines{id: id, lines: map[string]*line{}, aggregates: map[string]int32{}}
			f.projects[id] = f.latest
		}
	}
	return f.latest
}

// newPastIndex returns what the events, of which found knows the numbers, say.
func newPastIndex(events []Event, found *deduper) *pastIndex {
	x := &pastIndex{events: events, found: found}
	f := newPastFinder(x)
	for k, e := range events {
		k := int32(k)
		if !e.IsStamped() {
			f.put(k, f.evidence(k, e, nil))
			continue
		}
		read := f.readPast(k, e)
		f.put(k, f.admit(x.spots[k].aggregate, read, f.evidence(k, e, read)))
	}
	return x
}

func newPastFinder(x *pastIndex) *pastFinder {
	n := len(x.events)
	x.pasts, x.spots, x.hidden = make([]pastSet, n), make([]spot, n), make([]int64, n)
	f := &pastFinder{x: x, projects: map[string]*projectLines{}}
	for _, e := range x.events { // on its own, so that its cache misses overlap
		for _, id := range e.p.Parents {
			f.parents = append(f.parents, int32(x.found.index(id)))
		}
	}
	for k, e := range x.events {
		project := f.project(e.p.ProjectUUID)
		l := project.lines[e.p.NodeID]
		if l == nil {
			l = &line{nodeKey: nodeKey{e.p.ProjectUUID, e.p.NodeID}}
			project.lines[e.p.NodeID] = l
			x.lines = append(x.lines, l)
		}
		l.events = append(l.events, int32(k))
		aggregate, ok := project.aggregates[e.p.AggregateID]
		if !ok {
			aggregate = int32(len(f.aggregates))
			project.aggregates[e.p.AggregateID], f.aggregates = aggregate, append(f.aggregates, nil)
		}
		x.spots[k] = spot{line: l, lane: noIndex, aggregate: aggregate}
	}
	for _, l := range x.lines {
		l.findFork(x.events)
	}
	slices.SortFunc(x.lines, func(a, b *line) int {
		return cmp.Or(strings.Compare(a.node, b.node), strings.Compare(a.project, b.project))
	})
	return f
}

// put gives an event its place on a lane of its node, on which it comes after the one before.
func (f *pastFinder) put(k int32, past pastSet) {
	x, at := f.x, &f.x.spots[k]
	at.lane = noIndex
	for _, lane := range slices.Backward(at.line.lanes[max(len(at.line.lanes)-8, 0):]) { // one, but where branches are many
		if int(past.of(lane)) == len(x.lanes[lane]) {
			at.lane = lane
			break
		}
	}
	if at.lane == noIndex {
		at.lane = int32(len(x.lanes))
		x.lanes, at.line.lanes = append(x.lanes, nil), append(at.line.lanes, at.lane)
	}
	x.lanes[at.lane] = append(x.lanes[at.lane], k)
	at.nth = int32(len(x.lanes[at.lane]))
	x.pasts[k] = f.with(past, at.lane, at.nth)

	lanes := &f.aggregates[at.aggregate]
	i, ok := lanes.search(at.lane)
	if !ok {
		*lanes = slices.Insert(*lanes, i, aggregateLane{lane: at.lane})
	}
	(*lanes)[i].events = append((*lanes)[i].events, at.nth)
}

// with returns the set that has the first n events of a lane besides, which are more than s has.
func (f *pastFinder) with(s pastSet, lane, n int32) pastSet {
	if len(f.counts) == 0 {
		f.counts = make([]laneCounts, 256)
	}
	if len(f.groups) <= len(s) {
		f.groups = make([]laneGroup, 512+len(s))
	}
	t := pastSet(f.groups[: len(s) : len(s)+1])
	f.groups = f.groups[len(s)+1:]
	counts := &f.counts[0]
	f.counts = f.counts[1:]
	copy(t, s)
	i, ok := s.search(lane)
	if ok {
		*counts = *s[i].count
	} else {
		t = slices.Insert(t, i, laneGroup{first: lane - lane%lanesInGroup})
	}
	counts[lane%lanesInGroup] = n
	t[i].count = counts
	return t
}

// readPast returns what a stamped event says that it had read: its parents and what came before
// them. It notes what may be hidden behind a parent that is missing.
func (f *pastFinder) readPast(k int32, e Event) pastSet {
	x := f.x
	var past pastSet
	x.hidden[k] = -1
	parents := f.parents[:len(e.p.Parents)]
	f.parents = f.parents[len(parents):]
	for i, p := range parents {
		switch {
		case p == noIndex:
			x.hidden[k] = max(x.hidden[k], e.clock-2) // what came before a parent has a lesser clock than it
		case x.events[p].clock >= e.clock || x.spots[p].aggregate != x.spots[k].aggregate:
			x.contradictions = append(x.contradictions, Contradiction{e.p.ID, e.p.Parents[i], fieldNames[fieldParents]})
			x.hidden[k] = e.clock - 1
		default:
			past = past.union(x.pasts[p])
			if x.events[p].IsStamped() {
				x.hidden[k] = max(x.hidden[k], x.hidden[p])
			} else {
				x.hidden[k] = max(x.hidden[k], x.hides(p))
			}
		}
	}
	return past
}

// hides returns up to which clock there may be events that came before event k and are not known
// to: any earlier one, unless the event is plain and has a vector clock.
func (x *pastIndex) hides(k int32) int64 {
	if e := x.events[k]; e.IsStamped() || e.p.VectorClock.IsZero() {
		return e.clock - 1
	}
	return x.hidden[k]
}

// evidence returns what came before an event by all that it says but its parents. For a plain
// one it notes what may be hidden.
func (f *pastFinder) evidence(k int32, e Event, read pastSet) (past pastSet) {
	x := f.x
	hidden := int64(0)
	add := func(p int32, clock int64) {
		if p != noIndex {
			past = past.union(x.pasts[p])
		}
		if p != noIndex && x.events[p].clock == clock {
			hidden = max(hidden, x.hides(p))
		} else {
			hidden = max(hidden, clock-1)
		}
	}
	line := x.spots[k].line
	before, isClock := e.clock-1, false
	if e.IsStamped() {
		before, isClock = e.p.PreviousClock, true
	}
	if p := line.last(x.events, before, isClock); p != noIndex {
		add(p, x.events[p].clock)
	}
	if line.isForked && before > line.sharedTo {
		hidden = before
	}
	if p, ok := f.cause(k, e, read); ok {
		add(p, x.events[p].clock)
	}
	for node, time := range e.p.VectorClock.All() {
		if node == e.p.NodeID {
			continue
		}
		p := int32(noIndex)
		if other := f.project(e.p.ProjectUUID).lines[node]; other != nil {
			p = other.last(x.events, time, true)
		}
		add(p, time)
	}
	switch {
	case e.IsStamped():
	case e.p.VectorClock.IsZero():
		x.hidden[k] = e.clock - 1
	default:
		x.hidden[k] = hidden
	}
	return past
}

// cause returns the event that e names as its cause, if it can be.
func (f *pastFinder) cause(k int32, e Event, read pastSet) (cause int32, ok bool) {
	x := f.x
	if e.p.CausationID == "" {
		return 0, false
	}
	i := x.found.index(e.p.CausationID)
	if i == noIndex {
		return 0, false
	}
	c, at := x.events[i], x.spots[i]
	if c.clock >= e.clock || c.p.CausationID == e.p.ID ||
		e.IsStamped() && at.aggregate == x.spots[k].aggregate && read.of(at.lane) < at.nth {
		x.contradictions = append(x.contradictions, Contradiction{e.p.ID, c.p.ID, fieldNames[fieldCausationID]})
		return 0, false
	}
	return int32(i), true
}

// admit returns what came before a stamped event of an aggregate: what it had read, and of what
// else was found what does not come after an event of the aggregate that it had not read.
func (f *pastFinder) admit(aggregate int32, read, found pastSet) pastSet {
	if read.has(found) {
		return read
	}
	if !f.hasUnread(aggregate, read, found) {
		return read.union(found)
	}
	x, past := f.x, read
	read.more(found, func(lane, n int32) bool {
		from := read.of(lane)
		admitted := from + int32(sort.Search(int(n-from), func(i int) bool {
			return f.hasUnread(aggregate, read, x.pasts[x.lanes[lane][from+int32(i)]])
		}))
		if admitted > from {
			past = past.union(x.pasts[x.lanes[lane][admitted-1]])
		}
		return true
	})
	return past
}

// hasUnread reports whether a set has an event of an aggregate that was not read.
func (f *pastFinder) hasUnread(aggregate int32, read, set pastSet) bool {
	lanes := f.aggregates[aggregate]
	if len(lanes) <= 2*lanesInGroup {
		return slices.ContainsFunc(lanes, func(l aggregateLane) bool { return l.hasUnread(read, set) })
	}
	return !read.more(set, func(lane, _ int32) bool {
		i, ok := lanes.search(lane)
		return !ok || !lanes[i].hasUnread(read, set)
	})
}
