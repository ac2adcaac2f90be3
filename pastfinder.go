package causal

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"strings"
	"unique"
)

// pastFinder computes the past of each event of a History, one event at a time
// in the order of Compare, which extends causality.
type pastFinder struct {
	x        *pastIndex
	projects map[string]*projectLines
	latest   *projectLines
	parents  []int32 // of the events from the next one on, as numbers or noIndex
	// for each aggregate, the lanes with events of it, and the index of each
	// lane among them
	aggregates [][]aggregateLane
	laneOf     map[aggregateOnLane]int32
	// for each aggregate and line, the last event that did not follow the whole
	// line
	lastAdmitted map[aggregateOnLine]admitted
}

// projectLines has the nodes and aggregates of a project, by ID.
type projectLines struct {
	id         string
	lines      map[string]*line
	byHandle   map[unique.Handle[string]]*line // the same
	aggregates map[string]int32
}

// aggregateLane is a lane, with the events of one aggregate on it, as numbered
// there.
type aggregateLane struct {
	lane   int32
	events []int32
}

type aggregateOnLane struct{ aggregate, lane int32 }

type aggregateOnLine struct {
	aggregate int32
	line      *line
}

// admitted is the number of events at the start of a line that happen before
// some event, and the events read by that one.
type admitted struct {
	read pastSet
	n    int
}

// hasUnread reports whether set has an event of the lane outside read.
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
			f.latest = &projectLines{
				id: id, lines: map[string]*line{}, byHandle: map[unique.Handle[string]]*line{}, aggregates: map[string]int32{},
			}
			f.projects[id] = f.latest
		}
	}
	return f.latest
}

// newPastIndex computes the pasts of events, whose numbers are known to found.
func newPastIndex(events []Event, found *deduper) *pastIndex {
	x := &pastIndex{events: events, found: found}
	f := newPastFinder(x)
	for k, e := range events {
		k := int32(k)
		if e.IsStamped() {
			f.put(k, f.stampedPast(k, e))
		} else {
			f.put(k, f.plainPast(k, e))
		}
	}
	return x
}

