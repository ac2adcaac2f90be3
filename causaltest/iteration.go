package causaltest

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
)

// sequences returns the store's ranges as sequences of events.
func sequences(s causal.EventStore) map[string]func(ctx context.Context) iter.Seq2[causal.Event, error] {
	all := map[string]func(ctx context.Context) iter.Seq2[causal.Event, error]{"AllEvents": s.AllEvents}
	if log, ok := s.(causal.LogReader); ok {
		all["ReadLog"] = func(ctx context.Context) iter.Seq2[causal.Event, error] {
			return func(yield func(causal.Event, error) bool) {
				for entry, err := range log.ReadLog(ctx, causal.Cursor{}) {
					if !yield(entry.Event, err) {
						return
					}
				}
			}
		}
	}
	return all
}

// some is the minimum number of events in a range.
const some = 20

var iterationCases = []eventCase{
	{
		name:  "iteration/break",
		claim: "A loop may end anywhere, each range is a new read, and the store continues to work.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, some)
			require.NoError(t, causal.SaveAll(ctx, s, all))
			for name, sequence := range sequences(s) {
				events := sequence(ctx)
				for stop := range some {
					seen := 0
					for e, err := range events {
						require.NoError(t, err, name)
						require.Equal(t, all[seen].ID(), e.ID(), name)
						if seen == stop {
							break
						}
						seen++
					}
				}
			}
			saveAll(t, s, event(t, some))
			for name, sequence := range sequences(s) {
				got, err := collect(sequence(ctx))
				require.NoError(t, err, name)
				requireSame(t, append(all, event(t, some)), got)
			}
		},
	},
	{
		name:  "iteration/save",
		claim: "No lock, transaction or connection is held while the loop body runs, so it may call the store.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, some)
			require.NoError(t, causal.SaveAll(ctx, s, all))
			next := some
			for name, sequence := range sequences(s) {
				within(t, "to save inside a loop over "+name, func() error {
					for e, err := range sequence(ctx) {
						if err != nil {
							return err
						}
						if e.LamportClock() >= some { // saved by this loop
							continue
						}
						if err := s.SaveEvent(ctx, event(t, next)); err != nil {
							return err
						}
						next++
						if _, err := s.LoadEvents(ctx, "A"); err != nil {
							return err
						}
					}
					return nil
				})
			}
			requireAll(t, s, events(t, 0, next)...)
		},
	},
	{
		name:  "iteration/nested",
		claim: "Loops may be nested to any depth.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			onNextPage := c.firstPage() + 1
			require.NoError(t, causal.SaveAll(ctx, s, events(t, 0, onNextPage)))
			for name, sequence := range sequences(s) {
				within(t, "a nest of loops over "+name, func() error {
					deepest := 0
					var nest func(depth int) error
					nest = func(depth int) error {
						deepest = max(deepest, depth)
						if depth == 40 { // more than in any pool
							return s.SaveEvent(ctx, event(t, 0))
						}
						n := 0
						for _, err := range sequence(ctx) {
							if err != nil {
								return err
							}
							if n++; n == onNextPage {
								return nest(depth + 1)
							}
						}
						return errors.New("a range ends early")
					}
					return nest(0)
				})
			}
		},
	},
	{
		name:  "iteration/cancel",
		claim: "A read truncated by its context yields an error, once and last, and never looks complete.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			page := c.firstPage()
			all := events(t, 0, page+some)
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			for name, sequence := range sequences(s) {
				for _, stop := range []int{0, 1, page / 2, page - 2, page - 1, page, page + 1, len(all) - 2} {
					requireCut(t, name, sequence, stop)
				}
			}
			requireAll(t, s, all...)
		},
	},
	{
		name:  "iteration/pages",
		claim: "A range is complete, however many events there are and wherever its pages end.",
		needs: eventNeeds{needsPages[causal.EventStore]},
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			count := 0
			for _, end := range c.pageEnds()[:shortened(len(c.PageSizes)+1)] {
				for n := end - 1; n <= end+1; n++ {
					require.NoError(t, causal.SaveAll(ctx, s, events(t, count, n)))
					count = n
					for name, sequence := range sequences(s) {
						next := 0
						for e, err := range sequence(ctx) {
							require.NoError(t, err, name)
							require.Equal(t, eventID(next), e.ID(), name)
							next++
						}
						require.Equal(t, n, next, name)
					}
				}
			}
		},
	},
	{
		name:  "iteration/large",
		claim: "A range over large events is complete, too.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			var all []causal.Event
			for n := range 7 {
				all = append(all, event(t, n, with(`{"x":"`+strings.Repeat("x", 700_000)+`"}`)))
			}
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			for _, sequence := range sequences(s) {
				got, err := collect(sequence(t.Context()))
				require.NoError(t, err)
				requireSame(t, all, got)
			}
		},
	},
	{
		name:  "iteration/memory",
		claim: "The memory of a range does not grow with the number of events.",
		needs: eventNeeds{needsPages[causal.EventStore]},
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			const size, batch, batches = 5000, 500, 5
			filler := with(`{"x":"` + strings.Repeat("x", size) + `"}`)
			for n := 0; n < batch*batches; n += batch {
				require.NoError(t, causal.SaveAll(ctx, s, events(t, n, n+batch, filler)))
			}
			for name, sequence := range sequences(s) {
				before, most, n := heap(), int64(0), 0
				for _, err := range sequence(ctx) {
					require.NoError(t, err)
					if n++; n%batch == 0 {
						most = max(most, heap()-before)
					}
				}
				require.Equal(t, batch*batches, n)
				require.Less(t, most, int64(size*batch*batches/2), name)
			}
		},
	},
	{
		name:  "iteration/leaks",
		claim: "No goroutine is left after a loop, however it ended.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			require.NoError(t, causal.SaveAll(ctx, s, events(t, 0, some)))
			requireAll(t, s, events(t, 0, some)...) // the store still works
			before := runtime.NumGoroutine()
			for range 50 {
				for name, sequence := range sequences(s) {
					for _, err := range sequence(ctx) {
						require.NoError(t, err, name)
						break
					}
					requireCut(t, name, sequence, 3)
				}
			}
			require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+20 }, callTimeout, 10*time.Millisecond,
				"100 loops have left goroutines")
		},
	},
}

// collect returns the events of a sequence up to the first error.
func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for e, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// requireCut cancels the context of a range at one of its events, which is not
// the last.
func requireCut(
	t tester, name string, sequence func(ctx context.Context) iter.Seq2[causal.Event, error], stop int,
) {
	cause := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	events, errs := 0, 0
	for e, err := range sequence(ctx) {
		last = err
		if err != nil {
			require.True(t, e.IsZero(), "%s: an event comes with the error", name)
			errs++
			continue
		}
		require.Zero(t, errs, "%s: an event after the error", name)
		if events == stop {
			cancel(cause)
		}
		events++
	}
	where := fmt.Sprintf("%s, cut at event %d", name, stop)
	require.Equal(t, 1, errs, "%s: the range must end with the error of the context", where)
	require.ErrorIs(t, last, context.Canceled, where)
	require.ErrorIs(t, last, cause, where)
}

// heap returns the bytes of the heap in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
