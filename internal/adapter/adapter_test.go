package adapter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// request is a request of the given size.
type request int

func (r request) Size() int { return int(r) }

func TestQueueTake(t *testing.T) {
	many := make([]request, 300)
	for i := range many {
		many[i] = request(i)
	}
	for _, test := range []struct {
		name    string
		waiting []request
		fits    func(request) bool
		want    int
	}{
		{name: "nothing"},
		{name: "one", waiting: []request{1}, want: 1},
		{name: "one is never asked whether it fits", waiting: []request{1}, fits: func(request) bool { panic("asked") }, want: 1},
		{name: "one of any size", waiting: []request{1 << 30}, want: 1},
		{name: "up to 256", waiting: many, want: 256},
		{name: "just 4 MiB", waiting: []request{1 << 20, 3 << 20, 0, 1}, want: 3},
		{name: "the second is too large", waiting: []request{1, 4 << 20}, want: 1},
		{name: "the third does not fit", waiting: []request{1, 2, 3, 4}, fits: func(r request) bool { return r < 3 }, want: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var q adapter.Queue[request]
			for _, r := range test.waiting {
				q.Push(r)
			}
			require.Equal(t, test.waiting[:test.want], append([]request(nil), q.Take(test.fits)...))
			require.Equal(t, len(test.waiting)-test.want, q.Len())
			if q.Len() > 0 {
				require.Equal(t, test.waiting[test.want], q.Take(nil)[0])
			}
		})
	}
}

func TestQueueWithdraw(t *testing.T) {
	var q adapter.Queue[request]
	for r := range request(4) {
		q.Push(r)
	}
	require.True(t, q.Withdraw(1))
	require.False(t, q.Withdraw(1))
	require.False(t, q.Withdraw(9))
	require.Equal(t, []request{0, 2, 3}, q.Take(nil))
	require.False(t, q.Withdraw(3))
}

func TestBackoff(t *testing.T) {
	b := adapter.Backoff{First: 3, Max: 20}
	var pauses []time.Duration
	for range 5 {
		pauses = append(pauses, b.Next())
	}
	require.Equal(t, []time.Duration{3, 6, 12, 20, 20}, pauses)
}

func TestSleep(t *testing.T) {
	require.NoError(t, adapter.Sleep(t.Context(), time.Microsecond))
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the reason")
	cancel(cause)
	err := adapter.Sleep(ctx, time.Hour)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
}

func TestPageSizes(t *testing.T) {
	require.Equal(t, []int{32, 64, 128, 256, 512, 1024}, adapter.PageSizes())
}

// source is a list of numbers read in pages.
type source struct {
	numbers int
	size    int   // of each number, in bytes
	pages   []int // the number of items in each page
	failAt  int   // fails after adding this many, if positive
}

func (s *source) fill(p *adapter.Page[int]) error {
	p.Reset()
	start := 0
	for _, n := range s.pages {
		start += n
	}
	n := 0
	defer func() { s.pages = append(s.pages, n) }()
	for ; start+n < s.numbers && !p.IsFull(); n++ {
		if s.failAt > 0 && start+n == s.failAt {
			return errors.New("failed")
		}
		p.Add(start+n, s.size)
	}
	return nil
}

func TestYieldPages(t *testing.T) {
	for _, test := range []struct {
		name   string
		source source
		stop   int // the loop ends, or check fails, at this number, if positive
		want   int
		pages  []int
		err    string
	}{
		{name: "nothing", pages: []int{0}},
		{name: "less than a page", source: source{numbers: 31}, want: 31, pages: []int{31}},
		{name: "a page", source: source{numbers: 32}, want: 32, pages: []int{32, 0}},
		{name: "pages grow", source: source{numbers: 4000}, want: 4000, pages: []int{32, 64, 128, 256, 512, 1024, 1024, 960}},
		{name: "large items", source: source{numbers: 5, size: 600_000}, want: 5, pages: []int{2, 2, 1}},
		{name: "a failure comes after what was read", source: source{numbers: 99, failAt: 40}, want: 40, pages: []int{32, 8}, err: "failed"},
		{name: "a check ends the read", source: source{numbers: 99}, stop: 33, want: 33, pages: []int{32, 64}, err: "stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			next, errs := 0, 0
			check := func() error {
				if test.stop > 0 && next == test.stop {
					return errors.New("stopped")
				}
				return nil
			}
			adapter.YieldPages(func(n int, err error) bool {
				if err != nil {
					require.EqualError(t, err, test.err)
					errs++
					return true
				}
				require.Zero(t, errs)
				require.Equal(t, next, n)
				next++
				return true
			}, check, test.source.fill)
			require.Equal(t, test.want, next)
			require.Equal(t, test.pages, test.source.pages)
			require.Equal(t, test.err != "", errs == 1)
		})
	}
	t.Run("a page that cannot be read is not the one before it", func(t *testing.T) {
		s := source{numbers: 99}
		var got []int
		var errs []error
		adapter.YieldPages(func(n int, err error) bool {
			if err != nil {
				errs = append(errs, err)
			} else {
				got = append(got, n)
			}
			return true
		}, func() error { return nil }, func(p *adapter.Page[int]) error {
			if len(s.pages) == 1 {
				return errors.New("no connection")
			}
			return s.fill(p)
		})
		require.Len(t, got, 32)
		require.Len(t, errs, 1)
	})
	t.Run("a loop that ends reads no further page", func(t *testing.T) {
		s := source{numbers: 99}
		adapter.YieldPages(func(int, error) bool { return false }, func() error { return nil }, s.fill)
		require.Equal(t, []int{32}, s.pages)
	})
}

