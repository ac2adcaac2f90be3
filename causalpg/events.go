package causalpg

import (
	"context"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// decode decodes a stored event. If it is damaged, the error gives its
// position.
func decode(data []byte, position int64) (e causal.Event, err error) {
	if err := e.UnmarshalJSON(data); err != nil {
		return e, adapter.Damaged(position)
	}
	return e, nil
}

// LoadEvents returns the events of one aggregate. See [causal.EventStore].
func (s *Store) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	if err := causaladapter.CheckLoadEvents(ctx, aggregateID); err != nil {
		return nil, err
	}
	var events []causal.Event
	err := s.read(ctx, "load events", func(c *pgx.Conn) error {
		events = nil
		return queryEvents(ctx, c, s.sql.load, []any{[]byte(aggregateID)}, func(_ int64, e causal.Event, _ int) error {
			events = append(events, e)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(events, causal.Compare) // they are almost sorted
	return events, nil
}

// FindEvent returns the event with this ID. See [causal.EventFinder].
func (s *Store) FindEvent(ctx context.Context, id causal.EventID) (found causal.Event, err error) {
	if id, err = causaladapter.CheckFindEvent(ctx, id); err != nil {
		return causal.Event{}, err
	}
	err = s.read(ctx, "find event", func(c *pgx.Conn) error {
		found = causal.Event{}
		return queryEvents(ctx, c, s.sql.byID, []any{[]string{string(id)}}, func(_ int64, e causal.Event, _ int) error {
			found = e
			return nil
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
	return s.readTexts(ctx, "read aggregates", s.sql.aggregates)
}

// AllEvents yields all events. See [causal.EventStore]. A range sees the events
// stored when it began. It holds up to about a megabyte of them at a time, or a
// single larger event.
func (s *Store) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	const op = "read events"
	return adapter.ReadEvents(s.source(ctx, op), func(p adapter.EventPage) error {
		return s.read(ctx, op, func(c *pgx.Conn) error { return s.fillInOrder(ctx, c, p) })
	})
}

// fillInOrder fills the page, and advances its key.
func (s *Store) fillInOrder(ctx context.Context, c *pgx.Conn, p adapter.EventPage) error {
	p.Reset()
	args := []any{p.After.Clock, p.After.Node, string(p.After.ID), p.Head}
	if err := queryEventPage(ctx, c, p.Limit(), s.sql.inOrder(p.Limit()), args, p.Add); err != nil {
		return err // the page may be read again
	}
	*p.After = adapter.KeyOf(p.Last())
	return nil
}

// queryEvents calls row for each row of a query for position, data and more
// columns, with the position, the event and the size of its data; more holds
// the other columns.
func queryEvents(ctx context.Context, c *pgx.Conn, sql string, args []any, row eventRow, more ...any) error {
	return query(ctx, c, sql, args, row.scan(more))
}

// queryEventPage is like queryEvents, using [queryPage].
func queryEventPage(ctx context.Context, c *pgx.Conn, limit int, sql string, args []any, row eventRow, more ...any) error {
	return queryPage(ctx, c, limit, sql, args, row.scan(more))
}

// eventRow handles an event, its position and the size of its data.
type eventRow func(position int64, e causal.Event, size int) error

// scan returns a function that scans a row and calls row with its content.
func (row eventRow) scan(more []any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var position int64
		var data pgtype.DriverBytes // not copied
		if err := rows.Scan(append([]any{&position, &data}, more...)...); err != nil {
			return err
		}
		e, err := decode(data, position)
		if err != nil {
			return err
		}
		return row(position, e, len(data))
	}
}
