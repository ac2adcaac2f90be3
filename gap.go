package causal

// GapError reports that a replica is missing events that an operation depends on.
// It matches [ErrGap]. The replica is unchanged: fetch the missing events and
// retry.
type GapError struct {
	// Seen is what the replica has seen, Needed what it would have to have seen.
	Seen, Needed VectorClock
}

// Error is the text of [ErrGap]; the clocks are in the fields.
func (e *GapError) Error() string { return ErrGap.Error() }

// Is reports whether target is [ErrGap].
func (e *GapError) Is(target error) bool { return target == ErrGap }

// Gap is something that a store does not have, and that its events say is there: either events of a
// node or a parent. It is a value; the zero value says nothing.
type Gap struct {
	// NodeID is the node whose events are missing: those with a Lamport clock above After, up to
	// UpTo, which is that of one of them. KnownFrom names that one as its previous.
	NodeID      string
	After, UpTo int64
	KnownFrom   EventID
	// Parent is the ID of an event that stored ones name as a parent; nobody knows more of it.
	// The other fields are zero then.
	Parent EventID
}

// checkGap returns a *GapError unless seen dominates or equals needed.
func checkGap(seen, needed VectorClock) error {
	if c := needed.Compare(seen); c == OrderSame || c == OrderBefore {
		return nil
	}
	return &GapError{Seen: seen, Needed: needed}
}
