package causal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// plainStorage hides the capabilities of a ClockStorage.
type plainStorage struct{ causal.ClockStorage }

// brokenStorage fails while err is not nil; if late is set it stores first.
type brokenStorage struct {
	causal.MemClockStorage
	err  error
	late bool
}

func (s *brokenStorage) LoadClock(ctx context.Context, nodeID string) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.MemClockStorage.LoadClock(ctx, nodeID)
}

func (s *brokenStorage) SaveClock(ctx context.Context, nodeID string, value int64) error {
	if s.err != nil && !s.late {
		return s.err
	}
	return errors.Join(s.MemClockStorage.SaveClock(ctx, nodeID, value), s.err)
}

func (s *brokenStorage) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	if s.err != nil && !s.late {
		return 0, s.err
	}
	value, err := s.MemClockStorage.AdvanceClock(ctx, nodeID, floor, by)
	return value, errors.Join(err, s.err)
}

// newClock returns a new clock, which must not fail.
func newClock(t testing.TB, s causal.ClockStorage, o *causal.LamportClockOptions) *causal.LamportClock {
	t.Helper()
	c, err := causal.NewLamportClock(t.Context(), "alice", s, o)
	require.NoError(t, err)
	return c
}

func TestClockVectors(t *testing.T) {
	type vector struct {
		Ops    [][]json.RawMessage
		Stored int64
	}
	ctx := t.Context()
	for i, v := range readVectors[vector](t, "clock.jsonl") {
		for name, storage := range map[string]causal.ClockStorage{
			"advancer": &causal.MemClockStorage{}, "plain": plainStorage{&causal.MemClockStorage{}},
		} {
			c := newClock(t, storage, nil)
			for _, op := range v.Ops {
				var arg, want int64
				_ = json.Unmarshal(op[1], &arg) // null stays 0
				require.NoError(t, json.Unmarshal(op[2], &want))
				var got int64
				var err error
				switch string(op[0]) {
				case `"tick"`:
					got, err = c.Tick(ctx)
				case `"update"`:
					got, err = c.Update(ctx, arg)
				case `"reopen"`:
					c = newClock(t, storage, nil)
					got = c.Current()
				default:
					t.Fatalf("unknown operation %s", op[0])
				}
				require.NoError(t, err)
				require.Equal(t, want, got, "%s, line %d", name, i+1)
				require.Equal(t, want, c.Current())
			}
			stored, err := storage.LoadClock(ctx, "alice")
			require.NoError(t, err)
			require.Equal(t, v.Stored, stored)
		}
	}
}

func TestNewLamportClockRefuses(t *testing.T) {
	ctx := t.Context()
	cancelled, cancel := context.WithCancelCause(ctx)
	cause := errors.New("the reason")
	cancel(cause)
	boom := errors.New("boom")
	s := &causal.MemClockStorage{}
	tests := map[string]struct {
		ctx     context.Context
		nodeID  string
		storage causal.ClockStorage
		options *causal.LamportClockOptions
		is      error
		text    string
	}{
		"no node":         {ctx: ctx, storage: s, is: causal.ErrValidation, text: "causal: validation failed: node_id must not be empty"},
		"bad node":        {ctx: ctx, nodeID: "\xff", storage: s, is: causal.ErrValidation, text: "causal: validation failed: node_id must be valid UTF-8"},
		"no storage":      {ctx: ctx, nodeID: "a", is: causal.ErrValidation, text: "causal: validation failed: storage must not be nil"},
		"lease":           {ctx: ctx, nodeID: "a", storage: s, options: &causal.LamportClockOptions{Lease: -1}, is: causal.ErrValidation, text: "causal: validation failed: lease must not be negative"},
		"no context":      {ctx: nil, nodeID: "a", storage: s, is: causal.ErrValidation, text: "causal: validation failed: ctx must not be nil"},
		"cancelled":       {ctx: cancelled, nodeID: "a", storage: s, is: context.Canceled, text: "causal: context canceled: the reason"},
		"cancelled cause": {ctx: cancelled, nodeID: "a", storage: s, is: cause, text: "causal: context canceled: the reason"},
		"storage fails":   {ctx: ctx, nodeID: "a", storage: &brokenStorage{err: boom}, is: boom, text: "causal: storage failed: load clock: boom"},
		"typed":           {ctx: ctx, nodeID: "a", storage: &brokenStorage{err: boom}, is: causal.ErrStorage, text: "causal: storage failed: load clock: boom"},
		"closed":          {ctx: ctx, nodeID: "a", storage: &brokenStorage{err: causal.ErrClosed}, is: causal.ErrClosed, text: "causal: storage failed: load clock: closed"},
		"negative stored": {ctx: ctx, nodeID: "a", storage: &corruptStorage{}, is: causal.ErrStorage, text: "causal: storage failed: load clock: the stored value is negative"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := causal.NewLamportClock(test.ctx, test.nodeID, test.storage, test.options)
			require.Nil(t, c)
			require.ErrorIs(t, err, test.is)
			require.EqualError(t, err, test.text)
		})
	}
}

