package causalpg

import (
	"context"
	"errors"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// Append stores all events or none, and reports where. See [causal.Appender].
// Each call has its own transaction.
func (s *Store) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	if err := causaladapter.CheckSaveEvents(ctx, events); err != nil {
		return causal.Appended{}, err
	}
	return s.append(ctx, "append events", events, nil)
}

// SaveEventsIf stores all events or none: none if an event matching the
// condition was saved after the cursor. See [causal.Appender]. Each call has
// its own transaction, and takes time linear in the number of entries after the
// cursor or of events of the aggregates.
func (s *Store) SaveEventsIf(
	ctx context.Context, after causal.Cursor, condition causal.Condition, events []causal.Event,
) (causal.Appended, error) {
	if err := causaladapter.CheckSaveEventsIf(ctx, condition, events); err != nil {
		return causal.Appended{}, err
	}
	return s.append(ctx, "save events if", events, &guard{after: after, condition: condition})
}

// append stores the events if the guard, which may be nil, allows it.
func (s *Store) append(ctx context.Context, op string, events []causal.Event, g *guard) (causal.Appended, error) {
	if err := s.begin(op); err != nil {
		return causal.Appended{}, err
	}
	defer s.calls.Done()
	var a causal.Appended
	var err error
	if len(events) == 0 {
		a.Before, err = s.locate(ctx, op, causal.Cursor{})
		a.After, a.New = a.Before, []bool{}
	} else {
		a, err = s.appendAll(ctx, op, events, g)
	}
	if err != nil {
		return causal.Appended{}, wrapError(ctx, op, err)
	}
	return a, nil
}

func (s *Store) appendAll(ctx context.Context, op string, events []causal.Event, g *guard) (a causal.Appended, err error) {
	r, err := newRequest(ctx, events)
	if err != nil {
		return a, err
	}
	if conflicts := r.dropRepeated(); len(conflicts) > 0 {
		return a, s.refuse(ctx, op, r.rows, conflicts)
	}
	isUnknown := false
	for {
		var t try
		isLost, err := s.tryAppend(ctx, r.rows, g, &t)
		isUnknown = isUnknown || isLost
		if err == nil && t.isAllowed && (len(t.stored) == 0 || g == nil && len(t.different) == 0) {
			if t.after != t.before {
				s.announce()
			}
			return t.appended(events, r.rows), nil
		}
		if err == nil {
			err = s.explain(ctx, op, r, g, &t)
		}
		if err != nil && isUnknown && !isFinal(err) {
			err = adapter.OutcomeUnknown(err)
		}
		if err != nil {
			return a, err
		}
		if len(r.rows) == 0 { // all are stored
			return t.appended(events, nil), nil
		}
	}
}

// isFinal reports whether err applies to earlier attempts as well: the reason
// for refusing this one persists, and refuses them whenever they are made.
func isFinal(err error) bool {
	return errors.Is(err, causal.ErrConcurrentSave) || errors.Is(err, causal.ErrIDConflict)
}

// try is the result of one transaction.
type try struct {
	isAllowed         bool
	stored, different []string      // IDs of stored rows, and of those with different text
	before, after     causal.Cursor // the heads of the log
}

// appended returns the result for events. Those with a row in rows are new,
// unless it is in t.stored.
func (t *try) appended(events []causal.Event, rows []row) causal.Appended {
	a := causal.Appended{Before: t.before, After: t.after, New: make([]bool, len(events))}
	isNew := make(map[causal.EventID]bool, len(rows))
	for _, r := range rows {
		isNew[r.event.ID()] = true
	}
	for _, id := range t.stored {
		delete(isNew, causal.EventID(id))
	}
	for i, e := range events {
		a.New[i] = isNew[e.ID()]
		delete(isNew, e.ID()) // the first of several
	}
	return a
}

