// Package adapter has the common parts of the storage adapters in this
// repository: errors, pages of long reads, the queue of a group commit, and
// pauses between attempts.
package adapter

import (
	"errors"
	"fmt"

	"github.com/spec-kitty/causal"
)

// ErrDamaged marks an entry with impossible content.
var ErrDamaged = errors.New("is damaged")

// Damaged returns the error for a damaged entry of the log. It does not wrap
// the decoder's error, because the caller's input is not invalid.
func Damaged(position int64) error { return fmt.Errorf("entry %d of the log %w", position, ErrDamaged) }

// Missing returns the error for an entry missing from the log.
func Missing(position int64) error { return fmt.Errorf("entry %d of the log is missing", position) }

// Closed returns the error of an operation on a closed store.
func Closed(op string) error { return &causal.StorageError{Op: op, Err: causal.ErrClosed} }

// OutcomeUnknown returns err as an error that also matches
// [causal.ErrOutcomeUnknown].
func OutcomeUnknown(err error) error { return unknownError{err} }

type unknownError struct{ err error }

func (e unknownError) Error() string { return "the outcome is unknown: " + e.err.Error() }

func (e unknownError) Is(target error) bool { return target == causal.ErrOutcomeUnknown }

func (e unknownError) Unwrap() error { return e.err }

// IsKnown reports whether err is already an error of package causal or of a
// context, which an adapter must not wrap.
func IsKnown(err error) bool {
	for _, known := range []error{
		causal.ErrStorage, causal.ErrIDConflict, causal.ErrClockOverflow, causal.ErrInvalidCursor,
		causal.ErrCursorAhead, causal.ErrConcurrentSave,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
