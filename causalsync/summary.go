package causalsync

import (
	"context"
	"iter"
	"slices"
	"sort"

	"github.com/spec-kitty/causal"
)

// source is a store with readable keys.
type source interface {
	causal.DigestReader
	Head(ctx context.Context) (causal.Cursor, error)
}

// A new bucket has bucketSize events. It is split when it has twice as many.
const bucketSize = 256

// bucket is the sum of the events from first up to the first of the next
// bucket.
type bucket struct {
	first key
	sum   sum
}

// bucketBytes is the memory taken by a bucket.
const bucketBytes = 80

// summary has sums of the events of a filter, in buckets of several hundred
// events, at one position of the log. It is immutable. Anything finer is read
// from the source.
type summary struct {
	source  source
	filter  causal.Filter
	salt    salt
	at      causal.Cursor
	buckets []bucket // at least one; the first begins at the zero key
	count   uint64
}

// newSummary returns a summary of all events up to a position. It reads all
// keys.
func newSummary(ctx context.Context, src source, f causal.Filter, s salt, at causal.Cursor) (*summary, error) {
	m := &summary{source: src, filter: f, salt: s, at: at}
	var err error
	m.buckets, err = m.scan(ctx, key{}, end)
	for _, b := range m.buckets {
		m.count += b.sum.count
	}
	m.buckets = slices.Clip(m.buckets)
	return m, err
}

// read yields the keys of a range.
func (m *summary) read(ctx context.Context, lo, hi key) iter.Seq2[causal.SyncKey, error] {
	return m.source.ReadDigests(ctx, m.filter, lo.syncKey(), hi.syncKey(), m.at)
}

// scan returns the buckets of a range; the first one starts with the range.
func (m *summary) scan(ctx context.Context, lo, hi key) ([]bucket, error) {
	buckets := []bucket{{first: lo}}
	before := lo
	for found, err := range m.read(ctx, lo, hi) {
		if err != nil {
			return nil, err
		}
		k := keyOf(found)
		b := &buckets[len(buckets)-1]
		if b.sum.count >= bucketSize {
			buckets = append(buckets, bucket{first: shortest(before, k)})
			b = &buckets[len(buckets)-1]
		}
		b.sum.addLift(m.salt.lift(&k.digest))
		before = k
	}
	return buckets, nil
}

// advance returns the summary at a later position of the log. It reads the
// entries in between.
func (m *summary) advance(ctx context.Context, head causal.Cursor) (*summary, error) {
	if head == m.at {
		return m, nil
	}
	if head.Position() < m.at.Position() { // a lagging replica, or a log that went back
		return nil, causal.ErrInvalidCursor
	}
	next := &summary{source: m.source, filter: m.filter, salt: m.salt, at: head, buckets: slices.Clone(m.buckets), count: m.count}
	isLarge := false
	for found, err := range m.source.ReadDigestLog(ctx, m.filter, m.at, head) {
		if err != nil {
			return nil, err
		}
		k := keyOf(found)
		b := &next.buckets[next.bucketOf(k)]
		b.sum.addLift(next.salt.lift(&k.digest))
		next.count++
		isLarge = isLarge || b.sum.count > 2*bucketSize
	}
	if !isLarge {
		return next, nil
	}
	var buckets []bucket
	for i, b := range next.buckets {
		parts := []bucket{b}
		if b.sum.count > 2*bucketSize {
			var err error
			if parts, err = next.scan(ctx, b.first, next.endOf(i)); err != nil {
				return nil, err
			}
		}
		buckets = append(buckets, parts...)
	}
	next.buckets = slices.Clip(buckets)
	return next, nil
}

// bucketOf returns the index of the bucket containing k.
func (m *summary) bucketOf(k key) int {
	return sort.Search(len(m.buckets), func(i int) bool { return k.isBefore(m.buckets[i].first) }) - 1
}

// endOf returns the end of a bucket.
func (m *summary) endOf(i int) key {
	if i+1 < len(m.buckets) {
		return m.buckets[i+1].first
	}
	return end
}

// sumOf returns the sum of a range. It reads keys in the buckets at its ends.
func (m *summary) sumOf(ctx context.Context, lo, hi key) (total sum, err error) {
	for i := m.bucketOf(lo); i < len(m.buckets) && m.buckets[i].first.isBefore(hi); i++ {
		b, last := m.buckets[i], m.endOf(i)
		if !b.first.isBefore(lo) && !hi.isBefore(last) {
			total.add(b.sum)
			continue
		}
		first := lo
		if first.isBefore(b.first) {
			first = b.first
		}
		if hi.isBefore(last) {
			last = hi
		}
		for found, err := range m.read(ctx, first, last) {
			if err != nil {
				return sum{}, err
			}
			total.addLift(m.salt.lift(&found.Digest))
		}
	}
	return total, nil
}

// part is a range with its sum.
type part struct {
	span
	sum sum
}

// span is a range of keys, from lo up to but not including hi.
type span struct{ lo, hi key }

// split splits a range into count parts of similar size. Large parts end where
// buckets do.
func (m *summary) split(ctx context.Context, of span, count int) ([]part, error) {
	i, j := m.bucketOf(of.lo), m.bucketOf(of.hi)
	if j-i < count {
		return m.splitKeys(ctx, of, count)
	}
	parts := make([]part, 0, count)
	lo := of.lo
	for p := 1; p <= count; p++ {
		hi := of.hi
		if p < count {
			hi = m.buckets[i+(j-i)*p/count].first
		}
		total, err := m.sumOf(ctx, lo, hi)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{span{lo, hi}, total})
		lo = hi
	}
	return parts, nil
}

// splitKeys splits a range by reading its keys.
func (m *summary) splitKeys(ctx context.Context, of span, count int) ([]part, error) {
	keys, err := m.keys(ctx, of)
	if err != nil {
		return nil, err
	}
	count = max(1, min(count, len(keys)))
	parts := make([]part, 0, count)
	lo := of.lo
	for p := 1; p <= count; p++ {
		first, last := len(keys)*(p-1)/count, len(keys)*p/count
		next := part{span: span{lo, of.hi}}
		if p < count {
			next.hi = shortest(keys[last-1], keys[last])
		}
		for _, k := range keys[first:last] {
			next.sum.addLift(m.salt.lift(&k.digest))
		}
		parts = append(parts, next)
		lo = next.hi
	}
	return parts, nil
}

// keys returns all keys of a range.
func (m *summary) keys(ctx context.Context, of span) ([]key, error) {
	var keys []key
	for found, err := range m.read(ctx, of.lo, of.hi) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyOf(found))
	}
	return keys, nil
}
