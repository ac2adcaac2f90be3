package causal

import (
	"iter"
	"maps"
	"slices"
	"sync"
)

// History is what a set of events says about the past of each of them. Events are numbered from
// 0 in the order of [Compare]. A History is immutable and safe for concurrent use; the zero
// value has no events. Methods that take the number of an event panic if there is none, as
// indexing a slice does. A nil History is of no use.
//
// What comes before an event shows in the set as a whole: "a happens before b" (Lamport 1978) is
// transitive. An event comes after
//
//   - its parents ([Event.Parents]), and the one that it names as its cause;
//   - what came before on its node: all at lower clocks or, if it is stamped, up to the clock
//     that it names by [Event.PreviousClock];
//   - what its vector clock, if it has one, says that it has seen
//
// and after what comes before these. Within its aggregate, a stamped event answers by its parents
// alone: what it had not read, it does not come after, even if its node had it. So it comes after the
// events of a node, its own or one of its vector clock, only up to the first that comes after something
// unread, and not after a cause that does.
//
// Of a node that has forked, order and vector clocks count only up to the clock where it was one line,
// and a clock that one event has. Stamped events tell where that was, if all are there ([History.Forks]);
// of plain ones, it is taken to be where two have one clock, or where the first stamped one stands.
//
// Nothing comes after an event whose Lamport clock is not smaller; what events say to the contrary is in
// [History.Contradictions].
type History struct {
	events []Event
	found  *deduper

	once  sync.Once
	index *pastIndex // what came before what, which is found when it is first asked for
}

// NewHistory returns the History of these events. The order of the input makes no difference;
// repetitions are dropped. The slice is not retained.
//
// NewHistory sorts the events. The first method that needs to know what came before what finds it out,
// in some times that time, and others wait for it. Time and memory grow with the number of events, the
// entries of their vector clocks and, for each event, the lines of which it has something new; besides,
// an event takes 16 bytes for each 256 lines of which it has something. A node is one line, and more if it
// has forked or many write through it without reading each other; then, to tell what an event had not read
// can take as long as its aggregate has lines.
//
// NewHistory returns an [*IDConflictError] if different events share an ID, and a [*ValidationError] if
// an event is zero.
func NewHistory(events []Event) (*History, error) {
	sorted, found, err := distinct(events)
	if err != nil {
		return nil, err
	}
	return &History{events: sorted, found: found}, nil
}

// find returns what came before what.
func (h *History) find() *pastIndex {
	h.once.Do(func() { h.index = newPastIndex(h.events, h.found) })
	return h.index
}

// Len returns the number of events.
func (h *History) Len() int { return len(h.events) }

// At returns the event with the number i.
func (h *History) At(i int) Event { return h.events[i] }

// Index returns the number of the event with this ID. ok is false if there is none.
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

// Relation returns how event i relates to event j. OrderBefore and OrderAfter follow from what the events
// say, and are transitive. OrderConcurrent means that neither can have come before the other, because
//
//   - they have one Lamport clock; or
//   - they are of one aggregate, the later one names its parents, and neither a parent nor what came
//     before it is missing; or
//   - they are of one project, the later one is plain and has a vector clock, and so have those that it
//     had seen; its node is taken to have had one from the start.
//
// Everything else is OrderUnknown. So are two events of one node and clock of which one is plain, and two of
// which one names the other and does not come after it ([History.Contradictions]).
func (h *History) Relation(i, j int) Order { return h.find().relation(i, j) }

// Past yields the events that happen before event i, in ascending order. It takes time for each
// event up to i.
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

// Future yields the events that event i happens before, in ascending order. It takes time for
// each event from i on.
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

// Parents returns the last events before event i, in ascending order: those that happen before no
// other one of its past. So none of them follows from another, and whatever happens before event i
// is one of them or happens before one. They need not be what [Event.Parents] says, which
// names events of one aggregate only, whether they are there or not. It takes time for each node of whose
// events some come before event i. The caller owns the result.
func (h *History) Parents(i int) []int {
	parents := make([]int, 0, 2)
	for _, k := range h.find().parents(i) {
		parents = append(parents, int(k))
	}
	return parents
}

// Contradictions returns what events say about their past that cannot be, in the order of the events
// and parents before causes. All other methods ignore it. The caller owns the result.
func (h *History) Contradictions() []Contradiction { return slices.Clone(h.find().contradictions) }

// Forks returns what shows that a node has forked: that it ran twice, or went on from a backup. Each
// [ForkError] has two events of the node, and the later of their clocks: they name the same previous
// clock or cover the same clocks, so that neither can have followed the other; or a plain event
// came after a stamped one. Two plain events of one clock are none: they may be a fork or not, so that the
// History only takes their node for one that has forked. With n branches there are
// n-1 forks, if all stamped events of the node are there. If branches share a clock, as they mostly do
// after a file was copied, it cannot be told which of two events a later one follows, so that there
// may be fewer. A fork whose branches begin in different aggregates shows only if the events of both are
// there: take those of the whole project.
//
// Forks are in the order of node IDs, then of projects, then of clocks. The caller owns the result.
func (h *History) Forks() []ForkError {
	var forks []ForkError
	for _, l := range h.find().lines {
		if l.isForked {
			forks = l.appendForks(forks, h.events)
		}
	}
	return forks
}

// Missing returns what the events say is there and is not among them, as [Node.Missing] does of a
// store: holes between stamped events, in the order of node IDs, projects and clocks, and then parents, in
// the order of their IDs. A node has holes of its own in each project. Of some aggregates only, the History
// takes for a hole what the nodes emitted in others: take the events of the whole project, or ask
// [Node.Missing]. The caller owns the result.
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
