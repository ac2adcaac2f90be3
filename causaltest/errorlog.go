package causaltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

type (
	errorConfig = Config[causal.ErrorStorage]
	errorCase   = testCase[causal.ErrorStorage]
	errorNeeds  = []need[causal.ErrorStorage]
)

// TestErrorStorage checks an error storage with a limit of
// Config.Limits.Entries.
func TestErrorStorage(t *testing.T, c Config[causal.ErrorStorage]) {
	if c.Limits.Entries == 0 {
		c.Limits.Entries = causal.DefaultErrorLimit
	}
	run(t, c, slices.Concat(entryCases, []errorCase{errorCrashCase}))
}

var entryCases = []errorCase{
	{
		name:  "errors/order",
		claim: "RecentErrors returns the latest entries first, in the order of appending, whatever their timestamps.",
		run: func(t *testing.T, c errorConfig) {
			s := c.Open(t)
			requireEntries(t, s, 10)
			var all []causal.ErrorEntry
			for i, hours := range []int{0, 1, -1, 1, 0} {
				e := entry(i + 1)
				e.Timestamp = baseTime.Add(time.Duration(hours) * time.Hour)
				require.NoError(t, s.AppendError(t.Context(), e))
				all = append([]causal.ErrorEntry{e}, all...)
				all = all[:min(len(all), c.Limits.Entries)]
			}
			for limit := 1; limit < 8; limit++ {
				requireEntries(t, s, limit, all[:min(limit, len(all))]...)
			}
			if c.Peer != nil {
				requireEntries(t, c.Peer(t, s), 10, all...)
			}
			if c.Reopen != nil {
				requireEntries(t, c.Reopen(t, s), 10, all...)
			}
		},
	},
	{
		name:  "errors/retention",
		claim: "AppendError drops the oldest entries beyond the limit, and no others.",
		run: func(t *testing.T, c errorConfig) {
			s := c.Open(t)
			limit := c.Limits.Entries
			var all []causal.ErrorEntry
			for n := range 2*limit + 1 {
				require.NoError(t, s.AppendError(t.Context(), entry(n+1)))
				all = append(all, entry(n+1))
				if n == limit-1 || n == limit || n == 2*limit {
					kept := slices.Clone(all[max(0, len(all)-limit):])
					slices.Reverse(kept)
					requireEntries(t, s, limit, kept...)
					requireEntries(t, s, 10*limit, kept...)
				}
			}
		},
	},
	{
		name:  "errors/goroutines",
		claim: "If many goroutines append, as many entries are kept as the limit allows, those of each goroutine in order.",
		run: func(t *testing.T, c errorConfig) {
			ctx := t.Context()
			const workers = 8
			s := c.Open(t)
			handles := c.handles(t, s)
			each := c.Limits.Entries/workers + 3
			errs := make([]error, workers)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := range each {
						e := entry(i + 1)
						e.Agent = fmt.Sprint(w)
						errs[w] = errors.Join(errs[w], handles[w%2].AppendError(ctx, e))
					}
				})
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			got, err := s.RecentErrors(ctx, workers*each)
			require.NoError(t, err)
			require.Len(t, got, min(c.Limits.Entries, workers*each))
			next := map[string]int{}
			for _, e := range got {
				var n int
				_, err := fmt.Sscan(e.ErrorMessage, &n)
				require.NoError(t, err)
				if before, ok := next[e.Agent]; ok {
					require.Equal(t, before, n, "an entry is missing between others of its goroutine")
				}
				next[e.Agent] = n - 1
			}
		},
	},
	{
		name:  "errors/fidelity",
		claim: "An entry is returned unchanged, with its nanoseconds and its offset.",
		run: func(t *testing.T, c errorConfig) {
			ctx := t.Context()
			longest := strings.Repeat("x", cmp.Or(c.Limits.EntryText, 1_000_000))
			for _, text := range []string{"é\n\r\t\u2028 \"\\'", "\x00", longest, " ", "%s{}"} {
				s := c.Open(t)
				e := causal.ErrorEntry{
					Timestamp: baseTime.Add(123_456_789).In(time.FixedZone("", -5400)), ActionAttempted: text, ErrorMessage: text,
					Resolution: text, Agent: text,
				}
				require.NoError(t, s.AppendError(ctx, e))
				requireEntries(t, s, 1, e)
				if c.Reopen != nil {
					requireEntries(t, c.Reopen(t, s), 1, e)
				}
			}
			s := c.Open(t)
			bare := causal.ErrorEntry{Timestamp: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ActionAttempted: "a", ErrorMessage: "m"}
			require.NoError(t, s.AppendError(ctx, bare))
			requireEntries(t, s, 1, bare)
			got, err := s.RecentErrors(ctx, 1)
			require.NoError(t, err)
			got[0].Agent = "changed"
			requireEntries(t, s, 1, bare)
		},
	},
	{
		name:  "errors/invalid",
		claim: "A limit below 1, or an invalid entry, results in a *ValidationError, and nothing is stored.",
		run: func(t *testing.T, c errorConfig) {
			ctx := t.Context()
			s := c.Open(t)
			for _, limit := range []int{0, -1} {
				_, err := s.RecentErrors(ctx, limit)
				requireInvalid(t, err, "limit")
			}
			noMessage, notUTF8 := entry(1), entry(1)
			noMessage.ErrorMessage, notUTF8.Agent = "", "\xff"
			requireInvalid(t, s.AppendError(ctx, noMessage), "error_message")
			requireInvalid(t, s.AppendError(ctx, notUTF8), "agent")
			require.ErrorIs(t, s.AppendError(ctx, causal.ErrorEntry{}), causal.ErrValidation)
			requireEntries(t, s, 10)
		},
	},
	{
		name:  "errors/context",
		claim: "If the context is done before the call, nothing is written, and errors.Is finds its error and its cause.",
		run: func(t *testing.T, c errorConfig) {
			s := c.Open(t)
			requireEnded(t, errorCalls(s))
			for name, call := range errorCalls(s) {
				requireInvalid(t, call(nil), "ctx", name)
			}
			requireEntries(t, s, 10)
		},
	},
	{
		name:  "errors/closed",
		claim: "Close may be called twice; every later call returns a *StorageError matching ErrClosed.",
		needs: errorNeeds{needsCapability[io.Closer, causal.ErrorStorage]},
		run: func(t *testing.T, c errorConfig) {
			s := c.Open(t)
			requireClosed(t, s, errorCalls(s))
		},
	},
}

