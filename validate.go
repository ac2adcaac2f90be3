package causal

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/go-playground/validator/v10"
)

// The members of an event, in the order of the wire.
const (
	memberEventID = iota
	memberEventType
	memberAggregateID
	memberPayload
	memberTimestamp
	memberNodeID
	memberLamportClock
	memberCausationID
	memberProjectUUID
	memberProjectSlug
	memberCorrelationID
	memberSchemaVersion
	memberDataTier
	memberVectorClock
	memberCount
)

var eventMembers = [memberCount]string{
	"event_id", "event_type", "aggregate_id", "payload", "timestamp", "node_id", "lamport_clock",
	"causation_id", "project_uuid", "project_slug", "correlation_id", "schema_version", "data_tier",
	"vector_clock",
}

// Reasons that more than one place gives.
const (
	reasonMissing     = "is missing"
	reasonNull        = "must not be null"
	reasonNotString   = "must be a string"
	reasonNotInteger  = "must be an integer without fraction or exponent"
	reasonRange       = "does not fit"
	reasonNotObject   = "must be a JSON object"
	reasonTwice       = "is given twice"
	reasonEventID     = "must be 26 ASCII letters or digits"
	reasonNotUTF8     = "must be valid UTF-8"
	reasonTimestamp   = "must be an RFC 3339 date and time, with up to nine decimals"
	reasonTooDeep     = "is nested too deeply"
	reasonSurrogate   = "must not contain half of a surrogate pair"
	reasonNotNegative = "must not be negative"
	reasonEmpty       = "must not be empty"
	reasonNil         = "must not be nil"
	reasonNotPositive = "must be at least 1"
	reasonNoJSON      = "cannot be encoded as JSON"
	reasonNotArray    = "must be an array"
	reasonUnsorted    = "must be in ascending order, each once"
)

// eventFaults holds at most one reason for each member of an event: the first
// that was found.
type eventFaults [memberCount]string

// finish checks the content by the rules on [EventParams], adds what it finds
// to the faults that are already known, and completes valid content. It returns
// nil or the error for all faults.
func (d *event) finish(faults *eventFaults) *ValidationError {
	if faults[memberVectorClock] == "" && faults[memberNodeID] == "" && faults[memberLamportClock] == "" {
		faults[memberVectorClock] = checkEventVector(d.VectorClock, d.NodeID, d.LamportClock)
	}
	var fields []FieldError
	if *faults != (eventFaults{}) || !d.isValid() {
		fields = checkMembers(&d.EventParams, eventMembers[:], faults[:])
	}
	if fields == nil {
		d.ProjectUUID = strings.ToLower(d.ProjectUUID)
		d.idHash = hashID(d.ID)
		d.node = unique.Make(d.NodeID)
		d.NodeID = d.node.Value() // one text for all events of the node
		return nil
	}
	err := &ValidationError{Fields: fields}
	if isEventID(string(d.ID)) {
		err.EventID = d.ID
	}
	return err
}

// isValid reports whether p keeps the rules of its validate tags, of which it is a
// copy for the events that do: the validator takes several times as long
// (docs/adr/0012), and says why for the others. A test holds the two together.
func (p *EventParams) isValid() bool {
	text := func(s string) bool { return s != "" && utf8.ValidString(s) }
	return isEventID(string(p.ID)) && text(p.Type) && text(p.AggregateID) && text(p.NodeID) &&
		hasYear(p.Timestamp) && p.LamportClock >= 0 &&
		(p.CausationID == "" || isEventID(string(p.CausationID))) &&
		isHyphenatedUUID(p.ProjectUUID) && utf8.ValidString(p.ProjectSlug) &&
		(p.CorrelationID == "" || isEventID(string(p.CorrelationID))) &&
		isVersion(p.SchemaVersion) && 0 <= p.DataTier && p.DataTier <= 4
}

// checkEventVector returns why v cannot be the vector clock of an event that the
// node emitted at this Lamport time, "" if it can. If it can, Compare never
// contradicts what vector clocks say.
func checkEventVector(v VectorClock, node string, clock int64) string {
	switch {
	case v.IsZero():
		return ""
	case v.Len() > maxVectorNodes:
		return reasonVectorSize
	case v.Get(node) != clock:
		return "must have lamport_clock as the time of node_id"
	}
	for other, time := range v.All() {
		if other != node && time >= clock {
			return "must have earlier times than lamport_clock for other nodes"
		}
	}
	return ""
}

// rules interprets the validate tags of this package. Nothing of it leaves the
// package.
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

// checkMembers checks the struct that s points to by its validate tags. It
// returns one FieldError for each member at fault, in the order of names; faults
// holds what is known before, which counts first.
func checkMembers(s any, names, faults []string) []FieldError {
	var found validator.ValidationErrors
	_ = errors.As(rules.Struct(s), &found) // no other error: s points to a struct
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

// ruleReason is the text for a failed rule of a validate tag.
func ruleReason(tag, param string) string {
	switch tag {
	case "required":
		return reasonEmpty
	case "eventid":
		return reasonEventID
	case "utf8":
		return reasonNotUTF8
	case "hyphenated":
		return "must be a UUID with hyphens"
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
	switch {
	case s == "":
		return invalid(field, reasonEmpty)
	case !utf8.ValidString(s):
		return invalid(field, reasonNotUTF8)
	}
	return nil
}

// hasYear reports whether the wire format has a place for the year of t.
func hasYear(t time.Time) bool {
	year := fixZone(t).Year()
	return 1 <= year && year <= 9999
}

// isHyphenatedUUID reports whether s has the form 8-4-4-4-12 of hexadecimal
// digits in any case.
func isHyphenatedUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

// isVersion reports whether s is three dotted groups of ASCII digits.
func isVersion(s string) bool {
	major, rest, _ := strings.Cut(s, ".")
	minor, patch, _ := strings.Cut(rest, ".")
	return isDigits(major) && isDigits(minor) && isDigits(patch)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
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
