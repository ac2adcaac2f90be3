package causal_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// plain is a store without capabilities.
type plain struct{ causal.EventStore }

// failingReads is a store whose reads fail after its events.
type failingReads struct {
	causal.EventStore
	last error // nil: it yields the zero Event
}

func (s failingReads) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		for e, err := range s.EventStore.AllEvents(ctx) {
			if !yield(e, err) {
				return
			}
		}
		yield(causal.Event{}, s.last)
	}
}

// The result does not depend on whether the store has the capability.
func TestFindAndAggregates(t *testing.T) {
	ctx := t.Context()
	var mem causal.MemEventStore
	for n, id := range []string{"b", "a", "b", "ab", "\x00"} {
		require.NoError(t, mem.SaveEvent(ctx, eventtest.New(t, n, func(p *causal.EventParams) { p.AggregateID = id })))
	}
	for name, s := range map[string]causal.EventStore{"capable": &mem, "plain": plain{&mem}} {
		t.Run(name, func(t *testing.T) {
			for n := range 5 {
				e, err := causal.FindEvent(ctx, s, eventtest.ID(n))
				require.NoError(t, err)
				require.Equal(t, eventtest.ID(n), e.ID())
			}
			e, err := causal.FindEvent(ctx, s, "test0000000000000000000003")
			require.NoError(t, err)
			require.Equal(t, eventtest.ID(3), e.ID())
			e, err = causal.FindEvent(ctx, s, eventtest.ID(5))
			require.NoError(t, err)
			require.True(t, e.IsZero())
			_, err = causal.FindEvent(ctx, s, "no ID")
			require.ErrorIs(t, err, causal.ErrValidation)

			var ids []string
			for id, err := range causal.Aggregates(ctx, s) {
				require.NoError(t, err)
				ids = append(ids, id)
			}
			require.Equal(t, []string{"\x00", "a", "ab", "b"}, ids)
			for range causal.Aggregates(ctx, s) {
				break
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err = causal.FindEvent(ended, s, "no ID")
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, lastError(causal.Aggregates(ended, s)), context.Canceled)
			_, err = causal.FindEvent(nil, s, eventtest.ID(1)) //nolint:staticcheck // the nil context is tested
			require.ErrorIs(t, err, causal.ErrValidation)
			require.ErrorIs(t, lastError(causal.Aggregates(nil, s)), causal.ErrValidation) //nolint:staticcheck // the nil context is tested
		})
	}
	_, err := causal.FindEvent(ctx, nil, eventtest.ID(1))
	require.ErrorIs(t, err, causal.ErrValidation)
	require.ErrorIs(t, lastError(causal.Aggregates(ctx, nil)), causal.ErrValidation)
	broken := errors.New("broken")
	for last, want := range map[error]error{broken: broken, nil: causal.ErrStorage} {
		s := failingReads{&mem, last}
		_, err := causal.FindEvent(ctx, s, eventtest.ID(9))
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, lastError(causal.Aggregates(ctx, s)), want)
	}
}

// A loop over aggregates ends when its context is done.
func TestAggregatesOfEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mem causal.MemEventStore
	for n, id := range []string{"a", "b", "c"} {
		require.NoError(t, mem.SaveEvent(ctx, eventtest.New(t, n, func(p *causal.EventParams) { p.AggregateID = id })))
	}
	var ids []string
	var last error
	for id, err := range causal.Aggregates(ctx, plain{&mem}) {
		ids, last = append(ids, id), err
		cancel()
	}
	require.Equal(t, []string{"a", ""}, ids)
	require.ErrorIs(t, last, context.Canceled)
}

func lastError[T any](seq iter.Seq2[T, error]) (last error) {
	for _, last = range seq {
	}
	return last
}

func TestParseEventID(t *testing.T) {
	for _, text := range []string{"", "A", "01HZXW5B2Q3R4S5T6V7W8X9Y0", "01HZXW5B2Q3R4S5T6V7W8X9Y012", "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d", "\xff"} {
		id, err := causal.ParseEventID(text)
		require.ErrorIs(t, err, causal.ErrValidation, text)
		require.Empty(t, id)
	}
}

// The zero value of a MemStore is ready, and combines its parts.
func TestMemStore(t *testing.T) {
	ctx := t.Context()
	var s causal.MemStore
	var _ causal.Store = &s
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 3)))
	require.Len(t, eventtest.ReadLog(t, &s, causal.Cursor{}), 3)
	value, err := s.AdvanceClock(ctx, "alice", 0, 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, value)
	for range causal.DefaultErrorLimit + 1 {
		require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(1)))
	}
	entries, err := s.RecentErrors(ctx, 1000)
	require.NoError(t, err)
	require.Len(t, entries, causal.DefaultErrorLimit)
	revision, err := s.SaveCheckpoint(ctx, "p", causal.Checkpoint{})
	require.NoError(t, err)
	require.NotZero(t, revision)
}
