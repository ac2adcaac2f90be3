package causal

import (
	"slices"
	"strings"
)

// The JSON forms of the state types are canonical: one text for each state. So
// their readers take exactly the members that the writers write, and lists in
// ascending order.

// readObject calls set with the value of each member of a valid JSON value, which
// must be an object with exactly these members. Where set gives a reason, the
// error is about the member.
func readObject(text string, names []string, set func(name, value string) (reason string, cause error)) error {
	if text[0] != '{' {
		return invalid("", reasonNotObject)
	}
	given := make([]bool, len(names))
	for rawName, value := range members(text) {
		name, _ := unquote(rawName)
		i := slices.Index(names, name)
		switch {
		case i < 0:
			return invalid("", "has an unknown member")
		case given[i]:
			return invalid(name, reasonTwice)
		}
		given[i] = true
		if reason, cause := set(name, value); reason != "" {
			return &ValidationError{Fields: []FieldError{{name, reason}}, Err: cause}
		}
	}
	if i := slices.Index(given, false); i >= 0 {
		return invalid(names[i], reasonMissing)
	}
	return nil
}

// nodeMember returns the node ID that a JSON string holds, or why it holds none.
func nodeMember(value string) (node, reason string) {
	node, reason = stringMember(value)
	if node == "" && reason == "" {
		reason = reasonEmpty
	}
	return strings.Clone(node), reason
}

// eventIDMember returns the event ID that a JSON string holds, or why it holds
// none.
func eventIDMember(value string) (id EventID, reason string) {
	id, reason = idMember(value)
	if reason == "" && !isEventID(string(id)) {
		reason = reasonEventID
	}
	return EventID(strings.Clone(string(id))), reason
}

// clockMember returns the Lamport clock that a JSON integer holds, or why it holds
// none.
func clockMember(value string) (clock int64, reason string) {
	clock, reason = integerMember(value)
	if clock < 0 {
		reason = reasonNotNegative
	}
	return clock, reason
}
