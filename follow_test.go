package causal_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// logOnly is a store with only a log.
type logOnly struct{ causal.LogReader }

// A follower sees each entry once, in order, whenever it is saved: before,
// during the catch-up, and in bursts afterwards.
func TestFollow(t *testing.T) {
	const burst, bursts = 100, 20
	for name, start := range map[string]int{"from the beginning": 0, "from a cursor": 150} {
		t.Run(name, func(t *testing.T) {
			var s causal.MemStore
			save := func(n int) error { return s.SaveEvents(t.Context(), eventtest.NewRange(t, n, n+burst)) }
			require.NoError(t, save(0))
			require.NoError(t, save(burst))
			after := causal.Cursor{}
			for i, entry := range eventtest.ReadLog(t, &s, after)[:start] {
				require.Equal(t, eventtest.ID(i), entry.Event.ID())
				after = entry.Cursor
			}
			saved := make(chan error, 1)
			go func() {
				for n := 2 * burst; n < bursts*burst; n += burst {
					if err := save(n); err != nil {
						saved <- err
						return
					}
					time.Sleep(time.Duration(n%3) * time.Millisecond)
				}
				saved <- nil
			}()
			n := start
			for entry, err := range causal.Follow(t.Context(), &s, after) {
				require.NoError(t, err)
				require.Equal(t, eventtest.ID(n), entry.Event.ID())
				if n++; n == bursts*burst {
					break
				}
			}
			require.NoError(t, <-saved)
		})
	}
}

// late is a store in which an entry is saved between the end of a read and the
// wait.
type late struct {
	*causal.MemEventStore
	save func()
}

func (s late) WaitLog(ctx context.Context, after causal.Cursor) error {
	s.save()
	return s.MemEventStore.WaitLog(ctx, after)
}

func TestFollowHandsOver(t *testing.T) {
	var s causal.MemEventStore
	n := 0
	save := func() {
		require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, n)))
		n++
	}
	seen := 0
	for entry, err := range causal.Follow(t.Context(), late{&s, save}, causal.Cursor{}) {
		require.NoError(t, err)
		require.Equal(t, eventtest.ID(seen), entry.Event.ID())
		if seen++; seen == 50 {
			break
		}
	}
	require.Equal(t, seen, n, "each wait ended at once")
}

// A store without the capability is polled once a second.
func TestFollowFallsBack(t *testing.T) {
	var s causal.MemEventStore
	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 0)))
	n := 0
	for entry, err := range causal.Follow(t.Context(), logOnly{&s}, causal.Cursor{}) {
		require.NoError(t, err)
		require.Equal(t, eventtest.ID(n), entry.Event.ID())
		if n++; n == 2 {
			break
		}
		time.AfterFunc(10*time.Millisecond, func() { _ = s.SaveEvent(t.Context(), eventtest.New(t, 1)) })
	}
	require.NoError(t, causal.WaitLog(t.Context(), logOnly{&s}, causal.Cursor{}), "there are entries")
	require.ErrorIs(t, causal.WaitLog(t.Context(), logOnly{&s}, causal.NewCursor([16]byte{1}, 1, [8]byte{})), causal.ErrInvalidCursor)
	requireFault(t, causal.WaitLog(t.Context(), nil, causal.Cursor{}), "store must not be nil")
	requireFault(t, causal.WaitLog(nil, logOnly{&s}, causal.Cursor{}), "ctx must not be nil") //nolint:staticcheck // the nil context is tested
}

// lastOf returns the number of entries in a sequence, and its error.
func lastOf(entries iter.Seq2[causal.LogEntry, error]) (n int, last error) {
	for entry, err := range entries {
		if err != nil {
			if last != nil || !entry.Event.IsZero() || entry.Cursor != (causal.Cursor{}) {
				return n, errors.New("an error is not the last pair")
			}
			last = err
			continue
		}
		n++
	}
	return n, last
}

// brokenLog is a store with another ReadLog.
type brokenLog struct {
	*causal.MemStore
	read func(context.Context, causal.Cursor) iter.Seq2[causal.LogEntry, error]
}

func (s brokenLog) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return s.read(ctx, after)
}

func TestFollowEnds(t *testing.T) {
	var s, other causal.MemStore
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 3)))
	require.NoError(t, other.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 3)))
	head, err := other.Head(t.Context())
	require.NoError(t, err)

	n, err := lastOf(causal.Follow(t.Context(), &s, head))
	require.ErrorIs(t, err, causal.ErrInvalidCursor)
	require.Zero(t, n)
	n, err = lastOf(causal.Follow(t.Context(), nil, causal.Cursor{}))
	requireFault(t, err, "store must not be nil")
	require.Zero(t, n)
	_, err = lastOf(causal.Follow(nil, &s, causal.Cursor{})) //nolint:staticcheck // the nil context is tested
	requireFault(t, err, "ctx must not be nil")

	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the reason")
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	n, err = lastOf(causal.Follow(ctx, &s, causal.Cursor{}))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
	require.Equal(t, 3, n)

	zero := brokenLog{&s, func(context.Context, causal.Cursor) iter.Seq2[causal.LogEntry, error] {
		return func(yield func(causal.LogEntry, error) bool) { yield(causal.LogEntry{}, nil) }
	}}
	n, err = lastOf(causal.Follow(t.Context(), zero, causal.Cursor{}))
	require.ErrorIs(t, err, causal.ErrStorage)
	require.Zero(t, n)
}

// Each range starts at the cursor, and several may share one sequence.
func TestFollowAgain(t *testing.T) {
	var s causal.MemStore
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 10)))
	all := causal.Follow(t.Context(), &s, causal.Cursor{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			n := 0
			for entry, err := range all {
				if err != nil || entry.Event.ID() != eventtest.ID(n) {
					t.Errorf("entry %d: %v, %v", n, entry.Event, err)
					return
				}
				if n++; n == 10 {
					return
				}
			}
		})
	}
	wg.Wait()
}
