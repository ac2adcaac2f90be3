package causal

import (
	"context"
)

// ErrorLog adds defaults to an [ErrorStorage]. It is safe for concurrent use.
// Use [NewErrorLog]; the zero value refuses every call with a
// [*ValidationError].
type ErrorLog struct {
	storage ErrorStorage
}

// NewErrorLog returns a log on s, whose limit is the number of entries kept. It
// returns a [*ValidationError] if s is nil.
func NewErrorLog(s ErrorStorage) (*ErrorLog, error) {
	l := &ErrorLog{storage: s}
	return l, l.check()
}

func (l *ErrorLog) check() error {
	if isNil(l.storage) {
		return invalid("storage", reasonNil)
	}
	return nil
}

// Log appends an entry. It replaces a zero Timestamp with the current time and
// an empty Agent with "unknown". If the entry is invalid, it returns a
// [*ValidationError]. Other errors come from the storage.
func (l *ErrorLog) Log(ctx context.Context, e ErrorEntry) error {
	if err := l.check(); err != nil {
		return err
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = now()
	}
	if e.Agent == "" {
		e.Agent = defaultAgent
	}
	return l.storage.AppendError(ctx, e)
}

// Recent returns up to limit entries, the newest first. The caller owns the
// slice. It returns a [*ValidationError] if limit < 1. Other errors come from
// the storage.
func (l *ErrorLog) Recent(ctx context.Context, limit int) ([]ErrorEntry, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return l.storage.RecentErrors(ctx, limit)
}
