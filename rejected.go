package causal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"
	"unicode/utf8"
)

// Limits of a [RejectedStorage]: the number of entries, the sum of their sizes,
// and the size of one entry, which counts its Data, Source and Reason.
const (
	MaxRejected      = 10_000
	MaxRejectedBytes = 64 << 20
	MaxRejectedSize  = 1 << 20
)

// A Rejected is data refused as an event, kept unchanged so that nothing is
// lost. People can look at it, and it can be retried. The zero value is not
// valid. It is a value, but Data is a slice, owned by the caller who received
// it.
type Rejected struct {
	// Data is the received data, byte for byte. It may be empty.
	Data []byte
	// Source names the sender, as given by the receiver. It may be empty.
	Source string
	// EventID is the ID of the event, or "" if it could not be decoded.
	EventID EventID
	// Reason says why the event was refused. Required.
	Reason string
	// Time is the latest time of arrival, with a year of 1 through 9999, kept
	// in UTC. Required.
	Time time.Time
	// Count is the number of arrivals, maintained by the storage.
	Count uint64
}

// A RejectedKey identifies rejected data: two have the same key if they have
// the same Source and Data.
type RejectedKey [32]byte

// Key returns the SHA-256 of the length of Source as a uvarint, Source and
// Data.
func (r Rejected) Key() (key RejectedKey) {
	h := sha256.New()
	h.Write(binary.AppendUvarint(nil, uint64(len(r.Source))))
	h.Write([]byte(r.Source))
	h.Write(r.Data)
	return RejectedKey(h.Sum(key[:0]))
}

// Size returns the size of r, as limited by [MaxRejectedBytes].
func (r Rejected) Size() int { return len(r.Data) + len(r.Source) + len(r.Reason) }

// Validate returns a [*ValidationError] listing every invalid field, or nil.
func (r Rejected) Validate() error {
	err := &ValidationError{}
	add := func(field, reason string) { err.Fields = append(err.Fields, FieldError{field, reason}) }
	if !utf8.ValidString(r.Source) {
		add("source", reasonNotUTF8)
	}
	if _, err := ParseEventID(string(r.EventID)); err != nil && r.EventID != "" {
		add("event_id", reasonEventID)
	}
	if reason := textFault(r.Reason); reason != "" {
		add("reason", reason)
	}
	switch {
	case r.Time.IsZero():
		add("time", reasonMissing)
	case !hasYear(r.Time.UTC()):
		add("time", "must have a year from 1 to 9999")
	}
	if len(err.Fields) > 0 {
		return err
	}
	return nil
}

// A RejectedStorage keeps rejected events, and is implemented by storage
// adapters. Its methods must be safe for concurrent use. Contexts and failures
// are as for [EventStore].
type RejectedStorage interface {
	// AppendRejected stores r, and reports whether it is stored. It is not if r
	// is too large, or the storage is full; see [MaxRejected]. Stored entries
	// are never discarded to make room. If an entry with the same key exists,
	// its count is incremented, and its event ID, reason and time are updated
	// in place. If there is no room for a longer reason, nothing changes, and
	// AppendRejected reports false. r.Count is ignored. If r is invalid, the
	// error is that of [Rejected.Validate]; after other errors r may be stored.
	// r.Data is not retained.
	AppendRejected(ctx context.Context, r Rejected) (stored bool, err error)

	// Rejected yields the entries in the order of their first arrival. Errors
	// and ranges are as in AllEvents of [EventStore]; an error, including that
	// for a damaged entry, comes with the zero Rejected. A range includes all
	// entries that exist throughout, and may include those added or deleted
	// during it.
	Rejected(ctx context.Context) iter.Seq2[Rejected, error]

	// DeleteRejected deletes the entry with this key. If there is none, it does
	// nothing.
	DeleteRejected(ctx context.Context, key RejectedKey) error
}
