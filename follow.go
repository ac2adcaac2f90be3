package causal

import (
	"context"
	"errors"
	"iter"
	"time"
)

// waitLimit is the approximate time for which a store lets a reader wait.
const waitLimit = time.Second

// WaitLog waits until the log of s may have an entry after the cursor; see
// [LogWaiter]. If s is not a LogWaiter, it reads once, and pauses for a second
// if there is nothing.
func WaitLog(ctx context.Context, s LogReader, after Cursor) error {
	if isNil(s) {
		return invalid("store", reasonNil)
	}
	if w, ok := s.(LogWaiter); ok {
		return w.WaitLog(ctx, after)
	}
	for _, err := range s.ReadLog(ctx, after) {
		return err
	}
	return waitFor(ctx, nil, waitLimit)
}

// waitFor returns when the channel is closed, after some time, or with an error
// if ctx is done.
func waitFor(ctx context.Context, wake <-chan struct{}, atMost time.Duration) error {
	limit := time.NewTimer(atMost)
	defer limit.Stop()
	select {
	case <-wake:
		return nil
	case <-limit.C:
		return nil
	case <-ctx.Done():
		return checkContext(ctx)
	}
}

// Follow yields the entries of a log after the cursor in arrival order: first
// the existing ones, then each new one as it is saved. It ends only with an
// error, yielded as the last pair. This is the error of ctx, or the first error
// of [LogReader] or [LogWaiter], even a temporary one. No lock, transaction or
// connection is held while the loop body runs, and each range starts at the
// cursor.
//
// To resume after an error or a restart, keep the cursor of the last entry
// handled, or use [Consume], which does so for you.
func Follow(ctx context.Context, s LogReader, after Cursor) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		err := follow(ctx, s, after, func(entry LogEntry) error {
			if !yield(entry, nil) {
				return errBreak
			}
			return nil
		}, func() error { return nil })
		if !errors.Is(err, errBreak) {
			yield(LogEntry{}, err)
		}
	}
}

// errBreak ends a loop whose body has returned.
var errBreak = errors.New("break")

// handlerError wraps an error of the caller's function.
type handlerError struct{ err error }

func (e handlerError) Error() string { return e.err.Error() }

func (e handlerError) Unwrap() error { return e.err }

// ofHandler unwraps a handlerError, and returns any other error unchanged.
func ofHandler(err error) error {
	if e, ok := errors.AsType[handlerError](err); ok {
		return e.err
	}
	return err
}

// follow calls handle with each entry after the cursor, and atEnd before each
// wait for more. It returns the first error, which is a [handlerError] or an
// error of reading.
func follow(ctx context.Context, s LogReader, after Cursor, handle func(LogEntry) error, atEnd func() error) error {
	if isNil(s) {
		return invalid("store", reasonNil)
	}
	for {
		for entry, err := range s.ReadLog(ctx, after) {
			if err == nil && entry.Event.p == nil {
				err = errYieldedZero()
			}
			if err != nil {
				return err
			}
			if err := handle(entry); err != nil {
				return handlerError{err}
			}
			after = entry.Cursor
		}
		if err := atEnd(); err != nil {
			return handlerError{err}
		}
		if err := WaitLog(ctx, s, after); err != nil {
			return err
		}
	}
}
