package causal

import (
	"errors"
	"strings"
	"time"
)

// Receipt says what became of what was received. The zero value says that nothing was. The
// caller owns it.
type Receipt struct {
	// Saved is how many events are new and were stored, Known how many were stored before.
	Saved, Known int
	// Rejected are those that were not taken, in the order in which they came.
	Rejected []Rejection
	// Forks are those that the node has found since the receipt before, in these events or in
	// others that its store has: a node was restored from a backup, or is run twice. All of its
	// branches are stored. IDs has the event that shows a fork, and what goes on with a branch
	// is none: if the events come in order, each fork is told once, and otherwise each node at
	// least. Those that OpenNode finds go to OnFork only.
	Forks []ForkError
}

// add adds what a further call has done.
func (r *Receipt) add(other Receipt) {
	r.Saved += other.Saved
	r.Known += other.Known
	r.Rejected = append(r.Rejected, other.Rejected...)
	r.Forks = append(r.Forks, other.Forks...)
}

// Rejection is something that was received and not taken. The zero value is never given.
type Rejection struct {
	Rejected
	// Err says why: a [*ValidationError], an [*IDConflictError], a [*ClockJumpError],
	// [ErrClockOverflow], or an error of the store about this event. Its text is the Reason.
	Err error
	// IsStored says that the store keeps it, for [Node.RetryRejected] and for people. It
	// does not if it is no [RejectedStorage] or has no room.
	IsStored bool
}

// incoming is one thing that is received.
type incoming struct {
	event Event  // zero if it could not be read
	data  []byte // as it came, nil if it came as an event
	err   error  // why it is rejected

	stored Event // that has its ID, if it was looked for
}

// rejection returns what is kept of something that is rejected.
func (in *incoming) rejection(source string) Rejection {
	r := Rejection{Err: in.err, Rejected: Rejected{
		Data: in.data, Source: source, EventID: in.event.ID(), Reason: strings.ToValidUTF8(in.err.Error(), "\uFFFD"), Time: time.Now().UTC(), Count: 1,
	}}
	if invalid, ok := errors.AsType[*ValidationError](in.err); ok && invalid != nil && r.EventID == "" {
		r.EventID = invalid.EventID
	}
	if in.data == nil && in.event.p != nil {
		r.Data, _ = in.event.MarshalJSON() // of an event that is not zero never fails
	}
	return r
}
