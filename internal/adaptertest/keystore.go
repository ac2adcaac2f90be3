package adaptertest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/spec-kitty/causal"
)

// KeyStore is a store in memory that also has the keys of many events that it
// cannot load, for tests in which only keys matter.
type KeyStore struct {
	causal.MemEventStore
	Keys []causal.SyncKey // in order
}

// NewKeys returns count keys in order, three of each clock.
func NewKeys(count int) []causal.SyncKey {
	keys := make([]causal.SyncKey, count)
	for i := range keys {
		var text [8]byte
		binary.BigEndian.PutUint64(text[:], uint64(i))
		keys[i] = causal.SyncKey{Clock: int64(i / 3), Digest: sha256.Sum256(text[:])}
	}
	slices.SortFunc(keys, causal.SyncKey.Compare)
	return keys
}

// ReadDigests yields the keys of both kinds. See [causal.DigestReader]. A
// filter selects all events that cannot be loaded.
func (s *KeyStore) ReadDigests(ctx context.Context, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	return func(yield func(causal.SyncKey, error) bool) {
		at, _ := slices.BinarySearchFunc(s.Keys, from, causal.SyncKey.Compare)
		many := func(before causal.SyncKey, hasEnd bool) bool {
			for ; at < len(s.Keys) && (!hasEnd || s.Keys[at].Compare(before) < 0); at++ {
				if !yield(s.Keys[at], nil) {
					return false
				}
			}
			return true
		}
		for key, err := range s.MemEventStore.ReadDigests(ctx, f, from, to, upTo) {
			if !many(key, true) || !yield(key, err) || err != nil {
				return
			}
		}
		many(to, to != causal.SyncKey{})
	}
}
