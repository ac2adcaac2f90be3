package causal

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spec-kitty/causal/internal/rawjson"
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
	for rawName, value := range rawjson.Members(text) {
		name, _ := rawjson.Unquote(rawName)
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

// readArray calls item with each item of a valid JSON value, which must be an array,
// until there is an error. It returns the error as one about the array.
func readArray(value string, item func(text string) error) (reason string, cause error) {
	if value[0] != '[' {
		return reasonNotArray, nil
	}
	for text := range rawjson.Elements(value) {
		if err := item(text); err != nil {
			return nested("has an item", err)
		}
	}
	return "", nil
}

// nested returns an error about a part of a member as one about the member; what
// is the part.
func nested(what string, err error) (reason string, cause error) {
	var inner *ValidationError
	if !errors.As(err, &inner) {
		return what + " that is not valid", err
	}
	if f := inner.Fields[0]; f.Field != "" {
		return what + " whose " + f.Field + " " + f.Reason, inner.Err
	}
	return what + " that " + inner.Fields[0].Reason, inner.Err
}

// appendSet begins the JSON form of a set: its elements in ascending order, each an
// object with the member "element" and those that rest appends.
func appendSet[E cmp.Ordered, V any](elements map[E]V, rest func([]byte, V) []byte) (b []byte, err error) {
	b = append(b, `{"elements":[`...)
	for i, element := range slices.Sorted(maps.Keys(elements)) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendElement(append(b, `{"element":`...), element); err != nil {
			return nil, err
		}
		b = append(rest(b, elements[element]), '}')
	}
	return append(b, ']'), nil
}

// readElements reads an array of the elements of a set, each an object with the
// member "element" and others that set takes.
func readElements[E cmp.Ordered, V any](
	value string, names []string, set func(v *V, name, value string) (string, error), add func(E, V),
) (reason string, cause error) {
	names = append([]string{"element"}, names...)
	var last *E
	return readArray(value, func(text string) error {
		element := make([]E, 1)
		var v V
		err := readObject(text, names, func(name, value string) (reason string, cause error) {
			if name == "element" {
				element[0], reason, cause = elementMember[E](value)
				return reason, cause
			}
			return set(&v, name, value)
		})
		switch {
		case err != nil:
			return err
		case last != nil && *last >= element[0]:
			return invalid("element", reasonUnsorted)
		}
		detach(element)
		last = &element[0]
		add(element[0], v)
		return nil
	})
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
