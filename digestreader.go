package causal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"iter"
)

// SyncKey is the place of an event in the order in which two logs are compared: that of clocks, and then
// of digests. Two events have one key if, and only if, they are [Event.Equal], so that different contents
// of one ID are two places. All keys have one size, whatever node IDs are. The zero value is that of no
// event, and before all others.
type SyncKey struct {
	Clock  int64
	Digest [sha256.Size]byte
}

// Compare returns a number below, above or equal to 0, as k is before, after or the same as other.
func (k SyncKey) Compare(other SyncKey) int {
	if c := cmp.Compare(k.Clock, other.Clock); c != 0 {
		return c
	}
	return bytes.Compare(k.Digest[:], other.Digest[:])
}

// SyncKey returns the place of the event when logs are compared. It makes the Digest anew. That of the
// zero Event is the zero SyncKey.
func (e Event) SyncKey() SyncKey { return SyncKey{e.clock, e.Digest()} }

// DigestReader is an optional capability of an [EventStore] that is a [LogReader]: reading what it holds
// as keys, in the order of [SyncKey], which is how package causalsync finds what two stores do not have in
// common. Errors and ranges are as in AllEvents, with the zero value beside the error. A filter that is
// not valid is reported as by [Filter.Validate], and a cursor as by ReadLog.
//
// Keys that do not exist yet may be made, and kept, by the first call, which takes the longer the more
// events were saved since. Where that cannot be, as the storage cannot be written, the error matches
// [errors.ErrUnsupported].
type DigestReader interface {
	// ReadDigests yields the keys of the events that f selects, of the entries of the log up to upTo,
	// in order: from the key from on, up to, and without, the key to. The zero to means up to the end.
	// The zero Cursor is the start of the log, up to which there is none.
	ReadDigests(ctx context.Context, f Filter, from, to SyncKey, upTo Cursor) iter.Seq2[SyncKey, error]

	// ReadDigestLog yields the keys of the events that f selects, of the entries after a cursor and up
	// to another one, in arrival order.
	ReadDigestLog(ctx context.Context, f Filter, after, upTo Cursor) iter.Seq2[SyncKey, error]

	// LoadDigests yields the events with these keys, in the order in which they are given. If one is
	// not there, the last pair has a [*StorageError]. LoadDigests does not retain the slice, which
	// must not change until the range ends.
	LoadDigests(ctx context.Context, keys []SyncKey) iter.Seq2[Event, error]
}