// corruptStorage has values that no clock can have saved, and does not advance.
type corruptStorage struct{ causal.MemClockStorage }

func (*corruptStorage) LoadClock(context.Context, string) (int64, error) { return -1, nil }

// stuckStorage reserves nothing.
type stuckStorage struct{ causal.ClockStorage }

func (stuckStorage) AdvanceClock(context.Context, string, int64, int64) (int64, error) { return 5, nil }

func TestClockRefuses(t *testing.T) {
	ctx := t.Context()
	for name, storage := range map[string]causal.ClockStorage{
		"advancer": &causal.MemClockStorage{}, "plain": plainStorage{&causal.MemClockStorage{}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock(t, storage, &causal.LamportClockOptions{MaxJump: 10})
			_, err := c.Update(ctx, 5)
			require.NoError(t, err)
			cancelled, cancel := context.WithCancel(ctx)
			cancel()
			for _, test := range []struct {
				ctx    context.Context
				remote int64
				is     error
			}{
				{ctx: ctx, remote: -1, is: causal.ErrValidation},
				{ctx: ctx, remote: math.MinInt64, is: causal.ErrValidation},
				{ctx: ctx, remote: math.MaxInt64, is: causal.ErrClockOverflow},
				{ctx: ctx, remote: math.MaxInt64 - 1, is: causal.ErrClockJump},
				{ctx: ctx, remote: 17, is: causal.ErrClockJump},
				{ctx: cancelled, remote: 7, is: context.Canceled},
				{ctx: nil, remote: 7, is: causal.ErrValidation},
			} {
				t.Run(fmt.Sprint(test.remote, test.is), func(t *testing.T) {
					_, err := c.Update(test.ctx, test.remote)
					require.ErrorIs(t, err, test.is)
					require.Equal(t, int64(6), c.Current())
				})
			}
			_, err = c.Tick(cancelled)
			require.ErrorIs(t, err, context.Canceled)
			_, err = c.Tick(nil) //nolint:staticcheck // the nil context is tested
			require.ErrorIs(t, err, causal.ErrValidation)
			_, err = c.Update(ctx, 17)
			var jump *causal.ClockJumpError
			require.ErrorAs(t, err, &jump)
			require.Equal(t, causal.ClockJumpError{Local: 6, Remote: 17, MaxJump: 10}, *jump)
			require.EqualError(t, err, "causal: remote clock too far ahead: 17, more than 10 beyond 6")
			value, err := c.Update(ctx, 16)
			require.NoError(t, err, "exactly MaxJump ahead")
			require.Equal(t, int64(17), value)
		})
	}
	var zero causal.LamportClock
	_, err := zero.Tick(ctx)
	requireFault(t, err, "clock must come from NewLamportClock")
	_, err = newClock(t, stuckStorage{&causal.MemClockStorage{}}, &causal.LamportClockOptions{Lease: 6}).Tick(ctx)
	require.ErrorIs(t, err, causal.ErrStorage)
	require.Equal(t, "alice", newClock(t, &causal.MemClockStorage{}, nil).NodeID())
}

// A clock issues every value up to the last one, then only errors. No value
// wraps or occurs twice, with and without leases beyond the end.
func TestClockEndsInOrder(t *testing.T) {
	ctx := t.Context()
	for name, storage := range map[string]func() causal.ClockStorage{
		"advancer": func() causal.ClockStorage { return &causal.MemClockStorage{} },
		"plain":    func() causal.ClockStorage { return plainStorage{&causal.MemClockStorage{}} },
	} {
		for _, lease := range []int64{0, 1, 4, 1000, math.MaxInt64} {
			t.Run(name, func(t *testing.T) {
				s := storage()
				require.NoError(t, s.SaveClock(ctx, "alice", math.MaxInt64-8))
				c := newClock(t, s, &causal.LamportClockOptions{Lease: lease})
				for want := int64(math.MaxInt64 - 7); want > 0; want++ {
					got, err := c.Tick(ctx)
					require.NoError(t, err)
					require.Equal(t, want, got)
					if want == math.MaxInt64 {
						break
					}
				}
				for range 3 {
					_, err := c.Tick(ctx)
					require.ErrorIs(t, err, causal.ErrClockOverflow)
					_, err = c.Update(ctx, 5)
					require.ErrorIs(t, err, causal.ErrClockOverflow)
					require.Equal(t, int64(math.MaxInt64), c.Current())
				}
			})
		}
	}
	c := newClock(t, &causal.MemClockStorage{}, &causal.LamportClockOptions{MaxJump: -1})
	got, err := c.Update(ctx, math.MaxInt64-1)
	require.NoError(t, err, "a negative MaxJump is no limit")
	require.Equal(t, int64(math.MaxInt64), got)
}

