package causalsqlite

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
)

// ReadLog yields the entries behind the cursor; see [causal.LogReader]. A range
// sees the events that were stored when it began, and holds as little as one of
// AllEvents. Cursors stay valid when the file is closed, copied and opened again.
func (s *Store) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return func(yield func(causal.LogEntry, error) bool) {
		const op = "read log"
		head, err := s.head(ctx, op)
		var start uint64
		if err == nil {
			start, err = after.PositionIn(s.logID, uint64(head))
		}
		if err != nil {
			yield(causal.LogEntry{}, err)
			return
		}
		position := int64(start)
		yieldPages(ctx, s, op, yield, func(c *sqlite.Conn, p *page[causal.LogEntry]) error {
			return s.fillByArrival(c, p, &position, head)
		})
	}
}

// fillByArrival fills the page with the entries behind *position, and moves it.
func (s *Store) fillByArrival(c *sqlite.Conn, p *page[causal.LogEntry], position *int64, head int64) error {
	next := *position
	err := p.fill(c, "SELECT seq, data FROM events WHERE seq > ? AND seq <= ? ORDER BY seq",
		func(s *sqlite.Stmt) {
			s.BindInt64(1, *position)
			s.BindInt64(2, head)
		},
		func(stmt *sqlite.Stmt, e causal.Event) (causal.LogEntry, error) {
			next++
			if stmt.ColumnInt64(0) != next {
				return causal.LogEntry{}, missing(next)
			}
			return causal.LogEntry{Event: e, Cursor: causal.NewCursor(s.logID, uint64(next))}, nil
		})
	switch {
	case err != nil: // and perhaps tried again, from the same position
		return err
	case p.last && next != head:
		return missing(next + 1)
	}
	*position = next
	return nil
}

func missing(seq int64) error { return fmt.Errorf("entry %d of the log is missing", seq) }

// Head returns the cursor of the latest entry; see [causal.LogReader].
func (s *Store) Head(ctx context.Context) (causal.Cursor, error) {
	head, err := s.head(ctx, "read head")
	if err != nil {
		return causal.Cursor{}, err
	}
	return causal.NewCursor(s.logID, uint64(head)), nil
}

// head returns the position of the latest entry.
func (s *Store) head(ctx context.Context, op string) (head int64, err error) {
	if err := s.check(ctx, op); err != nil {
		return 0, err
	}
	err = s.readers.read(ctx, op, func(c *sqlite.Conn) error {
		head, err = queryInt(c, "SELECT max(seq) FROM events")
		return err
	})
	return head, err
}
