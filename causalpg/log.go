package causalpg

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
)

// ReadLog yields the entries behind the cursor; see [causal.LogReader]. A range
// sees the events that were stored when it began, and holds as little as one of
// AllEvents. Cursors stay valid when the schema is dumped and restored.
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
		yieldPages(ctx, s, op, yield, func(c *pgx.Conn, p *page[causal.LogEntry]) error {
			return s.fillByArrival(ctx, c, p, &position, head)
		})
	}
}

// fillByArrival fills the page with the entries behind *position, and moves it.
func (s *Store) fillByArrival(ctx context.Context, c *pgx.Conn, p *page[causal.LogEntry], position *int64, head int64) error {
	next := *position
	err := p.fill(ctx, c, s.sql.byArrival(p.limit), []any{*position, head},
		func(position int64, e causal.Event) (causal.LogEntry, error) {
			next++
			if position != next {
				return causal.LogEntry{}, missing(next)
			}
			return causal.LogEntry{Event: e, Cursor: causal.NewCursor(s.logID, uint64(next))}, nil
		})
	if err == nil && p.last && next != head {
		err = missing(next + 1)
	}
	if err == nil { // else the page may be read again
		*position = next
	}
	return err
}

func missing(position int64) error { return fmt.Errorf("entry %d of the log is missing", position) }

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
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	err = s.do(ctx, op, isTransient, func(c *pgx.Conn) error {
		head, _, err = queryInt(ctx, c, s.sql.head)
		return err
	})
	return head, err
}
