package causal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spec-kitty/causal/internal/ctxerr"
)

// Sentinels for [errors.Is]. If there is more to know than the kind of failure,
// the error is the struct named in the comment, for [errors.As].
//
// Error texts in this package may contain event IDs and clock values, which are
// needed in logs, but never payloads, names or other text values. A nil pointer
// to an error struct, which an interface can hide, is an error without details.
var (
	// ErrValidation reports invalid input. See [ValidationError].
	ErrValidation = errors.New("causal: validation failed")
	// ErrCycle reports events causing each other. See [CycleError].
	ErrCycle = errors.New("causal: causation cycle")
	// ErrIDConflict reports different events with the same ID. See
	// [IDConflictError].
	ErrIDConflict = errors.New("causal: event ID already has different content")
	// ErrFork reports a fork, or different events of one node and clock, which
	// would be mistaken for each other. See [ForkError].
	ErrFork = errors.New("causal: a node has forked")
	// ErrGap reports missing earlier events. See [GapError].
	ErrGap = errors.New("causal: earlier events are missing")
	// ErrClockOverflow reports a clock value above the range of a Lamport
	// clock, or a clock that has issued its last value. The clock has not
	// moved.
	ErrClockOverflow = errors.New("causal: clock value above the range")
	// ErrClockJump reports a remote clock that is too far ahead. See
	// [ClockJumpError].
	ErrClockJump = errors.New("causal: remote clock too far ahead")
	// ErrStorage reports a failure of a storage adapter. See [StorageError].
	ErrStorage = errors.New("causal: storage failed")
	// ErrConcurrentSave reports a save by someone else that invalidates the
	// basis of the call. Read again, and decide anew.
	ErrConcurrentSave = errors.New("causal: concurrent save")
	// ErrOutcomeUnknown reports a save that failed or was canceled too late to
	// tell whether its events are, or will be, stored. Saving them again
	// settles it.
	ErrOutcomeUnknown = errors.New("causal: the outcome of a save is unknown")
	// ErrClosed reports a call of an adapter or a [Node] after its Close.
	ErrClosed = errors.New("causal: closed")
	// ErrRestored reports a [Node] opened on a store restored from a backup,
	// which may lack some of the node's own events. See [NodeOptions] for how
	// to proceed.
	ErrRestored = errors.New("causal: the store of the node was restored")
	// ErrInvalidCursor reports a [Cursor] that is damaged, belongs to another
	// log or follows entries no longer in its log.
	ErrInvalidCursor = errors.New("causal: invalid cursor")
	// ErrCursorAhead reports a [Cursor] beyond the end of its log. Either a
	// backup was restored, or a replica of the log lags, in which case a reader
	// can wait.
	ErrCursorAhead = errors.New("causal: cursor beyond the end of the log")
)

// A FieldError describes one invalid field. The zero value has no meaning.
type FieldError struct {
	// Field is the wire name of the invalid member, such as "lamport_clock", or
	// the name of the parameter. It is empty if the input as a whole is
	// invalid, or a member with an unknown name, which may be any text.
	Field string
	// Reason is one clause, such as "must not be negative". It never contains
	// the value.
	Reason string
}

// ValidationError reports every invalid field of one input, in wire order. It
// matches [ErrValidation]. The caller owns it.
type ValidationError struct {
	// EventID identifies the invalid event if the input had several. It is
	// empty if the ID is not known.
	EventID EventID
	// Fields has at least one element.
	Fields []FieldError
	// Err is the cause, if another package or a caller's function found the
	// fault. Its text is not part of this error's text, because it may contain
	// values.
	Err error
}

// Error names the event, if known, and lists the fields and reasons.
func (e *ValidationError) Error() string {
	if e == nil {
		return ErrValidation.Error()
	}
	var b strings.Builder
	b.WriteString(ErrValidation.Error())
	if e.EventID != "" {
		b.WriteString(": event " + string(e.EventID))
	}
	for i, f := range e.Fields {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		if f.Field != "" {
			b.WriteString(f.Field)
			b.WriteByte(' ')
		}
		b.WriteString(f.Reason)
	}
	return b.String()
}

// Is reports whether target is [ErrValidation].
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }

// Unwrap returns the cause, or nil if there is none.
func (e *ValidationError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// invalid returns the error for one field.
func invalid(field, reason string) *ValidationError {
	return &ValidationError{Fields: []FieldError{{field, reason}}}
}

// invalidBecause is like invalid, with a cause, which may be nil.
func invalidBecause(field, reason string, cause error) *ValidationError {
	return &ValidationError{Fields: []FieldError{{field, reason}}, Err: cause}
}

// Reasons used in more than one place.
const (
	reasonMissing     = "is missing"
	reasonNull        = "must not be null"
	reasonNotString   = "must be a string"
	reasonNotInteger  = "must be an integer without fraction or exponent"
	reasonRange       = "does not fit in 64 bits"
	reasonNotObject   = "must be a JSON object"
	reasonTwice       = "occurs twice"
	reasonEventID     = "must be 26 ASCII letters or digits, or a UUID with hyphens"
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
	reasonOtherType   = "does not decode into the given type"
	reasonUUID        = "must be a UUID with hyphens"
	reasonUnsorted    = "must be in ascending order without duplicates"
)

// CycleError reports events that cause each other and so cannot be sorted by
// cause. It matches [ErrCycle].
type CycleError struct {
	// IDs are the members of one cycle: each event is the cause of the next,
	// and the last the cause of the first. The least event under [Compare]
	// comes first.
	IDs []EventID
}

// Error gives the length of the cycle and its first few IDs.
func (e *CycleError) Error() string {
	if e == nil {
		return ErrCycle.Error()
	}
	return ErrCycle.Error() + " of " + strconv.Itoa(len(e.IDs)) + " events" + listIDs(e.IDs)
}

// listIDs returns the first few IDs for the end of an error text.
func listIDs(ids []EventID) string {
	const most = 3
	text, separator := "", ": "
	for _, id := range ids[:min(most, len(ids))] {
		text += separator + string(id)
		separator = ", "
	}
	if len(ids) > most {
		text += ", ..."
	}
	return text
}

// Is reports whether target is [ErrCycle].
func (e *CycleError) Is(target error) bool { return target == ErrCycle }

// IDConflictError reports event IDs shared by different events. It matches
// [ErrIDConflict]. Stored events are unchanged. The caller owns it; adapters
// create one with a list of IDs.
type IDConflictError struct {
	// IDs has all such IDs of the input, in ascending order without duplicates.
	// There is at least one.
	IDs []EventID
}

// Error lists the first few event IDs.
func (e *IDConflictError) Error() string {
	if e == nil {
		return ErrIDConflict.Error()
	}
	return ErrIDConflict.Error() + listIDs(e.IDs)
}

// Is reports whether target is [ErrIDConflict].
func (e *IDConflictError) Is(target error) bool { return target == ErrIDConflict }

// ForkError reports that a node has forked, or that different events of it
// cannot be told apart by their clocks. Either the node used a clock value
// twice, because it was restored from a backup or runs twice, or MarkSeen of a
// counter was called too early. It matches [ErrFork]. If a call returns it,
// nothing has changed. Anything based on event IDs still works, and a caller
// may leave out one of the events. In a [Receipt], it reports a stored event
// that does not follow the chain of its node: LamportClock is the event's
// clock, and IDs has only its ID. In [History.Forks], it has two events, whose
// clocks may differ, and LamportClock is the later one. The caller owns it; the
// zero value has no meaning.
type ForkError struct {
	// NodeID is the node. LamportClock is the clock of the events or, between
	// totals of counters, the clock up to which they differ.
	NodeID       string
	LamportClock int64
	// IDs has the known events, in ascending order without duplicates. It may
	// be empty.
	IDs []EventID
}

// Error gives the clock value and the first few events.
func (e *ForkError) Error() string {
	if e == nil {
		return ErrFork.Error()
	}
	return ErrFork.Error() + ": at clock " + strconv.FormatInt(e.LamportClock, 10) + listIDs(e.IDs)
}

// Is reports whether target is [ErrFork].
func (e *ForkError) Is(target error) bool { return target == ErrFork }

// errIDConflict sorts ids and returns their error, or nil if there are none.
// Package causaladapter has the same function for adapters.
func errIDConflict(ids []EventID) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	return &IDConflictError{IDs: slices.Compact(ids)}
}

// ClockJumpError reports a remote clock that is more than MaxJump ahead of the
// local one. It matches [ErrClockJump]. The local clock has not moved.
type ClockJumpError struct {
	Local, Remote, MaxJump int64
}

// Error gives the clock values.
func (e *ClockJumpError) Error() string {
	if e == nil {
		return ErrClockJump.Error()
	}
	return fmt.Sprintf("%v: %d, more than %d beyond %d", ErrClockJump, e.Remote, e.MaxJump, e.Local)
}

// Is reports whether target is [ErrClockJump].
func (e *ClockJumpError) Is(target error) bool { return target == ErrClockJump }

// StorageError reports a failure of a storage adapter. It matches [ErrStorage]
// and everything its cause matches.
type StorageError struct {
	// Op names the failed operation in words, such as "save event".
	Op string
	// Err is the adapter's error. Its text is logged, so it must not contain
	// texts of events.
	Err error
}

// Error gives the operation and the cause.
func (e *StorageError) Error() string {
	if e == nil {
		return ErrStorage.Error()
	}
	text := ErrStorage.Error() + ": " + e.Op
	if e.Err != nil {
		text += ": " + strings.TrimPrefix(e.Err.Error(), "causal: ")
	}
	return text
}

// Is reports whether target is [ErrStorage].
func (e *StorageError) Is(target error) bool { return target == ErrStorage }

// Unwrap returns the adapter's error.
func (e *StorageError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// checkContext returns an error if ctx is nil or done.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return invalid("ctx", reasonNil)
	}
	return ctxerr.Of(ctx)
}
