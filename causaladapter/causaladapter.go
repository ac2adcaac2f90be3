// Package causaladapter checks the arguments of a storage adapter, for authors of
// adapters. Each method with arguments of its own has a check that says what the
// contract says; AllEvents, Aggregates, Checkpoints, Rejected, DeleteRejected, LoadDigests and
// Head have [CheckContext], and so have ReadLog, ReadDigests and ReadDigestLog, whose cursors
// [causal.Cursor.PositionIn] checks, and whose filters [causal.Filter.Validate]. A method begins
// with its check:
//
//	func (s *Store) LoadClock(ctx context.Context, nodeID string) (int64, error) {
//		if err := causaladapter.CheckLoadClock(ctx, nodeID); err != nil {
//			return 0, err
//		}
//		...
//	}
//
// Then it looks whether the storage is open, and returns a [*causal.StorageError] with
// [causal.ErrClosed] as its Err if it is not, and only then at what is stored. Failures
// of the storage are a StorageError, too; errors that are already one of package causal
// or of the context are returned as they are. Package causaltest checks the result.
//
// All functions are safe for concurrent use and retain nothing. The context is checked
// first: if it is done, the error matches ctx.Err() and [context.Cause]. Every other
// fault is a [*causal.ValidationError] that names the parameter. IDs must be texts: not
// empty, and valid UTF-8.
package causaladapter

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/ctxerr"
)

// CheckContext returns an error if ctx is nil or done. It is the check for methods
// without a check of their own, and for loops between two steps.
func CheckContext(ctx context.Context) error {
	if ctx == nil {
		return Invalid("ctx", "must not be nil")
	}
	return ctxerr.Of(ctx)
}

// CheckSaveEvents is the check for SaveEvents and Append, and for SaveEvent with its one
// event in a slice: no event may be zero.
func CheckSaveEvents(ctx context.Context, events []causal.Event) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	for _, e := range events {
		if e.IsZero() {
			return Invalid("event", "must not be the zero Event")
		}
	}
	return nil
}

// CheckSaveEventsIf is the check for SaveEventsIf: the condition must be valid, and no event
// zero.
func CheckSaveEventsIf(ctx context.Context, c causal.Condition, events []causal.Event) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	return CheckSaveEvents(ctx, events)
}

// CheckLoadEvents is the check for LoadEvents: the aggregate must be a text.
func CheckLoadEvents(ctx context.Context, aggregateID string) error {
	return check(ctx, textFault("aggregate_id", aggregateID))
}

// CheckLoadHeads is the check for LoadHeads: the project must be a UUID with hyphens, and the
// aggregate a text. It returns the UUID as events have it, in lower case.
func CheckLoadHeads(ctx context.Context, projectUUID, aggregateID string) (project string, err error) {
	if err := CheckContext(ctx); err != nil {
		return "", err
	}
	valid := causal.Condition{ProjectUUID: projectUUID, NodeID: "any"}
	if err := valid.Validate(); err != nil {
		return "", err
	}
	return strings.ToLower(projectUUID), check(ctx, textFault("aggregate_id", aggregateID))
}

// CheckMissingParents is the check for MissingParents: the project must be a UUID with hyphens. It
// returns the UUID as events have it, in lower case.
func CheckMissingParents(ctx context.Context, projectUUID string) (project string, err error) {
	return CheckLoadHeads(ctx, projectUUID, "any")
}

// CheckFindEvent is the check for FindEvent. It returns the ID as it is stored, in its
// canonical case.
func CheckFindEvent(ctx context.Context, id causal.EventID) (causal.EventID, error) {
	if err := CheckContext(ctx); err != nil {
		return "", err
	}
	return causal.ParseEventID(string(id))
}

// CheckLoadClock is the check for LoadClock: the node must be a text.
func CheckLoadClock(ctx context.Context, nodeID string) error {
	return check(ctx, textFault("node_id", nodeID))
}

