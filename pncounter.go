package causal

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unique"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// PNCounter is a counter that goes up and down: the sum of the deltas of events,
// each counted once, in any order and however often they arrive. It is the state
// form of [MergeCounter]. Like a PN-Counter (Shapiro et al. 2011, specification
// 7) it has one total for each node. Events that others may still be missing it
// keeps one by one, until [PNCounter.Compact].
//
// The zero value is 0. A copied PNCounter shares storage with the original; do
// not use both. To clone a counter, merge it into a zero PNCounter. A PNCounter
// is safe for concurrent use unless one goroutine changes it.
type PNCounter struct {
	totals map[unique.Handle[string]]counterTotal // by node
	events map[EventID]counterEvent               // those that are not in a total
	sum    int128                                 // of all
	seen   VectorClock
}

// counterTotal is the sum of all events of a node up to this time.
type counterTotal struct {
	time int64
	sum  int128
}

type counterEvent struct {
	dot
	delta int64
}

// Apply counts the integer in e's payload member "delta". An event without one
// changes nothing. Apply returns a [*ValidationError] if the delta is not a
// 64-bit integer, and the errors of [PNCounter.Add]. On error, the counter is
// unchanged.
func (c *PNCounter) Apply(e Event) error {
	if e.p == nil {
		return errZeroEvent()
	}
	delta, ok, err := e.payloadDelta()
	if err != nil || !ok {
		return err
	}
	return c.Add(e, delta)
}

// payloadDelta returns the integer in the payload member "delta", and whether
// there is one.
func (e Event) payloadDelta() (delta int64, ok bool, err error) {
	number, ok := e.payloadMember("delta")
	if !ok {
		return 0, false, nil
	}
	delta, err = rawjson.ParseInteger(number)
	if err != nil {
		return 0, false, e.payloadError(`member "delta" `+err.Error(), nil)
	}
	return delta, true, nil
}

// Add counts the delta of e, once. It returns a [*ValidationError] if e is zero,
// and an [*IDConflictError] if the counter holds another delta, node or clock for
// this event. On error, the counter is unchanged.
func (c *PNCounter) Add(e Event, delta int64) error {
	if e.p == nil {
		return errZeroEvent()
	}
	added := counterEvent{dotOf(e), delta}
	if old, known := c.events[e.p.ID]; known {
		if old != added {
			return &IDConflictError{IDs: []EventID{e.p.ID}}
		}
		return nil
	}
	if c.counted(added.dot) {
		return nil
	}
	if c.events == nil {
		c.events = map[EventID]counterEvent{}
	}
	c.events[EventID(strings.Clone(string(e.p.ID)))] = added // without the text of the event
	c.sum = c.sum.add(int128From(delta))
	return nil
}

// counted reports whether a total has the event.
func (c *PNCounter) counted(d dot) bool { return d.time > 0 && d.time <= c.totals[d.node].time }

// Merge counts what the other counter has counted and this one has not.
// Afterwards they share nothing. It returns an [*IDConflictError] if two
// different events share an ID, and a [*GapError] if the counters have different
// totals over the same events, because one was marked as seen or compacted too
// early. On error, c is unchanged.
func (c *PNCounter) Merge(other PNCounter) error {
	if err := c.checkMerge(other); err != nil {
		return err
	}
	for node, total := range other.totals {
		if total.time > c.totals[node].time {
			if c.totals == nil {
				c.totals = map[unique.Handle[string]]counterTotal{}
			}
			c.totals[node] = total
		}
	}
	for id, e := range other.events {
		if c.events == nil {
			c.events = map[EventID]counterEvent{}
		}
		c.events[id] = e
	}
	maps.DeleteFunc(c.events, func(_ EventID, e counterEvent) bool { return c.counted(e.dot) })
	c.seen = c.seen.Merge(other.seen)
	c.sum = c.total()
	return nil
}

