package causal

// CausalGapError reports that a replica has not seen what an operation builds
// upon. It matches [ErrCausalGap]. Nothing was changed; what is missing can be
// fetched and the operation repeated.
type CausalGapError struct { //nolint:revive // the field's term is causal gap; GapError says less
	// Seen is what the replica has seen, Needed what it would have to have seen.
	Seen, Needed VectorClock
}

// Error is the text of [ErrCausalGap]; the clocks are in the fields.
func (e *CausalGapError) Error() string { return ErrCausalGap.Error() }

// Is reports whether target is [ErrCausalGap].
func (e *CausalGapError) Is(target error) bool { return target == ErrCausalGap }

// checkGap returns a *CausalGapError if seen lacks something of needed.
func checkGap(seen, needed VectorClock) error {
	if c := CompareVectorClocks(needed, seen); c == Equal || c == Before {
		return nil
	}
	return &CausalGapError{Seen: seen, Needed: needed}
}
