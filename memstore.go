package causal

import (
	"cmp"
	"context"
	"crypto/rand"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
)

// MemStore is a [Store] in memory: the four storages in one. It lasts as long as the
// process. The zero value is empty, with an error log of [DefaultErrorLimit] entries. It is
// safe for concurrent use, and must not be copied after first use.
type MemStore struct {
	MemEventStore
	MemClockStorage
	MemErrorStorage
	MemCheckpointStorage
}

// MemEventStore is an [EventStore] in memory, with every capability. It lasts as
// long as the process. The zero value is an empty store. It is safe for
// concurrent use, and must not be copied after first use.
//
// SaveEvent runs in amortized constant time, and LoadEvents in time linear in the
// number of events it returns.
type MemEventStore struct {
	mu         sync.Mutex
	log        []Event // in arrival order; only ever appended to
	ids        idTable // of log
	all        sortedEvents
	aggregates map[string]*sortedEvents
	logID      [16]byte
	hashes     [][8]byte // of the first entries of log, as far as somebody has read
}

// SaveEvent stores e; see [EventStore].
func (s *MemEventStore) SaveEvent(ctx context.Context, e Event) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if e.p == nil {
		return errZeroEvent()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids.grow(1)
	slot := s.slot(e)
	if slot.next > 0 && !s.log[slot.next-1].Equal(e) {
		return &IDConflictError{IDs: []EventID{e.p.ID}}
	}
	s.add(e, slot)
	return nil
}

// slot returns where the ID of e is or can be. The caller holds the lock.
func (s *MemEventStore) slot(e Event) *idSlot { return s.ids.find(s.log, e.p.ID, e.p.idHash) }

// SaveEvents stores all events or none; see [BatchSaver].
func (s *MemEventStore) SaveEvents(ctx context.Context, events []Event) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	d := newDeduper(events)
	for i, e := range events {
		d.isNew(e, i)
	}
	if d.hasZero {
		return errZeroEvent()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids.grow(len(events))
	for _, e := range events {
		if slot := s.slot(e); slot.next > 0 && !s.log[slot.next-1].Equal(e) {
			d.conflicts = append(d.conflicts, e.p.ID)
		}
	}
	if err := d.err(); err != nil {
		return err
	}
	for _, e := range events {
		s.add(e, s.slot(e))
	}
	return nil
}

// add stores an event unless its slot is taken. The caller holds the lock.
func (s *MemEventStore) add(e Event, slot *idSlot) {
	if slot.next > 0 {
		return
	}
	if s.aggregates == nil {
		s.aggregates = map[string]*sortedEvents{}
	}
	aggregate := s.aggregates[e.p.AggregateID]
	if aggregate == nil {
		aggregate = &sortedEvents{}
		s.aggregates[e.p.AggregateID] = aggregate
	}
	aggregate.add(e)
	s.all.add(e)
	s.log = append(s.log, e)
	*slot = idSlot{e.p.idHash, len(s.log)}
	s.ids.used++
}

// LoadEvents returns the events of one aggregate; see [EventStore].
func (s *MemEventStore) LoadEvents(ctx context.Context, aggregateID string) ([]Event, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if err := checkText("aggregate_id", aggregateID); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	aggregate := s.aggregates[aggregateID]
	if aggregate == nil {
		return nil, nil
	}
	return slices.Clone(aggregate.view()), nil
}

