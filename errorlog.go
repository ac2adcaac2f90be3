package causal

import (
	"context"
	"time"
)

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
