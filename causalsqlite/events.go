package causalsqlite

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// decode decodes a stored event. If it is damaged, the error gives its
// position, which is in the row's first column.
func decode(s *sqlite.Stmt, data []byte) (e causal.Event, err error) {
	if err := e.UnmarshalJSON(data); err != nil {
		return e, adapter.Damaged(s.ColumnInt64(0))
	}
	return e, nil
}

// LoadEvents returns the events of one aggregate. See [causal.EventStore].
func (s *Store) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	const op = "load events"
	if err := causaladapter.CheckLoadEvents(ctx, aggregateID); err != nil {
		return nil, err
	}
	if err := s.checkOpen(op); err != nil {
		return nil, err
	}
	var events []causal.Event
	err := s.read(ctx, op, func(c *sqlite.Conn) (err error) {
		events, err = loadEvents(ctx, c, aggregateID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

func loadEvents(ctx context.Context, c *sqlite.Conn, aggregateID string) (events []causal.Event, err error) {
	rows := newRows()
	defer rows.free()
	decode := func() error {
		for row, err := range rows.decode() {
			if err != nil {
				return err
			}
			events = append(events, row.event)
		}
		rows.reset()
		return causaladapter.CheckContext(ctx)
	}
	err = query(c, `SELECT seq, data FROM events WHERE aggregate_id = ?
		ORDER BY lamport_clock, node_id, event_id`,
		func(s *sqlite.Stmt) { s.BindBytes(1, []byte(aggregateID)) },
		func(s *sqlite.Stmt) (more bool, err error) {
			if rows.add(s); rows.isFull(maxRows) {
				err = decode()
			}
			return true, err
		})
	if err == nil {
		err = decode()
	}
	return events, err
}

// FindEvent returns the event with this ID. See [causal.EventFinder].
func (s *Store) FindEvent(ctx context.Context, id causal.EventID) (found causal.Event, err error) {
	const op = "find event"
	if id, err = causaladapter.CheckFindEvent(ctx, id); err != nil {
		return causal.Event{}, err
	}
	if err := s.checkOpen(op); err != nil {
		return causal.Event{}, err
	}
	err = s.read(ctx, op, func(c *sqlite.Conn) error {
		found = causal.Event{}
		return query(c, "SELECT seq, data FROM events WHERE event_id = ?",
			func(s *sqlite.Stmt) { s.BindText(1, string(id)) },
			func(s *sqlite.Stmt) (more bool, err error) {
				found, err = decode(s, columnBytes(s, 1, nil))
				return false, err
			})
	})
	if err != nil {
		return causal.Event{}, err
	}
	return found, nil
}

// Aggregates yields the IDs of all aggregates. See [causal.AggregateLister]. It
// reads in pages, so a range includes all aggregates stored when it began, and
// may include others.
func (s *Store) Aggregates(ctx context.Context) iter.Seq2[string, error] {
	// This takes a step of an index for each aggregate, not for each event.
	return s.readTexts(ctx, "read aggregates", `WITH RECURSIVE a (id) AS (
			SELECT min(aggregate_id) FROM events WHERE aggregate_id > ?1
			UNION ALL
			SELECT (SELECT min(aggregate_id) FROM events WHERE aggregate_id > a.id) FROM a WHERE a.id IS NOT NULL
		) SELECT id FROM a WHERE id IS NOT NULL LIMIT ?2`)
}

// AllEvents yields all events. See [causal.EventStore]. A range sees the events
// stored when it began. It holds up to about a megabyte of them at a time, or a
// single larger event.
func (s *Store) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	const op = "read events"
	return adapter.ReadEvents(s.source(ctx, op), func(p adapter.EventPage) error {
		var next adapter.OrderKey
		err := s.read(ctx, op, func(c *sqlite.Conn) (err error) {
			next, err = fillInOrder(c, p)
			return err
		})
		if err == nil {
			*p.After = next // not earlier, because the page may be read again
		}
		return err
	})
}

// fillInOrder fills the page, and returns the key of the next one if there may
// be more.
func fillInOrder(c *sqlite.Conn, p adapter.EventPage) (next adapter.OrderKey, err error) {
	p.Reset()
	rows := newRows()
	defer rows.free()
	// The index includes seq, so events after head need no access to the table.
	err = query(c, `SELECT seq, data, lamport_clock, node_id, event_id
		FROM events INDEXED BY events_in_order
		WHERE (lamport_clock, node_id, event_id) > (?, ?, ?) AND seq <= ?
		ORDER BY lamport_clock, node_id, event_id`,
		func(s *sqlite.Stmt) {
			s.BindInt64(1, p.After.Clock)
			s.BindBytes(2, p.After.Node)
			s.BindText(3, string(p.After.ID))
			s.BindInt64(4, p.Head)
		},
		func(s *sqlite.Stmt) (more bool, err error) {
			rows.add(s)
			if rows.isFull(p.Limit()) { // by the columns, because the content may be damaged
				next = adapter.OrderKey{Clock: s.ColumnInt64(2), Node: columnBytes(s, 3, nil), ID: columnBytes(s, 4, nil)}
				return false, nil
			}
			return true, nil
		})
	if err != nil {
		return next, err
	}
	for row, err := range rows.decode() {
		if err == nil {
			err = p.Add(row.position, row.event, row.size())
		}
		if err != nil {
			return next, err
		}
	}
	return next, nil
}
