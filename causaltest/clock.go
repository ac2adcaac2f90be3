package causaltest

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

type (
	clockConfig = Config[causal.ClockStorage]
	clockCase   = testCase[causal.ClockStorage]
	clockNeeds  = []need[causal.ClockStorage]
)

var needsAdvance = needsCapability[causal.ClockAdvancer, causal.ClockStorage]

// TestClockStorage checks a clock storage and its capabilities.
func TestClockStorage(t *testing.T, c Config[causal.ClockStorage]) {
	run(t, c, slices.Concat(valueCases, advanceCases, []clockCase{clockModelCase, clockCrashCase}))
}

var valueCases = []clockCase{
	{
		name:  "clock/values",
		claim: "LoadClock returns the value saved last, even if it is less than an earlier one, and 0 if there is none.",
		run: func(t *testing.T, c clockConfig) {
			ctx := t.Context()
			s := c.Open(t)
			requireClock(t, s, "alice", 0)
			for _, value := range []int64{0, 5, 3, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64, 0, 7} {
				require.NoError(t, s.SaveClock(ctx, "alice", value))
				requireClock(t, s, "alice", value)
			}
			requireClock(t, s, "bob", 0)
			if c.Peer != nil {
				peer := c.Peer(t, s)
				requireClock(t, peer, "alice", 7)
				require.NoError(t, peer.SaveClock(ctx, "alice", 8))
				requireClock(t, s, "alice", 8)
			}
			if c.Reopen != nil {
				require.NoError(t, s.SaveClock(ctx, "alice", 9))
				requireClock(t, c.Reopen(t, s), "alice", 9)
			}
		},
	},
	{
		name:  "clock/keys",
		claim: "Every valid UTF-8 text is a node ID, and different IDs have different clocks.",
		run: func(t *testing.T, c clockConfig) {
			s := c.Open(t)
			all := keys(c.Limits)
			for i, node := range all {
				require.NoError(t, s.SaveClock(t.Context(), node, int64(i+1)))
			}
			for i, node := range all {
				requireClock(t, s, node, int64(i+1))
			}
		},
	},
	{
		name:  "clock/invalid",
		claim: "A negative value, or an empty or non-UTF-8 node ID, results in a *ValidationError naming the parameter, and changes nothing.",
		run: func(t *testing.T, c clockConfig) {
			ctx := t.Context()
			s := c.Open(t)
			require.NoError(t, s.SaveClock(ctx, "alice", 5))
			requireInvalid(t, s.SaveClock(ctx, "alice", -1), "value")
			for _, node := range []string{"", "\xff"} {
				requireInvalid(t, s.SaveClock(ctx, node, 1), "node_id")
				_, err := s.LoadClock(ctx, node)
				requireInvalid(t, err, "node_id")
			}
			requireClock(t, s, "alice", 5)
		},
	},
	{
		name:  "clock/context",
		claim: "If the context is done before the call, nothing is written, and errors.Is finds its error and its cause.",
		run: func(t *testing.T, c clockConfig) {
			s := c.Open(t)
			require.NoError(t, s.SaveClock(t.Context(), "alice", 5))
			requireEnded(t, clockCalls(s))
			for name, call := range clockCalls(s) {
				requireInvalid(t, call(nil), "ctx", name)
			}
			requireClock(t, s, "alice", 5)
		},
	},
	{
		name:  "clock/closed",
		claim: "Close may be called twice; every later call returns a *StorageError matching ErrClosed.",
		needs: clockNeeds{needsCapability[io.Closer, causal.ClockStorage]},
		run: func(t *testing.T, c clockConfig) {
			s := c.Open(t)
			requireClosed(t, s, clockCalls(s))
		},
	},
	{
		name:  "clock/once",
		claim: "A LamportClock on the storage never returns a value twice, even after the storage is reopened.",
		needs: clockNeeds{needsReopen[causal.ClockStorage]},
		run: func(t *testing.T, c clockConfig) {
			ctx := t.Context()
			s := c.Open(t)
			last := int64(0)
			for _, lease := range []int64{1, 10, 3} {
				clock, err := causal.NewLamportClock(ctx, "alice", s, &causal.LamportClockOptions{Lease: lease})
				require.NoError(t, err)
				for range 25 {
					value, err := clock.Tick(ctx)
					require.NoError(t, err)
					require.Greater(t, value, last)
					last = value
				}
				s = c.Reopen(t, s)
			}
		},
	},
}

