package causal

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"strings"
	"unique"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// PNCounter is a counter with increments and decrements: the sum of the deltas
// of events, each counted once, in any order and however often it arrives. It
// is the state form of [MergeCounter]. Like a PN-Counter (Shapiro et al. 2011,
// specification 7) it has one total for each node. Until [PNCounter.Compact],
// it keeps each event on its own, because other replicas may be missing some.
//
// The zero value is 0. A copied PNCounter shares storage with the original; do
// not use both. To clone a counter, merge it into a zero PNCounter. A PNCounter
// is safe for concurrent use unless one goroutine changes it.
type PNCounter struct {
	totals map[unique.Handle[string]]counterTotal // by node
	events map[EventID]counterEvent               // those not in a total
	sum    int128                                 // of everything
	seen   VectorClock
}

// counterTotal is the sum of all events of a node up to a time, and a digest of
// their IDs, which is the same for totals of the same events.
type counterTotal struct {
	time   int64
	sum    int128
	digest uint64
}

// with returns the total including another event. An event without a delta
// makes no difference, because Apply does not see it either.
func (t counterTotal) with(id EventID, delta int64) counterTotal {
	if delta == 0 {
		return t
	}
	hash := sha256.Sum256([]byte(id))
	return counterTotal{t.time, t.sum.add(int128From(delta)), t.digest + binary.BigEndian.Uint64(hash[:])}
}

type counterEvent struct {
	dot
	delta int64
}

// Apply counts the integer in e's payload member "delta". An event without one,
// or with null, changes nothing. Apply returns a [*ValidationError] if the
// delta is not a 64-bit integer, and the errors of [PNCounter.Add]. On error,
// the counter is unchanged.
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

// payloadDelta returns the integer in the payload member "delta", and reports
// whether there is one; null is none.
func (e Event) payloadDelta() (delta int64, ok bool, err error) {
	number, ok := e.payloadMember("delta")
	if !ok || number == "null" {
		return 0, false, nil
	}
	delta, err = rawjson.ParseInteger(number)
	if err != nil {
		return 0, false, e.payloadError(`member "delta" `+err.Error(), nil)
	}
	return delta, true, nil
}

// Add counts the delta of e, once. It returns a [*ValidationError] if e is
// zero, and an [*IDConflictError] if the counter holds another delta, node or
// clock for this event. On error, the counter is unchanged.
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
	c.setEvent(EventID(strings.Clone(string(e.p.ID))), added) // without the text of the event
	c.sum = c.sum.add(int128From(delta))
	return nil
}

func (c *PNCounter) setEvent(id EventID, e counterEvent) {
	if c.events == nil {
		c.events = map[EventID]counterEvent{}
	}
	c.events[id] = e
}

func (c *PNCounter) setTotal(node unique.Handle[string], total counterTotal) {
	if c.totals == nil {
		c.totals = map[unique.Handle[string]]counterTotal{}
	}
	c.totals[node] = total
}

// counted reports whether the event is in a total.
func (c *PNCounter) counted(d dot) bool { return d.time > 0 && d.time <= c.totals[d.node].time }

// Merge counts everything counted by other and not yet by c. Afterwards they
// share nothing. It returns an [*IDConflictError] if different events share an
// ID, and a [*ForkError] if a total of one counter does not have exactly the
// node's events seen by the other. Either the node used a clock value twice, or
// MarkSeen was called too early. On error, c is unchanged.
func (c *PNCounter) Merge(other PNCounter) error { return c.merge(other, other.seen) }

// merge is Merge. other lacks none of the events covered by seen.
func (c *PNCounter) merge(other PNCounter, seen VectorClock) error {
	if err := c.checkConflicts(other); err != nil {
		return err
	}
	var found forkFinder
	c.compareTotals(&found, other.totals, c.seen)
	other.compareTotals(&found, c.totals, seen)
	if err := found.err(); err != nil {
		return err
	}
	for node, total := range other.totals {
		if total.time > c.totals[node].time {
			c.setTotal(node, total)
		}
	}
	for id, e := range other.events {
		c.setEvent(id, e)
	}
	maps.DeleteFunc(c.events, func(_ EventID, e counterEvent) bool { return c.counted(e.dot) })
	c.seen = c.seen.Merge(other.seen)
	c.sum = c.total()
	return nil
}

// checkConflicts returns the error for different events with the same ID in c
// and other.
func (c *PNCounter) checkConflicts(other PNCounter) error {
	var conflicts []EventID
	for id, e := range other.events {
		if old, known := c.events[id]; known && old != e {
			conflicts = append(conflicts, id)
		}
	}
	return errIDConflict(conflicts)
}

