package causal

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// Events keep their payload as JSON text, and all JSON is read by package
// rawjson. This file turns its results into errors of this package.

// maxDepth limits the nesting of a payload or an unknown member, so that
// readers of events may use recursion.
const maxDepth = 1000

// checkJSON returns the text of data without surrounding space. It returns a
// *ValidationError if data is not one valid JSON value in valid UTF-8.
func checkJSON(data []byte) (text string, err error) {
	if !rawjson.Valid(data) {
		return "", errInvalidJSON(data)
	}
	if !utf8.Valid(data) {
		return "", invalid("", reasonNotUTF8)
	}
	return strings.TrimSpace(string(data)), nil // JSON allows only some of the space trimmed here
}

// errInvalidJSON returns the error for invalid data, in the words of
// encoding/json.
func errInvalidJSON(data []byte) error {
	var raw json.RawMessage
	cause := json.Unmarshal(data, &raw)
	reason := "is not valid JSON"
	var syntax *json.SyntaxError
	switch {
	case cause != nil && strings.Contains(cause.Error(), "max depth"): // the limit of encoding/json, far above ours
		reason = reasonTooDeep
	case errors.As(cause, &syntax):
		reason = fmt.Sprintf("is not valid JSON, seen at byte %d", syntax.Offset)
	}
	return invalidBecause("", reason, cause)
}

// encodePayload returns the JSON object encoding v.
func encodePayload(v any) (text string, err error) {
	data, isText := v.(json.RawMessage)
	switch {
	case v == nil || isText && data == nil:
		return "{}", nil
	case isText:
		text, err = checkJSON(data)
	default:
		text, err = encodeJSON(v)
	}
	switch {
	case err != nil:
		return "", err
	case !isText && text == "null":
		return "{}", nil
	}
	return parseObject(text)
}

// encodeJSON returns the result of json.Marshal. Unlike json.Marshal it refuses
// text that is not valid UTF-8.
func encodeJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", invalidBecause("", reasonNoJSON, err)
	}
	text, err := checkJSON(data)
	if err == nil && rawjson.HasReplacement(text) && hasInvalidString(reflect.ValueOf(v)) {
		err = invalid("", "has a string that is not valid UTF-8")
	}
	return text, err
}