// By default one event near the end of the range does not silence a node.
func TestClockDefaultMaxJump(t *testing.T) {
	ctx := t.Context()
	c := newClock(t, &causal.MemClockStorage{}, nil)
	for _, remote := range []int64{math.MaxInt64 - 1, 1<<40 + 1} {
		_, err := c.Update(ctx, remote)
		var jump *causal.ClockJumpError
		require.ErrorAs(t, err, &jump)
		require.Equal(t, causal.ClockJumpError{Local: 0, Remote: remote, MaxJump: 1 << 40}, *jump)
	}
	value, err := c.Update(ctx, 1<<40)
	require.NoError(t, err)
	require.Equal(t, int64(1<<40+1), value)
}

// Two clocks share a node through the storage: MaxJump counts from the node's
// stored value.
func TestClockMaxJumpOfSharedNode(t *testing.T) {
	ctx := t.Context()
	s := &brokenStorage{}
	o := &causal.LamportClockOptions{MaxJump: 10}
	busy, idle := newClock(t, s, o), newClock(t, s, o)
	for range 50 {
		_, err := busy.Tick(ctx)
		require.NoError(t, err)
	}
	_, err := idle.Update(ctx, 61)
	var jump *causal.ClockJumpError
	require.ErrorAs(t, err, &jump)
	require.Equal(t, int64(50), jump.Local)
	value, err := idle.Update(ctx, 51)
	require.NoError(t, err)
	require.Equal(t, int64(52), value)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = idle.Update(cancelled, 1000)
	require.ErrorIs(t, err, context.Canceled)
	s.err = errors.New("boom")
	_, err = idle.Update(ctx, 1000)
	require.ErrorIs(t, err, s.err, "a jump cannot be told from none")
	require.ErrorIs(t, err, causal.ErrStorage)
}

// If the clock is not shared, the storage is not read.
func TestClockMaxJumpOfOneClock(t *testing.T) {
	ctx := t.Context()
	s := &causal.MemClockStorage{}
	c := newClock(t, plainStorage{s}, &causal.LamportClockOptions{MaxJump: 10})
	require.NoError(t, s.SaveClock(ctx, "alice", 50))
	_, err := c.Update(ctx, 51)
	require.ErrorIs(t, err, causal.ErrClockJump)
}

// A lease that no longer fits, because others have taken values, shrinks to
// one.
func TestClockLeaseBesideOthersAtTheEnd(t *testing.T) {
	ctx := t.Context()
	s := &causal.MemClockStorage{}
	c := newClock(t, s, &causal.LamportClockOptions{Lease: 1000})
	require.NoError(t, s.SaveClock(ctx, "alice", math.MaxInt64-1))
	got, err := c.Tick(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), got)
	_, err = c.Tick(ctx)
	require.ErrorIs(t, err, causal.ErrClockOverflow)
}

func TestClockDoesNotMoveWhenStorageFails(t *testing.T) {
	ctx := t.Context()
	boom := errors.New("boom")
	for _, late := range []bool{false, true} { // late: stored, but the answer is lost
		s := &brokenStorage{late: late}
		for name, storage := range map[string]causal.ClockStorage{"advancer": s, "plain": plainStorage{s}} {
			c := newClock(t, storage, nil)
			before, err := c.Tick(ctx)
			require.NoError(t, err)
			s.err = boom
			for range 3 {
				_, err = c.Tick(ctx)
				require.ErrorIs(t, err, boom)
				require.ErrorIs(t, err, causal.ErrStorage)
				_, err = c.Update(ctx, before+10)
				require.EqualError(t, err, "causal: storage failed: save clock: boom")
				require.Equal(t, before, c.Current(), name)
			}
			s.err = nil
			after, err := c.Tick(ctx)
			require.NoError(t, err)
			require.Greater(t, after, before)
		}
	}
}

