package causal

import (
	"cmp"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// decodeValue decodes the text of the payload member "value" of e.
func decodeValue[T any](e Event, text string) (value T, err error) {
	if rawjson.HasLoneSurrogate(text) {
		return value, e.payloadError(`member "value" `+reasonSurrogate, nil)
	}
	var decoded T // not value: a failed decoder may have written to it
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		return value, e.payloadError(`member "value" `+reasonOtherType, err)
	}
	return decoded, nil
}

// LWWRegister is a last-writer-wins register: it holds the value of the last
// write under [Compare] of those that it has heard of (Shapiro et al. 2011,
// specification 8), however often and in whatever order it heard of them. It is
// the state form of [MergeLWW].
//
// The zero value is a register that nobody has written; a copy is a register of
// its own if T's values are. It is not safe for concurrent use while one
// goroutine changes it.
//
// Before a node writes, its clock must have moved beyond [LWWRegister.LamportClock]
// ([LamportClock.Update]); it has if the node observed the events, and else its
// write would lose to one that it meant to replace.
type LWWRegister[T any] struct {
	stamp writeStamp
	value T
}

// writeStamp says who wrote; it is zero if nobody did.
type writeStamp struct {
	clock int64
	node  string
	id    EventID
}

// compare is [Compare] for stamps.
func (s writeStamp) compare(o writeStamp) int {
	if s.clock != o.clock {
		return cmp.Compare(s.clock, o.clock)
	}
	return cmp.Or(strings.Compare(s.node, o.node), strings.Compare(string(s.id), string(o.id)))
}

// Apply takes the value in the payload member "value", as [MergeLWW] does. An
// event without one changes nothing. After an error, which is one of
// [LWWRegister.Set] or a [*ValidationError] for a value that does not decode into
// T, the register is as it was.
func (r *LWWRegister[T]) Apply(e Event) error {
	if e.p == nil {
		return errZeroEvent()
	}
	text, ok := e.payloadMember("value")
	if !ok {
		return nil
	}
	value, err := decodeValue[T](e, text)
	if err != nil {
		return err
	}
	return r.Set(e, value)
}

// Set takes a value that e wrote. The register keeps the value, with what it
// refers to. The error is a [*ValidationError] for the zero Event and an
// [*IDConflictError] if the register holds another value, clock or node of this
// event; then the register is as it was.
func (r *LWWRegister[T]) Set(e Event, value T) error {
	if e.p == nil {
		return errZeroEvent()
	}
	// The register outlives the event, whose text it must not keep.
	stamp := writeStamp{e.clock, e.p.NodeID, EventID(strings.Clone(string(e.p.ID)))}
	return r.Merge(LWWRegister[T]{stamp, value})
}

// Merge takes the other register's write if it is the later one. Then both hold
// what the value refers to. The error is an [*IDConflictError] if both hold one
// event with two values, by T's method Equal(T) bool or else by
// [reflect.DeepEqual], where a value that is not equal to itself, as NaN, counts as
// equal; then r is as it was.
func (r *LWWRegister[T]) Merge(other LWWRegister[T]) error {
	c := other.stamp.compare(r.stamp)
	switch {
	case r.stamp.id != other.stamp.id || r.stamp.id == "":
		if c > 0 {
			*r = other
		}
		return nil
	case c != 0 || !equalValues(r.value, other.value):
		return &IDConflictError{ID: r.stamp.id}
	}
	return nil
}

// equalValues reports whether two values that one event wrote are the same.
func equalValues[T any](a, b T) bool {
	switch x := any(a).(type) {
	case string: // most often, and without reflection
		y, _ := any(b).(string)
		return x == y
	case interface{ Equal(T) bool }:
		return x.Equal(b)
	}
	if reflect.DeepEqual(a, b) {
		return true
	}
	return !reflect.DeepEqual(a, a) && !reflect.DeepEqual(b, b) //nolint:gocritic // a NaN in it is not equal to itself
}

// Value returns the value, and whether there is one. The register keeps what it
// refers to.
func (r LWWRegister[T]) Value() (value T, ok bool) { return r.value, r.stamp.id != "" }

// EventID returns the event that wrote the value, "" if nobody did.
func (r LWWRegister[T]) EventID() EventID { return r.stamp.id }

// NodeID returns the node that wrote the value, "" if nobody did.
func (r LWWRegister[T]) NodeID() string { return r.stamp.node }

// LamportClock returns the clock of the event that wrote the value, 0 if nobody
// did.
func (r LWWRegister[T]) LamportClock() int64 { return r.stamp.clock }

// MarshalJSON writes the value, as [json.Marshal] does, and who wrote it; {} if
// nobody did. The error is a [*ValidationError] for a value that has no JSON form
// or strings that are not valid UTF-8.
func (r LWWRegister[T]) MarshalJSON() ([]byte, error) {
	if r.stamp.id == "" {
		return []byte("{}"), nil
	}
	value, err := json.Marshal(r.value)
	if err != nil {
		return nil, invalidBecause("value", reasonNoJSON, err)
	}
	if _, isText := any(r.value).(json.RawMessage); !isText && rawjson.HasReplacement(string(value)) {
		return nil, invalid("value", reasonNotUTF8)
	}
	b := append(append([]byte(`{"value":`), value...), `,"lamport_clock":`...)
	b = strconv.AppendInt(b, r.stamp.clock, 10)
	b = appendString(b, `,"node_id":`, r.stamp.node)
	b = appendString(b, `,"event_id":`, string(r.stamp.id))
	return append(b, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes. It leaves *r as it was if there is
// an error, which is a [*ValidationError] that names the member at fault. The caller keeps
// data.
func (r *LWWRegister[T]) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	var read LWWRegister[T]
	if strings.Trim(text, "{} \t\r\n") == "" {
		*r = read
		return nil
	}
	err = readObject(text,
		member{"value", read.readValue},
		member{"lamport_clock", into(&read.stamp.clock, parseClock)},
		member{"node_id", into(&read.stamp.node, parseNodeID)},
		member{"event_id", into(&read.stamp.id, parseEventID)})
	if err != nil {
		return err
	}
	read.stamp.node = strings.Clone(read.stamp.node) // without the JSON text
	read.stamp.id = EventID(strings.Clone(string(read.stamp.id)))
	*r = read
	return nil
}

// readValue reads the value of the JSON form.
func (r *LWWRegister[T]) readValue(text string) error {
	if rawjson.HasLoneSurrogate(text) {
		return invalid("", reasonSurrogate)
	}
	if err := json.Unmarshal([]byte(text), &r.value); err != nil {
		return invalidBecause("", reasonOtherType, err)
	}
	return nil
}
