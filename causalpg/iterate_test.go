package causalpg_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// ranges are the two ways to read everything, as sequences of event IDs.
var ranges = map[string]func(context.Context, *causalpg.Store) iter.Seq2[causal.EventID, error]{
	"AllEvents": func(ctx context.Context, s *causalpg.Store) iter.Seq2[causal.EventID, error] {
		return func(yield func(causal.EventID, error) bool) {
			for e, err := range s.AllEvents(ctx) {
				if !yield(e.ID(), err) {
					return
				}
			}
		}
	},
	"ReadLog": func(ctx context.Context, s *causalpg.Store) iter.Seq2[causal.EventID, error] {
		return func(yield func(causal.EventID, error) bool) {
			for e, err := range s.ReadLog(ctx, causal.Cursor{}) {
				if !yield(e.Event.ID(), err) {
					return
				}
			}
		}
	},
}

const pageSize = 1024 // as in page.go: pages have 32, 64 and so on to 1024 events

// newFilled returns a store with n events.
func newFilled(t testing.TB, n int) *causalpg.Store {
	s := openNew(t)
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, n)))
	return s
}

func TestRangesAreComplete(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 33, 32 + 64, pageSize, 2*pageSize - 32, 2*pageSize - 31, 3 * pageSize} {
		s := newFilled(t, n)
		for name, all := range ranges {
			for range 2 { // each range is a fresh read
				count := 0
				for id, err := range all(t.Context(), s) {
					require.NoError(t, err)
					require.Equal(t, eventtest.ID(count), id, name)
					count++
				}
				require.Equal(t, n, count, name)
			}
		}
	}
}

// Large events make small pages.
func TestRangesOverLargeEvents(t *testing.T) {
	s := openNew(t)
	large := eventtest.WithPayload(`{"x":"` + strings.Repeat("x", 700_000) + `"}`)
	events := eventtest.NewRange(t, 0, 7, large)
	require.NoError(t, s.SaveEvents(t.Context(), events))
	eventtest.RequireEqual(t, events, eventtest.LoadAll(t, s))
	require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), 7)
}

// The loop body may save; a range sees just what was there when it began.
func TestStoreIsFreeInsideLoops(t *testing.T) {
	ctx := t.Context()
	s := newFilled(t, pageSize+5)
	before, seen := pageSize+5, 0
	for id, err := range ranges["AllEvents"](ctx, s) {
		require.NoError(t, err)
		require.Equal(t, eventtest.ID(seen), id)
		if seen%100 == 0 {
			require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 10*pageSize+seen, func(p *causal.EventParams) { p.LamportClock = int64(seen) })))
		}
		seen++
	}
	require.Equal(t, before, seen)
}

// Ranges within ranges need no more connections than one.
func TestNestedRanges(t *testing.T) {
	ctx := t.Context()
	s := newOn(t, newPool(t, testDSN, withConns(1)))
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 100)))
	innermost := 0
	var nest func(depth int)
	nest = func(depth int) {
		for _, all := range ranges {
			n := 0
			for _, err := range all(ctx, s) {
				require.NoError(t, err)
				if depth == 0 {
					innermost++
				} else if n++; n == 40 { // on the second page
					nest(depth - 1)
				}
			}
		}
	}
	nest(3)
	require.Equal(t, 16*100, innermost)
}

