// Package causaladapter checks the arguments of a storage adapter, for authors
// of adapters. Each method with arguments of its own has a function that checks
// them as the contract requires. Use [CheckContext] for AllEvents, Aggregates,
// Checkpoints, Rejected, DeleteRejected, LoadDigests and Head. Use it also for
// ReadLog, ReadDigests and ReadDigestLog, whose cursors are checked by
// [causal.Cursor.PositionIn] and whose filters by [causal.Filter.Validate]. A
// method begins with its check:
//
//	func (s *Store) LoadClock(ctx context.Context, nodeID string) (int64, error) {
//		if err := causaladapter.CheckLoadClock(ctx, nodeID); err != nil {
//			return 0, err
//		}
//		...
//	}
//
// If the storage is closed, the method then returns a [*causal.StorageError]
// whose Err is [causal.ErrClosed]. Only then does it access the storage.
// Failures of the storage, such as stored data that cannot be decoded, are a
// StorageError, too. If a commit fails, and may have taken effect, the Err of
// the StorageError matches [causal.ErrOutcomeUnknown]; after a commit that
// succeeded, the context no longer counts. Errors of the context, of PositionIn
// and of these checks, [causal.ErrConcurrentSave], [causal.ErrClockOverflow]
// and a [*causal.IDConflictError] are returned unchanged, because callers retry
// after a StorageError. An event that can never be stored, for example because
// a text is too long, is reported as a [*causal.ValidationError] with its
// EventID, so that only this event is rejected. The adapters of this library
// have such a limit only for the size, and report it as a StorageError. Package
// causaltest checks the results, as far as it can cause the failures.
//
// All functions are safe for concurrent use. The Check functions retain nothing
// and check the context first: if it is done, the error matches ctx.Err() and
// [context.Cause]. Every other fault is reported as a [*causal.ValidationError]
// naming the parameter. IDs must be valid UTF-8 and not empty.
package causaladapter

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/ctxerr"
)

// CheckContext returns an error if ctx is nil or done. It is for methods
// without a check of their own, and between the steps of a loop.
func CheckContext(ctx context.Context) error {
	if ctx == nil {
		return Invalid("ctx", "must not be nil")
	}
	return ctxerr.Of(ctx)
}

// CheckSaveEvents checks the arguments of SaveEvents and Append, and of
// SaveEvent with its event in a slice: no event may be zero.
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

// CheckSaveEventsIf checks the arguments of SaveEventsIf: the condition must be
// valid, and no event zero.
func CheckSaveEventsIf(ctx context.Context, c causal.Condition, events []causal.Event) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	return CheckSaveEvents(ctx, events)
}

// CheckLoadEvents checks the arguments of LoadEvents: the aggregate must be
// valid UTF-8 and not empty.
func CheckLoadEvents(ctx context.Context, aggregateID string) error {
	return check(ctx, textFault("aggregate_id", aggregateID))
}

// CheckLoadHeads checks the arguments of LoadHeads: the project must be a UUID
// with hyphens, and the aggregate valid UTF-8 and not empty. It returns the
// UUID in lower case, as in events.
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

// CheckMissingParents checks the arguments of MissingParents: the project must
// be a UUID with hyphens. It returns the UUID in lower case, as in events.
func CheckMissingParents(ctx context.Context, projectUUID string) (project string, err error) {
	return CheckLoadHeads(ctx, projectUUID, "any")
}

// CheckFindEvent checks the arguments of FindEvent. It returns the ID in its
// canonical case, as stored.
func CheckFindEvent(ctx context.Context, id causal.EventID) (causal.EventID, error) {
	if err := CheckContext(ctx); err != nil {
		return "", err
	}
	return causal.ParseEventID(string(id))
}

// CheckLoadClock checks the arguments of LoadClock: the node must be valid
// UTF-8 and not empty.
func CheckLoadClock(ctx context.Context, nodeID string) error {
	return check(ctx, textFault("node_id", nodeID))
}

// CheckSaveClock checks the arguments of SaveClock: the node must be valid
// UTF-8 and not empty, and the value not negative.
func CheckSaveClock(ctx context.Context, nodeID string, value int64) error {
	return check(ctx, notNegative("value", value), textFault("node_id", nodeID))
}

// CheckAdvanceClock checks the arguments of AdvanceClock: the node must be
// valid UTF-8 and not empty, floor not negative, and by at least 1. The adapter
// has to check that the sum stays in range, because it depends on the stored
// value.
func CheckAdvanceClock(ctx context.Context, nodeID string, floor, by int64) error {
	return check(ctx, notNegative("floor", floor), positive("by", by), textFault("node_id", nodeID))
}

// CheckLoadCheckpoint checks the arguments of LoadCheckpoint and
// DeleteCheckpoint: the name must be valid UTF-8 and not empty.
func CheckLoadCheckpoint(ctx context.Context, name string) error {
	return check(ctx, textFault("name", name))
}

// CheckSaveCheckpoint checks the arguments of SaveCheckpoint: the name must be
// valid UTF-8 and not empty, and the state not too large.
func CheckSaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) error {
	var size causal.FieldError
	if len(c.State) > causal.MaxCheckpointState {
		size = causal.FieldError{Field: "state", Reason: "must have at most 16 MiB"}
	}
	return check(ctx, textFault("name", name), size)
}

// CheckAppendRejected checks the arguments of AppendRejected: r must be valid.
// It returns r as it should be stored, with its ID in canonical case and its
// time in UTC.
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

// CheckAppendError checks the arguments of AppendError: the entry must be
// valid.
func CheckAppendError(ctx context.Context, e causal.ErrorEntry) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	return e.Validate()
}

// CheckRecentErrors checks the arguments of RecentErrors: the limit must be at
// least 1.
func CheckRecentErrors(ctx context.Context, limit int) error {
	return check(ctx, positive("limit", int64(limit)))
}

// IDConflict returns the [*causal.IDConflictError] for ids, the IDs of a call
// under which different content is stored, or nil if there are none. It sorts
// and retains ids.
func IDConflict(ids []causal.EventID) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	return &causal.IDConflictError{IDs: slices.Compact(ids)}
}

// Invalid returns the [*causal.ValidationError] for one invalid parameter. The
// reason is a clause such as "must not be empty", and must not contain the
// value.
func Invalid(field, reason string) error {
	return &causal.ValidationError{Fields: []causal.FieldError{{Field: field, Reason: reason}}}
}

// check returns the error of the context, or the first fault with a reason.
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

// textFault returns the fault of a required text.
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