// chain returns the cursors of a log of zero Events, including the start.
func chain(length int) []causal.Cursor {
	cursors := []causal.Cursor{causal.NewCursor([16]byte{1}, 0, [8]byte{})}
	for range length {
		cursors = append(cursors, cursors[len(cursors)-1].Next(""))
	}
	return cursors
}

// sourceOf returns a source that is never closed.
func sourceOf(head int, err error) adapter.Source {
	return adapter.Source{
		Locate: func(c causal.Cursor) (causal.Cursor, error) {
			if err != nil {
				return causal.Cursor{}, err
			}
			cursors := chain(head)
			_, err := c.PositionIn(cursors[head], func(position uint64) ([8]byte, error) { return cursors[position].Hash(), nil })
			return cursors[head], err
		},
		Check: func() error { return nil },
	}
}

func TestReadsWithoutHead(t *testing.T) {
	failed := errors.New("failed")
	n := 0
	for e, err := range adapter.ReadEvents(sourceOf(0, failed), nil) {
		require.Equal(t, failed, err)
		require.True(t, e.IsZero())
		n++
	}
	for e, err := range adapter.ReadLog(sourceOf(0, failed), causal.Cursor{}, nil) {
		require.Equal(t, failed, err)
		require.Zero(t, e)
		n++
	}
	require.Equal(t, 2, n)
}

func TestReadEvents(t *testing.T) {
	var events []causal.Event
	for n := range 100 {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "t", AggregateID: "a", NodeID: "n", LamportClock: int64(n), ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		require.NoError(t, err)
		events = append(events, e)
	}
	swapped := append([]causal.Event(nil), events...)
	swapped[31], swapped[32] = swapped[32], swapped[31] // at the border of two pages
	for _, test := range []struct {
		name   string
		stored []causal.Event
		want   int
		err    string
	}{
		{name: "empty"},
		{name: "in order", stored: events, want: 100},
		{name: "out of order", stored: swapped, want: 32, err: "entry 33 of the log is damaged, or an event before it"},
		{name: "twice the same", stored: []causal.Event{events[0], events[0]}, want: 1, err: "entry 2 of the log is damaged, or an event before it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			read := 0
			fill := func(p adapter.EventPage) error {
				start := read
				for range 2 { // as in a retry
					p.Reset()
					for read = start; read < len(test.stored) && !p.IsFull(); read++ {
						if err := p.Add(int64(read+1), test.stored[read], 1); err != nil {
							return err
						}
					}
				}
				return nil
			}
			got := 0
			var last error
			for e, err := range adapter.ReadEvents(sourceOf(100, nil), fill) {
				if last = err; err == nil {
					require.True(t, test.stored[got].Equal(e))
					got++
				}
			}
			require.Equal(t, test.want, got)
			if test.err == "" {
				require.NoError(t, last)
			} else {
				require.EqualError(t, last, test.err)
			}
		})
	}
}

