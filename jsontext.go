package causal

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Events keep their payload as JSON text. The functions here read single members
// of such text without decoding the rest. They rely on text that has been found
// valid (checkJSON), so they need not look for errors, and none of
// them recurses.

// maxDepth bounds how deeply a payload or an unknown member is nested, so that
// readers of events may recurse over them.
const maxDepth = 1000

// checkJSON returns the text of data without the space around it, or why it is
// not one valid JSON value in valid UTF-8.
func checkJSON(data []byte) (text string, err *ValidationError) {
	if !validJSON(data) {
		return "", errInvalidJSON(data)
	}
	if !utf8.Valid(data) {
		return "", invalid("", reasonNotUTF8)
	}
	return strings.TrimSpace(string(data)), nil // JSON allows only some of the space that this trims
}

// errInvalidJSON says what is wrong with data, in encoding/json's words.
func errInvalidJSON(data []byte) *ValidationError {
	var raw json.RawMessage
	cause := json.Unmarshal(data, &raw)
	reason := "is not valid JSON"
	var syntax *json.SyntaxError
	switch {
	case cause != nil && strings.Contains(cause.Error(), "max depth"): // of encoding/json, far above ours
		reason = reasonTooDeep
	case errors.As(cause, &syntax):
		reason = fmt.Sprintf("is not valid JSON, seen at byte %d", syntax.Offset)
	}
	return &ValidationError{Fields: []FieldError{{"", reason}}, Err: cause}
}

// isTooDeep reports whether a valid JSON value is nested more deeply than maxDepth.
func isTooDeep(value string) bool {
	if len(value) <= 2*maxDepth { // a level takes two bytes
		return false
	}
	_, depth := skipValue(value, 0)
	return depth > maxDepth
}

// members yields the name and the value of each member of a valid JSON object,
// both as JSON text.
func members(object string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		i := skipSpace(object, 1)
		for object[i] == '"' {
			nameEnd := skipString(object, i)
			start := skipSpace(object, nameEnd)     // the colon
			start = skipSpace(object, start+1)      // the value
			end, next := skipElement(object, start) // the comma or brace
			if !yield(object[i:nameEnd], object[start:end]) || object[next] == '}' {
				return
			}
			i = skipSpace(object, next+1)
		}
	}
}

// elements yields the elements of a valid JSON array as JSON text.
func elements(array string) iter.Seq[string] {
	return func(yield func(element string) bool) {
		i := skipSpace(array, 1)
		for array[i] != ']' {
			end, next := skipElement(array, i)
			if !yield(array[i:end]) || array[next] == ']' {
				return
			}
			i = skipSpace(array, next+1)
		}
	}
}

// skipElement returns where the value at i ends and where the comma or bracket
// behind it is.
func skipElement(s string, i int) (end, next int) {
	end, _ = skipValue(s, i)
	return end, skipSpace(s, end)
}

// skipSpace returns the first index from i on that is not white space.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index behind the string that starts at i.
func skipString(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the index behind the value that starts at i, and how deeply
// that value is nested: 0 for a scalar.
func skipValue(s string, i int) (end, depth int) {
	switch s[i] {
	case '"':
		return skipString(s, i), 0
	case '{', '[':
		return skipNested(s, i)
	}
	for i < len(s) && strings.IndexByte(",]} \t\r\n", s[i]) < 0 {
		i++
	}
	return i, 0
}

// skipNested is skipValue for an object or an array.
func skipNested(s string, i int) (end, depth int) {
	for open := 0; ; i++ {
		switch s[i] {
		case '"':
			i = skipString(s, i) - 1
		case '{', '[':
			open++
			depth = max(depth, open)
		case '}', ']':
			if open--; open == 0 {
				return i + 1, depth
			}
		}
	}
}

// findMember returns the text of the last member of the object with this name.
func findMember(object, name string) (value string, ok bool) {
	for raw, v := range members(object) {
		if isQuoted(raw, name) {
			value, ok = v, true
		}
	}
	return value, ok
}

// isQuoted reports whether the JSON string raw means s. An escape is longer than
// what it means, so most strings are told apart by their lengths.
func isQuoted(raw, s string) bool {
	if len(raw) <= len(s)+len(`""`) {
		return raw[1:len(raw)-1] == s && strings.IndexByte(s, '\\') < 0
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return false
	}
	text, ok := unquote(raw)
	return ok && text == s
}

// unquote returns what a valid JSON string means. It is not ok if the string
// has half of a surrogate pair, for which Go's strings have no form.
func unquote(raw string) (s string, ok bool) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	if loneSurrogate(raw) >= 0 {
		return "", false
	}
	var text string // not s, which would then be on the heap in all cases
	err := json.Unmarshal([]byte(raw), &text)
	return text, err == nil
}

// loneSurrogate returns the index of the first \u escape in valid JSON text
// that is half of a surrogate pair, or -1.
func loneSurrogate(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch unit := escapedUnit(text, i); {
		case unit < 0:
			i++ // an escape of one character
		case 0xD800 <= unit && unit <= 0xDBFF:
			if low := escapedUnit(text, i+6); low < 0xDC00 || low > 0xDFFF {
				return i
			}
			i += 11
		case 0xDC00 <= unit && unit <= 0xDFFF:
			return i
		default:
			i += 5
		}
	}
	return -1
}

// escapedUnit returns the UTF-16 code unit of the \uXXXX at i, or -1 if there
// is none.
func escapedUnit(text string, i int) int64 {
	if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(text[i+2:i+6], 16, 16)
	if err != nil {
		return -1
	}
	return int64(unit)
}

// appendQuoted appends s as a JSON string. s is valid UTF-8.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // strings always encode
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
