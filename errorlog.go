package causal

import (
	"context"
	"slices"
	"time"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// ErrorEntry records that something went wrong and what became of it, so that
// people and agents learn from it. It is a plain value: copy it freely, and do
// not write to a shared one. The zero value is not valid.
type ErrorEntry struct {
	// Timestamp is when it happened. [ErrorLog.Log] replaces zero by the
	// present. The year is 1 to 9999.
	Timestamp time.Time `validate:"year" wire:"timestamp"`
	// ActionAttempted is what was being done. Required.
	ActionAttempted string `validate:"required,utf8" wire:"action_attempted"`
	// ErrorMessage is what went wrong. Required.
	ErrorMessage string `validate:"required,utf8" wire:"error_message"`
	// Resolution is what was done about it; empty while that is open.
	Resolution string `validate:"utf8" wire:"resolution"`
	// Agent is who did it. [ErrorLog.Log] replaces "" by "unknown".
	Agent string `validate:"utf8" wire:"agent"`
}

// defaultAgent is the agent of entries that name none.
const defaultAgent = "unknown"

// Validate returns nil or a [*ValidationError] that names every bad field by its
// wire name. Storage adapters call it.
func (e ErrorEntry) Validate() error {
	if fields := checkMembers(&e, entryMembers[:], make([]string, len(entryMembers))); fields != nil {
		return &ValidationError{Fields: fields}
	}
	return nil
}

// MarshalJSON writes the entry in the wire format. The error is that of
// Validate.
func (e ErrorEntry) MarshalJSON() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	b := append([]byte(nil), `{"timestamp":"`...)
	b = fixZone(e.Timestamp).AppendFormat(b, time.RFC3339Nano)
	b = appendString(b, `","action_attempted":`, e.ActionAttempted)
	b = appendString(b, `,"error_message":`, e.ErrorMessage)
	b = appendString(b, `,"resolution":`, e.Resolution)
	b = appendString(b, `,"agent":`, e.Agent)
	return append(b, '}'), nil
}

// UnmarshalJSON reads an entry from its wire format. It leaves *e as it was if
// there is an error, which is a [*ValidationError]. Timestamps are read as those
// of events; a missing resolution means "" and a missing agent "unknown".
// Unknown members are ignored, as in the Python library. The caller keeps data.
func (e *ErrorEntry) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	if text[0] != '{' {
		return invalid("", reasonNotObject)
	}
	entry := ErrorEntry{Agent: defaultAgent}
	faults := make([]string, len(entryMembers))
	for i := range requiredEntryMembers {
		faults[i] = reasonMissing
	}
	var seen [len(entryMembers)]bool
	for rawName, value := range rawjson.Members(text) {
		name, _ := rawjson.Unquote(rawName)
		i := slices.Index(entryMembers[:], name)
		switch {
		case i < 0:
		case seen[i]:
			faults[i] = reasonTwice
		default:
			seen[i] = true
			faults[i] = entry.set(i, value)
		}
	}
	if fields := checkMembers(&entry, entryMembers[:], faults); fields != nil {
		return &ValidationError{Fields: fields}
	}
	*e = entry
	return nil
}

// The members of an entry in the order of the wire, the required ones first.
var entryMembers = [...]string{"timestamp", "action_attempted", "error_message", "resolution", "agent"}

const requiredEntryMembers = 3

// set stores the value of a member and returns what is wrong with it, "" if its
// JSON type is right.
func (e *ErrorEntry) set(member int, value string) (reason string) {
	if member == 0 {
		e.Timestamp, reason = timestampMember(value)
		return reason
	}
	s := [...]*string{1: &e.ActionAttempted, &e.ErrorMessage, &e.Resolution, &e.Agent}[member]
	*s, reason = stringMember(value)
	return reason
}

// ErrorLog adds defaults to an [ErrorStorage]. It is safe for concurrent use. Use
// [NewErrorLog]; the zero value refuses every call with a [*ValidationError].
type ErrorLog struct {
	storage ErrorStorage
}

// NewErrorLog returns a log on a storage, which keeps as many entries as its
// limit says. A nil storage is a [*ValidationError].
func NewErrorLog(s ErrorStorage) (*ErrorLog, error) {
	l := &ErrorLog{storage: s}
	return l, l.check()
}

func (l *ErrorLog) check() error {
	if l.storage == nil {
		return invalid("storage", reasonNil)
	}
	return nil
}

// Log appends an entry. A zero Timestamp becomes the present and an empty Agent
// "unknown". An entry that is not valid is a [*ValidationError]; other errors
// are the storage's.
func (l *ErrorLog) Log(ctx context.Context, e ErrorEntry) error {
	if err := l.check(); err != nil {
		return err
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now()
	}
	if e.Agent == "" {
		e.Agent = defaultAgent
	}
	return l.storage.AppendError(ctx, e)
}

// Recent returns up to limit entries, those appended last first. The caller owns
// the slice. A limit below 1 is a [*ValidationError]; other errors are the
// storage's.
func (l *ErrorLog) Recent(ctx context.Context, limit int) ([]ErrorEntry, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return l.storage.RecentErrors(ctx, limit)
}
