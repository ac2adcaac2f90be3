package causalpg

import (
	"context"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// ReadLog yields the entries after the cursor. See [causal.LogReader]. A range
// sees the events stored when it began, and uses as little memory as one of
// AllEvents. Cursors stay valid when the schema is dumped and restored.
func (s *Store) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	const op = "read log"
	return adapter.ReadLog(s.source(ctx, op), after, func(p adapter.EntryPage) error {
		return s.read(ctx, op, func(c *pgx.Conn) error { return s.fillByArrival(ctx, c, p) })
	})
}

// fillByArrival fills the page.
func (s *Store) fillByArrival(ctx context.Context, c *pgx.Conn, p adapter.EntryPage) error {
	p.Reset()
	var hash pgtype.DriverBytes // of each row, whose length the schema checks
	add := func(position int64, e causal.Event, size int) error { return p.Add(position, [8]byte(hash), e, size) }
	if err := queryEventPage(ctx, c, p.Limit(), s.sql.byArrival(p.Limit()), []any{p.After(), p.Head}, add, &hash); err != nil {
		return err
	}
	return p.End()
}

// Head returns the cursor of the latest entry. See [causal.LogReader].
func (s *Store) Head(ctx context.Context) (causal.Cursor, error) {
	return s.locate(ctx, "read head", causal.Cursor{})
}

// locate returns the cursor of the latest entry, or the error for a cursor that
// is not valid in the log.
func (s *Store) locate(ctx context.Context, op string, after causal.Cursor) (head causal.Cursor, err error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return causal.Cursor{}, err
	}
	position := int64(min(after.Position(), math.MaxInt64))
	err = s.read(ctx, op, func(c *pgx.Conn) error {
		var log, headHash, hash []byte
		var last int64
		if err := c.QueryRow(ctx, s.sql.locate, position).Scan(&log, &last, &headHash, &hash); err != nil {
			return err
		}
		head = causal.NewCursor([16]byte(log), uint64(last), [8]byte(headHash))
		_, err := after.PositionIn(head, func(uint64) ([8]byte, error) {
			if hash == nil {
				return [8]byte{}, adapter.Missing(position)
			}
			return [8]byte(hash), nil
		})
		return err
	})
	if err != nil {
		return causal.Cursor{}, err
	}
	return head, nil
}

// source returns the source for reads of all events and of the log.
func (s *Store) source(ctx context.Context, op string) adapter.Source {
	return adapter.Source{
		Locate: func(after causal.Cursor) (causal.Cursor, error) { return s.locate(ctx, op, after) },
		Check:  func() error { return s.check(ctx, op) },
	}
}
