package causalsqlite

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// decode reads what is stored of an event. If it is damaged, the row's first
// column says where.
func decode(s *sqlite.Stmt, data []byte) (e causal.Event, err error) {
	if err := e.UnmarshalJSON(data); err != nil {
		return e, adapter.Damaged(s.ColumnInt64(0))
	}
	return e, nil
}

// LoadEvents returns the events of one aggregate; see [causal.EventStore].
func (s *Store) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	const op = "load events"
	if err := causaladapter.CheckLoadEvents(ctx, aggregateID); err != nil {
		return nil, err
	}
	if err := s.checkOpen(op); err != nil {
		return nil, err
	}
	var events []causal.Event
	err := s.read(ctx, op, func(c *sqlite.Conn) error {
		events = nil
		return queryEvents(c, `SELECT seq, data FROM events WHERE aggregate_id = ?
			ORDER BY lamport_clock, node_id, event_id`,
			func(s *sqlite.Stmt) { s.BindBytes(1, []byte(aggregateID)) },
			func(_ *sqlite.Stmt, e causal.Event, _ int) (more bool, err error) {
				events = append(events, e)
				return true, causaladapter.CheckContext(ctx)
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
	const op = "read events"
	return adapter.ReadEvents(s.source(ctx, op), func(p adapter.EventPage) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error { return fillInOrder(c, p) })
	})
}

// fillInOrder fills the page, and moves its key if there may be more.
func fillInOrder(c *sqlite.Conn, p adapter.EventPage) error {
	p.Reset()
	// The index also holds seq: events after head cost no look at the table.
	return queryEvents(c, `SELECT seq, data, lamport_clock, node_id, event_id
		FROM events INDEXED BY events_in_order
		WHERE (lamport_clock, node_id, event_id) > (?, ?, ?) AND seq <= ?
		ORDER BY lamport_clock, node_id, event_id`,
		func(s *sqlite.Stmt) {
			s.BindInt64(1, p.After.Clock)
			s.BindBytes(2, p.After.Node)
			s.BindText(3, string(p.After.ID))
			s.BindInt64(4, p.Head)
		},
		func(s *sqlite.Stmt, e causal.Event, size int) (more bool, err error) {
			if err := p.Add(s.ColumnInt64(0), e, size); err != nil {
				return false, err
			}
			if p.IsFull() { // by the columns, as the content may be damaged
				p.After.Clock = s.ColumnInt64(2)
				p.After.Node = columnBytes(s, 3, p.After.Node)
				p.After.ID = columnBytes(s, 4, p.After.ID)
			}
			return !p.IsFull(), nil
		})
}

// queryEvents calls row for each row of a query that has seq and data as its first
// columns, with the event and the size of its data, until it returns false or an
// error.
func queryEvents(
	c *sqlite.Conn, sql string, bind func(*sqlite.Stmt), row func(s *sqlite.Stmt, e causal.Event, size int) (bool, error),
) error {
	var data []byte // reused
	return query(c, sql, bind, func(s *sqlite.Stmt) (bool, error) {
		data = columnBytes(s, 1, data)
		e, err := decode(s, data)
		if err != nil {
			return false, err
		}
		return row(s, e, len(data))
	})
}
