package causalpg

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// ReadLog yields the entries after the cursor; see [causal.LogReader]. A range
// sees the events that were stored when it began, and holds as little as one of
// AllEvents. Cursors stay valid when the schema is dumped and restored.
func (s *Store) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	const op = "read log"
	return adapter.ReadLog(s.source(ctx, op), s.logID, after, func(p adapter.EntryPage) error {
		return s.read(ctx, op, func(c *pgx.Conn) error { return s.fillByArrival(ctx, c, p) })
	})
}

// fillByArrival fills the page.
func (s *Store) fillByArrival(ctx context.Context, c *pgx.Conn, p adapter.EntryPage) error {
	p.Reset()
	if err := queryEvents(ctx, c, s.sql.byArrival(p.Limit()), []any{p.After, p.Head}, p.Add); err != nil {
		return err
	}
	return p.End()
}

// Head returns the cursor of the latest entry; see [causal.LogReader].
func (s *Store) Head(ctx context.Context) (causal.Cursor, error) {
	return adapter.HeadOf(s.source(ctx, "read head"), s.logID)
}

// head returns the position of the latest entry.
func (s *Store) head(ctx context.Context, op string) (head int64, err error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return 0, err
	}
	err = s.read(ctx, op, func(c *pgx.Conn) error {
		head, _, err = queryInt(ctx, c, s.sql.head)
		return err
	})
	return head, err
}

// source is what the reads of all events and of the log begin with.
func (s *Store) source(ctx context.Context, op string) adapter.Source {
	return adapter.Source{
		Head:  func() (int64, error) { return s.head(ctx, op) },
		Check: func() error { return s.check(ctx, op) },
	}
}