func newPastFinder(x *pastIndex) *pastFinder {
	n := len(x.events)
	x.pasts, x.onLine, x.spots, x.hidden = make([]pastSet, n), make([]pastSet, n), make([]spot, n), make([]int64, n)
	f := &pastFinder{x: x, projects: map[string]*projectLines{}, laneOf: map[aggregateOnLane]int32{}, lastAdmitted: map[aggregateOnLine]admitted{}}
	for _, e := range x.events { // in a separate loop, so that cache misses overlap
		for _, id := range e.p.Parents {
			f.parents = append(f.parents, int32(x.found.index(id)))
		}
	}
	for k, e := range x.events {
		project := f.project(e.p.ProjectUUID)
		l := project.byHandle[e.p.node]
		if l == nil {
			l = &line{nodeKey: nodeKey{e.p.ProjectUUID, e.p.NodeID}}
			project.lines[e.p.NodeID], project.byHandle[e.p.node] = l, l
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

// put puts event k, with the given past, on a lane of its node where it follows
// the previous event.
func (f *pastFinder) put(k int32, past pastSet) {
	x, at := f.x, &f.x.spots[k]
	at.lane = f.laneAfter(k, past)
	x.lanes[at.lane] = append(x.lanes[at.lane], k)
	at.nth = int32(len(x.lanes[at.lane]))
	x.pasts[k] = past.with(at.lane, at.nth)
	x.onLine[k] = x.pasts[k]
	if p := f.before(k); p != noIndex {
		x.onLine[k] = x.pasts[k].union(x.onLine[p])
	}

	key := aggregateOnLane{at.aggregate, at.lane}
	i, ok := f.laneOf[key]
	lanes := &f.aggregates[at.aggregate]
	if !ok {
		i = int32(len(*lanes))
		f.laneOf[key], *lanes = i, append(*lanes, aggregateLane{lane: at.lane})
	}
	(*lanes)[i].events = append((*lanes)[i].events, at.nth)
}

// laneAfter returns a lane of the node of event k whose last event is in past.
// This is mostly the lane of the previous event or of a parent. Otherwise it
// tries a few lanes, different ones each time, and then creates one.
func (f *pastFinder) laneAfter(k int32, past pastSet) int32 {
	x, line := f.x, f.x.spots[k].line
	isFree := func(lane int32) bool { return int(past.of(lane)) == len(x.lanes[lane]) }
	if p := f.before(k); p != noIndex && isFree(x.spots[p].lane) {
		return x.spots[p].lane
	}
	for _, id := range x.events[k].p.Parents[:min(len(x.events[k].p.Parents), 8)] {
		p := x.found.index(id)
		if p != noIndex && x.spots[p].line == line && x.spots[p].lane != noIndex && isFree(x.spots[p].lane) {
			return x.spots[p].lane
		}
	}
	for range min(len(line.lanes), 2*lanesInGroup) {
		line.next = (line.next + 1) % len(line.lanes)
		if lane := line.lanes[line.next]; isFree(lane) {
			return lane
		}
	}
	lane := int32(len(x.lanes))
	x.lanes, line.lanes = append(x.lanes, nil), append(line.lanes, lane)
	return lane
}

// before returns the last event of its node certain to precede event k, or
// noIndex. For a stamped event it is the one it names.
func (f *pastFinder) before(k int32) int32 {
	e, line := f.x.events[k], f.x.spots[k].line
	if e.IsStamped() {
		return line.last(f.x.events, e.p.PreviousClock, true)
	}
	return line.last(f.x.events, e.clock-1, false)
}

// plainPast returns the past of a plain event: the earlier events of its node,
// its cause and the events covered by its vector clock, each with its past. It
// records what may be hidden.
func (f *pastFinder) plainPast(k int32, e Event) (past pastSet) {
	x := f.x
	var hidden int64
	if p := f.before(k); p != noIndex {
		past, hidden = x.pasts[p], x.hides(p)
	}
	if line := x.spots[k].line; line.isForked && e.clock-1 > line.sharedTo {
		hidden = e.clock - 1
	}
	switch p := f.cause(e); {
	case p != noIndex:
		past, hidden = past.union(x.pasts[p]), max(hidden, x.hides(p))
	case e.p.CausationID != "":
		hidden = max(hidden, e.clock-1)
	}
	for line, time := range f.seen(e) {
		p := line.last(x.events, time, true)
		switch {
		case p == noIndex || x.events[p].clock < time:
			hidden = max(hidden, time-1)
		default:
			hidden = max(hidden, x.hides(p))
		}
		if line.isForkedBy(time) {
			hidden = max(hidden, time)
		}
		if p != noIndex && !x.hasLine(past, p) {
			past = past.union(x.onLine[p])
		}
	}
	if x.hidden[k] = hidden; e.p.VectorClock.IsZero() {
		x.hidden[k] = e.clock - 1
	}
	return past
}

// seen yields the other nodes in the vector clock of e and their times. The
// line of a node without events here is nil.
func (f *pastFinder) seen(e Event) iter.Seq2[*line, int64] {
	return func(yield func(*line, int64) bool) {
		if e.p.VectorClock.IsZero() {
			return
		}
		lines := f.project(e.p.ProjectUUID).lines
		for node, time := range e.p.VectorClock.All() {
			if node != e.p.NodeID && !yield(lines[node], time) {
				return
			}
		}
	}
}

// hasLine reports whether s has event k and the earlier events of its node.
func (x *pastIndex) hasLine(s pastSet, k int32) bool {
	return s.of(x.spots[k].lane) >= x.spots[k].nth && (x.pasts[k].is(x.onLine[k]) || s.has(x.onLine[k]))
}

// stampedPast returns the past of a stamped event: the events it had read, and
// those of plainPast that do not follow an unread event of its aggregate.
func (f *pastFinder) stampedPast(k int32, e Event) pastSet {
	x := f.x
	read := f.readPast(k, e)
	past := f.admitLine(k, read, read, x.spots[k].line, e.p.PreviousClock)
	if p := f.cause(e); p != noIndex && x.spots[p].aggregate == x.spots[k].aggregate {
		if read.of(x.spots[p].lane) < x.spots[p].nth && x.events[p].clock > x.hidden[k] {
			x.contradictions = append(x.contradictions, Contradiction{e.p.ID, x.events[p].p.ID, fieldNames[fieldCausationID]})
		}
	} else if p != noIndex && !f.hasUnread(k, read, x.pasts[p]) {
		past = past.union(x.pasts[p])
	}
	for line, time := range f.seen(e) {
		if line != nil {
			past = f.admitLine(k, read, past, line, time)
		}
	}
	return past
}

// admitLine adds the events of a line up to a time to the past of event k,
// stopping before the first that follows an unread event of the aggregate.
func (f *pastFinder) admitLine(k int32, read, past pastSet, l *line, time int64) pastSet {
	x := f.x
	p := l.last(x.events, time, true)
	if p == noIndex || x.hasLine(past, p) {
		return past
	}
	if f.hasUnread(k, read, x.onLine[p]) {
		if l.isForked {
			time = min(time, l.sharedTo)
		}
		n := f.admitted(k, read, l, l.upTo(x.events, time))
		if n == 0 {
			return past
		}
		p = l.events[n-1]
	}
	return past.union(x.onLine[p])
}

// admitted returns the number of events at the start of a line, at most n, that
// an event with the given read set follows. It starts from the result for the
// last event of the aggregate that had read no more.
func (f *pastFinder) admitted(k int32, read pastSet, l *line, n int) int {
	isUnread := func(i int) bool { return f.hasUnread(k, read, f.x.onLine[l.events[i]]) }
	key := aggregateOnLine{f.x.spots[k].aggregate, l}
	from := 0
	if m := f.lastAdmitted[key]; read.has(m.read) {
		from = min(m.n, n)
	}
	to := from
	for step := 1; to < n && !isUnread(to); step *= 2 {
		from, to = to+1, min(to+1+step, n)
	}
	from += sort.Search(to-from, func(i int) bool { return isUnread(from + i) })
	f.lastAdmitted[key] = admitted{read, from}
	return from
}

// readPast returns the events that a stamped event had read: its parents and
// their pasts. It records what may be hidden behind a missing parent.
func (f *pastFinder) readPast(k int32, e Event) pastSet {
	x := f.x
	var past pastSet
	x.hidden[k] = -1
	parents := f.parents[:len(e.p.Parents)]
	f.parents = f.parents[len(parents):]
	for i, p := range parents {
		switch {
		case p == noIndex:
			x.hidden[k] = max(x.hidden[k], e.clock-2) // everything before a parent has a lesser clock than the parent
		case x.events[p].clock >= e.clock || x.spots[p].aggregate != x.spots[k].aggregate:
			x.contradictions = append(x.contradictions, Contradiction{e.p.ID, e.p.Parents[i], fieldNames[fieldParents]})
			x.hidden[k] = e.clock - 1
		case x.events[p].IsStamped():
			past, x.hidden[k] = past.union(x.pasts[p]), max(x.hidden[k], x.hidden[p])
		default:
			past, x.hidden[k] = past.union(x.pasts[p]), max(x.hidden[k], x.hides(p))
		}
	}
	return past
}

// hides returns the clock up to which there may be unknown events before event
// k. This is any earlier clock, unless the event is plain and has a vector
// clock.
func (x *pastIndex) hides(k int32) int64 {
	if e := x.events[k]; e.IsStamped() {
		return e.clock - 1
	}
	return x.hidden[k]
}

// cause returns the event named by e as its cause, or noIndex if it is missing
// or impossible.
func (f *pastFinder) cause(e Event) int32 {
	x := f.x
	if e.p.CausationID == "" {
		return noIndex
	}
	i := x.found.index(e.p.CausationID)
	if i == noIndex {
		return noIndex
	}
	if c := x.events[i]; c.clock >= e.clock || c.p.CausationID == e.p.ID {
		x.contradictions = append(x.contradictions, Contradiction{e.p.ID, c.p.ID, fieldNames[fieldCausationID]})
		return noIndex
	}
	return int32(i)
}

// hasUnread reports whether set has an event of the aggregate of event k
// outside read. It examines the lanes of the aggregate. If they are many, it
// alternates with the lanes of which set has more than read, and stops when it
// has finished either.
func (f *pastFinder) hasUnread(k int32, read, set pastSet) bool {
	aggregate := f.x.spots[k].aggregate
	lanes := f.aggregates[aggregate]
	if len(lanes) <= 2*lanesInGroup {
		return slices.ContainsFunc(lanes, func(l aggregateLane) bool { return l.hasUnread(read, set) })
	}
	own := f.x.spots[k].line.lanes // where unread events are most likely
	for _, lane := range own[:min(len(own), lanesInGroup)] {
		if i, ok := f.laneOf[aggregateOnLane{aggregate, lane}]; ok && lanes[i].hasUnread(read, set) {
			return true
		}
	}
	found, next := false, 0
	read.more(set, func(lane, _ int32) bool {
		if next == len(lanes) {
			return false
		}
		i, ok := f.laneOf[aggregateOnLane{aggregate, lane}]
		found = lanes[next].hasUnread(read, set) || ok && lanes[i].hasUnread(read, set)
		next++
		return !found
	})
	return found
}
