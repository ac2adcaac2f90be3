package causal

import (
	"cmp"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// The elements of sets: NaN is not equal to itself, so a set would never find it,
// and a string that is not UTF-8 has no JSON form.

// checkElement returns why a set cannot have the element, "" if it can.
func checkElement[E cmp.Ordered](element E) string {
	if element != element { //nolint:gocritic // only NaN is not itself
		return "must not be NaN"
	}
	text, isString := any(element).(string)
	if !isString {
		v := reflect.ValueOf(element)
		if v.Kind() != reflect.String {
			return ""
		}
		text = v.String()
	}
	if !utf8.ValidString(text) {
		return reasonNotUTF8
	}
	return ""
}

// canonical returns the element, 0 for the other zero of floats.
func canonical[E cmp.Ordered](element E) E {
	var zero E
	return element + zero
}

// elementMember returns the element that a valid JSON value holds, or why it holds
// none. A string shares the memory of the JSON text.
func elementMember[E cmp.Ordered](value string) (element E, reason string, cause error) {
	if _, isText := any(element).(string); isText {
		text, reason := stringMember(value)
		element, _ = any(text).(E)
		return element, reason, nil
	}
	return decodeElement[E](value)
}

// decodeElement is elementMember for all types but string. It is on its own because
// its result is on the heap.
func decodeElement[E cmp.Ordered](value string) (element E, reason string, cause error) {
	switch {
	case value == "null":
		return element, reasonNull, nil
	case rawjson.HasLoneSurrogate(value):
		return element, reasonSurrogate, nil
	}
	if err := json.Unmarshal([]byte(value), &element); err != nil {
		return element, "does not decode into the given type", err
	}
	return canonical(element), checkElement(element), nil
}

// appendPayloadElements appends the elements of the array in this member of the
// payload of e; a missing member has none.
func appendPayloadElements[E cmp.Ordered](e Event, member string, to []E) ([]E, error) {
	array, ok := e.payloadMember(member)
	if !ok {
		return to, nil
	}
	return appendElements(e, member, array, to)
}

// appendElements appends the elements of the array that is the value of this member
// of the payload of e.
func appendElements[E cmp.Ordered](e Event, member, array string, to []E) ([]E, error) {
	if array[0] != '[' {
		return nil, e.payloadError(`member "`+member+`" `+reasonNotArray, nil)
	}
	for text := range rawjson.Elements(array) {
		element, reason, cause := elementMember[E](text)
		if reason != "" {
			return nil, e.payloadError(`member "`+member+`": an element `+reason, cause)
		}
		to = append(to, element)
	}
	return to, nil
}

// detach copies strings out of the JSON text that they share: a set outlives the
// event, and would keep all of its text.
func detach[E cmp.Ordered](elements []E) {
	if texts, ok := any(elements).([]string); ok {
		for i, text := range texts {
			texts[i] = strings.Clone(text)
		}
	}
}

// appendElement appends an element as JSON. The error is a *ValidationError for an
// infinite number.
func appendElement[E cmp.Ordered](b []byte, element E) ([]byte, error) {
	if text, ok := any(element).(string); ok {
		return rawjson.AppendString(b, text), nil
	}
	text, err := json.Marshal(element)
	if err != nil {
		return nil, &ValidationError{Fields: []FieldError{{"element", reasonNoJSON}}, Err: err}
	}
	return append(b, text...), nil
}