// CheckSaveClock is the check for SaveClock: the node must be a text, and the value
// not negative.
func CheckSaveClock(ctx context.Context, nodeID string, value int64) error {
	return check(ctx, notNegative("value", value), textFault("node_id", nodeID))
}

// CheckAdvanceClock is the check for AdvanceClock: the node must be a text, floor not
// negative, and by at least 1. That the sum stays in range is for the adapter to
// check, as it depends on what is stored.
func CheckAdvanceClock(ctx context.Context, nodeID string, floor, by int64) error {
	return check(ctx, notNegative("floor", floor), positive("by", by), textFault("node_id", nodeID))
}

// CheckLoadCheckpoint is the check for LoadCheckpoint and DeleteCheckpoint: the name must
// be a text.
func CheckLoadCheckpoint(ctx context.Context, name string) error {
	return check(ctx, textFault("name", name))
}

// CheckSaveCheckpoint is the check for SaveCheckpoint: the name must be a text, and the
// state not too large.
func CheckSaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) error {
	var size causal.FieldError
	if len(c.State) > causal.MaxCheckpointState {
		size = causal.FieldError{Field: "state", Reason: "must have at most 16 MiB"}
	}
	return check(ctx, textFault("name", name), size)
}

// CheckAppendRejected is the check for AppendRejected: r must be valid. It returns r as it is
// stored: with its ID in the canonical case, and its time in UTC.
func CheckAppendRejected(ctx context.Context, r causal.Rejected) (causal.Rejected, error) {
	if err := CheckContext(ctx); err != nil {
		return causal.Rejected{}, err
	}
	if err := r.Validate(); err != nil {
		return causal.Rejected{}, err
	}
	r.Time = r.Time.UTC().Round(0) // without a monotonic reading
	if r.EventID != "" {
		var err error
		if r.EventID, err = causal.ParseEventID(string(r.EventID)); err != nil {
			return causal.Rejected{}, err
		}
	}
	return r, nil
}

// CheckAppendError is the check for AppendError: the entry must be valid.
func CheckAppendError(ctx context.Context, e causal.ErrorEntry) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	return e.Validate()
}

// CheckRecentErrors is the check for RecentErrors: the limit must be at least 1.
func CheckRecentErrors(ctx context.Context, limit int) error {
	return check(ctx, positive("limit", int64(limit)))
}

// IDConflict returns the [*causal.IDConflictError] for the events of a call whose IDs are
// taken by different content, nil if there are none. It sorts ids and retains it.
func IDConflict(ids []causal.EventID) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	return &causal.IDConflictError{IDs: slices.Compact(ids)}
}

// Invalid returns the [*causal.ValidationError] for one bad parameter. The reason is
// a clause such as "must not be empty", and must not contain the value.
func Invalid(field, reason string) error {
	return &causal.ValidationError{Fields: []causal.FieldError{{Field: field, Reason: reason}}}
}

// check returns the error for the context, or for the first fault that has a reason.
func check(ctx context.Context, faults ...causal.FieldError) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	for _, f := range faults {
		if f.Reason != "" {
			return Invalid(f.Field, f.Reason)
		}
	}
	return nil
}

// textFault says what is wrong with a text that must be there.
func textFault(field, text string) causal.FieldError {
	switch {
	case text == "":
		return causal.FieldError{Field: field, Reason: "must not be empty"}
	case !utf8.ValidString(text):
		return causal.FieldError{Field: field, Reason: "must be valid UTF-8"}
	}
	return causal.FieldError{}
}

func notNegative(field string, n int64) causal.FieldError {
	if n < 0 {
		return causal.FieldError{Field: field, Reason: "must not be negative"}
	}
	return causal.FieldError{}
}

func positive(field string, n int64) causal.FieldError {
	if n < 1 {
		return causal.FieldError{Field: field, Reason: "must be at least 1"}
	}
	return causal.FieldError{}
}
