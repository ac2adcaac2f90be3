package causalsqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
)

// The reasons that package causal gives for the same faults.
const (
	reasonEmpty       = "must not be empty"
	reasonNotUTF8     = "must be valid UTF-8"
	reasonNil         = "must not be nil"
	reasonNotNegative = "must not be negative"
	reasonNotPositive = "must be at least 1"
	reasonZeroEvent   = "must not be the zero Event"
)

// invalid is the error for one bad field.
func invalid(field, reason string) error {
	return &causal.ValidationError{Fields: []causal.FieldError{{Field: field, Reason: reason}}}
}

// checkText returns the error for a text that is empty or not UTF-8.
func checkText(field, text string) error {
	switch {
	case text == "":
		return invalid(field, reasonEmpty)
	case !utf8.ValidString(text):
		return invalid(field, reasonNotUTF8)
	}
	return nil
}

// checkContext returns nil if ctx is alive, and an error that matches ctx's
// error and its cause if it has ended.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return invalid("ctx", reasonNil)
	}
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("causal: %w: %w", err, cause)
	}
	return fmt.Errorf("causal: %w", err)
}

func closedError(op string) error {
	return &causal.StorageError{Op: op, Err: causal.ErrClosed}
}

// storageError returns the error that a caller gets for err: err itself if it
// says what it is in the terms of package causal or of package context. Errors
// of the driver are reduced to their text, so that its types stay out of the
// contract.
func storageError(op string, err error) error {
	for _, known := range []error{
		causal.ErrStorage, causal.ErrIDConflict, causal.ErrClockOverflow, causal.ErrInvalidCursor,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	var file *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &file):
		return &causal.StorageError{Op: op, Err: err}
	default:
		return &causal.StorageError{Op: op, Err: errors.New(err.Error())}
	}
}

// isBusy reports whether another connection is in the way, for a moment.
func isBusy(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultProtocol:
		return true
	default:
		return false
	}
}