// checkMerge returns why the counters contradict each other.
func (c *PNCounter) checkMerge(other PNCounter) error {
	var conflicts []EventID
	for id, e := range other.events {
		if old, known := c.events[id]; known && old != e {
			conflicts = append(conflicts, id)
		}
	}
	if err := errIDConflict(conflicts); err != nil {
		return err
	}
	for node, total := range other.totals {
		if mine, known := c.totals[node]; known && mine.time == total.time && mine.sum != total.sum {
			return &GapError{Seen: c.seen, Needed: other.seen}
		}
	}
	return nil
}

// total returns the sum of all that the counter has.
func (c *PNCounter) total() (sum int128) {
	for _, total := range c.totals {
		sum = sum.add(total.sum)
	}
	for _, e := range c.events {
		sum = sum.add(int128From(e.delta))
	}
	return sum
}

// Value returns the sum. It returns a [*ValidationError] if the sum does not fit
// in an int64; a later delta may bring it back.
func (c PNCounter) Value() (int64, error) { return counterValue(c.sum) }

// counterValue returns the sum of the deltas of a counter.
func counterValue(sum int128) (int64, error) {
	value, ok := sum.int64()
	if !ok {
		return 0, invalid(fieldNames[fieldPayload], "has deltas whose total does not fit 64 bits")
	}
	return value, nil
}

// Seen returns the counter's causal context, as recorded by [PNCounter.MarkSeen].
func (c PNCounter) Seen() VectorClock { return c.seen }

// MarkSeen records that the counter has applied every relevant event covered by
// v, as [GSet.MarkSeen] does for a set.
func (c *PNCounter) MarkSeen(v VectorClock) { c.seen = c.seen.Merge(v) }

// Compact adds the events covered by cut to the totals of their nodes, so that
// the counter no longer grows with them. Any cut that the counter has seen will
// do. Afterwards the counter ignores those events, which can only be duplicates.
// If the counter has not seen cut, Compact returns a [*GapError] and changes
// nothing.
func (c *PNCounter) Compact(cut VectorClock) error {
	if err := checkGap(c.seen, cut); err != nil {
		return err
	}
	for name, time := range cut.All() {
		node := unique.Make(name)
		if total := c.totals[node]; time > total.time {
			if c.totals == nil {
				c.totals = map[unique.Handle[string]]counterTotal{}
			}
			c.totals[node] = counterTotal{time, total.sum}
		}
	}
	maps.DeleteFunc(c.events, func(_ EventID, e counterEvent) bool {
		if !e.seenBy(cut) {
			return false
		}
		sum := c.totals[e.node].sum.add(int128From(e.delta))
		c.totals[e.node] = counterTotal{cut.At(e.node.Value()), sum}
		return true
	})
	return nil
}

// DeltaSince returns what a replica that has seen since is missing.
func (c PNCounter) DeltaSince(since VectorClock) Delta[PNCounter] {
	part := PNCounter{map[unique.Handle[string]]counterTotal{}, map[EventID]counterEvent{}, int128{}, c.seen}
	for node, total := range c.totals {
		if d := (dot{node, total.time}); !d.seenBy(since) {
			part.totals[node] = total
		}
	}
	for id, e := range c.events {
		if !e.seenBy(since) {
			part.events[id] = e
		}
	}
	part.sum = part.total()
	return Delta[PNCounter]{since, part}
}

// MergeDelta merges a delta. It returns a [*GapError] if the counter has not seen
// what the delta depends on, and the errors of [PNCounter.Merge]. On error, the
// counter is unchanged.
func (c *PNCounter) MergeDelta(d Delta[PNCounter]) error {
	if err := checkGap(c.seen, d.since); err != nil {
		return err
	}
	return c.Merge(d.part)
}

