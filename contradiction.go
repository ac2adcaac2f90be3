package causal

// Contradiction is something that an event says about its past and that cannot be, as the
// event that it names is there: that one is not earlier by its Lamport clock, is the event itself or
// names this one as its cause in turn; or it is a parent of another aggregate or project, or a
// cause of the event's own aggregate that its parents do not lead to. It is a value.
type Contradiction struct {
	// EventID is the event that says it, and Names the other one.
	EventID, Names EventID
	// Field is the member that names it: "parents" or "causation_id".
	Field string
}
