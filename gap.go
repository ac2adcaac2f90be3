package causal

// GapError reports that a replica has not seen what an operation builds
// upon. It matches [ErrGap]. Nothing was changed; what is missing can be
// fetched and the operation repeated.
type GapError struct {
	// Seen is what the replica has seen, Needed what it would have to have seen.
	Seen, Needed VectorClock
}

// Error is the text of [ErrGap]; the clocks are in the fields.
func (e *GapError) Error() string { return ErrGap.Error() }

// Is reports whether target is [ErrGap].
func (e *GapError) Is(target error) bool { return target == ErrGap }

// checkGap returns a *GapError if seen lacks something of needed.
func checkGap(seen, needed VectorClock) error {
	if c := needed.Compare(seen); c == OrderSame || c == OrderBefore {
		return nil
	}
	return &GapError{Seen: seen, Needed: needed}
}