// compareTotals notes totals that certainly do not have the same events as c up
// to their times, provided c lacks none of the events covered by seen. Where c
// may lack events, it can only notice a total over one of two events with the
// same clock.
func (c *PNCounter) compareTotals(found *forkFinder, totals map[unique.Handle[string]]counterTotal, seen VectorClock) {
	mine := map[unique.Handle[string]]counterTotal{} // of the comparable ones
	for node, total := range totals {
		my := c.totals[node]
		if my.time == total.time || my.time < total.time && (dot{node, total.time}).seenBy(seen) {
			mine[node] = counterTotal{total.time, my.sum, my.digest}
		}
	}
	for id, e := range c.events {
		if e.time == 0 || e.time > totals[e.node].time {
			continue
		}
		if my, ok := mine[e.node]; ok {
			mine[e.node] = my.with(id, e.delta)
		} else {
			found.add(origin{e.dot, id})
		}
	}
	for node, my := range mine {
		if my != totals[node] {
			found.note(dot{node, my.time})
		}
	}
}

// total returns the sum of everything in the counter.
func (c *PNCounter) total() (sum int128) {
	for _, total := range c.totals {
		sum = sum.add(total.sum)
	}
	for _, e := range c.events {
		sum = sum.add(int128From(e.delta))
	}
	return sum
}

// Value returns the sum. It returns a [*ValidationError] if the sum does not
// fit in an int64; a later delta may bring it back.
func (c PNCounter) Value() (int64, error) { return counterValue(c.sum) }

// counterValue returns sum as an int64.
func counterValue(sum int128) (int64, error) {
	value, ok := sum.int64()
	if !ok {
		return 0, invalid(fieldNames[fieldPayload], "has deltas whose total does not fit in 64 bits")
	}
	return value, nil
}

// Seen returns the counter's causal context, as recorded by
// [PNCounter.MarkSeen].
func (c PNCounter) Seen() VectorClock { return c.seen }

// MarkSeen records that the counter has counted every relevant event covered by
// v. See [GSet.MarkSeen].
func (c *PNCounter) MarkSeen(v VectorClock) { c.seen = c.seen.Merge(v) }

// Compact adds the events covered by cut to the totals of their nodes, so that
// the counter no longer grows with them. Any cut seen by the counter will do.
// Afterwards the counter ignores those events, which can only be duplicates. If
// the counter has not seen cut, Compact returns a [*GapError] and changes
// nothing.
func (c *PNCounter) Compact(cut VectorClock) error {
	if err := checkGap(c.seen, cut); err != nil {
		return err
	}
	for name, time := range cut.All() {
		node := unique.Make(name)
		if total := c.totals[node]; time > total.time {
			c.setTotal(node, counterTotal{time, total.sum, total.digest})
		}
	}
	maps.DeleteFunc(c.events, func(id EventID, e counterEvent) bool {
		if !e.seenBy(cut) {
			return false
		}
		c.totals[e.node] = c.totals[e.node].with(id, e.delta)
		return true
	})
	return nil
}

// DeltaSince returns the part of the counter missing from a replica with the
// vector clock since. It returns a [*ForkError] if the counter holds two events
// of one node and clock covered by since, because the replica may have seen
// only one of them.
func (c PNCounter) DeltaSince(since VectorClock) (Delta[PNCounter], error) {
	part := PNCounter{seen: c.seen}
	for node, total := range c.totals {
		if d := (dot{node, total.time}); !d.seenBy(since) {
			part.setTotal(node, total)
		}
	}
	var skipped forkFinder
	for id, e := range c.events {
		if e.seenBy(since) {
			skipped.add(origin{e.dot, id})
		} else {
			part.setEvent(id, e)
		}
	}
	if err := skipped.err(); err != nil {
		return Delta[PNCounter]{}, err
	}
	part.sum = part.total()
	return Delta[PNCounter]{since, part}, nil
}

// MergeDelta merges a delta. It returns a [*GapError] if the counter has not
// seen everything the delta depends on, and the errors of [PNCounter.Merge]. On
// error, the counter is unchanged.
func (c *PNCounter) MergeDelta(d Delta[PNCounter]) error {
	if err := checkGap(c.seen, d.since); err != nil {
		return err
	}
	return c.merge(d.part, VectorClock{}) // a part lacks events it has seen
}
