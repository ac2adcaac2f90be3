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

// Sentinels for [errors.Is]. Where more is known than the kind of failure, the
// error is a struct, named in the comment, that [errors.As] finds.
//
// The text of an error in this package may contain event IDs and clock values, which
// a log needs, and never a payload, a name or another text value. A nil pointer to an error
// struct, which an interface may hide, is an error that knows nothing.
var (
	// ErrValidation means that the input is invalid: see [ValidationError].
	ErrValidation = errors.New("causal: validation failed")
	// ErrCycle means that events cause each other: see [CycleError].
	ErrCycle = errors.New("causal: causation cycle")
	// ErrIDConflict means that different events have the same ID: see
	// [IDConflictError].
	ErrIDConflict = errors.New("causal: event ID already has different content")
	// ErrFork means that one event would be taken for another of its node and clock:
	// see [ForkError].
	ErrFork = errors.New("causal: events of one node and clock differ")
	// ErrGap means that earlier events are missing: see [GapError].
	ErrGap = errors.New("causal: earlier events are missing")
	// ErrClockOverflow means that a clock value is above the range of a Lamport
	// clock, or that a clock has issued its last value. The clock has not moved.
	ErrClockOverflow = errors.New("causal: clock value above the range")
	// ErrClockJump means that a remote clock is too far ahead: see [ClockJumpError].
	ErrClockJump = errors.New("causal: remote clock too far ahead")
	// ErrStorage means that a storage adapter failed: see [StorageError].
	ErrStorage = errors.New("causal: storage failed")
	// ErrConcurrentSave means that somebody else has saved what the call depends on. Look
	// again, and decide anew.
	ErrConcurrentSave = errors.New("causal: something else was saved meanwhile")
	// ErrOutcomeUnknown means that a save failed, or was canceled, at a moment from which
	// its events may be stored, now or later, or not. Saving them again settles it.
	ErrOutcomeUnknown = errors.New("causal: the outcome of a save is unknown")
	// ErrClosed means that an adapter or a [Node] was called after its Close.
	ErrClosed = errors.New("causal: closed")
	// ErrRestored means that a [Node] was opened on a store that was restored from a backup,
	// so that the node may have emitted events which the store does not have. See
	// [NodeOptions] for the ways on.
	ErrRestored = errors.New("causal: the store of the node was restored")
	// ErrInvalidCursor means that a [Cursor] is damaged, belongs to another log or
	// stands after entries that its log no longer has.
	ErrInvalidCursor = errors.New("causal: invalid cursor")
	// ErrCursorAhead means that a [Cursor] lies beyond the end of its log: a replica
	// of the log lags, which a reader can wait for, or a backup was restored.
	ErrCursorAhead = errors.New("causal: cursor beyond the end of the log")
)

// FieldError says what is wrong with one field. The zero value says nothing.
type FieldError struct {
	// Field is the wire name of the invalid member, such as "lamport_clock", or
	// the name of the parameter. It is empty if the input as a whole is invalid.
	Field string
	// Reason is one clause, such as "must not be negative". It never contains the
	// value.
	Reason string
}

// ValidationError reports every bad field of one input, in wire order. It matches
// [ErrValidation]. The caller that receives it owns it.
type ValidationError struct {
	// EventID identifies the invalid event if the input had several. It is empty
	// if the ID is not known.
	EventID EventID
	// Fields has at least one element.
	Fields []FieldError
	// Err is the cause, if another package or a caller's function found the
	// fault. Its text is not part of this error's text, because it may contain
	// values.
	Err error
}

// Error names the event, if it is known, and lists the fields and the reasons.
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
			b.WriteString(plainName(f.Field))
			b.WriteByte(' ')
		}
		b.WriteString(f.Reason)
	}
	return b.String()
}

// plainName returns a member's name, quoted if it could be mistaken for something
// else: unknown members have any name.
func plainName(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " ;:") {
		return quoted
	}
	return name
}

// Is reports whether target is [ErrValidation].
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }

