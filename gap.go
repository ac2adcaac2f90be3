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

// checkGap returns a *GapError unless seen dominates or equals needed.
func checkGap(seen, needed VectorClock) error {
	if c := needed.Compare(seen); c == OrderSame || c == OrderBefore {
		return nil
	}
	return &GapError{Seen: seen, Needed: needed}
}
