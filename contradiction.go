package causal

// A Contradiction is a statement of an event about its past that is impossible
// because the event it names is present, and
//
//   - does not have a lower Lamport clock, or is the event itself;
//   - is named as a parent, but belongs to another aggregate or project;
//   - is a cause, and names this event as its own cause; or
//   - is a cause in the same aggregate, but the event's parents do not lead to
//     it, and no missing event could.
//
// It is a value. The zero value has no meaning.
type Contradiction struct {
	// EventID is the event that makes the statement, and Names the event it
	// names.
	EventID, Names EventID
	// Field is the member with the statement: "parents" or "causation_id".
	Field string
}
