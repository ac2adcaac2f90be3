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
func decodeValue[T any](e Event, text string) (T, error) {
	value, err := parseValue[T](text)
	if err != nil {
		fault, cause := faultOf(err)
		return value, e.payloadError(`member "value" `+fault.Reason, cause)
	}
	return value, nil
}

// parseValue decodes a JSON value as json.Unmarshal does, except that untyped
// numbers become a json.Number, because a float64 would lose digits.
func parseValue[T any](text string) (value T, err error) {
	switch {
	case rawjson.HasLoneSurrogate(text):
		return value, invalid("", reasonSurrogate)
	case rawjson.IsDeeper(text, maxDepth):
		return value, invalid("", reasonTooDeep)
	}
	var decoded T                                               // not value: a failed decoder may have written to it
	if s, ok := any(&decoded).(*string); ok && text[0] == '"' { // the most common case
		*s, _ = rawjson.Unquote(text)
		detach(s)
		return decoded, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&decoded); err != nil {
		return value, invalidBecause("", reasonOtherType, err)
	}
	return decoded, nil
}

// LWWRegister is a last-writer-wins register (Shapiro et al. 2011,
// specification 8). Writes are applied in any order and any number of times,
// and the register holds the last one under [Compare]. It is the state form of
// [MergeLWW].
//
// The zero value is a register that was never written. A copy is independent if
// copies of T are. An LWWRegister is safe for concurrent use unless one
// goroutine changes it.
//
// Before a node writes, it must advance its clock past
// [LWWRegister.LamportClock] (see [LamportClock.Update]), or its write loses to
// the one it meant to replace. If the node has observed the events, it has done
// so already.
type LWWRegister[T any] struct {
	stamp writeStamp
	value T
}

// writeStamp identifies a write. It is zero if there was none.
type writeStamp struct {
	clock int64
	node  string
	id    EventID
}

// compare is like [Compare], for stamps.
func (s writeStamp) compare(o writeStamp) int {
	if s.clock != o.clock {
		return cmp.Compare(s.clock, o.clock)
	}
	return cmp.Or(strings.Compare(s.node, o.node), strings.Compare(string(s.id), string(o.id)))
}

// Apply applies the write in e's payload member "value", as [MergeLWW] does. An
// event without one changes nothing. Apply returns a [*ValidationError] if the
// value does not decode into T, and the errors of [LWWRegister.Set]. On error,
// the register is unchanged.
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

// Set applies e's write of value, which the register retains. It returns a
// [*ValidationError] if e is zero, and an [*IDConflictError] if the register
// holds another value, clock or node for this event. On error, the register is
// unchanged.
func (r *LWWRegister[T]) Set(e Event, value T) error {
	if e.p == nil {
		return errZeroEvent()
	}
	// Clone the ID, so that the register does not keep the event's text.
	stamp := writeStamp{e.clock, e.p.NodeID, EventID(strings.Clone(string(e.p.ID)))}
	return r.Merge(LWWRegister[T]{stamp, value})
}

// Merge applies the other register's write. Afterwards the registers share
// anything the value refers to. If both hold the same event with two different
// values, Merge returns an [*IDConflictError] and changes nothing. It compares
// values with T's method Equal(T) bool, or otherwise with [reflect.DeepEqual]
// and by their JSON, and treats two values that are not equal to themselves,
// such as NaN, as equal.
func (r *LWWRegister[T]) Merge(other LWWRegister[T]) error {
	c := other.stamp.compare(r.stamp)
	switch {
	case r.stamp.id != other.stamp.id || r.stamp.id == "":
		if c > 0 {
			*r = other
		}
		return nil
	case c != 0 || !equalValues(r.value, other.value):
		return &IDConflictError{IDs: []EventID{r.stamp.id}}
	}
	return nil
}

// equalValues reports whether two values written by one event are the same.
func equalValues[T any](a, b T) bool {
	switch x := any(a).(type) {
	case string: // the most common case, without reflection
		y, _ := any(b).(string)
		return x == y
	case interface{ Equal(T) bool }:
		return x.Equal(b)
	}
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errA := encodeJSON(a)
	y, errB := encodeJSON(b)
	if errA == nil && errB == nil {
		return rawjson.Equal(x, y) // two json.Numbers may be 1 and 1.0
	}
	return !reflect.DeepEqual(a, a) && !reflect.DeepEqual(b, b) //nolint:gocritic // values containing NaN are not equal to themselves
}

// Value returns the value, and reports whether there is one. The register
// retains anything the value refers to.
func (r LWWRegister[T]) Value() (value T, ok bool) { return r.value, r.stamp.id != "" }

// EventID returns the event with the write, or "" if there was none.
func (r LWWRegister[T]) EventID() EventID { return r.stamp.id }

// NodeID returns the writing node, or "" if there was none.
func (r LWWRegister[T]) NodeID() string { return r.stamp.node }

// LamportClock returns the clock of the write, or 0 if there was none.
func (r LWWRegister[T]) LamportClock() int64 { return r.stamp.clock }

// MarshalJSON encodes the value, as [json.Marshal] does, and the event that
// wrote it, or {} if there was none. It returns a [*ValidationError] if the
// value has no JSON form, or one refused by UnmarshalJSON: a string that is not
// valid UTF-8, half of a surrogate pair, or more than 1000 levels.
func (r LWWRegister[T]) MarshalJSON() ([]byte, error) {
	if r.stamp.id == "" {
		return []byte("{}"), nil
	}
	value, err := encodeJSON(r.value)
	if err == nil {
		_, err = parseValue[json.RawMessage](value) // do not write an unreadable value
	}
	if err != nil {
		return nil, inField("value", err)
	}
	b := append(append([]byte(`{"value":`), value...), `,"lamport_clock":`...)
	b = strconv.AppendInt(b, r.stamp.clock, 10)
	b = appendString(b, `,"node_id":`, r.stamp.node)
	b = appendString(b, `,"event_id":`, string(r.stamp.id))
	return append(b, '}'), nil
}

// UnmarshalJSON decodes the output of MarshalJSON. If data is invalid, it
// leaves *r unchanged and returns a [*ValidationError] naming the member. It
// does not retain data.
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
		member{"value", into(&read.value, parseValue[T])},
		member{"lamport_clock", into(&read.stamp.clock, parseClock)},
		member{"node_id", into(&read.stamp.node, parseNodeID)},
		member{"event_id", into(&read.stamp.id, parseStateID)})
	if err != nil {
		return err
	}
	read.stamp.node = strings.Clone(read.stamp.node) // without the JSON text
	*r = read
	return nil
}