func requireClock(t tester, s causal.ClockStorage, node string, want int64) {
	got, err := s.LoadClock(t.Context(), node)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// clockCalls returns a call of each method of a clock storage.
func clockCalls(s causal.ClockStorage) calls {
	all := calls{
		"LoadClock": func(ctx context.Context) error {
			_, err := s.LoadClock(ctx, "alice")
			return err
		},
		"SaveClock": func(ctx context.Context) error { return s.SaveClock(ctx, "alice", 99) },
	}
	if a, ok := s.(causal.ClockAdvancer); ok {
		all["AdvanceClock"] = func(ctx context.Context) error {
			_, err := a.AdvanceClock(ctx, "alice", 0, 1)
			return err
		}
	}
	return all
}

var advanceCases = []clockCase{
	{
		name:  "advance/values",
		claim: "AdvanceClock sets the value to max(value, floor) + by and returns it.",
		needs: clockNeeds{needsAdvance},
		run: func(t *testing.T, c clockConfig) {
			s := c.Open(t)
			for _, step := range []struct{ floor, by, want int64 }{
				{floor: 0, by: 1, want: 1}, {floor: 0, by: 1, want: 2}, {floor: 10, by: 1, want: 11}, {floor: 5, by: 4, want: 15}, {floor: 1 << 53, by: 1, want: 1<<53 + 1}, {floor: 0, by: 1, want: 1<<53 + 2}, {floor: math.MaxInt64 - 5, by: 4, want: math.MaxInt64 - 1},
			} {
				requireAdvance(t, s, step.floor, step.by, step.want)
			}
			requireClock(t, s, "bob", 0)
			require.NoError(t, s.SaveClock(t.Context(), "alice", 3))
			requireAdvance(t, s, 0, 1, 4)
			if c.Reopen != nil {
				requireAdvance(t, c.Reopen(t, s), 0, 1, 5)
			}
		},
	},
	{
		name:  "advance/range",
		claim: "AdvanceClock returns ErrClockOverflow for a result above math.MaxInt64, and a *ValidationError for a negative floor or by < 1; the value is unchanged.",
		needs: clockNeeds{needsAdvance},
		run: func(t *testing.T, c clockConfig) {
			ctx := t.Context()
			s := c.Open(t)
			advance := s.(causal.ClockAdvancer).AdvanceClock
			requireAdvance(t, s, math.MaxInt64-3, 1, math.MaxInt64-2)
			for _, step := range []struct{ floor, by int64 }{{floor: 0, by: 3}, {floor: math.MaxInt64, by: 1}, {floor: 0, by: math.MaxInt64}} {
				value, err := advance(ctx, "alice", step.floor, step.by)
				require.ErrorIs(t, err, causal.ErrClockOverflow)
				require.NotErrorIs(t, err, causal.ErrStorage)
				require.Zero(t, value)
			}
			for _, by := range []int64{0, -1, math.MinInt64} {
				_, err := advance(ctx, "alice", 0, by)
				requireInvalid(t, err, "by")
			}
			_, err := advance(ctx, "alice", -1, 1)
			requireInvalid(t, err, "floor")
			for _, node := range []string{"", "\xff"} {
				_, err := advance(ctx, node, 0, 1)
				requireInvalid(t, err, "node_id")
			}
			requireClock(t, s, "alice", math.MaxInt64-2)
			requireAdvance(t, s, 0, 2, math.MaxInt64)
		},
	},
	{
		name:  "advance/shared",
		claim: "The values up to the returned one belong to the caller alone, across goroutines and handles.",
		needs: clockNeeds{needsAdvance},
		run: func(t *testing.T, c clockConfig) {
			const workers = 8
			s := c.Open(t)
			handles := c.handles(t, s)
			each := shortened(50)
			values := make([][]int64, workers)
			errs := make([]error, workers)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() { values[w], errs[w] = tick(t.Context(), handles[w%2], each, []int64{1, 3, 1024}[w%3]) })
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			all := slices.Concat(values...)
			slices.Sort(all)
			require.Len(t, slices.Compact(all), workers*each, "a value came twice")
			stored, err := s.LoadClock(t.Context(), "alice")
			require.NoError(t, err)
			require.GreaterOrEqual(t, stored, all[len(all)-1])
			requireNoGaps(t, handles)
		},
	},
}

