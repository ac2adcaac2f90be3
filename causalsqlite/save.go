package causalsqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// maxText is SQLite's limit for one value.
const maxText = 1_000_000_000

// SaveEvent stores e; see [causal.EventStore]. It returns a
// [*causal.StorageError] if the event's JSON is longer than a billion bytes.
func (s *Store) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.saveEvents(ctx, "save event", []causal.Event{e})
}

// SaveEvents stores all events or none; see [causal.BatchSaver].
func (s *Store) SaveEvents(ctx context.Context, events []causal.Event) error {
	return s.saveEvents(ctx, "save events", events)
}

// newRow is what is stored of an event.
type newRow struct {
	event causal.Event
	data  string
}

func (s *Store) saveEvents(ctx context.Context, op string, events []causal.Event) error {
	if err := causaladapter.CheckSaveEvents(ctx, events); err != nil {
		return err
	}
	if err := s.checkOpen(op); err != nil || len(events) == 0 {
		return err
	}
	rows, size := make([]newRow, len(events)), 0
	for i, e := range events {
		data, err := adapter.Encode("event", e, maxText)
		if err != nil {
			return wrapError(op, err)
		}
		rows[i] = newRow{e, string(data)}
		size += len(data)
	}
	err := s.write(ctx, op, size, func(c *sqlite.Conn) (dirty bool, err error) {
		if s.writer.head == nil {
			head, err := readHead(c, s.logID)
			if err != nil {
				return false, err
			}
			s.writer.head = &head
		}
		return insertAll(c, s.writer.head, rows)
	})
	if err == nil {
		s.waiters.Wake()
	}
	return err
}

// insertAll stores the rows after a head, which it moves. If it fails before it has
// changed anything, the transaction is not dirty.
func insertAll(c *sqlite.Conn, head *causal.Cursor, rows []newRow) (dirty bool, err error) {
	var conflicts []causal.EventID
	for _, r := range rows {
		next := head.Next(r.event.ID())
		isNew, err := insert(c, r, next)
		isSame := true
		if isNew {
			*head, dirty = next, true
		} else if err == nil {
			isSame, err = isStored(c, r)
		}
		if err != nil {
			return true, err
		}
		if !isSame {
			conflicts = append(conflicts, r.event.ID())
		}
	}
	if err := causaladapter.IDConflict(conflicts); err != nil {
		return dirty, err
	}
	return false, nil
}

// insert stores a row as the entry with this cursor, unless its ID is taken.
func insert(c *sqlite.Conn, r newRow, cursor causal.Cursor) (isNew bool, err error) {
	hash := cursor.Hash()
	err = query(c, `INSERT INTO events (seq, hash, event_id, aggregate_id, lamport_clock, node_id, data)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING`,
		func(s *sqlite.Stmt) {
			s.BindInt64(1, int64(cursor.Position()))
			s.BindBytes(2, hash[:])
			s.BindText(3, string(r.event.ID()))
			s.BindBytes(4, []byte(r.event.AggregateID()))
			s.BindInt64(5, r.event.LamportClock())
			s.BindBytes(6, []byte(r.event.NodeID()))
			s.BindText(7, r.data)
		}, nil)
	return err == nil && c.Changes() == 1, err
}

// isStored reports whether what is stored under the ID of a row is its event.
func isStored(c *sqlite.Conn, r newRow) (bool, error) {
	var stored causal.Event
	err := query(c, "SELECT seq, data FROM events WHERE event_id = ?",
		func(s *sqlite.Stmt) { s.BindText(1, string(r.event.ID())) },
		func(s *sqlite.Stmt) (bool, error) {
			data := columnBytes(s, 1, nil)
			if string(data) == r.data {
				stored = r.event
				return false, nil
			}
			var err error
			stored, err = decode(s, data)
			return false, err
		})
	return stored.Equal(r.event), err
}
