package causaltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

type (
	rejectedConfig = Config[causal.RejectedStorage]
	rejectedCase   = testCase[causal.RejectedStorage]
)

// TestRejectedStorage checks a storage of rejected events.
func TestRejectedStorage(t *testing.T, c Config[causal.RejectedStorage]) {
	run(t, c, rejectedCases)
}

// rejection returns the n-th rejected event of a test, changed by the options.
func rejection(n int, change ...func(*causal.Rejected)) causal.Rejected {
	r := causal.Rejected{
		Data: []byte(eventID(n)), Source: "bob", EventID: eventID(n), Reason: "invalid", Time: baseTime.Add(time.Duration(n) * time.Nanosecond), Count: 1,
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

func ofSize(size int) func(*causal.Rejected) {
	return func(r *causal.Rejected) {
		r.Data = append(r.Data, make([]byte, size-r.Size())...)
	}
}

var rejectedCases = []rejectedCase{
	{
		name:  "rejected/values",
		claim: "Rejected yields the stored entries, byte for byte, in the order of their first arrival, with times in UTC.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			requireRejected(t, s)
			all := []causal.Rejected{
				rejection(9), rejection(1),
				{Reason: "\x00", Time: baseTime.In(time.FixedZone("", 3600)), Count: 1},
				{Data: []byte{0, 0xff, '\n', '\''}, Source: "\x00 '", Reason: "é", Time: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), Count: 1},
				{Data: []byte("x"), Reason: strings.Repeat("r", 10_000), Time: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Count: 1},
				rejection(5, func(r *causal.Rejected) { r.EventID = "" }),
				rejection(6, func(r *causal.Rejected) { r.EventID = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d" }),
			}
			for _, r := range all {
				requireStored(t, s, r, true)
			}
			lower := rejection(7, func(r *causal.Rejected) { r.EventID = causal.EventID(strings.ToLower(string(r.EventID))); r.Count = 77 })
			requireStored(t, s, lower, true)
			all = append(all, rejection(7))
			requireRejected(t, s, all...)
			if c.Peer != nil {
				requireRejected(t, c.Peer(t, s), all...)
			}
			if c.Reopen != nil {
				requireRejected(t, c.Reopen(t, s), all...)
			}
		},
	},
	{
		name:  "rejected/again",
		claim: "Repeated source and data increment the count of the entry in place, which gets the latest event ID, reason and time.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			for n := range 3 {
				requireStored(t, s, rejection(n), true)
			}
			other := rejection(0, func(r *causal.Rejected) { r.Source = "carol" })
			shifted := rejection(0, func(r *causal.Rejected) { r.Source, r.Data = "bobC", r.Data[1:] })
			later := rejection(1, func(r *causal.Rejected) { r.EventID, r.Reason, r.Time = "", "clock", baseTime.Add(-time.Hour) })
			for _, r := range []causal.Rejected{other, shifted, rejection(1), later} {
				requireStored(t, s, r, true)
			}
			later.Count = 3
			requireRejected(t, s, rejection(0), later, rejection(2), other, shifted)
			require.NoError(t, s.DeleteRejected(t.Context(), later.Key()))
			requireStored(t, s, later, true)
			later.Count = 1
			requireRejected(t, s, rejection(0), rejection(2), other, shifted, later)
		},
	},
	{
		name:  "rejected/delete",
		claim: "DeleteRejected deletes only the entry with the key; a range over Rejected may delete entries it has yielded.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			const count = 100
			for n := range count {
				requireStored(t, s, rejection(n), true)
			}
			require.NoError(t, s.DeleteRejected(t.Context(), causal.RejectedKey{}))
			n := 0
			for r, err := range s.Rejected(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, eventID(n), r.EventID)
				if n%10 != 3 {
					within(t, "to delete in a loop", func() error { return s.DeleteRejected(t.Context(), r.Key()) })
				}
				n++
			}
			require.Equal(t, count, n)
			var left []causal.Rejected
			for n := 3; n < count; n += 10 {
				left = append(left, rejection(n))
			}
			requireRejected(t, s, left...)
			for range s.Rejected(t.Context()) {
				break
			}
			requireStored(t, s, rejection(0), true)
			requireRejected(t, s, append(left, rejection(0))...)
		},
	},
	{
		name:  "rejected/size",
		claim: "An entry larger than MaxRejectedSize, or exceeding MaxRejectedBytes with the others, is not stored, and stored ones stay; deleting makes room.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			requireStored(t, s, rejection(0, ofSize(causal.MaxRejectedSize+1)), false)
			largest := rejection(0, ofSize(causal.MaxRejectedSize))
			requireStored(t, s, largest, true)
			largest.Reason += "!"
			requireStored(t, s, largest, false)
			require.NoError(t, s.DeleteRejected(t.Context(), largest.Key()))
			changed := rejection(1, func(r *causal.Rejected) { r.Data = []byte("changed") })
			for _, size := range []int{10, 1_000_000, 500_000, 20} {
				changed.Reason = strings.Repeat("r", size)
				requireStored(t, s, changed, true)
			}
			require.NoError(t, s.DeleteRejected(t.Context(), changed.Key()))
			const count = causal.MaxRejectedBytes / causal.MaxRejectedSize
			var first causal.Rejected
			for n := range count {
				r := rejection(n, ofSize(causal.MaxRejectedSize))
				if n == 0 {
					first = r
				}
				if n == count-1 {
					r.Data = r.Data[:len(r.Data)-100]
				}
				requireStored(t, s, r, true)
			}
			requireStored(t, s, rejection(count, ofSize(101)), false)
			requireStored(t, s, rejection(count, ofSize(100)), true)
			requireStored(t, s, rejection(count+1), false)
			requireStored(t, s, first, true)
			longer := first
			longer.Reason += "!"
			requireStored(t, s, longer, false)
			n := 0
			for r, err := range s.Rejected(t.Context()) {
				require.NoError(t, err)
				if n == 0 {
					require.Equal(t, uint64(2), r.Count)
					require.Equal(t, first.Reason, r.Reason)
				}
				require.Equal(t, eventID(n), r.EventID)
				n++
			}
			require.Equal(t, count+1, n)
			require.NoError(t, s.DeleteRejected(t.Context(), first.Key()))
			requireStored(t, s, longer, false) // too large by one byte
			requireStored(t, s, rejection(count+1), true)
		},
	},
	{
		name:  "rejected/count",
		claim: "No more than MaxRejected entries are stored, even if many are appended concurrently; the oldest stay.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			handles := c.handles(t, s)
			const workers = 16
			const each = causal.MaxRejected/workers + 10
			stored, errs := make([]int, workers), make([]error, workers)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for n := 0; n < each && errs[w] == nil; n++ {
						var isStored bool
						if isStored, errs[w] = handles[w%2].AppendRejected(t.Context(), rejection(w*each+n)); isStored {
							stored[w]++
						}
					}
				})
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			sum, n := 0, 0
			for _, count := range stored {
				sum += count
			}
			require.Equal(t, causal.MaxRejected, sum)
			var first causal.Rejected
			for r, err := range s.Rejected(t.Context()) {
				require.NoError(t, err)
				if n == 0 {
					first = r
				}
				n++
			}
			require.Equal(t, causal.MaxRejected, n)
			requireStored(t, s, rejection(1_000_000), false)
			requireStored(t, s, first, true)
			require.NoError(t, s.DeleteRejected(t.Context(), first.Key()))
			requireStored(t, s, rejection(1_000_000), true)
			requireStored(t, s, rejection(1_000_001), false)
		},
	},
	{
		name:  "rejected/invalid",
		claim: "Appending an invalid entry returns a *ValidationError naming the field, and stores nothing.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			for field, change := range map[string]func(*causal.Rejected){
				"source":   func(r *causal.Rejected) { r.Source = "\xff" },
				"event_id": func(r *causal.Rejected) { r.EventID = "no ID" },
				"reason":   func(r *causal.Rejected) { r.Reason = "" },
				"time":     func(r *causal.Rejected) { r.Time = time.Time{} },
			} {
				_, err := s.AppendRejected(t.Context(), rejection(0, change))
				requireInvalid(t, err, field)
			}
			requireRejected(t, s)
		},
	},
	{
		name:  "rejected/ownership",
		claim: "Modifying the data after the call does not change the stored entry.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			r := rejection(0)
			requireStored(t, s, r, true)
			r.Data[0] = 'x'
			for got, err := range s.Rejected(t.Context()) {
				require.NoError(t, err)
				got.Data[1] = 'x'
			}
			requireRejected(t, s, rejection(0))
		},
	},
	{
		name:  "rejected/context",
		claim: "If the context is done before the call, nothing is written, and errors.Is finds its error and its cause; if it is canceled during a range, the range ends.",
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			requireEnded(t, rejectedCalls(s))
			for name, call := range rejectedCalls(s) {
				requireInvalid(t, call(nil), "ctx", name)
			}
			requireRejected(t, s)
			for n := range 5 {
				requireStored(t, s, rejection(n), true)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			var last error
			for r, err := range s.Rejected(ctx) {
				if last = err; err != nil {
					require.Zero(t, r)
					continue
				}
				if n++; n == 2 {
					cancel()
				}
			}
			require.Equal(t, 2, n)
			require.ErrorIs(t, last, context.Canceled)
		},
	},
	{
		name:  "rejected/closed",
		claim: "Close may be called twice; every later call returns a *StorageError matching ErrClosed.",
		needs: []need[causal.RejectedStorage]{needsCapability[io.Closer, causal.RejectedStorage]},
		run: func(t *testing.T, c rejectedConfig) {
			s := c.Open(t)
			requireClosed(t, s, rejectedCalls(s))
		},
	},
}

