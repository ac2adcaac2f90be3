package causalsync

import (
	"context"
	"encoding/binary"
	"iter"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

// countedKeys is a source of keys generated while they are read.
type countedKeys struct {
	causal.MemEventStore
	count uint64
}

func (s *countedKeys) ReadDigests(_ context.Context, _ causal.Filter, from, to causal.SyncKey, _ causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	return func(yield func(causal.SyncKey, error) bool) {
		for n := uint64(from.Clock); n < s.count; n++ {
			k := causal.SyncKey{Clock: int64(n)}
			binary.BigEndian.PutUint64(k.Digest[:], n)
			if to != (causal.SyncKey{}) && k.Compare(to) >= 0 || !yield(k, nil) {
				return
			}
		}
	}
}

// The summary of ten million events takes 5 MB.
func TestSummaryIsSmall(t *testing.T) {
	require.Equal(t, bucketBytes, int(unsafe.Sizeof(bucket{})))
	count := uint64(2_000_000) // each takes the same
	m, err := newSummary(t.Context(), &countedKeys{count: count}, causal.Filter{}, salt{1}, causal.Cursor{})
	require.NoError(t, err)
	require.Equal(t, count, m.count)
	require.LessOrEqual(t, uint64(cap(m.buckets)*bucketBytes), count/2)
}

// A summary agrees with the keys themselves in each range, however it was
// built.
func TestSummaryAgreesWithKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		s, r := testStore(t, rapid.SampledFrom([]int{0, 1, 300, 2000}).Draw(t, "first"))
		of := summaryKey{salt: salt{7}}
		m, err := r.summary(ctx, of)
		require.NoError(t, err)
		n := 10_000
		for range rapid.IntRange(0, 4).Draw(t, "more") {
			from := rapid.IntRange(0, 20_000).Draw(t, "from")
			for range rapid.SampledFrom([]int{0, 1, 100, 700}).Draw(t, "count") {
				n++
				e := testEvent(t, n+from)
				if found, err := s.FindEvent(ctx, e.ID()); err == nil && found.IsZero() {
					require.NoError(t, s.SaveEvent(ctx, e))
				}
			}
			head, err := s.Head(ctx)
			require.NoError(t, err)
			m, err = m.advance(ctx, head)
			require.NoError(t, err)
		}
		all, err := m.keys(ctx, span{key{}, end})
		require.NoError(t, err)
		require.Equal(t, uint64(len(all)), m.count)
		for i, b := range m.buckets {
			require.LessOrEqual(t, b.sum.count, uint64(2*bucketSize))
			require.True(t, i == 0 || m.buckets[i-1].first.isBefore(b.first))
		}
		at := func(name string) key {
			switch i := rapid.IntRange(-1, len(all)).Draw(t, name); i {
			case -1:
				return key{}
			case len(all):
				return end
			default:
				return all[i]
			}
		}
		of2 := span{at("lo"), at("hi")}
		if !of2.lo.isBefore(of2.hi) {
			return
		}
		var want sum
		for _, k := range all {
			if !k.isBefore(of2.lo) && k.isBefore(of2.hi) {
				want.addLift(m.salt.lift(&k.digest))
			}
		}
		got, err := m.sumOf(ctx, of2.lo, of2.hi)
		require.NoError(t, err)
		require.Equal(t, want, got)
		if want.count < 2 {
			return
		}
		parts, err := m.split(ctx, of2, rapid.IntRange(2, 40).Draw(t, "parts"))
		require.NoError(t, err)
		lo := of2.lo
		var total sum
		for _, p := range parts {
			require.Equal(t, lo, p.lo)
			require.True(t, p.lo.isBefore(p.hi))
			total.add(p.sum)
			lo = p.hi
		}
		require.Equal(t, of2.hi, lo)
		require.Equal(t, want, total)
	})
}

// The shortest bound between two keys is after the first, and not after the
// second.
func TestShortest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawKey(t, key{})
		b := drawKey(t, a)
		if !a.isBefore(b) {
			return
		}
		s := shortest(a, b)
		require.True(t, a.isBefore(s))
		require.False(t, b.isBefore(s))
	})
}