func TestClockLease(t *testing.T) {
	ctx := t.Context()
	s := &countingStorage{}
	c := newClock(t, s, &causal.LamportClockOptions{Lease: 10})
	for want := int64(1); want <= 25; want++ {
		got, err := c.Tick(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Equal(t, int64(3), s.writes.Load())
	got, err := c.Update(ctx, 28) // within the lease
	require.NoError(t, err)
	require.Equal(t, int64(29), got)
	require.Equal(t, int64(3), s.writes.Load())
	got, err = c.Update(ctx, 100) // beyond it
	require.NoError(t, err)
	require.Equal(t, int64(101), got)
	require.Equal(t, int64(4), s.writes.Load())

	crashed := newClock(t, s, &causal.LamportClockOptions{Lease: 10})
	require.Equal(t, int64(110), crashed.Current())
	got, err = crashed.Tick(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(111), got, "a crash skips what was reserved")
}

// countingStorage counts its writes.
type countingStorage struct {
	causal.MemClockStorage
	writes atomic.Int64
}

func (s *countingStorage) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	s.writes.Add(1)
	return s.MemClockStorage.AdvanceClock(ctx, nodeID, floor, by)
}

// Many goroutines using one clock, and several clocks of one node, see each
// value once.
func TestClockFromManyGoroutines(t *testing.T) {
	const workers, each = 8, 300
	ctx := t.Context()
	for name, test := range map[string]struct {
		storage causal.ClockStorage
		clocks  int
		lease   int64
	}{
		"one clock":               {storage: plainStorage{&causal.MemClockStorage{}}, clocks: 1, lease: 1},
		"one clock with a lease":  {storage: plainStorage{&causal.MemClockStorage{}}, clocks: 1, lease: 7},
		"one advancing clock":     {storage: &causal.MemClockStorage{}, clocks: 1, lease: 7},
		"four clocks":             {storage: &causal.MemClockStorage{}, clocks: 4, lease: 1},
		"four clocks with leases": {storage: &causal.MemClockStorage{}, clocks: 4, lease: 7},
	} {
		t.Run(name, func(t *testing.T) {
			var clocks []*causal.LamportClock
			for range test.clocks {
				clocks = append(clocks, newClock(t, test.storage, &causal.LamportClockOptions{Lease: test.lease}))
			}
			values := make([][]int64, workers)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					c := clocks[w%len(clocks)]
					for i := range each {
						var v int64
						var err error
						if remote := int64(i * 3); i%3 == 0 {
							v, err = c.Update(ctx, remote)
							if v <= remote {
								t.Errorf("%d is not beyond %d", v, remote)
							}
						} else {
							v, err = c.Tick(ctx)
						}
						if err != nil {
							t.Error(err)
						}
						values[w] = append(values[w], v)
					}
				})
			}
			wg.Wait()
			for _, v := range values {
				require.True(t, slices.IsSorted(v), "one goroutine sees increasing values")
			}
			all := slices.Sorted(slices.Values(slices.Concat(values...)))
			require.Len(t, slices.Compact(slices.Clone(all)), workers*each, "a value came twice")
			stored, err := test.storage.LoadClock(ctx, "alice")
			require.NoError(t, err)
			require.GreaterOrEqual(t, stored, all[len(all)-1])
		})
	}
}

// hangingStorage blocks in every write until it is released.
type hangingStorage struct {
	causal.MemClockStorage
	entered, release chan struct{}
}

func (s *hangingStorage) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	s.entered <- struct{}{}
	<-s.release
	return s.MemClockStorage.AdvanceClock(ctx, nodeID, floor, by)
}

// A caller waiting for a hanging storage can give up; the others continue.
func TestClockWaitersCanGiveUp(t *testing.T) {
	s := &hangingStorage{entered: make(chan struct{}), release: make(chan struct{})}
	c := newClock(t, s, nil)
	ctx := t.Context()
	results := make(chan int64)
	tick := func() {
		v, err := c.Tick(ctx)
		if err != nil {
			t.Error(err)
		}
		results <- v
	}
	go tick()
	<-s.entered
	go tick() // waits for the first
	cancelled, cancel := context.WithCancel(ctx)
	gaveUp := make(chan error)
	go func() {
		_, err := c.Tick(cancelled)
		gaveUp <- err
	}()
	cancel()
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	s.release <- struct{}{}
	<-s.entered
	s.release <- struct{}{}
	require.ElementsMatch(t, []int64{1, 2}, []int64{<-results, <-results})
}
