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
	events []int32 // their numbers, in ascending order, and so by their clocks
	lanes  []int32
	// sharedTo is the clock up to which it is certain that they were one line. isForked says
	// that it counts.
	sharedTo int64
	isForked bool
}

// upTo returns the number of events of the line whose clock is at most time.
func (l *line) upTo(events []Event, time int64) int {
	return sort.Search(len(l.events), func(i int) bool { return events[l.events[i]].clock > time })
}

// last returns the last event that had certainly happened when the line was at a time, or noIndex.
// isClock says that time is the clock of one of its events, rather than one before a clock.
func (l *line) last(events []Event, time int64, isClock bool) int32 {
	n := l.upTo(events, time)
	if l.isForked && n > 0 && events[l.events[n-1]].clock > l.sharedTo {
		clock := events[l.events[n-1]].clock
		if isClock && clock == time && (n == 1 || events[l.events[n-2]].clock < clock) {
			return l.events[n-1] // this one, on whatever branch it is
		}
		n = l.upTo(events, min(time, l.sharedTo))
	}
	if n == 0 {
		return noIndex
	}
	return l.events[n-1]
}

// findFork finds out whether the node has forked, and up to which clock it had not. Stamped events
// tell: each covers the clocks from the one that it names to its own, and no two cover the same one
// on a line that has not forked. Plain events tell if they share a clock, or come after stamped ones.
func (l *line) findFork(events []Event) {
	fork := func(sharedTo int64) {
		if !l.isForked || sharedTo < l.sharedTo {
			l.isForked, l.sharedTo = true, sharedTo
		}
	}
	var latest int64 // clock of a stamped event
	overlaps := false
	for i, k := range l.events {
		e := events[k]
		if e.IsStamped() {
			overlaps = overlaps || e.p.PreviousClock < latest
			latest = e.clock
		}
		if i > 0 && events[l.events[i-1]].clock == e.clock {
			fork(e.clock - 1)
		}
	}
	if overlaps {
		fork(l.firstOverlap(events))
	}
	if stamped, _, ok := l.plainAfterStamped(events); ok {
		fork(stamped.clock - 1)
	}
}

// byPrevious returns the stamped events in the order of the clocks that they name. Then one covers
// clocks that an earlier one covers if that one's clock is above the one that it names.
func (l *line) byPrevious(events []Event) []Event {
	var stamped []Event
	for _, k := range l.events {
		if events[k].IsStamped() {
			stamped = append(stamped, events[k])
		}
	}
	slices.SortStableFunc(stamped, func(a, b Event) int { return cmp.Compare(a.p.PreviousClock, b.p.PreviousClock) })
	return stamped
}

// firstOverlap returns the clock after which stamped events, of which some do, first cover the same.
func (l *line) firstOverlap(events []Event) int64 {
	stamped := l.byPrevious(events)
	farthest := stamped[0]
	for _, e := range stamped[1:] {
		if e.p.PreviousClock < farthest.clock {
			break
		}
		farthest = e
	}
	return farthest.p.PreviousClock
}

// appendForks appends the forks of the node.
func (l *line) appendForks(forks []ForkError, events []Event) []ForkError {
	known := len(forks)
	fork := func(a, b Event) {
		ids := []EventID{a.p.ID, b.p.ID}
		slices.Sort(ids)
		forks = append(forks, ForkError{NodeID: l.node, LamportClock: max(a.clock, b.clock), IDs: ids})
	}
	tips := map[int64]int{}    // how many branches have their last event at a clock
	first := map[int64]Event{} // of those that name a clock
	var farthest Event
	for _, e := range l.byPrevious(events) {
		previous := e.p.PreviousClock
		other, isSecond := first[previous]
		switch {
		case tips[previous] > 0:
			tips[previous]--
		case isSecond:
			fork(other, e)
		case farthest.p != nil && farthest.clock > previous:
			fork(farthest, e)
		}
		tips[e.clock]++
		if !isSecond {
			first[previous] = e
		}
		if farthest.p == nil || e.clock > farthest.clock {
			farthest = e
		}
	}
	if a, b, ok := l.plainAfterStamped(events); ok {
		fork(a, b)
	}
	slices.SortStableFunc(forks[known:], func(a, b ForkError) int { return cmp.Compare(a.LamportClock, b.LamportClock) })
	return forks
}

// plainAfterStamped returns the first stamped event and the first plain one after it, if there are such.
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
