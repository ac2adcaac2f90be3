// Package rawjson reads single values of JSON text (RFC 8259) without decoding
// the rest, and keeps every digit and every spelling.
//
// [Valid] accepts text from outside. All other functions rely on text accepted
// by Valid that is also valid UTF-8: they do not check for errors, and panic or
// return nonsense otherwise. Values are passed without surrounding white space.
// Only [Equal] recurses, as deeply as the text is nested. Everything is safe
// for concurrent use.
package rawjson

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// IsDeeper reports whether the value is nested more than max levels deep. A
// scalar has no level, and {} and [] have one.
func IsDeeper(value string, max int) bool {
	if len(value) <= 2*max { // a level takes two bytes
		return false
	}
	_, depth := skipValue(value, 0)
	return depth > max
}

// Members yields the name and the value of each member of an object, both as
// JSON text.
func Members(object string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		name, value, at := NextMember(object, 0)
		for name != "" && yield(name, value) {
			name, value, at = NextMember(object, at)
		}
	}
}

// NextMember is like [Members], for callers that cannot afford its function
// values. It returns one member and the index to pass to it for the next one, 0
// for the first. The name is empty if there is no further member.
func NextMember(object string, at int) (name, value string, next int) {
	i := skipSpace(object, at+1) // past the brace or comma
	if object[at] == '}' || object[i] != '"' {
		return "", "", at
	}
	nameEnd := skipString(object, i)
	start := skipSpace(object, nameEnd)     // the colon
	start = skipSpace(object, start+1)      // the value
	end, next := skipElement(object, start) // the comma or brace
	return object[i:nameEnd], object[start:end], next
}

// Elements yields the elements of an array as JSON text.
func Elements(array string) iter.Seq[string] {
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

// skipElement returns the index after the value at i and the index of the comma
// or bracket after it.
func skipElement(s string, i int) (end, next int) {
	end, _ = skipValue(s, i)
	return end, skipSpace(s, end)
}

// skipSpace returns the first index from i on without white space.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that starts at i.
func skipString(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the index after the value starting at i, and its depth of
// nesting: 0 for a scalar.
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

// skipNested implements skipValue for an object or an array.
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

// Find returns the value of the object's member with this name, as JSON text,
// and reports whether there is one. If the name is repeated, the last one wins,
// as in encoding/json.
func Find(object, name string) (value string, ok bool) {
	for raw, v := range Members(object) {
		if IsString(raw, name) {
			value, ok = v, true
		}
	}
	return value, ok
}

// IsString reports whether the JSON string raw has the value s.
func IsString(raw, s string) bool {
	// An escape is longer than its character, so lengths distinguish most
	// strings.
	if len(raw) <= len(s)+len(`""`) {
		return raw[1:len(raw)-1] == s && strings.IndexByte(s, '\\') < 0
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return false
	}
	text, ok := Unquote(raw)
	return ok && text == s
}

// Unquote returns the value of a JSON string. ok is false if the string has
// half of a surrogate pair, which no Go string can hold. The result may share
// the memory of raw.
func Unquote(raw string) (s string, ok bool) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	if loneSurrogate(raw) >= 0 {
		return "", false
	}
	var text string // not s, which would then always be on the heap
	err := json.Unmarshal([]byte(raw), &text)
	return text, err == nil
}

// HasLoneSurrogate reports whether a value contains half of a surrogate pair.
func HasLoneSurrogate(value string) bool { return loneSurrogate(value) >= 0 }

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

// HasReplacement reports whether a value contains the escape \ufffd, which
// json.Marshal writes for bytes that are not UTF-8. It writes a real U+FFFD
// unescaped.
func HasReplacement(value string) bool {
	for i := strings.IndexByte(value, '\\'); i >= 0 && i < len(value); i++ {
		if value[i] == '\\' {
			if escapedUnit(value, i) == utf8.RuneError {
				return true
			}
			i++
		}
	}
	return false
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

// AppendString appends s, which must be valid UTF-8, as a JSON string.
func AppendString(b []byte, s string) []byte {
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
