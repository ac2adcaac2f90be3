package causal

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unique"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// dot identifies an event by its node and Lamport clock (Almeida et al. 2018).
// It is small, and does not keep the event's text in memory.
type dot struct {
	node unique.Handle[string]
	time int64
}

// dotOf returns the dot of a valid event.
func dotOf(e Event) dot { return dot{e.p.node, e.clock} }

// compare orders dots by time, then node, as [Compare] does.
func (d dot) compare(o dot) int {
	if d.time != o.time {
		return cmp.Compare(d.time, o.time)
	}
	return strings.Compare(d.node.Value(), o.node.Value())
}

// origin identifies an event in full: the ID distinguishes it from another
// event of a faulty node that used a clock value twice. The ID is empty where
// only the dot is known.
type origin struct {
	dot
	id EventID
}

// originOf returns the origin of a valid event.
func originOf(e Event) origin { return origin{dotOf(e), e.p.ID} }

// detached returns the origin without the event's text, which a state outlives.
func (o origin) detached() origin { return origin{o.dot, EventID(strings.Clone(string(o.id)))} }

// compare orders events as [Compare] does.
func (o origin) compare(p origin) int {
	return cmp.Or(o.dot.compare(p.dot), strings.Compare(string(o.id), string(p.id)))
}

// isFork reports whether two events have the same dot but different IDs.
func (o origin) isFork(p origin) bool {
	return o.dot == p.dot && o.id != p.id && o.id != "" && p.id != ""
}

// appendJSON appends the members of an origin, preceded by the punctuation in
// before.
func (o origin) appendJSON(b []byte, before string) []byte {
	b = o.dot.appendJSON(b, before)
	return appendOptional(b, `,"event_id":`, string(o.id), o.id != "")
}

// forkFinder finds clock values used twice by a node. The zero value is ready.
type forkFinder struct {
	ids    map[dot]EventID // the first of each
	forked map[dot][]EventID
}

// add records an event.
func (f *forkFinder) add(o origin) {
	first, known := f.ids[o.dot]
	switch {
	case o.id == "" || known && first == o.id:
	case known:
		f.note(o.dot, first, o.id)
	default:
		if f.ids == nil {
			f.ids = map[dot]EventID{}
		}
		f.ids[o.dot] = o.id
	}
}

// note records a value used twice, and the known events.
func (f *forkFinder) note(d dot, ids ...EventID) {
	if f.forked == nil {
		f.forked = map[dot][]EventID{}
	}
	f.forked[d] = append(f.forked[d], ids...)
}

// err returns the *ForkError for the first value, by clock and node, or nil if
// there is none.
func (f *forkFinder) err() error {
	if len(f.forked) == 0 {
		return nil
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(f.forked)), dot.compare)
	return errFork(first, f.forked[first]...)
}

// errFork returns the error for a clock value used by these events.
func errFork(d dot, ids ...EventID) error {
	slices.Sort(ids)
	return &ForkError{NodeID: d.node.Value(), LamportClock: d.time, IDs: slices.Compact(ids)}
}

// seenBy reports whether v covers the event. No vector clock has the time 0.
func (d dot) seenBy(v VectorClock) bool {
	return d.time > 0 && !v.IsZero() && d.time <= v.At(d.node.Value())
}

// appendJSON appends the members of a dot, preceded by the punctuation in
// before.
func (d dot) appendJSON(b []byte, before string) []byte {
	b = appendString(append(b, before...), `"node_id":`, d.node.Value())
	return strconv.AppendInt(append(b, `,"lamport_clock":`...), d.time, 10)
}

// appendVector appends a vector clock of a state as a member with the given
// name, preceded by the punctuation in before. It returns a *ValidationError if
// there are more nodes than a reader accepts.
func appendVector(b []byte, before, name string, v VectorClock) ([]byte, error) {
	if v.Len() > maxVectorNodes {
		return nil, invalid(name, reasonVectorSize)
	}
	b = append(append(append(b, before...), name...), `":`...)
	return v.appendJSON(b), nil
}

