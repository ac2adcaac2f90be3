package causalsqlite

import (
	"context"
	"errors"
	"io/fs"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// wrapError returns the error for the caller: err itself if it is an error of
// package causal or of package context. Errors of the driver are reduced to
// their text, so that its types are not part of the contract.
func wrapError(op string, err error) error {
	var file *fs.PathError
	switch {
	case err == nil:
		return nil
	case adapter.IsKnown(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &file), errors.Is(err, causal.ErrOutcomeUnknown):
		return &causal.StorageError{Op: op, Err: err}
	default:
		return &causal.StorageError{Op: op, Err: errors.New(err.Error())}
	}
}

// isBusy reports whether another connection is temporarily in the way.
func isBusy(err error) bool {
	if errors.Is(err, errChanging) {
		return true
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultProtocol:
		return true
	default:
		return false
	}
}
