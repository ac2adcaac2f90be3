package causal

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

// rules interprets the validate tags of this package. It is not visible
// outside.
var rules = newRules()

func newRules() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("wire") })
	for tag, ok := range map[string]func(reflect.Value) bool{
		"eventid":    func(v reflect.Value) bool { return isEventID(v.String()) },
		"utf8":       func(v reflect.Value) bool { return utf8.ValidString(v.String()) },
		"hyphenated": func(v reflect.Value) bool { return isHyphenatedUUID(v.String()) },
		"version":    func(v reflect.Value) bool { return isVersion(v.String()) },
		"year": func(v reflect.Value) bool {
			t, _ := reflect.TypeAssert[time.Time](v)
			return hasYear(t)
		},
	} {
		// The only errors are an empty tag and a nil function.
		_ = v.RegisterValidation(tag, func(fl validator.FieldLevel) bool { return ok(fl.Field()) }, true)
	}
	return v
}

// checkFields checks the struct pointed to by s by its validate tags. It
// returns one FieldError for each invalid field, in the order of names; faults
// has the reasons already known, which take precedence.
func checkFields(s any, names, faults []string) []FieldError {
	var found validator.ValidationErrors
	_ = errors.As(rules.Struct(s), &found) // no other error is possible: s points to a struct
	for _, f := range found {
		if i := slices.Index(names, f.Field()); faults[i] == "" {
			faults[i] = ruleReason(f.Tag(), f.Param())
		}
	}
	var fields []FieldError
	for i, reason := range faults {
		if reason != "" {
			fields = append(fields, FieldError{names[i], reason})
		}
	}
	return fields
}

// ruleReason returns the reason for a failed rule of a validate tag.
func ruleReason(tag, param string) string {
	switch tag {
	case "required":
		return reasonEmpty
	case "eventid":
		return reasonEventID
	case "utf8":
		return reasonNotUTF8
	case "hyphenated":
		return reasonUUID
	case "version":
		return "must be three numbers with dots, as in 1.0.0"
	case "year":
		return "must have a year from 1 to 9999"
	case "gte":
		if param == "0" {
			return reasonNotNegative
		}
		return "must be at least " + param
	case "lte":
		return "must be at most " + param
	}
	return "breaks the rule " + tag
}

// checkText returns nil if s is not empty and valid UTF-8.
func checkText(field, s string) error {
	if reason := textFault(s); reason != "" {
		return invalid(field, reason)
	}
	return nil
}

// textFault returns the reason why a required text is invalid, or "".
func textFault(s string) string {
	switch {
	case s == "":
		return reasonEmpty
	case !utf8.ValidString(s):
		return reasonNotUTF8
	}
	return ""
}

// isNil reports whether x is nil or holds a nil pointer.
func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// now returns the current time truncated to microseconds, the precision of
// Python, which all peers keep.
func now() time.Time { return time.Now().Truncate(time.Microsecond) }

// hasYear reports whether the year of t fits the wire format.
func hasYear(t time.Time) bool {
	year := wireTime(t).Year()
	return 1 <= year && year <= 9999
}

// wireTime returns t without a monotonic reading, in UTC or at a fixed offset,
// as on the wire. Offsets that RFC 3339 cannot express, with seconds or of a
// day or more, become UTC.
func wireTime(t time.Time) time.Time {
	const day = 24 * 60 * 60
	_, offset := t.Zone()
	if offset == 0 || offset%60 != 0 || offset <= -day || offset >= day {
		return t.UTC()
	}
	return t.In(time.FixedZone("", offset))
}

// isVersion reports whether s is three dotted groups of ASCII digits.
func isVersion(s string) bool {
	major, rest, _ := strings.Cut(s, ".")
	minor, patch, _ := strings.Cut(rest, ".")
	return isDigits(major) && isDigits(minor) && isDigits(patch)
}

// isDigits reports whether s is one or more ASCII digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
