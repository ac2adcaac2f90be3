// Package adapter is what the storage adapters of this repository share: errors,
// pages of long reads, the queue of a group commit, and pauses between attempts.
package adapter

import (
	"errors"
	"fmt"

	"github.com/spec-kitty/causal"
)

// ErrDamaged marks an entry whose content cannot be what was stored.
var ErrDamaged = errors.New("is damaged")

// Damaged returns the error for a damaged entry of the log. The decoder's error is
// not part of it, as it is not the caller's input that is invalid.
func Damaged(position int64) error { return fmt.Errorf("entry %d of the log %w", position, ErrDamaged) }

// Missing returns the error for an entry that the log does not have.
func Missing(position int64) error { return fmt.Errorf("entry %d of the log is missing", position) }

// Closed returns the error of an operation on a store that is closed.
func Closed(op string) error { return &causal.StorageError{Op: op, Err: causal.ErrClosed} }

// OutcomeUnknown returns err as one that also matches [causal.ErrOutcomeUnknown].
func OutcomeUnknown(err error) error { return unknownError{err} }

type unknownError struct{ err error }

func (e unknownError) Error() string { return "the outcome is unknown: " + e.err.Error() }

func (e unknownError) Is(target error) bool { return target == causal.ErrOutcomeUnknown }

func (e unknownError) Unwrap() error { return e.err }

// IsKnown reports whether err says what it is in the terms of package causal, so
// that an adapter must not wrap it.
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
