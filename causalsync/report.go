package causalsync

import "github.com/spec-kitty/causal"

// A Report is the outcome of a Sync. The zero value is that of a Sync without
// effect. The caller owns it.
type Report struct {
	// Filter selects the synced events: the filter asked for, or less if the
	// peer allows less.
	Filter causal.Filter
	// Received is the number of events new here, and Sent the number of events
	// sent and not refused by the peer.
	Received, Sent int
	// Trips is the number of answered requests. BytesIn and BytesOut are the
	// sizes of their messages.
	Trips             int
	BytesIn, BytesOut int64
	// Refused lists the first 1000 events refused by either side, and
	// RefusedCount is the number of all of them.
	Refused      []Refusal
	RefusedCount int
}

// maxRefused is the maximum number of refusals in a report.
const maxRefused = 1000

// A Refusal is a refused event. It is not stored by the side refusing it; other
// events are unaffected. The next Sync retries it. The zero value is never
// returned.
type Refusal struct {
	// EventID is empty if no ID could be decoded.
	EventID causal.EventID
	// Err is the reason. It matches [causal.ErrValidation],
	// [causal.ErrIDConflict], [causal.ErrClockJump], [causal.ErrClockOverflow],
	// [ErrNotAllowed], which wraps the error of [Options.Accept] if there is
	// one, or [ErrTooLarge]. If ByPeer is set, it has no further details.
	Err error
	// ByPeer reports whether the peer refused the event.
	ByPeer bool
}

// refused reports a refusal, and adds it to report unless that is nil.
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

// notAllowedError wraps an error of Options.Accept, or of a read-only store.
type notAllowedError struct{ cause error }

func (e notAllowedError) Error() string        { return ErrNotAllowed.Error() } // the cause may contain values
func (e notAllowedError) Is(target error) bool { return target == ErrNotAllowed }
func (e notAllowedError) Unwrap() error        { return e.cause }
