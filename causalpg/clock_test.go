package causalpg_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
)

func TestClocks(t *testing.T) {
	schema := newSchema(t)
	s := openIn(t, schema)
	requireClock := func(node string, want int64) {
		t.Helper()
		value, err := s.LoadClock(ctx, node)
		require.NoError(t, err)
		require.Equal(t, want, value)
	}
	requireClock("alice", 0)
	require.NoError(t, s.SaveClock(ctx, "alice", 7))
	requireClock("alice", 7)
	require.NoError(t, s.SaveClock(ctx, "alice", 3))
	requireClock("alice", 3)
	for _, test := range []struct{ floor, by, want int64 }{{0, 1, 4}, {2, 5, 9}, {20, 1, 21}, {21, 10, 31}} {
		value, err := s.AdvanceClock(ctx, "alice", test.floor, test.by)
		require.NoError(t, err)
		require.Equal(t, test.want, value)
	}
	for _, test := range [][2]int64{{math.MaxInt64, 1}, {0, math.MaxInt64}, {math.MaxInt64 - 1, 2}} {
		value, err := s.AdvanceClock(ctx, "alice", test[0], test[1])
		require.ErrorIs(t, err, causal.ErrClockOverflow)
		require.NotErrorIs(t, err, causal.ErrStorage)
		require.Zero(t, value)
		requireClock("alice", 31)
	}
	requireClock("bob", 0)
	value, err := s.AdvanceClock(ctx, "bob", math.MaxInt64-1, 1)
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), value)
	require.NoError(t, s.Close())
	s = openIn(t, schema)
	requireClock("alice", 31)
	requireClock("bob", math.MaxInt64)
}

// Workers on two handles of one file get all values, each once.
func TestAdvanceClockIsAtomic(t *testing.T) {
	schema := newSchema(t)
	stores := []*causalpg.Store{openIn(t, schema), openIn(t, schema)}
	const workers, rounds = 8, 25
	values := make([][]int64, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range rounds {
				value, err := stores[w%2].AdvanceClock(ctx, "alice", 0, 1)
				if err != nil {
					t.Error(err)
				}
				values[w] = append(values[w], value)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(values...)
	slices.Sort(all)
	for i, value := range all {
		require.EqualValues(t, i+1, value)
	}
}

// Clocks of one node on two handles never issue a value twice.
func TestLamportClocksShareANode(t *testing.T) {
	schema := newSchema(t)
	seen := map[int64]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, lease := range []int64{1, 1024} {
		s := openIn(t, schema)
		clock, err := causal.NewLamportClock(ctx, "alice", s, &causal.LamportClockOptions{Lease: lease})
		require.NoError(t, err)
		for range 2 {
			wg.Go(func() {
				for range 50 {
					value, err := clock.Tick(ctx)
					mu.Lock()
					if err != nil || seen[value] {
						t.Error(value, err)
					}
					seen[value] = true
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	require.Len(t, seen, 200)
}
