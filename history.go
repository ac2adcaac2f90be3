package causal

import (
	"iter"
	"maps"
	"slices"
	"sync"
)

// A History answers questions about the past of each event in a set. Events are
// numbered from 0 in the order of [Compare]. A History is immutable and safe
// for concurrent use; the zero value has no events. Methods with the number of
// an event as a parameter panic if it is out of range, like indexing a slice. A
// nil History must not be used.
//
// The relation "a happens before b" (Lamport 1978) is transitive and depends on
// the set as a whole. An event happens after
//
//   - its parents ([Event.Parents]), and the event named as its cause;
//   - earlier events of its node: all at lower clocks or, if it is stamped, up
//     to the clock named by [Event.PreviousClock];
//   - the events covered by its vector clock, if it has one
//
// and after everything that happens before these. Within its aggregate, the
// past of a stamped event is given by its parents alone: it does not happen
// after events it had not read, even if its node had received them. So of the
// events of a node, its own or one in its vector clock, it happens only after
// those before the first one that is unread or follows an unread event, and it
// does not happen after a cause that follows one.
//
// If a node has forked, order and vector clocks count only up to the clock
// where it was one line. A later clock named by an event counts if exactly one
// event of the node has it. Stamped events show where the fork is if none is
// missing ([History.Forks]). With plain events, it is assumed to be where two
// of them have the same clock, or at the first stamped event.
//
// An event happens after another only if its own Lamport clock is greater.
// Statements to the contrary are reported by [History.Contradictions].
type History struct {
	events []Event
	found  *deduper

	once  sync.Once
	index *pastIndex // computed on first use
}

// NewHistory returns the History of the given events. Their order does not
// matter, and duplicates are dropped. The slice is not retained.
//
// NewHistory sorts the events. The first method call that needs the relation
// computes it, which takes a few times as long, while other calls wait. Time
// and memory are linear in the number of events, of entries in their vector
// clocks and, for each event, of lines with something new to it. In addition,
// each event takes 16 bytes for each 256 lines in its past. A node is one line;
// it becomes several if it has forked, or if many writers use it without
// reading each other's events. Then finding out which events an event had not
// read can take time linear in the number of lines of its aggregate.
//
// NewHistory returns an [*IDConflictError] if different events share an ID, and
// a [*ValidationError] if an event is zero.
func NewHistory(events []Event) (*History, error) {
	sorted, found, err := distinct(events)
	if err != nil {
		return nil, err
	}
	return &History{events: sorted, found: found}, nil
}

// find returns the relation, which it computes if needed.
func (h *History) find() *pastIndex {
	h.once.Do(func() { h.index = newPastIndex(h.events, h.found) })
	return h.index
}

// Len returns the number of events.
func (h *History) Len() int { return len(h.events) }

// At returns the event with the number i.
func (h *History) At(i int) Event { return h.events[i] }

// Index returns the number of the event with this ID. ok is false if there is
// none.
func (h *History) Index(id EventID) (i int, ok bool) {
	if len(h.events) == 0 {
		return 0, false
	}
	id, _ = id.canonical()
	if i = h.found.index(id); i == noIndex {
		return 0, false
	}
	return i, true
}

// Relation returns how event i relates to event j. OrderBefore and OrderAfter
// are transitive and follow from the statements of the events. OrderConcurrent
// means neither event can have happened before the other, because
//
//   - they have the same Lamport clock; or
//   - they belong to the same aggregate, the later one names its parents, and
//     neither a parent nor an event before a parent is missing; or
//   - they belong to the same project, and the later one is plain and has a
//     vector clock, as do the events it had seen. Its node is assumed to have
//     kept one from the start.
//
// Everything else is OrderUnknown, including two events of one node and clock
// if either is plain, and two events of which one names the other without
// following it ([History.Contradictions]).
func (h *History) Relation(i, j int) Order { return h.find().relation(i, j) }

// Past yields the events happening before event i, in ascending order. It takes
// time linear in i.
func (h *History) Past(i int) iter.Seq[int] {
	x := h.find()
	past := x.pasts[i]
	return func(yield func(int) bool) {
		for j, at := range x.spots[:i] {
			if past.of(at.lane) >= at.nth && !yield(j) {
				return
			}
		}
	}
}

// Future yields the events happening after event i, in ascending order. It
// takes time linear in the number of events from i on.
func (h *History) Future(i int) iter.Seq[int] {
	x := h.find()
	at := x.spots[i]
	return func(yield func(int) bool) {
		for j := i + 1; j < len(x.pasts); j++ {
			if x.pasts[j].of(at.lane) >= at.nth && !yield(j) {
				return
			}
		}
	}
}

// Parents returns the last events before event i, in ascending order: those not
// followed by another event of its past. None of them follows another, and
// everything that happens before event i is one of them or happens before one
// of them. The result may differ from [Event.Parents], which names events of
// one aggregate only, even missing ones. It takes time linear in the number of
// nodes in the past of event i. The caller owns the result.
func (h *History) Parents(i int) []int {
	parents := make([]int, 0, 2)
	for _, k := range h.find().parents(i) {
		parents = append(parents, int(k))
	}
	return parents
}

// Contradictions returns the impossible statements of the events about their
// past, in the order of the events, with parents before causes. All other
// methods ignore these statements; relations of an event with an impossible
// parent may be OrderUnknown. The caller owns the result.
func (h *History) Contradictions() []Contradiction { return slices.Clone(h.find().contradictions) }

// Forks returns evidence that nodes have forked, because they ran twice or
// resumed from a backup. Each [ForkError] has two events of the node and the
// later of their clocks. Either both name the same previous clock or cover the
// same clocks, so neither can have followed the other, or a plain event came
// after a stamped one. Two plain events with the same clock are not reported:
// they may or may not be a fork, and the History only assumes that the node has
// forked. If no stamped event of the node is missing, n branches result in n-1
// forks. There may be fewer if branches share a clock, as they usually do after
// a file was copied, because then a later event cannot be attributed to one of
// them. A fork whose branches start in different aggregates is found only with
// the events of both, so pass the events of the whole project.
//
// Forks are in the order of node IDs, then of projects, then of clocks. The
// caller owns the result.
func (h *History) Forks() []ForkError {
	var forks []ForkError
	for _, l := range h.find().lines {
		if l.isForked {
			forks = l.appendForks(forks, h.events)
		}
	}
	return forks
}

// Missing returns the events that are referred to, but not included, as
// [Node.Missing] does for a store: first holes between stamped events, in the
// order of node IDs, projects and clocks, then parents, in the order of their
// IDs. A node has separate holes in each project. If the History has only some
// aggregates, events in others look like holes. Pass the events of the whole
// project, or use [Node.Missing]. The caller owns the result.
func (h *History) Missing() []Gap {
	var gaps []Gap
	for _, l := range h.find().lines {
		gaps = l.appendHoles(gaps, h.events)
	}
	parents := map[EventID]struct{}{}
	for _, e := range h.events {
		for _, id := range e.p.Parents {
			if h.found.index(id) == noIndex {
				parents[id] = struct{}{}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(parents)) {
		gaps = append(gaps, Gap{Parent: id})
	}
	return gaps
}