// requireNoGaps advances a clock from many goroutines, one value at a time.
func requireNoGaps(t tester, handles []causal.ClockStorage) {
	const workers, each = 8, 25
	values := make([][]int64, workers)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				value, err := handles[w%len(handles)].(causal.ClockAdvancer).AdvanceClock(t.Context(), "bob", 0, 1)
				values[w] = append(values[w], value)
				errs[w] = errors.Join(errs[w], err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	all := slices.Concat(values...)
	slices.Sort(all)
	for i, value := range all {
		require.Equal(t, int64(i+1), value, "a value is missing or came twice")
	}
}

// tick returns values of a new clock on the storage.
func tick(ctx context.Context, s causal.ClockStorage, count int, lease int64) (values []int64, err error) {
	clock, err := causal.NewLamportClock(ctx, "alice", s, &causal.LamportClockOptions{Lease: lease})
	if err != nil {
		return nil, err
	}
	for range count {
		value, err := clock.Tick(ctx)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func requireAdvance(t tester, s causal.ClockStorage, floor, by, want int64) {
	got, err := s.(causal.ClockAdvancer).AdvanceClock(t.Context(), "alice", floor, by)
	require.NoError(t, err)
	require.Equal(t, want, got)
	requireClock(t, s, "alice", want)
}

var clockModelCase = clockCase{
	name:  "clock/model",
	claim: "In any sequence of calls, the storage agrees with the one in memory.",
	run: func(t *testing.T, c clockConfig) {
		ctx := t.Context()
		rapid.Check(t, func(rt *rapid.T) {
			s, model := c.Open(t), &causal.MemClockStorage{}
			node := rapid.SampledFrom([]string{"alice", "bob"})
			value := rapid.OneOf(rapid.Int64Range(-2, 20), rapid.Int64Range(math.MaxInt64-5, math.MaxInt64))
			actions := map[string]func(*rapid.T){
				"save": func(t *rapid.T) {
					n, v := node.Draw(t, "node"), value.Draw(t, "value")
					requireSameKind(t, model.SaveClock(ctx, n, v), s.SaveClock(ctx, n, v))
				},
				"": func(t *rapid.T) {
					for _, n := range []string{"alice", "bob"} {
						want, err := model.LoadClock(ctx, n)
						require.NoError(t, err)
						requireClock(t, s, n, want)
					}
				},
			}
			if _, ok := s.(causal.ClockAdvancer); ok {
				actions["advance"] = func(t *rapid.T) {
					n, floor, by := node.Draw(t, "node"), value.Draw(t, "floor"), value.Draw(t, "by")
					want, wantErr := model.AdvanceClock(ctx, n, floor, by)
					got, err := s.(causal.ClockAdvancer).AdvanceClock(ctx, n, floor, by)
					requireSameKind(t, wantErr, err)
					require.Equal(t, want, got)
				}
			}
			rt.Repeat(actions)
			closeStorage(rt, s)
		})
	},
}

// requireSameKind requires an error of the same kind. The contract specifies
// neither its text nor which of two invalid parameters it names.
func requireSameKind(t tester, want, got error) {
	var invalid *causal.ValidationError
	if errors.As(want, &invalid) {
		require.ErrorAs(t, got, &invalid)
	} else {
		require.ErrorIs(t, got, want)
	}
}

var clockCrashCase = clockCase{
	name:  "crash/clocks",
	claim: "A LamportClock on the storage never returns a value twice, even after its process was killed.",
	needs: clockNeeds{needsCrash[causal.ClockStorage]},
	run: func(t *testing.T, c clockConfig) {
		last := int64(0)
		c.Crash(t).each(t, func(acks []ack, s causal.ClockStorage) {
			for _, a := range acks {
				if a.Clock != 0 {
					require.Greater(t, a.Clock, last, "a value came twice")
					last = a.Clock
				}
			}
			stored, err := s.LoadClock(t.Context(), crashNode)
			require.NoError(t, err)
			require.GreaterOrEqual(t, stored, last)
		})
	},
}