// Unwrap returns the cause, nil if there is none.
func (e *ValidationError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// invalid is the error for one bad field.
func invalid(field, reason string) *ValidationError {
	return &ValidationError{Fields: []FieldError{{field, reason}}}
}

// invalidBecause is invalid with a cause, which may be nil.
func invalidBecause(field, reason string, cause error) *ValidationError {
	return &ValidationError{Fields: []FieldError{{field, reason}}, Err: cause}
}

// Reasons that more than one place gives.
const (
	reasonMissing     = "is missing"
	reasonNull        = "must not be null"
	reasonNotString   = "must be a string"
	reasonNotInteger  = "must be an integer without fraction or exponent"
	reasonRange       = "does not fit 64 bits"
	reasonNotObject   = "must be a JSON object"
	reasonTwice       = "is given twice"
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
	reasonUnsorted    = "must be in ascending order, each once"
)

// CycleError names events that cause each other, so that no order puts each
// cause first. It matches [ErrCycle].
type CycleError struct {
	// IDs are the members of one cycle: each event is the cause of the next
	// one, the last of the first. The least event under [Compare] is first.
	IDs []EventID
}

// Error says how many events the cycle has, and names the first few.
func (e *CycleError) Error() string {
	if e == nil {
		return ErrCycle.Error()
	}
	return ErrCycle.Error() + " of " + strconv.Itoa(len(e.IDs)) + " events" + listIDs(e.IDs)
}

// listIDs returns the first few IDs for the end of a text.
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

// IDConflictError names the event IDs that different events use. It matches
// [ErrIDConflict]. What was stored before is unchanged. The caller that receives it owns
// it; adapters make one with a list of IDs.
type IDConflictError struct {
	// IDs are all such IDs of the input, in ascending order, each once. There is at
	// least one.
	IDs []EventID
}

// Error names the first few event IDs.
func (e *IDConflictError) Error() string {
	if e == nil {
		return ErrIDConflict.Error()
	}
	return ErrIDConflict.Error() + listIDs(e.IDs)
}

// Is reports whether target is [ErrIDConflict].
func (e *IDConflictError) Is(target error) bool { return target == ErrIDConflict }

// ForkError reports events of a node that cannot be told apart by their clock, and are
// not the same: the node used a clock value twice, as it went back to a backup or runs
// twice, or a counter was marked as seen too early. It matches [ErrFork]. As the error of a
// call it says that nothing has changed. What goes by event IDs is not affected, and a caller
// may leave out one of the events. In a [Receipt], it reports an event that was stored and does
// not follow the chain of its node: LamportClock is its clock, and IDs has its ID alone. What
// [History.Forks] reports has two events.
// The caller that receives a ForkError owns it; the zero value is of no use.
type ForkError struct {
	// NodeID is the node. LamportClock is the clock of the events or, between totals of
	// counters, the clock up to which they differ.
	NodeID       string
	LamportClock int64
	// IDs are the events as far as they are known, in ascending order, each once. They
	// may be empty.
	IDs []EventID
}

// Error names the clock value and the first few events.
func (e *ForkError) Error() string {
	if e == nil {
		return ErrFork.Error()
	}
	return ErrFork.Error() + ": " + strconv.FormatInt(e.LamportClock, 10) + listIDs(e.IDs)
}

// Is reports whether target is [ErrFork].
func (e *ForkError) Is(target error) bool { return target == ErrFork }

// errIDConflict returns the error for these IDs, which it sorts; nil if there are none.
// Package causaladapter has the same for adapters.
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

// Error has the clock values.
func (e *ClockJumpError) Error() string {
	if e == nil {
		return ErrClockJump.Error()
	}
	return fmt.Sprintf("%v: %d, more than %d beyond %d", ErrClockJump, e.Remote, e.MaxJump, e.Local)
}

// Is reports whether target is [ErrClockJump].
func (e *ClockJumpError) Is(target error) bool { return target == ErrClockJump }

// StorageError is a failure of a storage adapter. It matches [ErrStorage] and
// everything that its cause matches.
type StorageError struct {
	// Op is the operation that failed, in words: "save event".
	Op string
	// Err is the adapter's error.
	Err error
}

// Error names the operation and the cause.
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
