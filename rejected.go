package causal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"
	"unicode/utf8"
)

// What a [RejectedStorage] keeps: so many at most, of so many bytes together, and none that is
// larger than MaxRejectedSize. The size of one is that of its Data, Source and Reason.
const (
	MaxRejected      = 10_000
	MaxRejectedBytes = 64 << 20
	MaxRejectedSize  = 1 << 20
)

// Rejected is something that was to be an event and was not taken, as it came: so that nothing
// is lost, people can look at it, and it can be tried again. The zero value lacks a reason and a time. It is
// a value, but Data is a slice: who is given one owns it.
type Rejected struct {
	// Data is what came, byte by byte. It may be empty.
	Data []byte
	// Source says from whom it came, in the words of who has taken it in. It may be empty.
	Source string
	// EventID is the ID of the event, "" if that could not be read.
	EventID EventID
	// Reason says why it was not taken. Required.
	Reason string
	// Time is when it came last, with a year of 1 through 9999. Required. It is kept in UTC.
	Time time.Time
	// Count is how often it has come. The storage counts.
	Count uint64
}

// RejectedKey tells what was rejected from all else: two are the same if they have the same
// Source and Data.
type RejectedKey [32]byte

// Key returns what r is known by: the SHA-256 of the length of Source as a uvarint, Source and
// Data.
func (r Rejected) Key() (key RejectedKey) {
	h := sha256.New()
	h.Write(binary.AppendUvarint(nil, uint64(len(r.Source))))
	h.Write([]byte(r.Source))
	h.Write(r.Data)
	return RejectedKey(h.Sum(key[:0]))
}

// Size returns what r counts for in [MaxRejectedBytes].
func (r Rejected) Size() int { return len(r.Data) + len(r.Source) + len(r.Reason) }

// Validate returns a [*ValidationError] that names the fields at fault, nil if there are none.
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

// A RejectedStorage keeps what was rejected, and is implemented by storage adapters. Its
// methods must be safe for concurrent use. Contexts and failures are as for [EventStore].
type RejectedStorage interface {
	// AppendRejected stores r, and reports whether it is stored: not if it, or all
	// together, would be too large or too many; see [MaxRejected]. What is stored stays. If
	// the same is stored already, its count is raised, and it takes over the event ID, the
	// reason and the time, at its place; if there is no room for a longer reason, nothing
	// changes, and AppendRejected reports false. r.Count is ignored. If r is invalid, the
	// error is that of [Rejected.Validate]. r.Data is not retained.
	AppendRejected(ctx context.Context, r Rejected) (stored bool, err error)

	// Rejected yields what is stored, in the order in which it came first. Errors and
	// ranges are as in AllEvents of [EventStore], with the zero Rejected beside the error,
	// also at one that is damaged. A range sees what is there all the time, and perhaps
	// what is added or deleted meanwhile.
	Rejected(ctx context.Context) iter.Seq2[Rejected, error]

	// DeleteRejected deletes what has this key. If there is none, it does nothing.
	DeleteRejected(ctx context.Context, key RejectedKey) error
}