func TestReadLog(t *testing.T) {
	cursors := chain(5)
	other := causal.NewCursor([16]byte{1}, 2, [8]byte{2})
	for _, test := range []struct {
		name   string
		stored []int64 // positions
		after  causal.Cursor
		from   int64 // from here on other entries are stored; 0 for nowhere
		want   int
		err    string
	}{
		{name: "empty"},
		{name: "all", stored: []int64{1, 2, 3}, want: 3},
		{name: "the rest", stored: []int64{1, 2, 3}, after: cursors[2], want: 1},
		{name: "from the start", stored: []int64{1, 2, 3}, after: cursors[0], want: 3},
		{name: "after the last", stored: []int64{1, 2, 3}, after: cursors[3]},
		{name: "a hole", stored: []int64{1, 2, 4}, want: 2, err: "entry 3 of the log is missing"},
		{name: "the last one is missing", stored: []int64{1, 2}, want: 2, err: "entry 3 of the log is missing"},
		{name: "beyond the end", stored: []int64{1, 2, 3}, after: cursors[4], err: "causal: cursor beyond the end of the log"},
		{name: "other entries", stored: []int64{1, 2, 3}, after: other, err: "causal: invalid cursor"},
		{name: "other entries since it was located", stored: []int64{1, 2, 3}, after: cursors[2], from: 3, err: "causal: invalid cursor"},
		{name: "another log", stored: []int64{1, 2, 3}, after: causal.NewCursor([16]byte{2}, 1, [8]byte{}), err: "causal: invalid cursor"},
	} {
		t.Run(test.name, func(t *testing.T) {
			head := 0
			if len(test.stored) > 0 {
				head = 3
			}
			got := 0
			var last error
			fill := func(p adapter.EntryPage) error {
				for range 2 { // as in a retry
					p.Reset()
					for _, position := range test.stored {
						if position > p.After() && position <= p.Head {
							hash := cursors[position].Hash()
							if test.from > 0 && position >= test.from {
								hash[0]++
							}
							if err := p.Add(position, hash, causal.Event{}, 1); err != nil {
								return err
							}
						}
					}
				}
				return p.End()
			}
			for entry, err := range adapter.ReadLog(sourceOf(head, nil), test.after, fill) {
				if last = err; err == nil {
					require.Equal(t, cursors[entry.Cursor.Position()], entry.Cursor)
					got++
				}
			}
			require.Equal(t, test.want, got)
			if test.err == "" {
				require.NoError(t, last)
			} else {
				require.EqualError(t, last, test.err)
			}
		})
	}
}

func TestIsKnown(t *testing.T) {
	for _, err := range []error{
		&causal.StorageError{}, &causal.IDConflictError{}, causal.ErrClockOverflow, fmt.Errorf("x: %w", causal.ErrInvalidCursor), causal.ErrCursorAhead, adapter.Closed("save"),
	} {
		require.True(t, adapter.IsKnown(err), "%v", err)
	}
	require.False(t, adapter.IsKnown(errors.New("other")))
	require.False(t, adapter.IsKnown(nil))
	require.ErrorIs(t, adapter.Damaged(3), adapter.ErrDamaged)
	require.EqualError(t, adapter.Damaged(3), "entry 3 of the log is damaged")
}

// One Wake wakes all waiters, and nothing is polled while there are none.
func TestWaiters(t *testing.T) {
	w := adapter.Waiters{Limit: time.Hour}
	closed := make(chan struct{})
	wait := func(ctx context.Context) <-chan error {
		asked, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- w.Wait(ctx, "wait", closed, func() (bool, error) { close(asked); return false, nil })
		}()
		<-asked
		return ended
	}
	somebody := w.Any()
	require.NotNil(t, somebody)
	first, second := wait(t.Context()), wait(t.Context())
	<-somebody
	require.Nil(t, w.Any())
	w.Wake()
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.NotNil(t, w.Any())

	require.NoError(t, w.Wait(t.Context(), "wait", closed, func() (bool, error) { return true, nil }))
	require.ErrorIs(t, w.Wait(t.Context(), "wait", closed, func() (bool, error) { return false, adapter.ErrDamaged }), adapter.ErrDamaged)
	require.NoError(t, w.Wait(t.Context(), "wait", closed, func() (bool, error) { w.Wake(); return false, nil }), "nothing comes in between")
	ctx, cancel := context.WithCancel(t.Context())
	first = wait(ctx)
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	first = wait(t.Context())
	close(closed)
	require.ErrorIs(t, <-first, causal.ErrClosed)
	w = adapter.Waiters{Limit: 1}
	require.NoError(t, w.Wait(t.Context(), "wait", nil, func() (bool, error) { return false, nil }))
	require.NotNil(t, w.Any())
}
