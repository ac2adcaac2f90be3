package causal

import (
	"reflect"
	"strconv"
	"strings"
)

// equalJSON reports whether two valid JSON values are the same value.
func equalJSON(a, b string) bool {
	return a == b || reflect.DeepEqual(parseJSON(a), parseJSON(b))
}

// equalMembers is equalJSON for two lists of members, each after a comma.
func equalMembers(a, b string) bool {
	return a == b || equalJSON(asObject(a), asObject(b))
}

// asObject returns the JSON object of a list of members, each after a comma.
func asObject(list string) string {
	return "{" + strings.TrimPrefix(list, ",") + "}"
}

// parseJSON returns a form of a valid JSON value in which equal values are
// equal for reflect.DeepEqual: map[string]any, []any, string, jsonNumber or
// jsonLiteral. encoding/json would do if it did not read each half of a
// surrogate pair as the same U+FFFD.
func parseJSON(text string) any {
	p := jsonParser{text: text}
	return p.value()
}

type jsonLiteral string

// jsonParser reads valid JSON in one pass. It recurses as deeply as the text is
// nested: maxDepth at most.
type jsonParser struct {
	text string
	pos  int
}

func (p *jsonParser) value() any {
	switch p.text[p.pos] {
	case '{':
		object := map[string]any{}
		p.nested(func() {
			name := canonicalString(p.token())
			p.pos = skipSpace(p.text, skipSpace(p.text, p.pos)+1)
			object[name] = p.value() // of members with one name the last counts
		})
		return object
	case '[':
		array := []any{}
		p.nested(func() { array = append(array, p.value()) })
		return array
	case '"':
		return canonicalString(p.token())
	case 't', 'f', 'n':
		return jsonLiteral(p.token())
	}
	return canonicalNumber(p.token())
}

// nested calls item at the start of each member or element.
func (p *jsonParser) nested(item func()) {
	for p.pos = skipSpace(p.text, p.pos+1); p.text[p.pos] != '}' && p.text[p.pos] != ']'; {
		item()
		if p.pos = skipSpace(p.text, p.pos); p.text[p.pos] == ',' {
			p.pos = skipSpace(p.text, p.pos+1)
		}
	}
	p.pos++
}

// token returns the scalar at the position and moves behind it.
func (p *jsonParser) token() string {
	start := p.pos
	p.pos, _ = skipValue(p.text, p.pos)
	return p.text[start:p.pos]
}

// canonicalString returns what a valid JSON string means. Half of a surrogate
// pair becomes its four digits behind a byte that UTF-8 does not have.
func canonicalString(raw string) string {
	if s, ok := unquote(raw); ok {
		return s
	}
	var b strings.Builder
	for body := raw[1 : len(raw)-1]; ; {
		i := loneSurrogate(body)
		if i < 0 {
			i = len(body)
		}
		s, _ := unquote(`"` + body[:i] + `"`)
		b.WriteString(s)
		if i == len(body) {
			return b.String()
		}
		b.WriteByte(0xFF)
		b.WriteString(strings.ToLower(body[i+2 : i+6]))
		body = body[i+6:]
	}
}

// jsonNumber is the number ±0.digits * 10^exp without leading or trailing
// zeros, so that equal numbers are equal structs.
type jsonNumber struct {
	negative bool
	digits   string
	exp      int64
}

// canonicalNumber returns the number that a valid JSON number means. One whose
// exponent is beyond all use is only equal to itself.
func canonicalNumber(raw string) jsonNumber {
	mantissa, negative := strings.CutPrefix(raw, "-")
	exp := int64(0)
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		var err error
		if exp, err = strconv.ParseInt(mantissa[i+1:], 10, 32); err != nil {
			exp = 0
			if strings.Trim(mantissa[:i], "0.") != "" {
				return jsonNumber{digits: raw}
			}
		}
		mantissa = mantissa[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return jsonNumber{}
	}
	exp += int64(len(digits) - len(fraction))
	return jsonNumber{negative, strings.TrimRight(digits, "0"), exp}
}

// parseInteger returns the integer that a valid JSON value means, however it is
// spelled, or why it is none.
func parseInteger(raw string) (n int64, reason string) {
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, ""
	}
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		return 0, "must be an integer"
	}
	v := canonicalNumber(raw)
	switch {
	case v.exp < int64(len(v.digits)):
		return 0, "must be an integer"
	case v.exp > int64(len("9223372036854775807")):
		return 0, reasonRange
	}
	text := "0" + v.digits + strings.Repeat("0", int(v.exp)-len(v.digits))
	if v.negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, reasonRange
	}
	return n, ""
}
