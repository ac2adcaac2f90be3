package causal_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// A function that keeps a state it has handed over, and changes it in a failing
// try, does not change the stored one.
func TestConsumeKeepsNoState(t *testing.T) {
	s := newMemStore(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	state, calls := []byte{0}, 0
	err := causal.Consume(ctx, s, "p", func(_ context.Context, b *causal.Batch) error {
		count := byte(0)
		if b.State != nil {
			count = b.State[0]
		}
		require.Equal(t, uint64(count)+1, b.Entries[0].Cursor.Position())
		state[0] = count + 1
		b.State = state
		if calls++; calls == 2 {
			return errors.New("not this time")
		}
		if count == 2 {
			cancel()
		}
		return nil
	}, &causal.ConsumeOptions{BatchSize: 1, Pause: 1})
	require.ErrorIs(t, err, context.Canceled)
	state[0] = 99
	c, err := s.LoadCheckpoint(t.Context(), "p")
	require.NoError(t, err)
	require.Equal(t, []byte{3}, c.State)
}

// deaf is a store that cannot be waited for.
type deaf struct {
	*causal.MemStore
	waits int
	err   error
}

func (s *deaf) WaitLog(context.Context, causal.Cursor) error {
	s.waits++
	return s.err
}

// A permanent failure ends Consume, even while there is nothing to read.
func TestConsumeGivesUpWaiting(t *testing.T) {
	none := func(context.Context, *causal.Batch) error { return nil }
	s := &deaf{newMemStore(t, 3), 0, &causal.StorageError{Op: "wait", Err: errDown}}
	require.ErrorIs(t, causal.Consume(t.Context(), s, "p", none, &causal.ConsumeOptions{Tries: 3, Pause: 1}), errDown)
	require.LessOrEqual(t, s.waits, 4)
	s = &deaf{newMemStore(t, 3), 0, &causal.StorageError{Op: "wait", Err: errors.ErrUnsupported}}
	require.ErrorIs(t, causal.Consume(t.Context(), s, "p", none, &causal.ConsumeOptions{Pause: time.Hour}), errors.ErrUnsupported)
	require.Equal(t, 1, s.waits)
}

// A connection that breaks in the middle of each read does not stop it: entries
// read are handled, including those read to compute Seen.
func TestConsumeOverBrokenReads(t *testing.T) {
	s := newMemStore(t, 2000)
	cut := brokenLog{s, func(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
		return func(yield func(causal.LogEntry, error) bool) {
			n := 0
			for entry, err := range s.ReadLog(ctx, after) {
				if n++; n == 300 {
					entry, err = causal.LogEntry{}, &causal.StorageError{Op: "read log", Err: errDown}
				}
				if !yield(entry, err) || err != nil {
					return
				}
			}
		}
	}}
	for _, seenOf := range []string{"", eventtest.Params(0).ProjectUUID} {
		p := &projection{t: t}
		name := fmt.Sprint("p", seenOf)
		for _, until := range []int{1200, 2000} {
			ctx, cancel := context.WithCancel(t.Context())
			err := causal.Consume(ctx, cut, name, func(ctx context.Context, b *causal.Batch) error {
				err := p.handle(ctx, b)
				if len(p.seen) >= until {
					cancel()
				}
				return err
			}, &causal.ConsumeOptions{Tries: 2, Pause: 1, SeenOf: seenOf})
			require.ErrorIs(t, err, context.Canceled)
		}
		p.requireSeen(2000)
	}
}

// moved is a store in which another consumer saves a checkpoint just before
// this one does.
type moved struct {
	*causal.MemStore
	other     func(c causal.Checkpoint) causal.Checkpoint
	isUnknown bool // whether the consumer is told that the outcome is unknown
	count     *int
}

func (s moved) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	if *s.count++; *s.count == 1 {
		if _, err := s.MemStore.SaveCheckpoint(ctx, name, s.other(c)); err != nil {
			return 0, err
		}
		if s.isUnknown {
			return 0, unknown{&causal.StorageError{Op: "save", Err: errDown}}
		}
	}
	return s.MemStore.SaveCheckpoint(ctx, name, c)
}

// A checkpoint saved by another consumer is not mistaken for this one's, even
// if it is equal; only after a save with unknown outcome, an equal one is
// accepted.
func TestConsumeKnowsItsOwn(t *testing.T) {
	same := func(c causal.Checkpoint) causal.Checkpoint { return c }
	otherState := func(c causal.Checkpoint) causal.Checkpoint { c.State = []byte("other"); return c }
	otherPlace := func(c causal.Checkpoint) causal.Checkpoint { c.Cursor = causal.Cursor{}; return c }
	for name, test := range map[string]struct {
		other     func(causal.Checkpoint) causal.Checkpoint
		isUnknown bool
		want      error
	}{
		"another, the same":        {same, false, causal.ErrConcurrentSave},
		"its own":                  {same, true, context.Canceled},
		"unknown, but other state": {otherState, true, causal.ErrConcurrentSave},
		"unknown, but other place": {otherPlace, true, causal.ErrConcurrentSave},
	} {
		s := moved{newMemStore(t, 3), test.other, test.isUnknown, new(int)}
		ctx, cancel := context.WithCancel(t.Context())
		p := &projection{t: t}
		err := causal.Consume(ctx, s, "p", func(ctx context.Context, b *causal.Batch) error {
			if err := p.handle(ctx, b); err != nil {
				return err
			}
			if b.Entries[0].Cursor.Position() == 3 {
				cancel()
			}
			return nil
		}, &causal.ConsumeOptions{BatchSize: 1, Pause: 1})
		cancel()
		require.ErrorIs(t, err, test.want, name)
	}
}

// busy is a store that gets an entry whenever waiting fails.
type busy struct {
	*causal.MemStore
	save func()
}

func (s busy) WaitLog(context.Context, causal.Cursor) error {
	s.save()
	return &causal.StorageError{Op: "wait", Err: errDown}
}

// As long as there are entries to handle, failures in between do not stop it.
func TestConsumeGoesOnWhileItGetsOn(t *testing.T) {
	mem := newMemStore(t, 1)
	n := 1
	s := busy{mem, func() {
		require.NoError(t, mem.SaveEvent(t.Context(), eventtest.New(t, n)))
		n++
	}}
	consumeUntil(t, s, "p", 20, &projection{t: t}, causal.ConsumeOptions{Tries: 2, Pause: 1})
}
