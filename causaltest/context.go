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
		claim: "A nil context is a *ValidationError.",
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
		claim: "A context that ends during a save leaves the event stored or not; saving it again leaves it stored once.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := events(t, 0, shortened(200))
			for i, e := range all {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
				err := s.SaveEvent(ctx, e)
				if i%2 == 0 {
					err = causal.SaveAll(ctx, s, all[i:i+1])
				}
				if err != nil {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				cancel()
				saveAll(t, s, e)
			}
			requireAll(t, s, all...)
			if log, ok := s.(causal.LogReader); ok {
				requireSame(t, all, readLog(t, log, causal.Cursor{}))
			}
		},
	},
	{
		name:  "context/many",
		claim: "A thousand calls whose contexts end do no harm to the calls after them.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, 50)
			require.NoError(t, causal.SaveAll(ctx, s, all))
			for i := range shortened(1000) {
				ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(300)-100)*time.Microsecond)
				var err error
				switch i % 3 {
				case 0:
					err = s.SaveEvent(ctx, all[i%50])
				case 1:
					_, err = s.LoadEvents(ctx, "A")
				case 2:
					_, err = causal.LoadAll(ctx, s)
				}
				cancel()
				if err != nil {
					require.ErrorIs(t, err, context.DeadlineExceeded)
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

// calls are calls of all methods of a storage, by name.
type calls map[string]func(ctx context.Context) error

// eventCalls returns a call of each method of an event store; those that save do so
// with new events.
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
	return all
}

// requireEnded makes the calls with contexts that have ended.
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
		claim: "Close may be called twice; every call after it is a *StorageError that matches ErrClosed.",
		needs: eventNeeds{needsClose},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 1))
			requireClosed(t, s, eventCalls(t, s))
		},
	},
	{
		name:  "life/saves",
		claim: "A save during Close is stored, or it is a *StorageError that matches ErrClosed.",
		needs: eventNeeds{needsClose},
		run: func(t *testing.T, c eventConfig) {
			for range 3 {
				s := c.Open(t)
				if c.Peer == nil {
					requireSavesOrClosed(t, s)
					continue
				}
				peer := c.Peer(t, s)
				requireAll(t, peer, requireSavesOrClosed(t, s)...)
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
					require.Len(t, errs, stop+1, name)
					require.NoError(t, errs[stop-1], name)
					require.ErrorIs(t, errs[stop], causal.ErrClosed, name)
				}
			}
		},
	},
}

// requireSavesOrClosed closes a store while goroutines save with it.
func requireSavesOrClosed(t tester, s causal.EventStore) (saved []causal.Event) {
	const workers = 8
	results := make([][]causal.Event, workers)
	errs := make([]error, workers)
	started := make(chan struct{}, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := 0; errs[w] == nil; n++ {
				e := event(t, w*1_000_000+n)
				if errs[w] = s.SaveEvent(t.Context(), e); errs[w] == nil {
					results[w] = append(results[w], e)
				}
				if n == 3 {
					started <- struct{}{}
				}
			}
		})
	}
	for range workers {
		<-started
	}
	closeStorage(t, s)
	wg.Wait()
	for _, err := range errs {
		var failure *causal.StorageError
		require.ErrorAs(t, err, &failure)
		require.ErrorIs(t, err, causal.ErrClosed)
	}
	return slices.Concat(results...)
}

// requireClosed closes a storage and makes the calls.
func requireClosed(t tester, s any, all calls) {
	require.NoError(t, s.(io.Closer).Close())
	require.NoError(t, s.(io.Closer).Close(), "closed twice")
	for name, call := range all {
		err := call(t.Context())
		require.ErrorIs(t, err, causal.ErrClosed, name)
		var failure *causal.StorageError
		require.ErrorAs(t, err, &failure, name)
		require.NotEmpty(t, failure.Op, name)
	}
}
