package causal

import (
	"cmp"
	"slices"
	"sort"
)

// nodeKey is a node in a project.
type nodeKey struct{ project, node string }

// line is the events of a node in a project.
type line struct {
	nodeKey
	events []int32 // their numbers in ascending order, and so by clock
	lanes  []int32
	next   int // the next one to look at for the next event
	// sharedTo is the clock up to which it is certain that they were one line.
	// isForked says that it counts.
	sharedTo int64
	isForked bool
}

// upTo returns the number of events of the line whose clock is at most time.
func (l *line) upTo(events []Event, time int64) int {
	return sort.Search(len(l.events), func(i int) bool { return events[l.events[i]].clock > time })
}

// isForkedBy reports whether the node had forked by the given time.
func (l *line) isForkedBy(time int64) bool { return l != nil && l.isForked && time > l.sharedTo }

// last returns the last event that had certainly happened when the line was at
// the given time, or noIndex. isClock reports whether time is the clock of an
// event, rather than just before one.
func (l *line) last(events []Event, time int64, isClock bool) int32 {
	if l == nil {
		return noIndex
	}
	n := l.upTo(events, time)
	if n > 0 && l.isForkedBy(time) {
		isOne := events[l.events[n-1]].clock == time && (n == 1 || events[l.events[n-2]].clock < time)
		if isClock && isOne {
			return l.events[n-1] // this event, on whichever branch it is
		}
		n = l.upTo(events, l.sharedTo)
	}
	if n == 0 {
		return noIndex
	}
	return l.events[n-1]
}

// findFork determines whether the node has forked, and up to which clock it had
// not. A stamped event covers the clocks from the one it names to its own, and
// the plain events before the first stamped one cover everything up to the last
// of them. On a line without a fork, no two cover the same clock. Plain events
// show a fork if they share a clock or come after stamped ones. They do not
// show where the branches begin, so that is assumed to be there.
func (l *line) findFork(events []Event) {
	fork := func(sharedTo int64) {
		if !l.isForked || sharedTo < l.sharedTo {
			l.isForked, l.sharedTo = true, sharedTo
		}
	}
	var latest int64 // clock
	overlaps := false
	for i, k := range l.events {
		e := events[k]
		if i > 0 && latest == e.clock {
			fork(e.clock - 1)
		}
		overlaps = overlaps || e.IsStamped() && e.p.PreviousClock < latest
		latest = e.clock
	}
	if overlaps {
		fork(l.firstOverlap(events))
	}
	if stamped, _, ok := l.plainAfterStamped(events); ok {
		fork(stamped.clock - 1)
	}
}

// cover is the clocks covered by an event: those after previous, up to its own.
type cover struct {
	previous int64
	Event
}

// covers returns the covers of the last plain event before the first stamped
// one and of the stamped events, in the order of previous. In this order, a
// cover overlaps an earlier one if the clock of that one is above its previous.
func (l *line) covers(events []Event) []cover {
	var covers []cover
	for _, k := range l.events {
		switch e := events[k]; {
		case e.IsStamped():
			covers = append(covers, cover{e.p.PreviousClock, e})
		case len(covers) == 0:
			covers = append(covers, cover{-1, e})
		case len(covers) == 1 && covers[0].previous < 0:
			covers[0].Event = e
		}
	}
	slices.SortStableFunc(covers, func(a, b cover) int { return cmp.Compare(a.previous, b.previous) })
	return covers
}

// firstOverlap returns the clock after which events first cover the same
// clocks. Some events must overlap.
func (l *line) firstOverlap(events []Event) int64 {
	covers := l.covers(events)
	farthest := covers[0]
	for _, c := range covers[1:] {
		if c.previous < farthest.clock {
			if farthest.previous < 0 { // plain events in sequence
				return c.previous
			}
			break
		}
		farthest = c
	}
	return farthest.previous
}

// appendForks appends the forks of the node, assuming as few branches as
// possible.
func (l *line) appendForks(forks []ForkError, events []Event) []ForkError {
	known := len(forks)
	fork := func(a, b Event) {
		ids := []EventID{a.p.ID, b.p.ID}
		slices.Sort(ids)
		forks = append(forks, ForkError{NodeID: l.node, LamportClock: max(a.clock, b.clock), IDs: ids})
	}
	var tips []int64           // the latest clocks of the branches, in ascending order
	first := map[int64]Event{} // of those naming a clock
	var farthest Event
	for _, c := range l.covers(events) {
		other, isSecond := first[c.previous]
		tip, goesOn := slices.BinarySearch(tips, c.previous)
		if !goesOn && !isSecond && tip > 0 { // after a hole
			tip, goesOn = tip-1, true
		}
		switch {
		case goesOn:
			tips = slices.Delete(tips, tip, tip+1)
		case isSecond:
			fork(other, c.Event)
		case farthest.p != nil: // which it overlaps, as no branch ends before it
			fork(farthest, c.Event)
		}
		at, _ := slices.BinarySearch(tips, c.clock)
		tips = slices.Insert(tips, at, c.clock)
		if !isSecond {
			first[c.previous] = c.Event
		}
		if farthest.p == nil || c.clock > farthest.clock {
			farthest = c.Event
		}
	}
	if a, b, ok := l.plainAfterStamped(events); ok {
		fork(a, b)
	}
	slices.SortStableFunc(forks[known:], func(a, b ForkError) int { return cmp.Compare(a.LamportClock, b.LamportClock) })
	return forks
}

// plainAfterStamped returns the first stamped event and the first plain one
// after it, if any.
func (l *line) plainAfterStamped(events []Event) (stamped, plain Event, ok bool) {
	for _, k := range l.events {
		switch e := events[k]; {
		case e.IsStamped() && stamped.p == nil:
			stamped = e
		case !e.IsStamped() && stamped.p != nil:
			return stamped, e, true
		}
	}
	return Event{}, Event{}, false
}

// appendHoles appends the holes in the chain of the node.
func (l *line) appendHoles(gaps []Gap, events []Event) []Gap {
	var c chain
	for _, k := range l.events {
		if link := linkOf(events[k]); link.IsStamped {
			c.addStamped(link)
		} else {
			c.addPlain(link)
		}
	}
	return c.appendHoles(gaps, l.node)
}
