package causal

import (
	"slices"
	"time"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// An ErrorEntry records an error and how it was resolved, for people and agents
// to learn from. It is a plain value: copy it freely, and do not modify a
// shared one. The zero value is not valid.
type ErrorEntry struct {
	// Timestamp is when the error occurred. [ErrorLog.Log] replaces a zero
	// Timestamp with the current time. The year must be 1 through 9999.
	Timestamp time.Time `validate:"year" wire:"timestamp"`
	// ActionAttempted is the failed action. Required.
	ActionAttempted string `validate:"required,utf8" wire:"action_attempted"`
	// ErrorMessage describes the error. Required.
	ErrorMessage string `validate:"required,utf8" wire:"error_message"`
	// Resolution is the action taken in response. It is empty while the error
	// is open.
	Resolution string `validate:"utf8" wire:"resolution"`
	// Agent is who attempted the action. [ErrorLog.Log] replaces "" with
	// "unknown".
	Agent string `validate:"utf8" wire:"agent"`
}

// defaultAgent is the agent of entries without one.
const defaultAgent = "unknown"

// Validate returns nil, or a [*ValidationError] listing every invalid field by
// its wire name. Storage adapters call it.
func (e ErrorEntry) Validate() error {
	if fields := checkFields(&e, entryFields[:], make([]string, len(entryFields))); fields != nil {
		return &ValidationError{Fields: fields}
	}
	return nil
}

// MarshalJSON encodes the entry in the wire format. Its errors are those of
// Validate.
func (e ErrorEntry) MarshalJSON() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	b := append([]byte(nil), `{"timestamp":"`...)
	b = wireTime(e.Timestamp).AppendFormat(b, time.RFC3339Nano)
	b = appendString(b, `","action_attempted":`, e.ActionAttempted)
	b = appendString(b, `,"error_message":`, e.ErrorMessage)
	b = appendString(b, `,"resolution":`, e.Resolution)
	b = appendString(b, `,"agent":`, e.Agent)
	return append(b, '}'), nil
}

// UnmarshalJSON decodes an entry from the wire format. Timestamps are parsed
// like those of events. A missing resolution means "", and a missing agent
// "unknown". Unknown members are ignored, as in the Python library. If data is
// invalid, UnmarshalJSON leaves *e unchanged and returns a [*ValidationError].
// It does not retain data.
func (e *ErrorEntry) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	if text[0] != '{' {
		return invalid("", reasonNotObject)
	}
	entry := ErrorEntry{Agent: defaultAgent}
	faults := make([]string, len(entryFields))
	for i := range requiredEntryFields {
		faults[i] = reasonMissing
	}
	var seen [len(entryFields)]bool
	for rawName, value := range rawjson.Members(text) {
		name, _ := rawjson.Unquote(rawName)
		i := slices.Index(entryFields[:], name)
		switch {
		case i < 0:
		case seen[i]:
			faults[i] = reasonTwice
		default:
			seen[i] = true
			fault, _ := faultOf(entry.set(name, value))
			faults[i] = fault.Reason
		}
	}
	if fields := checkFields(&entry, entryFields[:], faults); fields != nil {
		return &ValidationError{Fields: fields}
	}
	*e = entry
	return nil
}

// The fields of an entry in wire order, the required ones first.
var entryFields = [...]string{"timestamp", "action_attempted", "error_message", "resolution", "agent"}

const requiredEntryFields = 3

// set stores the value of a field, if its JSON type is right.
func (e *ErrorEntry) set(field, value string) (err error) {
	switch field {
	case "timestamp":
		e.Timestamp, err = parseTime(value)
	case "action_attempted":
		e.ActionAttempted, err = parseString(value)
	case "error_message":
		e.ErrorMessage, err = parseString(value)
	case "resolution":
		e.Resolution, err = parseString(value)
	case "agent":
		e.Agent, err = parseString(value)
	}
	return err
}