// rejectedCalls returns a call of each method.
func rejectedCalls(s causal.RejectedStorage) calls {
	return calls{
		"AppendRejected": func(ctx context.Context) error {
			_, err := s.AppendRejected(ctx, rejection(0))
			return err
		},
		"DeleteRejected": func(ctx context.Context) error { return s.DeleteRejected(ctx, rejection(0).Key()) },
		"Rejected": func(ctx context.Context) (last error) {
			for _, last = range s.Rejected(ctx) {
			}
			return last
		},
	}
}

func requireStored(t *testing.T, s causal.RejectedStorage, r causal.Rejected, want bool) {
	t.Helper()
	stored, err := s.AppendRejected(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, want, stored, "whether it reports to have stored the entry")
}

func requireRejected(t *testing.T, s causal.RejectedStorage, want ...causal.Rejected) {
	t.Helper()
	n := 0
	for r, err := range s.Rejected(t.Context()) {
		require.NoError(t, err)
		require.Less(t, n, len(want), "there are too many")
		w := want[n]
		require.True(t, bytes.Equal(w.Data, r.Data), "entry %d has other data: is the order that of first arrival?", n)
		require.Equal(t, w.Time.UTC(), r.Time)
		w.Data, w.Time, r.Data, r.Time = nil, time.Time{}, nil, time.Time{}
		require.Equal(t, w, r)
		n++
	}
	require.Equal(t, len(want), n)
}
