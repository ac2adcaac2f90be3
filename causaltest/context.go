package causaltest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var contextCases = []eventCase{
	{
		name:  "context/ended",
		claim: "If the context is done before the call, nothing is written, and errors.Is finds its error and its cause.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 1))
			requireEnded(t, eventCalls(t, s))
			requireAll(t, s, event(t, 1))
		},
	},
	{
		name:  "context/nil",
		claim: "A nil context results in a *ValidationError.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			for name, call := range eventCalls(t, s) {
				requireInvalid(t, call(nil), "ctx", name)
			}
			requireAll(t, s)
		},
	},
	{
		name:  "context/during",
		claim: "If the context is canceled during a save, the event or the complete batch is stored or not; it is not stored if the save returns an error that does not match ErrOutcomeUnknown; saving it again leaves it stored once.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			var all []causal.Event
			for i := range shortened(100) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
				batch := events(t, len(all), len(all)+1+i%2*49)
				var err error
				if len(batch) == 1 {
					err = s.SaveEvent(ctx, batch[0])
				} else {
					err = causal.SaveAll(ctx, s, batch)
				}
				if err != nil {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				cancel()
				_, isWhole := s.(causal.BatchSaver)
				if isWhole {
					requireWholeOrNot(t, s, len(all), len(batch))
				}
				if (isWhole || len(batch) == 1) && err != nil && !errors.Is(err, causal.ErrOutcomeUnknown) {
					requireAll(t, s, all...)
				}
				saveAll(t, s, batch...)
				all = append(all, batch...)
			}
			requireAll(t, s, all...)
			if log, ok := s.(causal.LogReader); ok {
				requireSame(t, all, readLog(t, log, causal.Cursor{}))
			}
		},
	},
	{
		name:  "context/many",
		claim: "A thousand canceled calls do not affect later ones, and their results without an error are complete.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, 50)
			require.NoError(t, causal.SaveAll(ctx, s, all))
			for i := range shortened(1000) {
				ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(300)-100)*time.Microsecond)
				var loaded []causal.Event
				var err error
				switch i % 3 {
				case 0:
					err = s.SaveEvent(ctx, all[i%50])
				case 1:
					loaded, err = s.LoadEvents(ctx, "A")
				case 2:
					loaded, err = causal.LoadAll(ctx, s)
				}
				cancel()
				if err != nil {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				} else if i%3 > 0 {
					requireSame(t, all, loaded)
				}
			}
			within(t, "a save after many ended contexts", func() error { return s.SaveEvent(ctx, event(t, 50)) })
			requireAll(t, s, events(t, 0, 51)...)
			if c.Reopen != nil {
				requireAll(t, c.Reopen(t, s), events(t, 0, 51)...)
			}
		},
	},
}

// requireWholeOrNot requires that, beside the earlier events, all of a batch is
// stored or nothing.
func requireWholeOrNot(t tester, s causal.EventStore, before, size int) {
	stored, err := s.LoadEvents(t.Context(), "A")
	require.NoError(t, err)
	require.Contains(t, []int{before, before + size}, len(stored), "a part of a batch is stored")
}

// calls are calls of all methods of a storage, by name.
type calls map[string]func(ctx context.Context) error