func TestBreakLeavesNothingBehind(t *testing.T) {
	s := newFilled(t, 20)
	goroutines := runtime.NumGoroutine()
	for name, all := range ranges {
		for stop := range 20 {
			n := 0
			for _, err := range all(t.Context(), s) {
				require.NoError(t, err)
				if n++; n > stop {
					break
				}
			}
			require.Equal(t, stop+1, n, name)
		}
	}
	for wait := 0; runtime.NumGoroutine() > goroutines && wait < 1000; wait++ {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}

// A context that ends and a store that is closed end a range with one error, at
// whatever element it happens; never silently.
func TestRangesEndWithAnError(t *testing.T) {
	cause := errors.New("enough")
	for name, all := range ranges {
		for _, stop := range []int{0, 1, 31, 32, 33, 99} {
			for what, want := range map[string]error{"cancel": context.Canceled, "close": causal.ErrClosed} {
				s := newFilled(t, 110)
				cancellable, cancel := context.WithCancelCause(t.Context())
				n, failures := 0, 0
				end := func() {
					if what == "cancel" {
						cancel(cause)
					} else {
						require.NoError(t, s.Close())
					}
				}
				if stop == 0 {
					end()
				}
				for id, err := range all(cancellable, s) {
					if err != nil {
						require.ErrorIs(t, err, want)
						require.Empty(t, id)
						failures++
						continue
					}
					require.Zero(t, failures)
					if n++; n == stop {
						end()
					}
				}
				require.Equal(t, stop, n, "%s %s", name, what)
				require.Equal(t, 1, failures)
				cancel(nil)
			}
		}
	}
}

func TestCursors(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	head, err := s.Head(ctx)
	require.NoError(t, err)
	require.NotEqual(t, causal.Cursor{}, head, "the start of this log")
	require.Empty(t, eventtest.ReadLog(t, s, head))
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 20)))
	entries := eventtest.ReadLog(t, s, causal.Cursor{})
	require.Equal(t, entries, eventtest.ReadLog(t, s, head))
	head, err = s.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, head, entries[19].Cursor)
	require.NoError(t, s.Close())

	s = openIn(t, schema)
	for i, e := range entries {
		rest := eventtest.ReadLog(t, s, e.Cursor)
		require.Len(t, rest, len(entries)-i-1)
		for j, r := range rest {
			require.Equal(t, entries[i+1+j].Cursor, r.Cursor)
			require.Equal(t, eventtest.ID(i+1+j), r.Event.ID())
		}
	}
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 3)))
	require.Empty(t, eventtest.ReadLog(t, s, head), "a repeated save is no entry")
	late := eventtest.New(t, 99, func(p *causal.EventParams) { p.LamportClock = 0 })
	require.NoError(t, s.SaveEvent(ctx, late))
	require.Len(t, eventtest.ReadLog(t, s, head), 1)

	other, err := newFilled(t, 30).Head(ctx)
	require.NoError(t, err)
	beyond, err := s.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 100)))
	beyond2, err := s.Head(ctx)
	require.NoError(t, err)
	require.NotEqual(t, beyond, beyond2)
	copied := openNew(t)
	for name, c := range map[string]causal.Cursor{"of another log": other, "of this log in another": beyond} {
		in := s
		if strings.Contains(name, "in another") {
			in = copied
		}
		n := 0
		for e, err := range in.ReadLog(ctx, c) {
			require.ErrorIs(t, err, causal.ErrInvalidCursor, name)
			require.NotErrorIs(t, err, causal.ErrStorage)
			require.Equal(t, causal.Cursor{}, e.Cursor)
			n++
		}
		require.Equal(t, 1, n)
	}
}

// A cursor of a log that was put back to an earlier state is not another place.
func TestCursorBeyondTheEnd(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 3)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	edit(t, schema, "DELETE FROM {s}.events WHERE position = 3")
	for _, err := range s.ReadLog(ctx, head) {
		require.ErrorIs(t, err, causal.ErrInvalidCursor)
	}
}

// The memory of a range does not grow with the store.
func TestRangesInBoundedMemory(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	const size = 5000
	filler := strings.Repeat("x", size)
	for n := 0; n < 6000; n += 1000 {
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, n, n+1000, eventtest.WithPayload(fmt.Sprintf(`{"n":%d,"x":%q}`, n, filler)))))
	}
	for name, all := range ranges {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		before, most, n := m.HeapAlloc, uint64(0), 0
		for _, err := range all(ctx, s) {
			require.NoError(t, err)
			if n++; n%1000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		require.Equal(t, 6000, n)
		require.Less(t, int64(most-before), int64(8<<20), name) // all events are 30 MB
	}
}
