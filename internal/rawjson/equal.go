package rawjson

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Equal reports whether two values are the same: 1, 1.0 and 1e0 are one number,
// the order of members does not matter, and of members with the same name the
// last counts.
func Equal(a, b string) bool {
	return a == b || reflect.DeepEqual(parse(a), parse(b))
}

// parse returns a form of a valid JSON value in which equal values are equal
// for reflect.DeepEqual: map[string]any, []any, string, number or literal.
// encoding/json would do if it did not decode each half of a surrogate pair as
// the same U+FFFD.
func parse(text string) any {
	p := parser{text: text}
	return p.value()
}

type literal string

// parser parses a value in one pass. It recurses as deeply as the value is
// nested.
type parser struct {
	text string
	pos  int
}

func (p *parser) value() any {
	switch p.text[p.pos] {
	case '{':
		object := map[string]any{}
		p.eachItem(func() {
			name := canonicalString(p.token())
			p.pos = skipSpace(p.text, skipSpace(p.text, p.pos)+1)
			object[name] = p.value() // the last member with a name counts
		})
		return object
	case '[':
		array := []any{}
		p.eachItem(func() { array = append(array, p.value()) })
		return array
	case '"':
		return canonicalString(p.token())
	case 't', 'f', 'n':
		return literal(p.token())
	}
	return canonicalNumber(p.token())
}

// eachItem calls item at the start of each member or element.
func (p *parser) eachItem(item func()) {
	for p.pos = skipSpace(p.text, p.pos+1); p.text[p.pos] != '}' && p.text[p.pos] != ']'; {
		item()
		if p.pos = skipSpace(p.text, p.pos); p.text[p.pos] == ',' {
			p.pos = skipSpace(p.text, p.pos+1)
		}
	}
	p.pos++
}

// token returns the scalar at the current position and moves past it.
func (p *parser) token() string {
	start := p.pos
	p.pos, _ = skipValue(p.text, p.pos)
	return p.text[start:p.pos]
}

// canonicalString returns the value of a valid JSON string. Half of a surrogate
// pair becomes its four digits after a byte that does not occur in UTF-8.
func canonicalString(raw string) string {
	if s, ok := Unquote(raw); ok {
		return s
	}
	var b strings.Builder
	for body := raw[1 : len(raw)-1]; ; {
		i := loneSurrogate(body)
		if i < 0 {
			i = len(body)
		}
		s, _ := Unquote(`"` + body[:i] + `"`)
		b.WriteString(s)
		if i == len(body) {
			return b.String()
		}
		b.WriteByte(0xFF)
		b.WriteString(strings.ToLower(body[i+2 : i+6]))
		body = body[i+6:]
	}
}

// number is the number ±0.digits * 10^exp without leading or trailing zeros, so
// that equal numbers are equal structs. An exponent of 10^18 or more either way
// is in wide, as decimal text, and exp is 0.
type number struct {
	negative bool
	digits   string
	exp      int64
	wide     string
}

// canonicalNumber returns the value of a number.
func canonicalNumber(raw string) number {
	mantissa, negative := strings.CutPrefix(raw, "-")
	exponent := "0"
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, exponent = mantissa[:i], mantissa[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return number{}
	}
	n := number{negative: negative, digits: strings.TrimRight(digits, "0")}
	n.exp, n.wide = addToExponent(exponent, int64(len(digits)-len(fraction)))
	return n
}

// wideDigits is the number of decimal digits of an exponent in one step of a
// computation.
const (
	wideDigits = 18
	wideBase   = 1_000_000_000_000_000_000
)

// addToExponent adds a number of less than wideBase to an exponent of any size,
// in linear time, and returns the sum as in a number.
func addToExponent(exponent string, n int64) (exp int64, wide string) {
	sign := ""
	switch exponent[0] {
	case '-':
		sign, n, exponent = "-", -n, exponent[1:]
	case '+':
		exponent = exponent[1:]
	}
	head, tail := "", strings.TrimLeft(exponent, "0")
	if cut := len(tail) - wideDigits; cut > 0 {
		head, tail = tail[:cut], tail[cut:]
	}
	low, _ := strconv.ParseInt("0"+tail, 10, 64) // at most wideDigits digits
	switch low += n; {
	case head == "" && -wideBase < low && low < wideBase:
		if sign != "" {
			low = -low
		}
		return low, ""
	case low >= wideBase:
		head, low = step(head, '9', '0', 1), low-wideBase
	case low < 0:
		head, low = step(head, '0', '9', -1), low+wideBase
	}
	if head = strings.TrimLeft(head, "0"); head == "" {
		if sign != "" {
			low = -low
		}
		return low, ""
	}
	return 0, sign + head + fmt.Sprintf("%0*d", wideDigits, low)
}

// step adds by, which is 1 or -1, to a decimal number: trailing digits from
// become to, and the digit before them changes.
func step(decimal string, from, to byte, by int) string {
	b := []byte("0" + decimal)
	i := len(b) - 1
	for b[i] == from {
		b[i] = to
		i--
	}
	b[i] = byte(int(b[i]) + by)
	return string(b)
}

// Errors of ParseInteger.
var (
	ErrNotInteger = errors.New("must be an integer")
	ErrRange      = errors.New("does not fit in 64 bits")
)

// ParseInteger returns the integer value of a number in any spelling, such as
// 10, 10.0 or 1e1. It returns [ErrNotInteger], or [ErrRange] if the value does
// not fit in 64 bits.
func ParseInteger(raw string) (int64, error) {
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, nil
	}
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		return 0, ErrNotInteger
	}
	v := canonicalNumber(raw)
	switch {
	case v.exp < int64(len(v.digits)) && v.wide == "", strings.HasPrefix(v.wide, "-"):
		return 0, ErrNotInteger
	case v.wide != "", v.exp > int64(len("9223372036854775807")):
		return 0, ErrRange
	}
	text := "0" + v.digits + strings.Repeat("0", int(v.exp)-len(v.digits))
	if v.negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, ErrRange
	}
	return n, nil
}