// requireEntries requires these entries among the latest limit ones.
func requireEntries(t tester, s causal.ErrorStorage, limit int, want ...causal.ErrorEntry) {
	got, err := s.RecentErrors(t.Context(), limit)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i, e := range got {
		require.Equal(t, want[i].Timestamp.Format(time.RFC3339Nano), e.Timestamp.Format(time.RFC3339Nano))
		e.Timestamp = want[i].Timestamp
		require.Equal(t, want[i], e)
	}
}

// errorCalls returns a call of each method of an error storage.
func errorCalls(s causal.ErrorStorage) calls {
	return calls{
		"AppendError": func(ctx context.Context) error { return s.AppendError(ctx, entry(99)) },
		"RecentErrors": func(ctx context.Context) error {
			_, err := s.RecentErrors(ctx, 10)
			return err
		},
	}
}

var errorCrashCase = errorCase{
	name:  "crash/errors",
	claim: "Once AppendError has returned nil, the entry survives a kill of the process.",
	needs: errorNeeds{needsCrash[causal.ErrorStorage]},
	run: func(t *testing.T, c errorConfig) {
		ctx := t.Context()
		c.Crash(t).each(t, func(acks []ack, s causal.ErrorStorage) {
			last := 0
			for _, a := range acks {
				last = max(last, a.Entry)
			}
			stored, err := lastEntry(ctx, s)
			require.NoError(t, err)
			require.GreaterOrEqual(t, stored, last)
			all, err := s.RecentErrors(ctx, c.Limits.Entries)
			require.NoError(t, err)
			require.Len(t, all, min(stored, c.Limits.Entries), "an entry is missing between others")
		})
	},
}
