package causalsqlite_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Each index is in one part.
func TestInParallel(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 1000, 1024} {
		calls := make([]atomic.Int32, n)
		causalsqlite.InParallel(n, func(from, to int) {
			for i := from; i < to; i++ {
				calls[i].Add(1)
			}
		})
		for i := range calls {
			require.EqualValues(t, 1, calls[i].Load(), "%d of %d", i, n)
		}
	}
}

// Rows of all sizes, in several lots, are read as they were saved, some alone
// in a lot.
func TestLotsOfRows(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	var want []causal.Event
	for n := range 3000 {
		size := n % 700
		if n%500 == 499 {
			size = adapter.MaxPageBytes + n
		}
		want = append(want, eventtest.New(t, n, eventtest.WithPayload(`{"x":"`+strings.Repeat("x", size)+`"}`)))
	}
	require.NoError(t, s.SaveEvents(ctx, want))
	got, err := s.LoadEvents(ctx, want[0].AggregateID())
	require.NoError(t, err)
	eventtest.RequireEqual(t, want, got)
	eventtest.RequireEqual(t, want, eventtest.LoadAll(t, s))
	for i, entry := range eventtest.ReadLog(t, s, causal.Cursor{}) {
		require.True(t, want[i].Equal(entry.Event))
	}
}

// Loading an aggregate with a damaged event fails, even if it is beyond the
// first lot.
func TestLoadOfDamagedLot(t *testing.T) {
	ctx := t.Context()
	for _, at := range []string{"1", "1500", "2000"} {
		s := openNew(t)
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 2000)))
		require.NoError(t, s.Exec("DROP TRIGGER events_never_change"))
		require.NoError(t, s.Exec("UPDATE events SET data = 'no event' WHERE seq = "+at))
		_, err := s.LoadEvents(ctx, "WP001")
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, "entry "+at)
	}
}