// FindEvent returns the event with this ID; see [EventFinder].
func (s *MemEventStore) FindEvent(ctx context.Context, id EventID) (Event, error) {
	if err := checkContext(ctx); err != nil {
		return Event{}, err
	}
	id, err := ParseEventID(string(id))
	if err != nil {
		return Event{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids.used == 0 {
		return Event{}, nil
	}
	if slot := s.ids.find(s.log, id, hashID(id)); slot.next > 0 {
		return s.log[slot.next-1], nil
	}
	return Event{}, nil
}

// Aggregates yields the IDs of all aggregates; see [AggregateLister]. A range sees those
// that were there when it began.
func (s *MemEventStore) Aggregates(ctx context.Context) iter.Seq2[string, error] {
	return texts(ctx, func() ([]string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Sorted(maps.Keys(s.aggregates)), nil
	})
}

// AllEvents yields all events; see [EventStore]. A range sees the events that
// were stored when it began.
func (s *MemEventStore) AllEvents(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := checkContext(ctx); err != nil {
			yield(Event{}, err)
			return
		}
		s.mu.Lock()
		events := s.all.view()
		s.mu.Unlock()
		for _, e := range events {
			if ctx.Err() != nil {
				yield(Event{}, checkContext(ctx))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// ReadLog yields the entries after the cursor; see [LogReader]. A range sees the
// events that were stored when it began.
func (s *MemEventStore) ReadLog(ctx context.Context, after Cursor) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		if err := checkContext(ctx); err != nil {
			yield(LogEntry{}, err)
			return
		}
		log, cursors := s.arrivals()
		position, err := after.PositionIn(cursors.at(uint64(len(log))), cursors.hashAt)
		if err != nil {
			yield(LogEntry{}, err)
			return
		}
		for _, e := range log[position:] {
			if ctx.Err() != nil {
				yield(LogEntry{}, checkContext(ctx))
				return
			}
			position++
			if !yield(LogEntry{e, cursors.at(position)}, nil) {
				return
			}
		}
	}
}

// Head returns the cursor of the latest entry; see [LogReader].
func (s *MemEventStore) Head(ctx context.Context) (Cursor, error) {
	if err := checkContext(ctx); err != nil {
		return Cursor{}, err
	}
	log, cursors := s.arrivals()
	return cursors.at(uint64(len(log))), nil
}

// arrivals returns the log as it is now and its cursors, which it makes up when
// somebody asks: stores without readers need none.
func (s *MemEventStore) arrivals() ([]Event, memCursors) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logID == [16]byte{} {
		_, _ = rand.Read(s.logID[:]) // never fails
	}
	cursors := memCursors{s.logID, s.hashes}
	last := cursors.at(uint64(len(s.hashes)))
	for _, e := range s.log[len(s.hashes):] {
		last = last.Next(e.p.ID)
		s.hashes = append(s.hashes, last.hash)
	}
	return s.log, memCursors{s.logID, s.hashes}
}

// memCursors are the cursors of a log.
type memCursors struct {
	log    [16]byte
	hashes [][8]byte // of the entries
}

// at returns the cursor of a position.
func (c memCursors) at(position uint64) Cursor {
	if position == 0 {
		return Cursor{log: c.log}
	}
	return Cursor{c.log, position, c.hashes[position-1]}
}

func (c memCursors) hashAt(position uint64) ([8]byte, error) { return c.hashes[position-1], nil }

// sortedEvents holds events for reading in the order of Compare. Events that
// arrive in order are appended; late ones wait, and the next read merges them.
type sortedEvents struct {
	sorted []Event // elements that a view has shown never change
	late   []Event
}

func (s *sortedEvents) add(e Event) {
	if n := len(s.sorted); n == 0 || Compare(s.sorted[n-1], e) < 0 {
		s.sorted = append(s.sorted, e)
	} else {
		s.late = append(s.late, e)
	}
}

// view returns all events in order. It stays as it is while events are added.
func (s *sortedEvents) view() []Event {
	if len(s.late) > 0 {
		slices.SortFunc(s.late, Compare)
		merged := make([]Event, 0, len(s.sorted)+len(s.late))
		i := 0
		for _, late := range s.late {
			for ; i < len(s.sorted) && Compare(s.sorted[i], late) < 0; i++ {
				merged = append(merged, s.sorted[i])
			}
			merged = append(merged, late)
		}
		s.sorted, s.late = append(merged, s.sorted[i:]...), nil
	}
	return s.sorted
}

// MemClockStorage is a [ClockStorage] and [ClockAdvancer] in memory. It lasts as
// long as the process. The zero value is empty. It is safe for concurrent use,
// and must not be copied after first use.
type MemClockStorage struct {
	mu     sync.Mutex
	values map[string]*int64
}

// LoadClock returns the node's value; see [ClockStorage].
func (s *MemClockStorage) LoadClock(ctx context.Context, nodeID string) (int64, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	if err := checkText("node_id", nodeID); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value := s.values[nodeID]; value != nil {
		return *value, nil
	}
	return 0, nil
}

// SaveClock replaces the node's value; see [ClockStorage].
func (s *MemClockStorage) SaveClock(ctx context.Context, nodeID string, value int64) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if value < 0 {
		return invalid("value", reasonNotNegative)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.value(nodeID)
	if err != nil {
		return err
	}
	*stored = value
	return nil
}

// AdvanceClock reserves values; see [ClockAdvancer].
func (s *MemClockStorage) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	switch {
	case floor < 0:
		return 0, invalid("floor", reasonNotNegative)
	case by < 1:
		return 0, invalid("by", reasonNotPositive)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.value(nodeID)
	if err != nil {
		return 0, err
	}
	base := max(*stored, floor)
	if base > math.MaxInt64-by {
		return 0, ErrClockOverflow
	}
	*stored = base + by
	return *stored, nil
}

// value returns where the value of a node is, and makes the place for a node
// that is new. The caller holds the lock.
func (s *MemClockStorage) value(nodeID string) (*int64, error) {
	if value := s.values[nodeID]; value != nil {
		return value, nil
	}
	if err := checkText("node_id", nodeID); err != nil {
		return nil, err
	}
	if s.values == nil {
		s.values = map[string]*int64{}
	}
	value := new(int64)
	s.values[nodeID] = value
	return value, nil
}

// DefaultErrorLimit is how many entries an error storage keeps by default.
const DefaultErrorLimit = 100

// MemErrorStorage is an [ErrorStorage] in memory. It lasts as long as the
// process. The zero value is empty and keeps [DefaultErrorLimit] entries. It is
// safe for concurrent use, and must not be copied after first use.
type MemErrorStorage struct {
	mu      sync.Mutex
	limit   int          // 0 means DefaultErrorLimit
	entries []ErrorEntry // a ring once it is full: next is then the oldest
	next    int
}

// NewMemErrorStorage returns a storage that keeps the latest limit entries. It
// returns a [*ValidationError] if limit < 1.
func NewMemErrorStorage(limit int) (*MemErrorStorage, error) {
	if limit < 1 {
		return nil, invalid("limit", reasonNotPositive)
	}
	return &MemErrorStorage{limit: limit}, nil
}

// AppendError adds an entry; see [ErrorStorage].
func (s *MemErrorStorage) AppendError(ctx context.Context, e ErrorEntry) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return err
	}
	e.Timestamp = wireTime(e.Timestamp)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) < cmp.Or(s.limit, DefaultErrorLimit) {
		s.entries = append(s.entries, e)
		return nil
	}
	s.entries[s.next] = e
	s.next = (s.next + 1) % len(s.entries)
	return nil
}

// RecentErrors returns the latest entries; see [ErrorStorage].
func (s *MemErrorStorage) RecentErrors(ctx context.Context, limit int) ([]ErrorEntry, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, invalid("limit", reasonNotPositive)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	inOrder := slices.Concat(s.entries[s.next:], s.entries[:s.next])
	slices.Reverse(inOrder)
	return inOrder[:min(limit, len(inOrder))], nil
}
