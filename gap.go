package causal

// GapError reports a replica without some of the events needed by an operation.
// It matches [ErrGap]. The replica is unchanged: fetch the missing events and
// retry.
type GapError struct {
	// Seen is the vector clock of the replica, and Needed the one it would
	// need.
	Seen, Needed VectorClock
}

// Error returns the text of [ErrGap]; the clocks are in the fields.
func (e *GapError) Error() string { return ErrGap.Error() }

// Is reports whether target is [ErrGap].
func (e *GapError) Is(target error) bool { return target == ErrGap }

// A Gap describes events missing from a store although its events refer to
// them: either a range of a node's events or a parent. It is a value; the zero
// value has no meaning.
type Gap struct {
	// NodeID is the node whose events are missing: those with a Lamport clock
	// above After, up to and including UpTo. UpTo is the clock of a missing
	// event, which KnownFrom names as its node's previous one.
	NodeID      string
	After, UpTo int64
	KnownFrom   EventID
	// Parent is the ID of a missing event named as a parent by stored events;
	// nothing else is known of it. The other fields are zero then.
	Parent EventID
}

// checkGap returns a *GapError unless seen dominates or equals needed.
func checkGap(seen, needed VectorClock) error {
	if c := needed.Compare(seen); c == OrderSame || c == OrderBefore {
		return nil
	}
	return &GapError{Seen: seen, Needed: needed}
}
