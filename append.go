package causal

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

// Condition says what must not have been saved meanwhile, for [Appender.SaveEventsIf]: an
// event of the project that is of one of the aggregates, or of the node. It has a project,
// and aggregates or a node. The zero value means any event at all. It is a value; Aggregates
// is neither changed nor retained.
type Condition struct {
	ProjectUUID string
	Aggregates  []string
	NodeID      string
}

// Matches reports whether an event is one that must not have been saved meanwhile. It is
// for adapters.
func (c Condition) Matches(e Event) bool {
	return e.p != nil && (c.IsZero() || strings.EqualFold(e.p.ProjectUUID, c.ProjectUUID) &&
		(e.p.NodeID == c.NodeID || slices.Contains(c.Aggregates, e.p.AggregateID)))
}

// IsZero reports whether c is the zero Condition, which any event matches.
func (c Condition) IsZero() bool {
	return c.ProjectUUID == "" && len(c.Aggregates) == 0 && c.NodeID == ""
}

// matcher returns Matches for many events that are not zero, which takes the same time for
// each, however many aggregates there are.
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

// Validate returns a [*ValidationError] that names the fields at fault, nil if there are none.
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

// Appended says where in the log a call has stored its events. The zero value comes with
// errors.
type Appended struct {
	// Before is the cursor of the entry before what was stored, and After that of the
	// last one of it. In between there is nothing else. Both are the head of the log if
	// nothing was stored.
	Before, After Cursor
	// New says of each event, in the order of the call, whether the call has stored it. Of
	// one that comes twice, the first is new. They are all false, and Before is After, if all
	// were stored before, as also by a call that was tried again after its connection was lost.
	New []bool
}

// An Appender is an optional capability of an [EventStore] that is a [LogReader]: saving with
// a place in the log, and only if nothing else was saved. Use [Append] and [SaveEventsIf].
// Both methods retain no slice.
type Appender interface {
	// Append is SaveEvents of [BatchSaver], and says where the events are.
	Append(ctx context.Context, events []Event) (Appended, error)

	// SaveEventsIf stores all events or none, if the log has no entry after the cursor
	// that matches the condition. It looks, in this order:
	//
	//   - If an ID is taken by different content, it returns an [*IDConflictError] that
	//     names all such events.
	//   - If all events are stored already, or there are none, it does nothing and returns
	//     nil, whatever the cursor and the condition.
	//   - If the cursor is not of the log, it returns the error of [Cursor.PositionIn].
	//   - If some events are stored, or an entry matches, the error matches
	//     [ErrConcurrentSave], and to save the same again will not change that.
	//
	// If the condition is invalid, it returns the error of [Condition.Validate]. Its calls,
	// and other saves, of all processes happen one after another (they are linearizable:
	// Herlihy and Wing, 1990).
	SaveEventsIf(ctx context.Context, after Cursor, c Condition, events []Event) (Appended, error)
}
