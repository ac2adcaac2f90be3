package causalnats

import (
	"context"
	"errors"
	"slices"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// SaveEvent stores e. See [causal.EventStore].
func (s *Store) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.saveEvents(ctx, "save event", []causal.Event{e})
}

// SaveEvents stores all events or none. See [causal.BatchSaver].
func (s *Store) SaveEvents(ctx context.Context, events []causal.Event) error {
	return s.saveEvents(ctx, "save events", events)
}

func (s *Store) saveEvents(ctx context.Context, op string, events []causal.Event) error {
	if err := causaladapter.CheckSaveEvents(ctx, events); err != nil {
		return err
	}
	return s.call(op, func() error {
		r := &request{events: events}
		isStored, err := s.areStored(ctx, r)
		if isStored || err != nil {
			return err
		}
		_, err = s.send(ctx, r)
		return err
	})
}

// Append stores all events or none, and reports where. See [causal.Appender].
func (s *Store) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	if err := causaladapter.CheckSaveEvents(ctx, events); err != nil {
		return causal.Appended{}, err
	}
	return s.append(ctx, "append events", &request{events: events})
}

// SaveEventsIf stores all events or none: none if an event matching the
// condition was saved after the cursor. See [causal.Appender].
func (s *Store) SaveEventsIf(
	ctx context.Context, after causal.Cursor, c causal.Condition, events []causal.Event,
) (causal.Appended, error) {
	if err := causaladapter.CheckSaveEventsIf(ctx, c, events); err != nil {
		return causal.Appended{}, err
	}
	c.Aggregates = slices.Clone(c.Aggregates)
	return s.append(ctx, "save events if", &request{events: events, after: after, condition: &condition{after.Position(), after.Hash(), c}})
}

func (s *Store) append(ctx context.Context, op string, r *request) (a causal.Appended, err error) {
	err = s.call(op, func() error {
		isStored, err := s.areStored(ctx, r)
		switch {
		case err != nil:
		case isStored:
			a, err = s.nothing(ctx, len(r.events))
		default:
			a, err = s.send(ctx, r)
		}
		return err
	})
	if err != nil {
		return causal.Appended{}, err
	}
	return a, nil
}

// nothing returns the result for events that were all stored before.
func (s *Store) nothing(ctx context.Context, count int) (causal.Appended, error) {
	if err := s.fence(ctx); err != nil {
		return causal.Appended{}, err
	}
	head, err := s.replica.store.Head(ctx)
	if err != nil {
		return causal.Appended{}, err
	}
	head = s.replica.cursor(head)
	return causal.Appended{Before: head, After: head, New: make([]bool, count)}, nil
}

// areStored reports whether the replica has all events of a request. It returns
// the error for events in conflict with stored ones or each other, or the one
// by which the replica refuses the condition. Everything in the replica is
// stored.
func (s *Store) areStored(ctx context.Context, r *request) (isStored bool, err error) {
	for isFresh := false; ; isFresh = true {
		isStored, conflicts, err := s.compare(ctx, r.events)
		if err != nil || isStored && len(conflicts) == 0 {
			return isStored, err
		}
		refused := causaladapter.IDConflict(conflicts)
		if refused == nil && r.condition != nil {
			if refused, err = s.checkCondition(ctx, r); err != nil {
				return false, err
			}
		}
		if refused == nil || isFresh {
			return false, refused
		}
		if err := s.fence(ctx); err != nil { // entries not in it yet may have other content
			return false, err
		}
	}
}

func (s *Store) compare(ctx context.Context, events []causal.Event) (isStored bool, conflicts []causal.EventID, err error) {
	isStored = true
	first := make(map[causal.EventID]causal.Event, len(events))
	for _, e := range events {
		known, isKnown := first[e.ID()]
		if !isKnown {
			if known, err = s.replica.store.FindEvent(ctx, e.ID()); err != nil {
				return false, nil, err
			}
			if known.IsZero() {
				isStored, known = false, e
			}
			first[e.ID()] = known
		}
		if !known.Equal(e) {
			conflicts = append(conflicts, e.ID())
		}
	}
	return isStored, conflicts, nil
}

// maxLookBehind is the number of entries after a cursor examined before sending
// a save with a condition.
const maxLookBehind = 1000

// checkCondition returns the error by which the replica refuses the condition
// of a request, before it is sent. A cursor must be valid in the log, so that
// all replicas find it there.
func (s *Store) checkCondition(ctx context.Context, r *request) (refused, err error) {
	head, position, err := s.locate(ctx, r.after)
	if errors.Is(err, causal.ErrCursorAhead) || errors.Is(err, causal.ErrInvalidCursor) {
		return err, nil
	}
	if err != nil || position == head.Position() || head.Position()-position > maxLookBehind {
		return nil, err
	}
	for entry, err := range s.replica.store.ReadLog(ctx, s.replica.local(r.after, head)) {
		if err != nil {
			return nil, err
		}
		if r.condition.Matches(entry.Event) {
			return causal.ErrConcurrentSave, nil
		}
	}
	return nil, nil
}

// locate returns the head of the replica, and the position of a cursor of the
// log.
func (s *Store) locate(ctx context.Context, after causal.Cursor) (head causal.Cursor, position uint64, err error) {
	if head, err = s.replica.store.Head(ctx); err != nil {
		return head, 0, err
	}
	local := s.replica.local(after, head)
	position, err = local.PositionIn(head, func(uint64) (hash [8]byte, err error) {
		for _, err := range s.replica.store.ReadLog(ctx, local) { // refuses an invalid one
			return local.Hash(), err
		}
		return local.Hash(), nil
	})
	return head, position, err
}

// request is one call's save.
type request struct {
	events    []causal.Event
	after     causal.Cursor
	condition *condition // nil if there is none
	data      [][]byte   // JSON of the events
	size      int
	appended  causal.Appended
	result    chan error // has room for the result
}

// Size returns the approximate number of bytes to send.
func (r *request) Size() int { return r.size }

func (r *request) finish(got result) {
	r.appended = got.appended
	r.result <- got.err
}

// maxParts is the maximum number of messages of a record, which is the maximum
// size of a batch in the servers.
const maxParts = 1000

// send stores the events of a request, and returns where.
func (s *Store) send(ctx context.Context, r *request) (causal.Appended, error) {
	limit := (s.maxSize - recordHead) * maxParts
	r.result = make(chan error, 1)
	r.data = make([][]byte, len(r.events))
	r.events = slices.Clone(r.events)
	for i, e := range r.events {
		data, err := adapter.Encode("event", e, limit-r.size)
		if err != nil {
			return causal.Appended{}, err
		}
		r.data[i] = data
		r.size += len(data) + 5
	}
	if r.condition != nil {
		r.size += len(encodeSave(nil, r.condition, nil))
	}
	isUnknown, err := s.writer.do(ctx, r, r.result)
	if isUnknown {
		err = adapter.OutcomeUnknown(err)
	}
	if err != nil {
		return causal.Appended{}, err
	}
	return r.appended, nil
}
