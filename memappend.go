package causal

import (
	"context"
	"slices"
)

// Append stores all events or none, and reports where. See [Appender].
func (s *MemEventStore) Append(ctx context.Context, events []Event) (Appended, error) {
	return s.append(ctx, events, func(int) error { return nil })
}

// SaveEventsIf stores all events or none: none if an entry after the cursor
// matches the condition. See [Appender]. It takes time linear in the number of
// entries after the cursor.
func (s *MemEventStore) SaveEventsIf(ctx context.Context, after Cursor, c Condition, events []Event) (Appended, error) {
	if err := checkContext(ctx); err != nil {
		return Appended{}, err
	}
	if err := c.Validate(); err != nil {
		return Appended{}, err
	}
	return s.append(ctx, events, func(stored int) error {
		if stored == len(events) {
			return nil
		}
		cursors := s.cursors()
		position, err := after.PositionIn(cursors.head(), cursors.hashAt)
		if err != nil {
			return err
		}
		later := s.log[position:]
		if stored > 0 || len(later) > 0 && slices.ContainsFunc(later, c.matcher()) {
			return ErrConcurrentSave
		}
		return nil
	})
}

// append stores the events if isAllowed returns nil. isAllowed is called under
// the lock, with the number of events already stored.
func (s *MemEventStore) append(ctx context.Context, events []Event, isAllowed func(stored int) error) (Appended, error) {
	if err := checkContext(ctx); err != nil {
		return Appended{}, err
	}
	conflicts, err := contradictions(events)
	if err != nil {
		return Appended{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.find(events, conflicts)
	if err == nil {
		err = isAllowed(stored)
	}
	if err != nil {
		return Appended{}, err
	}
	a := Appended{Before: s.cursors().head(), New: make([]bool, len(events))}
	for i, e := range events {
		slot := s.slot(e)
		a.New[i] = slot.next == 0
		s.add(e, slot)
	}
	a.After = s.cursors().head()
	return a, nil
}
