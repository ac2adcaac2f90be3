package causalsqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
)

// maxText is SQLite's limit for one value.
const maxText = 1_000_000_000

// SaveEvent stores e; see [causal.EventStore]. An event whose JSON is longer than
// a billion bytes is a [*causal.StorageError].
func (s *Store) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.saveEvents(ctx, "save event", []causal.Event{e})
}

// SaveEvents stores all events or none; see [causal.BatchSaver].
func (s *Store) SaveEvents(ctx context.Context, events []causal.Event) error {
	return s.saveEvents(ctx, "save events", events)
}

// row is what is stored of an event.
type row struct {
	event causal.Event
	data  string
}

func (s *Store) saveEvents(ctx context.Context, op string, events []causal.Event) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	for _, e := range events {
		if e.IsZero() {
			return invalid("event", reasonZeroEvent)
		}
	}
	if err := s.checkOpen(op); err != nil || len(events) == 0 {
		return err
	}
	rows, size := make([]row, len(events)), 0
	for i, e := range events {
		data, err := e.MarshalJSON()
		if err == nil && len(data) > maxText {
			err = errors.New("the event is too large")
		}
		if err != nil {
			return storageError(op, err)
		}
		rows[i] = row{e, string(data)}
		size += len(data)
	}
	return s.writer.write(ctx, op, size, func(c *sqlite.Conn) (spoiled bool, err error) {
		return insertAll(c, rows)
	})
}

// insertAll stores the rows. If it fails before it has changed anything, the
// transaction is not spoiled.
func insertAll(c *sqlite.Conn, rows []row) (spoiled bool, err error) {
	for _, r := range rows {
		isNew, err := insert(c, r)
		if err == nil && !isNew {
			err = compare(c, r)
		}
		if err != nil {
			return spoiled || !errors.Is(err, causal.ErrIDConflict), err
		}
		spoiled = spoiled || isNew
	}
	return false, nil
}

// insert stores a row, unless its ID is taken. A taken ID does not use up a seq.
func insert(c *sqlite.Conn, r row) (isNew bool, err error) {
	err = query(c, `INSERT INTO events (event_id, aggregate_id, lamport_clock, node_id, data)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING`,
		func(s *sqlite.Stmt) {
			s.BindText(1, string(r.event.ID()))
			s.BindBytes(2, []byte(r.event.AggregateID()))
			s.BindInt64(3, r.event.LamportClock())
			s.BindBytes(4, []byte(r.event.NodeID()))
			s.BindText(5, r.data)
		}, nil)
	return err == nil && c.Changes() == 1, err
}

// compare returns the error for an ID that is taken by different content.
func compare(c *sqlite.Conn, r row) error {
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
	if err == nil && !stored.Equal(r.event) {
		err = &causal.IDConflictError{ID: r.event.ID()}
	}
	return err
}

// decode reads what is stored of an event. If it is damaged, the row's first
// column says where.
func decode(s *sqlite.Stmt, data []byte) (e causal.Event, err error) {
	if err := e.UnmarshalJSON(data); err != nil {
		// Not wrapped: it is not the caller's input that is invalid.
		return e, fmt.Errorf("entry %d of the log is damaged", s.ColumnInt64(0))
	}
	return e, nil
}

// LoadEvents returns the events of one aggregate; see [causal.EventStore].
func (s *Store) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	const op = "load events"
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if err := checkText("aggregate_id", aggregateID); err != nil {
		return nil, err
	}
	if err := s.checkOpen(op); err != nil {
		return nil, err
	}
	var events []causal.Event
	err := s.readers.read(ctx, op, func(c *sqlite.Conn) error {
		events = nil
		var buf []byte
		return query(c, `SELECT seq, data FROM events WHERE aggregate_id = ?
			ORDER BY lamport_clock, node_id, event_id`,
			func(s *sqlite.Stmt) { s.BindBytes(1, []byte(aggregateID)) },
			func(s *sqlite.Stmt) (bool, error) {
				buf = columnBytes(s, 1, buf)
				e, err := decode(s, buf)
				events = append(events, e)
				if err == nil {
					err = checkContext(ctx)
				}
				return true, err
			})
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// AllEvents yields all events; see [causal.EventStore]. A range sees the events
// that were stored when it began. It holds up to about a megabyte of them at a
// time, or a single event that is larger.
func (s *Store) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		const op = "read events"
		head, err := s.head(ctx, op)
		if err != nil {
			yield(causal.Event{}, err)
			return
		}
		after := orderKey{clock: -1}
		yieldPages(ctx, s, op, yield, func(c *sqlite.Conn, p *page[causal.Event]) error {
			return fillInOrder(c, p, &after, head)
		})
	}
}

// orderKey is a place in the order of Compare.
type orderKey struct {
	clock    int64
	node, id []byte
}

// fillInOrder fills the page with the events behind *after, and moves *after if
// there may be more.
func fillInOrder(c *sqlite.Conn, p *page[causal.Event], after *orderKey, head int64) error {
	// The index also holds seq: events behind head cost no look at the table.
	return p.fill(c, `SELECT seq, data, lamport_clock, node_id, event_id
		FROM events INDEXED BY events_in_order
		WHERE (lamport_clock, node_id, event_id) > (?, ?, ?) AND seq <= ?
		ORDER BY lamport_clock, node_id, event_id`,
		func(s *sqlite.Stmt) {
			s.BindInt64(1, after.clock)
			s.BindBytes(2, after.node)
			s.BindText(3, string(after.id))
			s.BindInt64(4, head)
		},
		func(s *sqlite.Stmt, e causal.Event) (causal.Event, error) {
			if p.isFull() {
				after.clock = s.ColumnInt64(2)
				after.node = columnBytes(s, 3, after.node)
				after.id = columnBytes(s, 4, after.id)
			}
			return e, nil
		})
}
