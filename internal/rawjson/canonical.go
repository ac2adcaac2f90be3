package rawjson

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
)

// AppendCanonical appends a canonical form of a valid value: two values have
// the same form if and only if they are [Equal]. It takes linear time, except
// for sorting members.
//
//	null, false, true   n, f, t
//	string              s, text
//	number              d, + or -, text of its digits, text of its exponent: 0.digits * 10^exponent, without
//	                    zeros at the ends of the digits; 0 is + and has neither, its exponent is 0
//	array               a, count, values
//	object              o, count, each name as a text and its value, in the order of the names
//
// A text is its length in bytes and the bytes; lengths and counts are unsigned
// varints (encoding/binary). Half of a surrogate pair is the byte FF and its
// four digits in lower case. Of members with the same name the last one counts.
func AppendCanonical(b []byte, value string) []byte { return appendCanonical(b, parse(value)) }

func appendCanonical(b []byte, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		b = binary.AppendUvarint(append(b, 'o'), uint64(len(v)))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = appendCanonical(AppendText(b, name), v[name])
		}
	case []any:
		b = binary.AppendUvarint(append(b, 'a'), uint64(len(v)))
		for _, element := range v {
			b = appendCanonical(b, element)
		}
	case string:
		b = AppendText(append(b, 's'), v)
	case number:
		sign, exponent := byte('+'), v.wide
		if v.negative {
			sign = '-'
		}
		if exponent == "" {
			exponent = strconv.FormatInt(v.exp, 10)
		}
		b = AppendText(AppendText(append(b, 'd', sign), v.digits), exponent)
	case literal:
		b = append(b, v[0])
	}
	return b
}

// AppendText appends a text in the form of [AppendCanonical].
func AppendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
