package causal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"iter"
)

// A SyncKey is the position of an event in the order used to compare two logs:
// by Lamport clock, then by digest. Two events have the same key if and only if
// they are [Event.Equal], so different events with the same ID have different
// keys. All keys have the same size, whatever the length of node IDs. The zero
// value sorts before the keys of all events.
type SyncKey struct {
	Clock  int64
	Digest [sha256.Size]byte
}

// Compare returns a negative number, 0 or a positive number if k is before,
// equal to or after other.
func (k SyncKey) Compare(other SyncKey) int {
	if c := cmp.Compare(k.Clock, other.Clock); c != 0 {
		return c
	}
	return bytes.Compare(k.Digest[:], other.Digest[:])
}

// SyncKey returns the position of the event when logs are compared. It computes
// the Digest. The key of the zero Event is the zero SyncKey.
func (e Event) SyncKey() SyncKey { return SyncKey{e.clock, e.Digest()} }

// DigestReader is an optional capability of an [EventStore] that is also a
// [LogReader]. It reads the keys of stored events in the order of [SyncKey],
// from which package causalsync finds the difference between two stores. Errors
// and ranges are as in AllEvents; an error comes with the zero value. An
// invalid filter is reported as by [Filter.Validate], and a bad cursor as by
// ReadLog.
//
// The first call, and the first after a save, may compute and store missing
// keys, in time linear in the number of events without one. If it cannot,
// because the storage is read-only, the error matches [errors.ErrUnsupported].
type DigestReader interface {
	// ReadDigests yields the keys of the entries up to the cursor upTo whose
	// events f selects, in key order, starting at from and stopping before to.
	// A zero to means no upper bound. The zero Cursor is the start of the log,
	// up to which there are no entries.
	ReadDigests(ctx context.Context, f Filter, from, to SyncKey, upTo Cursor) iter.Seq2[SyncKey, error]

	// ReadDigestLog yields the keys of the entries after one cursor and up to
	// another whose events f selects, in arrival order.
	ReadDigestLog(ctx context.Context, f Filter, after, upTo Cursor) iter.Seq2[SyncKey, error]

	// LoadDigests yields the events with the given keys, in the given order. If
	// one is missing, the last pair has a [*StorageError]. LoadDigests does not
	// retain the slice, which must not change until the range ends.
	LoadDigests(ctx context.Context, keys []SyncKey) iter.Seq2[Event, error]
}
