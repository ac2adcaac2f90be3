package causal

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// MemStore is a [Store] in memory, combining the five storages. It lasts as
// long as the process. The zero value is empty, with an error log of
// [DefaultErrorLimit] entries. It is safe for concurrent use, and must not be
// copied after first use.
type MemStore struct {
	MemEventStore
	MemClockStorage
	MemErrorStorage
	MemCheckpointStorage
	MemRejectedStorage
}

// MemEventStore is an [EventStore] in memory, with every capability. It lasts
// as long as the process. The zero value is an empty store. It is safe for
// concurrent use, and must not be copied after first use.
//
// SaveEvent runs in amortized constant time, and LoadEvents in time linear in
// the number of events it returns.
type MemEventStore struct {
	mu         sync.Mutex
	log        []Event // in arrival order, append-only
	ids        idTable // of log
	all        sortedEvents
	aggregates map[string]*memAggregate
	logID      [16]byte
	hashes     [][8]byte // of the first entries of log, computed on demand
	digests    memKeys
	saved      chan struct{} // closed by the next save, nil if nobody waits for it
}

// SaveEvent stores e. See [EventStore].
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

// slot returns the slot of e's ID, which may be free. The caller holds the
// lock.
func (s *MemEventStore) slot(e Event) *idSlot { return s.ids.find(s.log, e.p.ID, e.p.idHash) }

// SaveEvents stores all events or none. See [BatchSaver].
func (s *MemEventStore) SaveEvents(ctx context.Context, events []Event) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	conflicts, err := contradictions(events)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.find(events, conflicts)
	if err == nil {
		s.addAll(events)
	}
	return err
}

// contradictions returns the IDs shared by different events.
func contradictions(events []Event) ([]EventID, error) {
	if len(events) == 1 && events[0].p != nil { // the most common case
		return nil, nil
	}
	d := newDeduper(events)
	for i, e := range events {
		d.isNew(e, i)
	}
	if d.hasZero {
		return nil, errZeroEvent()
	}
	return d.conflicts, nil
}

// find returns the number of events already stored, or the error for events in
// conflict with each other or with stored ones. The caller holds the lock.
func (s *MemEventStore) find(events []Event, conflicts []EventID) (stored int, err error) {
	s.ids.grow(len(events))
	for _, e := range events {
		switch slot := s.slot(e); {
		case slot.next == 0:
		case s.log[slot.next-1].Equal(e):
			stored++
		default:
			conflicts = append(conflicts, e.p.ID)
		}
	}
	return stored, errIDConflict(conflicts)
}

// addAll stores the events not stored yet. The caller holds the lock.
func (s *MemEventStore) addAll(events []Event) {
	for _, e := range events {
		s.add(e, s.slot(e))
	}
}

// add stores an event unless its slot is taken. The caller holds the lock.
func (s *MemEventStore) add(e Event, slot *idSlot) {
	if slot.next > 0 {
		return
	}
	if s.aggregates == nil {
		s.aggregates = map[string]*memAggregate{}
	}
	aggregate := s.aggregates[e.p.AggregateID]
	if aggregate == nil {
		aggregate = &memAggregate{}
		s.aggregates[e.p.AggregateID] = aggregate
	}
	aggregate.add(e)
	aggregate.addHead(e, s.isStored)
	s.all.add(e)
	s.log = append(s.log, e)
	*slot = idSlot{e.p.idHash, len(s.log)}
	s.ids.used++
	if s.saved != nil {
		close(s.saved)
		s.saved = nil
	}
}

// isStored reports whether an event with this ID is stored. The caller holds
// the lock.
func (s *MemEventStore) isStored(id EventID) bool { return s.ids.find(s.log, id, hashID(id)).next > 0 }

// memAggregate is an aggregate ID, which may be in several projects.
type memAggregate struct {
	sortedEvents
	heads []memHeads // one, almost always
}

type memHeads struct {
	project string
	headSet
}

// headsIn returns the heads in a project, or nil if it has no events.
func (a *memAggregate) headsIn(project string) *headSet {
	for i := range a.heads {
		if a.heads[i].project == project {
			return &a.heads[i].headSet
		}
	}
	return nil
}

// addHead adds an event to the heads in its project.
func (a *memAggregate) addHead(e Event, isStored func(EventID) bool) {
	if a.headsIn(e.p.ProjectUUID) == nil {
		a.heads = append(a.heads, memHeads{project: e.p.ProjectUUID})
	}
	a.headsIn(e.p.ProjectUUID).add(e, isStored)
}

// LoadHeads returns the heads of an aggregate. See [HeadLoader]. If the
// aggregate has plain events, it takes time linear in its number of events.
func (s *MemEventStore) LoadHeads(ctx context.Context, projectUUID, aggregateID string) ([]EventID, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if !isHyphenatedUUID(projectUUID) {
		return nil, invalid("project_uuid", reasonUUID)
	}
	if err := checkText("aggregate_id", aggregateID); err != nil {
		return nil, err
	}
	project := strings.ToLower(projectUUID)
	s.mu.Lock()
	defer s.mu.Unlock()
	aggregate := s.aggregates[aggregateID]
	if aggregate == nil || aggregate.headsIn(project) == nil {
		return []EventID{}, nil
	}
	if heads := aggregate.headsIn(project); !heads.hasPlain {
		return heads.ids(), nil
	}
	return headIDs(aggregate.view(), project)
}

// MissingParents yields the IDs of missing parents. See [HeadLoader]. It takes
// time linear in the number of aggregates and missing parents.
func (s *MemEventStore) MissingParents(ctx context.Context, projectUUID string) iter.Seq2[EventID, error] {
	return parentIDs(ctx, projectUUID, func(project string) ([]EventID, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		isMissing := map[EventID]bool{}
		for _, aggregate := range s.aggregates {
			if heads := aggregate.headsIn(project); heads != nil {
				for id := range heads.named {
					if !s.isStored(id) { // an event of another aggregate is no parent
						isMissing[id] = true
					}
				}
			}
		}
		return slices.Sorted(maps.Keys(isMissing)), nil
	})
}

// LoadEvents returns the events of one aggregate. See [EventStore].
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

// FindEvent returns the event with this ID. See [EventFinder].
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

// Aggregates yields the IDs of all aggregates. See [AggregateLister]. A range
// sees the aggregates stored when it began.
func (s *MemEventStore) Aggregates(ctx context.Context) iter.Seq2[string, error] {
	return texts(ctx, func() ([]string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Sorted(maps.Keys(s.aggregates)), nil
	})
}

// AllEvents yields all events. See [EventStore]. A range sees the events stored
// when it began.
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

// sortedEvents holds events for reading in the order of Compare. Events
// arriving in order are appended; late ones wait for the next read, which
// merges them.
type sortedEvents struct {
	sorted []Event // elements visible in a view never change
	late   []Event
}

func (s *sortedEvents) add(e Event) {
	if n := len(s.sorted); n == 0 || Compare(s.sorted[n-1], e) < 0 {
		s.sorted = append(s.sorted, e)
	} else {
		s.late = append(s.late, e)
	}
}

// view returns all events in order. The result does not change when events are
// added.
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
