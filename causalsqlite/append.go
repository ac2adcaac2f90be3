package causalsqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// Append stores all events or none, and reports where. See [causal.Appender].
func (s *Store) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	const op = "append events"
	if err := causaladapter.CheckSaveEvents(ctx, events); err != nil {
		return causal.Appended{}, err
	}
	if len(events) == 0 {
		head, err := s.locate(ctx, op, causal.Cursor{})
		if err != nil {
			return causal.Appended{}, err
		}
		return causal.Appended{Before: head, After: head, New: []bool{}}, nil
	}
	var a causal.Appended
	err := s.saveRows(ctx, op, events, func(c *sqlite.Conn, head *causal.Cursor, rows []newRow) (dirty bool, err error) {
		a.Before = *head
		a.New, dirty, err = insertAll(c, head, rows)
		a.After = *head
		return dirty, err
	})
	if err != nil {
		return causal.Appended{}, err
	}
	return a, nil
}

// SaveEventsIf stores all events or none: none if an event matching the
// condition was saved after the cursor. See [causal.Appender]. It takes time
// linear in the number of entries after the cursor or, if they are many and
// there is no node, of events of the aggregates.
func (s *Store) SaveEventsIf(
	ctx context.Context, after causal.Cursor, condition causal.Condition, events []causal.Event,
) (causal.Appended, error) {
	const op = "save events if"
	if err := causaladapter.CheckSaveEventsIf(ctx, condition, events); err != nil {
		return causal.Appended{}, err
	}
	if len(events) == 0 {
		return s.Append(ctx, nil)
	}
	var a causal.Appended
	err := s.saveRows(ctx, op, events, func(c *sqlite.Conn, head *causal.Cursor, rows []newRow) (dirty bool, err error) {
		a = causal.Appended{Before: *head, After: *head, New: make([]bool, len(rows))}
		if refused := check(c, after, *head, condition); refused != nil {
			return false, unlessStored(c, rows, refused)
		}
		a.New, dirty, err = insertAll(c, head, rows)
		a.After = *head
		if err == nil && isPart(rows, a.New) {
			return true, causal.ErrConcurrentSave
		}
		return dirty, err
	})
	if err != nil {
		return causal.Appended{}, err
	}
	return a, nil
}

// manyEntries is the number of entries after a cursor from which using an index
// pays off.
const manyEntries = 1000

// check returns the error for an invalid cursor, or if an entry after it
// matches the condition.
func check(c *sqlite.Conn, after, head causal.Cursor, condition causal.Condition) error {
	position, err := after.PositionIn(head, func(position uint64) ([8]byte, error) { return hashAt(c, position) })
	if err != nil {
		return err
	}
	if condition.IsZero() && position < head.Position() {
		return causal.ErrConcurrentSave
	}
	if condition.NodeID != "" || head.Position()-position <= manyEntries {
		return checkEntriesAfter(c, position, condition)
	}
	for _, id := range condition.Aggregates {
		err := refuse(c, condition, "SELECT seq, data FROM events INDEXED BY events_of_aggregate WHERE aggregate_id = ? AND seq > ?",
			func(s *sqlite.Stmt) {
				s.BindBytes(1, []byte(id))
				s.BindInt64(2, int64(position))
			}, func(*sqlite.Stmt) bool { return true })
		if err != nil {
			return err
		}
	}
	return nil
}

// checkEntriesAfter checks the condition for each entry.
func checkEntriesAfter(c *sqlite.Conn, position uint64, condition causal.Condition) error {
	aggregates := make(map[string]bool, len(condition.Aggregates))
	for _, id := range condition.Aggregates {
		aggregates[id] = true
	}
	return refuse(c, condition, "SELECT seq, data, aggregate_id, node_id FROM events WHERE seq > ?",
		func(s *sqlite.Stmt) { s.BindInt64(1, int64(position)) },
		func(s *sqlite.Stmt) bool {
			return aggregates[string(columnBytes(s, 2, nil))] || string(columnBytes(s, 3, nil)) == condition.NodeID
		})
}

// refuse returns an error if an event of the query, which returns positions and
// data, matches the condition. It need not decode those that cannot.
func refuse(c *sqlite.Conn, condition causal.Condition, sql string, bind func(*sqlite.Stmt), can func(*sqlite.Stmt) bool) error {
	return query(c, sql, bind, func(s *sqlite.Stmt) (bool, error) {
		if !can(s) {
			return true, nil
		}
		e, err := decode(s, columnBytes(s, 1, nil))
		if err == nil && condition.Matches(e) {
			err = causal.ErrConcurrentSave
		}
		return true, err
	})
}

// unlessStored returns nil if all rows are stored, the error for rows in
// conflict with stored ones or each other if there are any, and otherwise
// refused.
func unlessStored(c *sqlite.Conn, rows []newRow, refused error) error {
	var conflicts []causal.EventID
	isStored, first := true, make(map[causal.EventID]causal.Event, len(rows))
	for _, r := range rows {
		stored, err := find(c, r)
		if err != nil {
			return err
		}
		if stored.IsZero() {
			isStored = false
			if stored = first[r.event.ID()]; stored.IsZero() {
				first[r.event.ID()], stored = r.event, r.event
			}
		}
		if !stored.Equal(r.event) {
			conflicts = append(conflicts, r.event.ID())
		}
	}
	if err := causaladapter.IDConflict(conflicts); err != nil || isStored {
		return err
	}
	return refused
}

// isPart reports whether some rows were stored before, and others are new.
func isPart(rows []newRow, isNew []bool) bool {
	added := make(map[causal.EventID]bool, len(rows))
	old := 0
	for i, r := range rows {
		if isNew[i] {
			added[r.event.ID()] = true
		} else if !added[r.event.ID()] {
			old++
		}
	}
	return old > 0 && len(added) > 0
}
