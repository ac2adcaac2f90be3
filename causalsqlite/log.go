package causalsqlite

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// ReadLog yields the entries after the cursor; see [causal.LogReader]. A range
// sees the events that were stored when it began, and holds as little as one of
// AllEvents. Cursors stay valid when the file is closed and opened again.
func (s *Store) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	const op = "read log"
	return adapter.ReadLog(s.source(ctx, op), s.logID, after, func(p adapter.EntryPage) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error { return fillByArrival(c, p) })
	})
}

// fillByArrival fills the page.
func fillByArrival(c *sqlite.Conn, p adapter.EntryPage) error {
	p.Reset()
	err := queryEvents(c, "SELECT seq, data FROM events WHERE seq > ? AND seq <= ? ORDER BY seq",
		func(s *sqlite.Stmt) {
			s.BindInt64(1, p.After)
			s.BindInt64(2, p.Head)
		},
		func(s *sqlite.Stmt, e causal.Event, size int) (more bool, err error) {
			err = p.Add(s.ColumnInt64(0), e, size)
			return !p.IsFull(), err
		})
	if err != nil {
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
	if err := s.check(ctx, op); err != nil {
		return 0, err
	}
	err = s.read(ctx, op, func(c *sqlite.Conn) error {
		head, err = queryInt(c, "SELECT max(seq) FROM events")
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