// parseStateID returns the event ID in a JSON string of a state, without
// keeping the JSON text. The text of a state is canonical, so other cases are
// refused.
func parseStateID(value string) (EventID, error) {
	s, err := parseString(value)
	if err != nil {
		return "", err
	}
	switch id, ok := EventID(s).canonical(); {
	case !ok:
		err = invalid("", reasonEventID)
	case string(id) != s:
		err = invalid("", "must be in its canonical case")
	}
	return EventID(strings.Clone(s)), err
}

// parseDotNode returns the node of a dot, without keeping the JSON text.
func parseDotNode(value string) (unique.Handle[string], error) {
	node, err := parseNodeID(value)
	return unique.Make(node), err
}

// Elements of sets: NaN does not equal itself, so a set would never find it,
// and a string that is not UTF-8 has no JSON form.

// checkElement returns the reason why a set cannot have the element, or "".
func checkElement[E cmp.Ordered](element E) string {
	if element != element { //nolint:gocritic // only NaN differs from itself
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

// canonical returns the element, with 0 for the negative zero.
func canonical[E cmp.Ordered](element E) E {
	var zero E
	return element + zero
}

// parseElement returns the element in a JSON value. A string shares the memory
// of the JSON text.
func parseElement[E cmp.Ordered](value string) (element E, err error) {
	if _, isText := any(element).(string); isText {
		text, err := parseString(value)
		element, _ = any(text).(E)
		return element, err
	}
	return decodeElement[E](value)
}

// decodeElement is parseElement for all types but string. It is separate
// because its result is on the heap.
func decodeElement[E cmp.Ordered](value string) (element E, err error) {
	switch {
	case value == "null":
		return element, invalid("", reasonNull)
	case rawjson.HasLoneSurrogate(value):
		return element, invalid("", reasonSurrogate)
	}
	if err := json.Unmarshal([]byte(value), &element); err != nil {
		return element, invalidBecause("", reasonOtherType, err)
	}
	if reason := checkElement(element); reason != "" {
		return element, invalid("", reason)
	}
	return canonical(element), nil
}

// appendPayloadElements appends the elements of the array in a member of the
// payload of e; a missing member and null have none.
func appendPayloadElements[E cmp.Ordered](e Event, member string, to []E) ([]E, error) {
	array, ok := e.payloadMember(member)
	if !ok {
		return to, nil
	}
	return appendElements(e, member, array, to)
}

// appendElements appends the elements of array, which is the value of a member
// of the payload of e. null has none, because encoding/json writes it for a nil
// slice.
func appendElements[E cmp.Ordered](e Event, member, array string, to []E) ([]E, error) {
	switch {
	case array == "null":
		return to, nil
	case array[0] != '[':
		return nil, e.payloadError(`member "`+member+`" `+reasonNotArray, nil)
	}
	for text := range rawjson.Elements(array) {
		element, err := parseElement[E](text)
		if err != nil {
			fault, cause := faultOf(err)
			return nil, e.payloadError(`member "`+member+`": an element `+fault.Reason, cause)
		}
		to = append(to, element)
	}
	return to, nil
}

// detach clones a string that shares the JSON text. A set outlives the event,
// and would keep all of its text.
func detach[E cmp.Ordered](element *E) {
	if text, ok := any(element).(*string); ok {
		*text = strings.Clone(*text)
	}
}

// appendElement appends an element as JSON. It returns a *ValidationError for
// an infinite number.
func appendElement[E cmp.Ordered](b []byte, element E) ([]byte, error) {
	if text, ok := any(element).(string); ok {
		return rawjson.AppendString(b, text), nil
	}
	text, err := json.Marshal(element)
	if err != nil {
		return nil, invalidBecause("element", reasonNoJSON, err)
	}
	return append(b, text...), nil
}

// appendSet appends the start of the JSON form of a set: its elements in
// ascending order, each an object with the member "element" and the members
// appended by rest.
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

// readElements reads an array of the elements of a set, which must be in
// ascending order. read decodes and returns one of them.
func readElements[E cmp.Ordered](value string, read func(text string) (E, error)) error {
	var last E
	isFirst := true
	return readArray(value, func(text string) error {
		element, err := read(text)
		if err == nil && !isFirst && last >= element {
			err = invalid("element", reasonUnsorted)
		}
		last, isFirst = element, false
		return err
	})
}
