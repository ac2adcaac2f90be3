package causalpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
)

// maxData is the most bytes of JSON in one row: a dump doubles them, and the
// server's limit for that is a gigabyte.
const maxData = 500_000_000

// row is what is stored of an event.
type row struct {
	event causal.Event
	data  []byte
}

func (r row) isSame(other row) bool {
	return bytes.Equal(r.data, other.data) || r.event.Equal(other.event)
}

// SaveEvent stores e; see [causal.EventStore].
func (s *Store) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.saveEvents(ctx, "save event", []causal.Event{e})
}

// SaveEvents stores all events or none; see [causal.BatchSaver].
func (s *Store) SaveEvents(ctx context.Context, events []causal.Event) error {
	return s.saveEvents(ctx, "save events", events)
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
	if len(events) == 0 {
		return s.checkOpen(op)
	}
	if err := s.begin(op); err != nil {
		return err
	}
	defer s.calls.Done()
	r, err := newRequest(events)
	if err == nil {
		err = s.writer.write(ctx, r)
	}
	return failure(ctx, op, err)
}

// newRequest returns a request whose rows have different IDs.
func newRequest(events []causal.Event) (*request, error) {
	r := &request{rows: make([]row, len(events)), result: make(chan error, 1)}
	for i, e := range events {
		data, err := e.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if len(data) > maxData {
			return nil, errors.New("the event is too large")
		}
		r.rows[i] = row{e, data}
		r.size += len(data)
	}
	if len(events) == 1 {
		return r, nil
	}
	var distinct rowSet
	for _, x := range r.rows {
		if !distinct.add([]row{x}) {
			return nil, &causal.IDConflictError{ID: x.event.ID()}
		}
	}
	r.rows = distinct.rows
	return r, nil
}

// decode reads what is stored of an event, and names its place if it is damaged.
func decode(data []byte, position int64) (e causal.Event, err error) {
	if err := e.UnmarshalJSON(data); err != nil {
		// Not wrapped: it is not the caller's input that is invalid.
		return e, damaged(position)
	}
	return e, nil
}

var errDamaged = errors.New("is damaged")

func damaged(position int64) error { return fmt.Errorf("entry %d of the log %w", position, errDamaged) }

// scanEvent reads the columns position and data.
func scanEvent(rows pgx.Rows) (position int64, size int, e causal.Event, err error) {
	var data pgtype.DriverBytes // not copied
	if err := rows.Scan(&position, &data); err != nil {
		return 0, 0, e, err
	}
	e, err = decode(data, position)
	return position, len(data), e, err
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
	var events []causal.Event
	err := s.do(ctx, op, isTransient, func(c *pgx.Conn) error {
		events = nil
		return query(ctx, c, s.sql.load, []any{[]byte(aggregateID)}, func(rows pgx.Rows) error {
			_, _, e, err := scanEvent(rows)
			events = append(events, e)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(events, causal.Compare) // they are almost in order
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
		var last causal.Event
		yieldPages(ctx, s, op, yield, func(c *pgx.Conn, p *page[causal.Event]) error {
			return s.fillInOrder(ctx, c, p, &last, head)
		})
	}
}

// fillInOrder fills the page with the events behind *last, which is zero at the
// start, and moves *last.
func (s *Store) fillInOrder(ctx context.Context, c *pgx.Conn, p *page[causal.Event], last *causal.Event, head int64) error {
	clock, node, id := int64(-1), []byte{}, ""
	if !last.IsZero() {
		clock, node, id = last.LamportClock(), []byte(last.NodeID()), string(last.ID())
	}
	at := *last
	err := p.fill(ctx, c, s.sql.inOrder(p.limit), []any{clock, node, id, head},
		func(position int64, e causal.Event) (causal.Event, error) {
			if !at.IsZero() && causal.Compare(at, e) >= 0 {
				return causal.Event{}, damaged(position) // its columns say otherwise
			}
			at = e
			return e, nil
		})
	if err == nil { // else the page may be read again
		*last = at
	}
	return err
}
