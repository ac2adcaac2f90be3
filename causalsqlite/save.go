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

// SaveEvent stores e. See [causal.EventStore]. It returns a
// [*causal.StorageError] if the event's JSON is longer than a billion bytes.
func (s *Store) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.saveEvents(ctx, "save event", []causal.Event{e})
}

// SaveEvents stores all events or none. See [causal.BatchSaver].
func (s *Store) SaveEvents(ctx context.Context, events []causal.Event) error {
	return s.saveEvents(ctx, "save events", events)
}

// newRow is the stored form of an event.
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
	return s.saveRows(ctx, op, events, func(c *sqlite.Conn, head *causal.Cursor, rows []newRow) (dirty bool, err error) {
		_, dirty, err = insertAll(c, head, rows)
		return dirty, err
	})
}

// saveRows calls do in a transaction, with the head of the log, which do
// advances. It reports dirty as in [request].
func (s *Store) saveRows(
	ctx context.Context, op string, events []causal.Event,
	do func(c *sqlite.Conn, head *causal.Cursor, rows []newRow) (dirty bool, err error),
) error {
	if err := s.checkOpen(op); err != nil {
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
		return do(c, s.writer.head, rows)
	})
	if err == nil {
		s.wakeAll()
	}
	return err
}

// insertAll stores the rows after a head, which it advances, and reports which
// were new. If it fails before it has changed anything, the transaction is not
// dirty.
func insertAll(c *sqlite.Conn, head *causal.Cursor, rows []newRow) (isNew []bool, dirty bool, err error) {
	var conflicts []causal.EventID
	isNew = make([]bool, len(rows))
	heads := headWriter{c: c}
	for i, r := range rows {
		next := head.Next(r.event.ID())
		isNew[i], err = insert(c, r, next)
		stored := r.event
		if isNew[i] {
			*head, dirty = next, true
			err = heads.add(r.event)
		} else if err == nil {
			stored, err = find(c, r)
		}
		if err != nil {
			return nil, true, err
		}
		if !stored.Equal(r.event) {
			conflicts = append(conflicts, r.event.ID())
		}
	}
	if err := causaladapter.IDConflict(conflicts); err != nil {
		return nil, dirty, err
	}
	return isNew, false, nil
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

// find returns the event stored under the ID of a row, or the zero Event.
func find(c *sqlite.Conn, r newRow) (stored causal.Event, err error) {
	err = query(c, "SELECT seq, data FROM events WHERE event_id = ?",
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
	return stored, err
}
