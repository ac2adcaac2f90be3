package causal

// Contradiction is something that an event says about its past and that cannot be, as the event that it
// names is there, and
//
//   - has no lower Lamport clock, or is the event itself;
//   - is a parent, and of another aggregate or project;
//   - is a cause, and names this event as its cause in turn; or
//   - is a cause of the event's own aggregate that its parents do not lead to, nor any that is missing.
//
// It is a value; the zero value says nothing.
type Contradiction struct {
	// EventID is the event that says it, and Names the other one.
	EventID, Names EventID
	// Field is the member that names it: "parents" or "causation_id".
	Field string
}
