package causal

import (
	"errors"
	"strings"
	"time"
)

// A Receipt reports the outcome of receiving events. The zero value means there
// were none. The caller owns it.
type Receipt struct {
	// Saved is the number of new events, which were stored, and Known the
	// number of events already stored.
	Saved, Known int
	// Rejected lists the refused events, in the order of the input.
	Rejected []Rejection
	// Forks lists the forks found since the previous receipt, in these events
	// or in others in the store. A fork means a node was restored from a backup
	// or is running twice. All branches are stored. IDs has the event proving
	// the fork; later events of a branch are not reported again. If events
	// arrive in order, each fork is reported once, and otherwise each node at
	// least once. Forks found by other calls, such as OpenNode and Emit, are
	// passed only to OnFork.
	Forks []ForkError
}

// add adds the outcome of a further call.
func (r *Receipt) add(other Receipt) {
	r.Saved += other.Saved
	r.Known += other.Known
	r.Rejected = append(r.Rejected, other.Rejected...)
	r.Forks = append(r.Forks, other.Forks...)
}

// A Rejection is a refused event. The zero value is never returned.
type Rejection struct {
	Rejected
	// Err is the reason: a [*ValidationError], an [*IDConflictError], a
	// [*ClockJumpError], [ErrClockOverflow], or an error of the store about
	// this event. Its text is the Reason.
	Err error
	// IsStored reports whether the store keeps the rejected event, for
	// [Node.RetryRejected] and for people. It is false if the store is not a
	// [RejectedStorage] or is full, or the event too large.
	IsStored bool
}

// incoming is one received event or text.
type incoming struct {
	event Event  // zero if it could not be decoded
	data  []byte // as received; nil if it was received as an event
	err   error  // the reason for rejecting it

	stored Event // the event with its ID, if looked up
}

// rejection returns the entry to keep for a rejected event or text.
func (in *incoming) rejection(source string) Rejection {
	r := Rejection{Err: in.err, Rejected: Rejected{
		Data: in.data, Source: source, EventID: in.event.ID(), Reason: strings.ToValidUTF8(in.err.Error(), "\uFFFD"), Time: time.Now().UTC(), Count: 1,
	}}
	if invalid, ok := errors.AsType[*ValidationError](in.err); ok && invalid != nil && r.EventID == "" {
		r.EventID = invalid.EventID
	}
	if in.data == nil && in.event.p != nil {
		r.Data, _ = in.event.MarshalJSON() // never fails for a nonzero event
	}
	return r
}
