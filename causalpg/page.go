package causalpg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
)

// What a page holds at most; one event may be larger. The first page of a read
// is small, for loops that end soon, and each later one twice as large.
const (
	firstPage    = 32
	maxPageBits  = 6
	maxPage      = firstPage << (maxPageBits - 1)
	maxPageBytes = 1 << 20
)

// page is a part of a long read. Between two pages the reader holds nothing of
// the database, so that the caller may take its time.
type page[T any] struct {
	items []T
	limit int // of items, for this page
	last  bool
}

// fill replaces the items by the rows of a query for position and data, of which
// it takes limit, or less if they make maxPageBytes. After an error the rows
// before it are there.
func (p *page[T]) fill(ctx context.Context, c *pgx.Conn, sql string, args []any, item func(int64, causal.Event) (T, error)) error {
	clear(p.items) // so that events of the page before can be freed
	p.items = p.items[:0]
	bytes := 0
	err := query(ctx, c, sql, args, func(rows pgx.Rows) error {
		position, size, e, err := scanEvent(rows)
		if err != nil {
			return err
		}
		bytes += size
		x, err := item(position, e)
		if err != nil {
			return err
		}
		p.items = append(p.items, x)
		return nil
	})
	p.last = len(p.items) < p.limit && bytes < maxPageBytes
	return err
}

// yieldPages yields the items of all pages, and at the end the error if there is
// one. A context that ends and a store that is closed end it between two items.
func yieldPages[T any](ctx context.Context, s *Store, op string, yield func(T, error) bool, fill func(*pgx.Conn, *page[T]) error) {
	var p page[T]
	var none T
	for !p.last {
		p.limit = max(firstPage, min(2*p.limit, maxPage))
		err := s.do(ctx, op, isTransient, func(c *pgx.Conn) error { return fill(c, &p) })
		for _, item := range p.items {
			if err := s.check(ctx, op); err != nil {
				yield(none, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(none, err)
			return
		}
	}
}
