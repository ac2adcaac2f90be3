package causalsync

import "github.com/spec-kitty/causal"

// Report says what a Sync has done. The zero value says nothing. The caller owns it.
type Report struct {
	// Filter is what was synced: what was asked for, or less if the peer allows less.
	Filter causal.Filter
	// Received is how many events are new here, Sent how many the peer was sent and has not refused.
	Received, Sent int
	// Trips is how many requests were answered. BytesIn and BytesOut are those of the messages.
	Trips             int
	BytesIn, BytesOut int64
	// Refused are the first 1000 events that were not taken, by either side. RefusedCount is how many there are.
	Refused      []Refusal
	RefusedCount int
}

// maxRefused is how many refusals a report lists.
const maxRefused = 1000

// Refusal is an event that was not taken. It is not stored where it was refused, and the others are. The next
// Sync tries it again. The zero value is never given.
type Refusal struct {
	// EventID is empty if the event has none that can be read.
	EventID causal.EventID
	// Err says why: it matches [causal.ErrValidation], [causal.ErrIDConflict], [causal.ErrClockJump],
	// [ErrNotAllowed], which comes with the error of [Options.Accept] if that was the reason, or [ErrTooLarge].
	// If ByPeer is set there is no more than that.
	Err error
	// ByPeer says that the peer has refused it.
	ByPeer bool
}

// refused tells a refusal, and adds it to a report if there is one.
func (r *Replica) refused(report *Report, peer string, refusal Refusal) {
	if report != nil {
		report.RefusedCount++
		if len(report.Refused) < maxRefused {
			report.Refused = append(report.Refused, refusal)
		}
	}
	if r.options.OnRefused != nil {
		r.options.OnRefused(peer, refusal)
	}
}

// notAllowedError is an error of Options.Accept, or of a store that cannot be written.
type notAllowedError struct{ cause error }

func (e notAllowedError) Error() string        { return ErrNotAllowed.Error() } // the cause may have values
func (e notAllowedError) Is(target error) bool { return target == ErrNotAllowed }
func (e notAllowedError) Unwrap() error        { return e.cause }
