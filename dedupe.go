package causal

import (
	"math/bits"
	"slices"
)

// idTable finds events by ID. It is a hash table of indexes into a slice of
// events, with open addressing and linear probing, at most two thirds full.
// Events carry their hash, so most lookups compare no IDs, and the table holds
// no pointers for the garbage collector to scan. A map from ID to event takes
// twice the time, and would dominate the cost of merges and of MemEventStore.
type idTable struct {
	slots []idSlot
	used  int
}

type idSlot struct {
	hash uint64
	next int // the index of the event + 1; 0 marks a free slot
}

// newIDTable returns a table with room for n IDs.
func newIDTable(n int) idTable { return idTable{slots: make([]idSlot, 1<<bits.Len(uint(n+n/2)))} }

// find returns the slot of the event with this ID, or the free slot for it.
func (t *idTable) find(events []Event, id EventID, hash uint64) *idSlot {
	mask := len(t.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		slot := &t.slots[i]
		if slot.next == 0 || slot.hash == hash && events[slot.next-1].p.ID == id {
			return slot
		}
	}
}

// grow makes room for n more IDs. It invalidates slots returned by find.
func (t *idTable) grow(n int) {
	if need := t.used + n; need+need/2 >= len(t.slots) {
		old := t.slots
		t.slots = newIDTable(max(need, 2*t.used)).slots
		mask := len(t.slots) - 1
		for _, slot := range old {
			if slot.next > 0 {
				i := int(slot.hash) & mask
				for t.slots[i].next > 0 {
					i = (i + 1) & mask
				}
				t.slots[i] = slot
			}
		}
	}
}

// deduper finds events that repeat an earlier one, and those that reuse the ID
// of an earlier one for different content.
type deduper struct {
	events    []Event // at the recorded indexes, the events that came first
	ids       idTable
	hasZero   bool
	conflicts []EventID
}

// newDeduper returns a deduper with room for len(events) IDs.
func newDeduper(events []Event) *deduper {
	return &deduper{events: events, ids: newIDTable(len(events))}
}

// index returns the recorded index of the event with this ID, or noIndex.
func (d *deduper) index(id EventID) int { return d.ids.find(d.events, id, hashID(id)).next - 1 }

// isNew reports whether e is the first event with its ID, and if so records it
// as d.events[i]. It is false for the zero Event.
func (d *deduper) isNew(e Event, i int) bool {
	if e.p == nil {
		d.hasZero = true
		return false
	}
	slot := d.ids.find(d.events, e.p.ID, e.p.idHash)
	if slot.next == 0 {
		*slot = idSlot{e.p.idHash, i + 1}
		return true
	}
	if !d.events[slot.next-1].Equal(e) {
		d.conflicts = append(d.conflicts, e.p.ID)
	}
	return false
}

// err returns the error for a zero Event or for different events with the same
// ID among the events so far. It does not depend on their order.
func (d *deduper) err() error {
	if d.hasZero {
		return errZeroEvent()
	}
	return errIDConflict(d.conflicts)
}

// distinct returns the distinct events in the order of Compare, and a deduper
// with their indexes. The caller owns both.
func distinct(events []Event) ([]Event, *deduper, error) {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, Compare)
	d := newDeduper(sorted)
	unique := sorted[:0] // overwrites only events already read, so indexes stay right
	for _, e := range sorted {
		if d.isNew(e, len(unique)) {
			unique = append(unique, e)
		}
	}
	return unique, d, d.err()
}