// hasInvalidString reports whether json.Marshal would write a string of v that
// is not valid UTF-8, which it replaces with the escape \ufffd. Looking for the
// escape is not enough, because a json.RawMessage may use it for the character
// U+FFFD.
func hasInvalidString(v reflect.Value) bool {
	if isNil := (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil(); isNil || !v.IsValid() {
		return false
	}
	if text, ok := ownText(v); ok {
		return !utf8.Valid(text)
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return hasInvalidString(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if hasInvalidString(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			if hasInvalidString(key) || hasInvalidString(value) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && hasInvalidString(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

// ownText returns the text of a value that encodes itself. It is nil if the
// text is JSON, which json.Marshal keeps unchanged.
func ownText(v reflect.Value) (text []byte, ok bool) {
	if v.CanAddr() {
		v = v.Addr() // for methods of the pointer
	}
	if !v.CanInterface() {
		return nil, false
	}
	switch x := v.Interface().(type) {
	case json.Marshaler:
		return nil, true
	case encoding.TextMarshaler:
		text, _ := x.MarshalText() // json.Marshal has called this before
		return text, true
	}
	return nil, false
}

// The parsers below take the text of a valid JSON value. Their errors are each
// a *ValidationError about the value as a whole; inField and inPart add where
// the value is.

// inField turns an error about a value into one about the field holding it.
func inField(field string, err error) error {
	fault, cause := faultOf(err)
	return invalidBecause(field, fault.Reason, cause)
}

// inPart turns an error about a part of a value into one about the value; what
// names the part.
func inPart(what string, err error) error {
	fault, cause := faultOf(err)
	if fault.Field != "" {
		return invalidBecause("", what+" whose "+fault.Field+" "+fault.Reason, cause)
	}
	return invalidBecause("", what+" that "+fault.Reason, cause)
}

// faultOf returns the fault found by a parser or reader, or the zero value.
func faultOf(err error) (fault FieldError, cause error) {
	if err == nil {
		return FieldError{}, nil
	}
	var found *ValidationError // on the heap
	errors.As(err, &found)     // parsers return no other errors
	return found.Fields[0], found.Err
}

// parseString returns the value of a JSON string, which may share its memory.
func parseString(value string) (string, error) {
	switch {
	case value == "null":
		return "", invalid("", reasonNull)
	case value[0] != '"':
		return "", invalid("", reasonNotString)
	}
	s, ok := rawjson.Unquote(value)
	if !ok {
		return "", invalid("", reasonSurrogate)
	}
	return s, nil
}

// parseNodeID returns the node ID in a JSON string.
func parseNodeID(value string) (string, error) {
	node, err := parseString(value)
	if err == nil && node == "" {
		err = invalid("", reasonEmpty)
	}
	return node, err
}

// parseEventID returns the event ID in a JSON string, in its canonical case.
func parseEventID(value string) (EventID, error) {
	s, err := parseString(value)
	if err != nil {
		return "", err
	}
	id, ok := EventID(s).canonical()
	if !ok {
		return id, invalid("", reasonEventID)
	}
	return id, nil
}

// parseInt returns the value of a JSON integer.
func parseInt(value string) (int64, error) {
	if value == "null" {
		return 0, invalid("", reasonNull)
	}
	if !isDigits(strings.TrimPrefix(value, "-")) {
		return 0, invalid("", reasonNotInteger)
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, invalid("", reasonRange)
	}
	return n, nil
}

// parseClock returns the Lamport clock in a JSON integer.
func parseClock(value string) (int64, error) {
	clock, err := parseInt(value)
	if err == nil && clock < 0 {
		err = invalid("", reasonNotNegative)
	}
	return clock, err
}

// parseObject returns the text of a JSON object.
func parseObject(value string) (string, error) {
	if value[0] != '{' {
		return "", invalid("", reasonNotObject)
	}
	if rawjson.IsDeeper(value, maxDepth) {
		return "", invalid("", reasonTooDeep)
	}
	return value, nil
}

// parseTime returns the time in a JSON string.
func parseTime(value string) (time.Time, error) {
	s, err := parseString(value)
	if err != nil {
		return time.Time{}, err
	}
	t, ok := parseTimestamp(s)
	if !ok {
		return t, invalid("", reasonTimestamp)
	}
	return t, nil
}

// parseTimestamp parses an RFC 3339 date and time, and the other forms used by
// the Python library: no zone, which means UTC, a space for the T, or a bare
// date. It refuses more than nine decimals, because they would be lost.
func parseTimestamp(s string) (t time.Time, ok bool) {
	const date = len("2006-01-02")
	const second = len("2006-01-02T15:04:05")
	switch {
	case len(s) == date:
		s += "T00:00:00Z"
	case len(s) < second:
		return t, false
	case s[date] == ' ':
		s = s[:date] + "T" + s[date+1:]
	}
	fraction, zone := s[second:], "Z"
	if i := strings.IndexAny(fraction, "Z+-"); i >= 0 {
		fraction, zone = fraction[:i], fraction[i:]
	} else {
		s += zone
	}
	// These faults are overlooked by time.Parse.
	switch {
	case fraction != "" && fraction[0] != '.', len(fraction) > len(".999999999"):
		return t, false
	case zone != "Z" && (len(zone) != len("+07:00") || zone[1:3] > "23" || zone[4:6] > "59"):
		return t, false
	}
	t, err := time.Parse(time.RFC3339, s)
	return wireTime(t), err == nil
}

// member is a member of an object for readObject.
type member struct {
	name string
	read func(value string) error
}

// into returns a function that parses a value into *to.
func into[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(value string) (err error) {
		*to, err = parse(value)
		return err
	}
}

// readObject reads a JSON object with exactly the given members, in any order.
// The JSON forms of the state types are canonical, with one text for each
// state, so readers accept only the output of the writers.
func readObject(text string, members ...member) error {
	if text[0] != '{' {
		return invalid("", reasonNotObject)
	}
	var given uint // a bit for each member
	for name, value, at := rawjson.NextMember(text, 0); name != ""; name, value, at = rawjson.NextMember(text, at) {
		i := 0
		for i < len(members) && !rawjson.IsString(name, members[i].name) {
			i++
		}
		switch {
		case i == len(members):
			return invalid("", "has an unknown member")
		case given&(1<<i) != 0:
			return invalid(members[i].copyName(), reasonTwice)
		}
		given |= 1 << i
		if err := members[i].read(value); err != nil {
			return inField(members[i].copyName(), err)
		}
	}
	for i, m := range members {
		if given&(1<<i) == 0 {
			return invalid(m.copyName(), reasonMissing)
		}
	}
	return nil
}

// copyName returns a copy of the name. An error holding the name itself would
// move the members of every call to the heap.
func (m member) copyName() string { return strings.Clone(m.name) }

// readArray calls item for each element of a JSON array, until the first error.
func readArray(value string, item func(text string) error) error {
	if value[0] != '[' {
		return invalid("", reasonNotArray)
	}
	for text := range rawjson.Elements(value) {
		if err := item(text); err != nil {
			return inPart("has an item", err)
		}
	}
	return nil
}

// appendString appends the punctuated name, then s as a JSON string.
func appendString(b []byte, name, s string) []byte {
	return rawjson.AppendString(append(b, name...), s)
}

// appendOptional is like appendString, but writes null for an absent value.
func appendOptional(b []byte, name, s string, present bool) []byte {
	if present {
		return appendString(b, name, s)
	}
	return append(append(b, name...), "null"...)
}