// eventCalls returns a call of each method of an event store. Those that save
// use new events.
func eventCalls(t tester, s causal.EventStore) calls {
	all := calls{
		"SaveEvent": func(ctx context.Context) error { return s.SaveEvent(ctx, event(t, 500)) },
		"SaveAll": func(ctx context.Context) error {
			return causal.SaveAll(ctx, s, []causal.Event{event(t, 501), event(t, 502)})
		},
		"LoadEvents": func(ctx context.Context) error {
			_, err := s.LoadEvents(ctx, "A")
			return err
		},
		"AllEvents": func(ctx context.Context) error {
			_, err := collect(s.AllEvents(ctx))
			return err
		},
	}
	if batches, ok := s.(causal.BatchSaver); ok {
		all["SaveEvents of nothing"] = func(ctx context.Context) error { return batches.SaveEvents(ctx, nil) }
	}
	if a, ok := s.(causal.Appender); ok {
		all["Append of nothing"] = func(ctx context.Context) error {
			result, err := a.Append(ctx, nil)
			if err != nil && (result.New != nil || result.Before != causal.Cursor{} || result.After != causal.Cursor{}) {
				return errors.New("an error comes with a result")
			}
			return err
		}
		all["Append"] = func(ctx context.Context) error {
			_, err := a.Append(ctx, []causal.Event{event(t, 503)})
			return err
		}
		all["SaveEventsIf"] = func(ctx context.Context) error {
			_, err := a.SaveEventsIf(ctx, causal.Cursor{}, of("B"), []causal.Event{event(t, 504)})
			return err
		}
	}
	if f, ok := s.(causal.EventFinder); ok {
		all["FindEvent"] = func(ctx context.Context) error {
			_, err := f.FindEvent(ctx, eventID(1))
			return err
		}
	}
	if l, ok := s.(causal.HeadLoader); ok {
		all["LoadHeads"] = func(ctx context.Context) error {
			_, err := l.LoadHeads(ctx, project, "A")
			return err
		}
		all["MissingParents"] = func(ctx context.Context) error {
			for _, err := range l.MissingParents(ctx, project) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	if l, ok := s.(causal.AggregateLister); ok {
		all["Aggregates"] = func(ctx context.Context) error {
			for _, err := range l.Aggregates(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	if d, ok := s.(causal.DigestReader); ok {
		all["ReadDigests"] = func(ctx context.Context) error {
			_, err := collect(d.ReadDigests(ctx, causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}, causal.Cursor{}))
			return err
		}
		all["ReadDigestLog"] = func(ctx context.Context) error {
			_, err := collect(d.ReadDigestLog(ctx, causal.Filter{}, causal.Cursor{}, causal.Cursor{}))
			return err
		}
		all["LoadDigests"] = func(ctx context.Context) error {
			_, err := collect(d.LoadDigests(ctx, nil))
			return err
		}
	}
	if log, ok := s.(causal.LogReader); ok {
		all["ReadLog"] = func(ctx context.Context) error {
			for _, err := range log.ReadLog(ctx, causal.Cursor{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		all["Head"] = func(ctx context.Context) error {
			_, err := log.Head(ctx)
			return err
		}
	}
	if w, ok := s.(causal.LogWaiter); ok {
		all["WaitLog"] = func(ctx context.Context) error { return w.WaitLog(ctx, causal.Cursor{}) }
	}
	return all
}

// requireEnded makes the calls with contexts that are done.
func requireEnded(t tester, all calls) {
	ctx := t.Context()
	cause := errors.New("the reason")
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	late, stop := context.WithDeadline(ctx, baseTime)
	defer stop()
	for name, call := range all {
		err := call(cancelled)
		require.ErrorIs(t, err, context.Canceled, name)
		require.ErrorIs(t, err, cause, name)
		require.ErrorIs(t, call(late), context.DeadlineExceeded, name)
	}
}

var lifeCases = []eventCase{
	{
		name:  "life/closed",
		claim: "Close may be called twice; every later call returns a *StorageError matching ErrClosed.",
		needs: eventNeeds{needsClose},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 1))
			requireClosed(t, s, eventCalls(t, s))
		},
	},
	{
		name:  "life/saves",
		claim: "A save during Close returns nil, and is stored, or a *StorageError matching ErrClosed.",
		needs: eventNeeds{needsClose},
		run: func(t *testing.T, c eventConfig) {
			for range 3 {
				s := c.Open(t)
				var peer causal.EventStore
				if c.Peer != nil {
					peer = c.Peer(t, s)
				}
				requireSavesDuringClose(t, s, peer)
			}
		},
	},
	{
		name:  "life/loop",
		claim: "A loop over a store ends with ErrClosed if the store is closed during the loop.",
		needs: eventNeeds{needsClose},
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			page := c.firstPage()
			for name := range sequences(c.Open(t)) {
				for _, stop := range []int{2, page - 1, page, page + 1} {
					s := c.Open(t)
					require.NoError(t, causal.SaveAll(ctx, s, events(t, 0, page+some)))
					var errs []error
					for _, err := range sequences(s)[name](ctx) {
						if errs = append(errs, err); len(errs) == stop {
							closeStorage(t, s)
						}
					}
					require.LessOrEqual(t, len(errs), stop+1, "%s goes on after Close", name)
					require.Len(t, errs, stop+1, name)
					require.NoError(t, errs[stop-1], name)
					require.ErrorIs(t, errs[stop], causal.ErrClosed, name)
				}
			}
		},
	},
}

// requireSavesDuringClose closes a store while goroutines save with it. peer,
// if not nil, is another handle on its data.
func requireSavesDuringClose(t tester, s, peer causal.EventStore) {
	const workers, most = 8, 2000
	saved, tried := make([][]causal.Event, workers), make([][]causal.Event, workers)
	errs := make([]error, workers)
	var running, started sync.WaitGroup
	for w := range workers {
		started.Add(1)
		running.Go(func() {
			start := sync.OnceFunc(started.Done)
			defer start()
			for n := 0; n < most && errs[w] == nil; n++ {
				e := event(t, w*most+n)
				tried[w] = append(tried[w], e)
				if errs[w] = s.SaveEvent(t.Context(), e); errs[w] == nil {
					saved[w] = append(saved[w], e)
				}
				if n == 3 {
					start()
				}
			}
		})
	}
	within(t, "to save, close and save", func() error {
		started.Wait()
		err := s.(io.Closer).Close()
		running.Wait()
		return err
	})
	for w, err := range errs {
		if err == nil { // all its saves came before Close
			require.Len(t, saved[w], most)
			continue
		}
		requireClosedError(t, err)
	}
	if peer == nil {
		return
	}
	stored, err := causal.LoadAll(t.Context(), peer)
	require.NoError(t, err)
	found := map[causal.EventID]bool{}
	for _, e := range stored {
		found[e.ID()] = true
	}
	for _, e := range slices.Concat(saved...) {
		require.True(t, found[e.ID()], "an event that was saved is not there")
	}
	require.LessOrEqual(t, len(stored), len(slices.Concat(tried...)))
}

// requireClosedError requires the error of a call after Close.
func requireClosedError(t tester, err error, args ...any) {
	require.ErrorIs(t, err, causal.ErrClosed, args...)
	var failure *causal.StorageError
	require.ErrorAs(t, err, &failure, args...)
	require.NotEmpty(t, failure.Op, args...)
}

// requireClosed closes a storage and makes the calls.
func requireClosed(t tester, s any, all calls) {
	require.NoError(t, s.(io.Closer).Close())
	require.NoError(t, s.(io.Closer).Close(), "closed twice")
	for name, call := range all {
		requireClosedError(t, call(t.Context()), name)
	}
}
