package causalsqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
)

// What a page holds at most; one event may be larger. The first page of a read
// is small, for loops that end soon, and each later one twice as large.
const (
	firstPage    = 32
	maxPage      = 1024
	maxPageBytes = 1 << 20
)

// page is a part of a long read. Between two pages the reader holds nothing of
// the database, so that the caller may take its time.
type page[T any] struct {
	items []T
	limit int // of count, for this page
	count int
	bytes int
	data  []byte // buffer for one event
	last  bool
}

func (p *page[T]) isFull() bool { return p.count >= p.limit || p.bytes >= maxPageBytes }

// fill replaces the items by the rows of a query that has seq and data as its
// first columns. item is called when isFull tells whether the row is the page's
// last one. After an error the rows before it are there.
func (p *page[T]) fill(c *sqlite.Conn, sql string, bind func(*sqlite.Stmt), item func(*sqlite.Stmt, causal.Event) (T, error)) error {
	clear(p.items) // so that events of the page before can be freed
	p.items, p.count, p.bytes = p.items[:0], 0, 0
	err := query(c, sql, bind, func(s *sqlite.Stmt) (bool, error) {
		p.data = columnBytes(s, 1, p.data)
		e, err := decode(s, p.data)
		if err != nil {
			return false, err
		}
		p.count++
		p.bytes += len(p.data)
		x, err := item(s, e)
		if err != nil {
			return false, err
		}
		p.items = append(p.items, x)
		return !p.isFull(), nil
	})
	p.last = !p.isFull()
	if cap(p.data) > maxPageBytes {
		p.data = nil
	}
	return err
}

// yieldPages yields the items of all pages, and at the end the error if there is
// one. A context that ends and a store that is closed end it between two items.
func yieldPages[T any](ctx context.Context, s *Store, op string, yield func(T, error) bool, fill func(*sqlite.Conn, *page[T]) error) {
	var p page[T]
	var none T
	for !p.last {
		p.limit = max(firstPage, min(2*p.limit, maxPage))
		err := s.readers.read(ctx, op, func(c *sqlite.Conn) error { return fill(c, &p) })
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