// tryAppend stores the new rows, if the guard allows it and nothing is in the
// way. isLost reports that the outcome of an attempt is unknown.
func (s *Store) tryAppend(ctx context.Context, rows []row, g *guard, t *try) (isLost bool, err error) {
	args := []any{nil, nil, nil, nil, nil}
	if g != nil {
		args = g.arguments()
	}
	err = s.retry(ctx, isTransient, func(c *pgx.Conn) (err error) {
		defer func() { isLost = isLost || err != nil && c.IsClosed() }()
		if len(rows) == 1 && len(rows[0].data) <= maxAtOnce {
			if isStored, err := s.appendOne(ctx, c, rows[0], args, t); isStored || err != nil {
				return err
			}
		}
		return s.insertRows(ctx, c, rows, s.sql.appendTo, s.sql.appendGiven, args, func(r pgx.Rows) error {
			if !r.Next() {
				return r.Err()
			}
			return t.scan(r, &t.isAllowed, &t.stored, &t.different)
		})
	})
	return isLost, err
}

// appendOne stores a single row. If it does not, it gives no reason.
func (s *Store) appendOne(ctx context.Context, c *pgx.Conn, r row, args []any, t *try) (isStored bool, err error) {
	err = transact(ctx, c, func(b *pgx.Batch) {
		s.queueLock(b)
		args := append(args[:len(args):len(args)], string(r.event.ID()))
		b.Queue(s.sql.appendOne, append(args, r.columns()...)...).Query(func(rows pgx.Rows) error {
			if !rows.Next() {
				return rows.Err()
			}
			isStored, t.isAllowed = true, true
			return t.scan(rows)
		})
	})
	return isStored && err == nil, err
}

// scan scans a result: other columns, the ID of the log, and the position and
// hash of its head before and after.
func (t *try) scan(r pgx.Rows, others ...any) error {
	var log, beforeHash, afterHash []byte
	var before, after int64
	if err := r.Scan(append(others, &log, &before, &beforeHash, &after, &afterHash)...); err != nil {
		return err
	}
	t.before = causal.NewCursor([16]byte(log), uint64(before), [8]byte(beforeHash))
	t.after = causal.NewCursor([16]byte(log), uint64(after), [8]byte(afterHash))
	return nil
}

// guard is the condition of a save.
type guard struct {
	after     causal.Cursor
	condition causal.Condition
}

// arguments returns the parameters of the statement. They do not include the
// project, so a refusal may be wrong and must be examined.
func (g *guard) arguments() []any {
	var log, hash, node []byte
	if g.after != (causal.Cursor{}) {
		id, h := g.after.LogID(), g.after.Hash()
		log, hash = id[:], h[:]
	}
	if g.condition.NodeID != "" {
		node = []byte(g.condition.NodeID)
	}
	return []any{int64(min(g.after.Position(), math.MaxInt64)), log, hash, node, g.aggregates()}
}

// aggregates returns nil if any event matches.
func (g *guard) aggregates() [][]byte {
	if g.condition.IsZero() {
		return nil
	}
	ids := make([][]byte, len(g.condition.Aggregates))
	for i, id := range g.condition.Aggregates {
		ids[i] = []byte(id)
	}
	return ids
}

// explain returns the error for rows that were not stored. If there is none, it
// drops stored rows from the request and advances the guard past the examined
// entries, so that the save can be retried.
func (s *Store) explain(ctx context.Context, op string, r *request, g *guard, t *try) error {
	stored, err := s.lookUp(ctx, t.stored)
	if err != nil {
		return err
	}
	before := len(r.rows)
	if err := r.dropStored(stored); err != nil {
		return err
	}
	if g == nil || len(r.rows) == 0 {
		return nil
	}
	head, err := s.locate(ctx, op, g.after)
	if err != nil {
		return err
	}
	if len(r.rows) < before {
		return causal.ErrConcurrentSave
	}
	args := g.arguments()
	args = []any{args[0], int64(head.Position()), args[3], args[4]}
	err = s.read(ctx, op, func(c *pgx.Conn) error {
		return queryEvents(ctx, c, s.sql.changes, args, func(_ int64, e causal.Event, _ int) error {
			if g.condition.Matches(e) {
				return causal.ErrConcurrentSave
			}
			return nil
		})
	})
	g.after = head
	return err
}
