package causal

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Condition describes the events that make [Appender.SaveEventsIf] fail if
// they were saved after its cursor: those in the project belonging to one of
// the aggregates or emitted by the node. The zero value matches every event;
// any other needs a project, and aggregates or a node. A Condition is a value;
// Aggregates is neither changed nor retained.
type Condition struct {
	ProjectUUID string
	Aggregates  []string
	NodeID      string
}

// Matches reports whether e is one of the events that c describes. It is for
// adapters.
func (c Condition) Matches(e Event) bool {
	return e.p != nil && (c.IsZero() || strings.EqualFold(e.p.ProjectUUID, c.ProjectUUID) &&
		(e.p.NodeID == c.NodeID || slices.Contains(c.Aggregates, e.p.AggregateID)))
}

// IsZero reports whether c is the zero Condition, which matches every event.
func (c Condition) IsZero() bool {
	return c.ProjectUUID == "" && len(c.Aggregates) == 0 && c.NodeID == ""
}

// matcher returns a function like Matches for many nonzero events. Each call
// takes constant time, however many aggregates c has.
func (c Condition) matcher() func(Event) bool {
	if c.IsZero() {
		return c.Matches
	}
	project := strings.ToLower(c.ProjectUUID)
	aggregates := make(map[string]bool, len(c.Aggregates))
	for _, id := range c.Aggregates {
		aggregates[id] = true
	}
	return func(e Event) bool {
		return (e.p.NodeID == c.NodeID || aggregates[e.p.AggregateID]) && e.p.ProjectUUID == project
	}
}

// Validate returns a [*ValidationError] listing every invalid field, or nil.
func (c Condition) Validate() error {
	if c.IsZero() {
		return nil
	}
	err := &ValidationError{}
	add := func(field, reason string) { err.Fields = append(err.Fields, FieldError{field, reason}) }
	if !isHyphenatedUUID(c.ProjectUUID) {
		add("project_uuid", reasonUUID)
	}
	if len(c.Aggregates) == 0 && c.NodeID == "" {
		add("aggregates", "must not be empty if there is no node_id")
	}
	for _, id := range c.Aggregates {
		if textFault(id) != "" {
			add("aggregates", "must have items that are not empty and valid UTF-8")
			break
		}
	}
	if !utf8.ValidString(c.NodeID) {
		add("node_id", reasonNotUTF8)
	}
	if len(err.Fields) > 0 {
		return err
	}
	return nil
}

// Appended reports where a call stored its events in the log. The zero value
// comes with errors.
type Appended struct {
	// Before is the cursor just before the first stored event, and After the
	// cursor of the last. Nothing else lies between them. Both are the head of
	// the log if nothing was stored.
	Before, After Cursor
	// New reports, for each event in the order of the call, whether the call
	// stored it. If an event occurs twice, only the first is new. If everything
	// was already stored, as after retrying a call whose connection was lost,
	// all are false and Before equals After.
	New []bool
}

// An Appender is an optional capability of an [EventStore] that is also a
// [LogReader]. It reports where in the log events were saved, and can make a
// save conditional on the absence of certain other events. Use [Append] and
// [SaveEventsIf]. Neither method retains a slice.
type Appender interface {
	// Append is like SaveEvents of [BatchSaver], and reports where the events
	// are.
	Append(ctx context.Context, events []Event) (Appended, error)

	// SaveEventsIf stores all events or none, provided the log has no entry
	// after the cursor that matches the condition. It checks, in this order:
	//
	//   - If different content is stored under any of the IDs, it returns an
	//     [*IDConflictError] naming all such events.
	//   - If all events are already stored, or there are none, it does nothing
	//     and returns nil, whatever the cursor and the condition.
	//   - If the cursor is not one of this log, it returns the error of
	//     [Cursor.PositionIn].
	//   - If some events were already stored before the call, or an entry
	//     matches, the error matches [ErrConcurrentSave], and the same call
	//     fails again unless someone else stores all its events.
	//
	// If the condition is invalid, it returns the error of
	// [Condition.Validate]. SaveEventsIf is linearizable with respect to all
	// saves of all processes (Herlihy and Wing, "Linearizability", 1990).
	SaveEventsIf(ctx context.Context, after Cursor, c Condition, events []Event) (Appended, error)
}
