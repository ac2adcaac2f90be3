package adapter

import (
	"fmt"
	"iter"

	"github.com/spec-kitty/causal"
)

// Limits of a page; a single event may be larger. The first page of a read is
// small, for loops that end soon, and each later one twice as large, up to the
// last size.
const (
	FirstPage    = 32
	CountOfSizes = 6
	lastPage     = FirstPage << (CountOfSizes - 1)
	MaxPageBytes = 1 << 20
)

// PageSizes returns the sizes of pages of small events, in reading order.
func PageSizes() []int {
	sizes := make([]int, CountOfSizes)
	for i := range sizes {
		sizes[i] = FirstPage << i
	}
	return sizes
}

func nextLimit(limit int) int { return max(FirstPage, min(2*limit, lastPage)) }

// Page is a part of a long read. Between two pages the reader holds nothing of
// the storage, so the caller may take its time.
type Page[T any] struct {
	items []T
	limit int
	bytes int
}

// Limit returns the maximum number of items in the page.
func (p *Page[T]) Limit() int { return p.limit }

// IsFull reports whether the page is full.
func (p *Page[T]) IsFull() bool { return len(p.items) >= p.limit || p.bytes >= MaxPageBytes }

// Add adds an item read from the given number of bytes.
func (p *Page[T]) Add(item T, bytes int) {
	p.items = append(p.items, item)
	p.bytes += bytes
}

// Reset empties the page.
func (p *Page[T]) Reset() {
	clear(p.items) // so that events of the previous page can be freed
	p.items, p.bytes = p.items[:0], 0
}

// YieldPages yields the items of pages, up to the first one that is not full,
// and finally the error, if any. fill resets the page and adds the items
// following those of the previous page. If fill fails, its items are yielded
// before the error. check is called before each item, and its error ends the
// read.
func YieldPages[T any](yield func(T, error) bool, check func() error, fill func(*Page[T]) error) {
	var p Page[T]
	var zero T
	for {
		p.limit = nextLimit(p.limit)
		p.Reset() // in case fill fails before it begins
		err := fill(&p)
		if err == nil && len(p.items) == 0 {
			err = check() // reading may have taken long
		}
		for _, item := range p.items {
			if err := check(); err != nil {
				yield(zero, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(zero, err)
			return
		}
		if !p.IsFull() {
			return
		}
	}
}

// ReadTexts returns texts in pages: fill fills a page with the texts after the
// given one, which is "" for the first page. It is as for [YieldPages].
func ReadTexts(check func() error, fill func(p *Page[string], after string) error) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := check(); err != nil {
			yield("", err)
			return
		}
		after := ""
		YieldPages(yield, check, func(p *Page[string]) error {
			err := fill(p, after)
			if n := len(p.items); n > 0 {
				after = p.items[n-1]
			}
			return err
		})
	}
}

// Source is a store for reads.
type Source struct {
	// Locate returns the cursor of the last entry of the log, or the error of
	// [causal.Cursor.PositionIn] for c.
	Locate func(c causal.Cursor) (head causal.Cursor, err error)
	Check  func() error // called before each item; its error ends the read
}

// OrderKey is a position in the order of [causal.Compare].
type OrderKey struct {
	Clock    int64
	Node, ID []byte
}

// KeyOf returns the position of an event.
func KeyOf(e causal.Event) OrderKey {
	return OrderKey{Clock: e.LamportClock(), Node: []byte(e.NodeID()), ID: []byte(e.ID())}
}

// EventPage is a page of all events in the order of [causal.Compare].
type EventPage struct {
	*Page[causal.Event]
	Head   int64     // the position of the last entry of the read
	After  *OrderKey // the key before the page, which fill updates after filling it
	before causal.Event
}

// Add adds the next event, which has the given position in the log. The error
// matches [ErrDamaged] if the event does not follow the previous one in order.
func (p EventPage) Add(position int64, e causal.Event, bytes int) error {
	if last := p.Last(); !last.IsZero() && causal.Compare(last, e) >= 0 {
		return fmt.Errorf("%w, or an event before it", Damaged(position))
	}
	p.Page.Add(e, bytes)
	return nil
}

// Last returns the last event so far, or the zero Event if there is none.
func (p EventPage) Last() causal.Event {
	if n := len(p.items); n > 0 {
		return p.items[n-1]
	}
	return p.before
}

// ReadEvents returns all events stored when a range begins. fill is as for
// [YieldPages].
func ReadEvents(s Source, fill func(EventPage) error) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		head, err := s.Locate(causal.Cursor{})
		if err != nil {
			yield(causal.Event{}, err)
			return
		}
		after := OrderKey{Clock: -1, Node: []byte{}, ID: []byte{}}
		var last causal.Event
		YieldPages(yield, s.Check, func(page *Page[causal.Event]) error {
			p := EventPage{page, int64(head.Position()), &after, last}
			err := fill(p)
			last = p.Last()
			return err
		})
	}
}

// EntryPage is a page of a log.
type EntryPage struct {
	*Page[causal.LogEntry]
	Head  int64         // the position of the last entry of the read
	after causal.Cursor // the cursor before the page
}

// After returns the position before the page.
func (p EntryPage) After() int64 { return int64(p.after.Position()) }

// Add adds the next entry, with its stored hash. It returns the error of
// [Missing] if the position is not the next one, and [causal.ErrInvalidCursor]
// if the first entry of the page does not follow the previous page, because the
// log has been replaced.
func (p EntryPage) Add(position int64, hash [8]byte, e causal.Event, bytes int) error {
	next := p.last() + 1
	if position != next {
		return Missing(next)
	}
	if len(p.items) == 0 && p.after.Next(e.ID()).Hash() != hash {
		return causal.ErrInvalidCursor
	}
	cursor := causal.NewCursor(p.after.LogID(), uint64(next), hash)
	p.Page.Add(causal.LogEntry{Event: e, Cursor: cursor}, bytes)
	return nil
}

// End returns the error of [Missing] if the log ends with a page that is not
// full, although the read is not complete. fill returns it after adding all
// entries.
func (p EntryPage) End() error {
	if last := p.last(); !p.IsFull() && last != p.Head {
		return Missing(last + 1)
	}
	return nil
}

// last returns the position of the last entry so far.
func (p EntryPage) last() int64 { return p.After() + int64(len(p.items)) }

// ReadLog returns the entries of a log after a cursor, up to the last one
// stored when a range begins. fill is as for [YieldPages].
func ReadLog(s Source, after causal.Cursor, fill func(EntryPage) error) iter.Seq2[causal.LogEntry, error] {
	return func(yield func(causal.LogEntry, error) bool) {
		head, err := s.Locate(after)
		if err != nil {
			yield(causal.LogEntry{}, err)
			return
		}
		last := after
		if after == (causal.Cursor{}) {
			last = causal.NewCursor(head.LogID(), 0, [8]byte{})
		}
		YieldPages(yield, s.Check, func(page *Page[causal.LogEntry]) error {
			p := EntryPage{page, int64(head.Position()), last}
			err := fill(p)
			if n := len(p.items); n > 0 {
				last = p.items[n-1].Cursor
			}
			return err
		})
	}
}

// EventIDs yields texts as event IDs, or only the error if it is not nil.
func EventIDs(err error, texts iter.Seq2[string, error]) iter.Seq2[causal.EventID, error] {
	return func(yield func(causal.EventID, error) bool) {
		if err != nil {
			yield("", err)
			return
		}
		for text, err := range texts {
			if !yield(causal.EventID(text), err) {
				return
			}
		}
	}
}