// MarshalJSON writes the totals by node, the other events in the order of
// [Compare], and the causal context. It returns a [*ValidationError] if a total
// does not fit 96 bits, or the counter has seen more than 65,536 nodes.
func (c PNCounter) MarshalJSON() ([]byte, error) {
	b := []byte(`{"totals":[`)
	nodes := slices.SortedFunc(maps.Keys(c.totals), func(x, y unique.Handle[string]) int {
		return strings.Compare(x.Value(), y.Value())
	})
	for i, node := range nodes {
		if i > 0 {
			b = append(b, ',')
		}
		if !c.totals[node].sum.fits(totalBits) {
			return nil, invalid("totals", "has a total that does not fit 96 bits")
		}
		b = dot{node, c.totals[node].time}.appendJSON(b, "{")
		b = append(append(b, `,"total":`...), c.totals[node].sum.String()...)
		b = append(b, '}')
	}
	b = append(b, `],"events":[`...)
	ids := slices.SortedFunc(maps.Keys(c.events), c.compareEvents)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, `{"event_id":`, string(id))
		b = c.events[id].appendJSON(b, ",")
		b = strconv.AppendInt(append(b, `,"delta":`...), c.events[id].delta, 10)
		b = append(b, '}')
	}
	b, err := appendVector(b, `],"`, "seen", c.seen)
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// compareEvents is [Compare] for the IDs of events of the counter.
func (c PNCounter) compareEvents(x, y EventID) int {
	return cmp.Or(c.events[x].compare(c.events[y].dot), strings.Compare(string(x), string(y)))
}

// UnmarshalJSON reads what MarshalJSON writes. If data is invalid, it leaves *c
// unchanged and returns a [*ValidationError]. It does not retain data.
func (c *PNCounter) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	read := PNCounter{totals: map[unique.Handle[string]]counterTotal{}, events: map[EventID]counterEvent{}}
	err = readObject(text,
		member{"totals", read.readTotals},
		member{"events", read.readEvents},
		member{"seen", into(&read.seen, parseVectorClock)})
	if err != nil {
		return err
	}
	for _, e := range read.events {
		if read.counted(e.dot) {
			return invalid("events", "must not be in the totals")
		}
	}
	read.sum = read.total()
	*c = read
	return nil
}

// readTotals reads the totals of the JSON form.
func (c *PNCounter) readTotals(value string) error {
	last := ""
	return readArray(value, func(text string) error {
		var node unique.Handle[string]
		var total counterTotal
		err := readObject(text,
			member{"node_id", into(&node, parseDotNode)},
			member{"lamport_clock", into(&total.time, parseClock)},
			member{"total", into(&total.sum, parseTotal)})
		switch {
		case err != nil:
			return err
		case total.time == 0:
			return invalid("lamport_clock", reasonNotPositive)
		case last >= node.Value():
			return invalid("node_id", reasonUnsorted)
		}
		last = node.Value()
		c.totals[node] = total
		return nil
	})
}

// totalBits bounds the sums that come from outside, so that those of all nodes
// together fit an int128.
const totalBits = 96

// parseTotal returns the sum that a JSON integer holds.
func parseTotal(value string) (int128, error) {
	n, err := parseInt(value)
	if fault, _ := faultOf(err); fault.Reason != reasonRange {
		return int128From(n), err
	}
	tooLarge := invalid("", "does not fit 96 bits")
	if len(value) > len("-")+totalBits*3/10+1 { // reading the digits takes more than linear time
		return int128{}, tooLarge
	}
	b, ok := new(big.Int).SetString(value, 10)
	if !ok || b.BitLen() > totalBits {
		return int128{}, tooLarge
	}
	return int128FromBig(b), nil
}

// readEvents reads the events of the JSON form.
func (c *PNCounter) readEvents(value string) error {
	var last EventID
	return readArray(value, func(text string) error {
		var e counterEvent
		var id EventID
		err := readObject(text,
			member{"event_id", into(&id, parseStateID)},
			member{"node_id", into(&e.node, parseDotNode)},
			member{"lamport_clock", into(&e.time, parseClock)},
			member{"delta", into(&e.delta, parseInt)})
		if err != nil {
			return err
		}
		_, twice := c.events[id]
		c.events[id] = e
		if twice || last != "" && c.compareEvents(last, id) >= 0 {
			return invalid("event_id", reasonUnsorted)
		}
		last = id
		return nil
	})
}
