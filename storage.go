package causal

import (
	"context"
	"iter"
)

// EventStore keeps events for ever: an append-only log. Adapters implement it;
// all methods are safe for concurrent use.
//
// A context that has ended before the call means that nothing is written and
// that [errors.Is] finds the context's error. The adapter's own failures are
// [*StorageError]; after its Close they match [ErrClosed].
type EventStore interface {
	// SaveEvent stores e. When it returns nil, e is durable at the level that
	// the adapter states and visible to every later read. Saving an event again
	// does nothing. An ID that is taken by different content (not [Event.Equal])
	// is an [*IDConflictError], and the stored event stays as it was. The
	// zero Event is a [*ValidationError].
	SaveEvent(ctx context.Context, e Event) error

	// LoadEvents returns the events of one aggregate in the order of [Compare].
	// The caller owns the slice; it is empty, and the error nil, if there are
	// none. An empty aggregateID is a [*ValidationError].
	LoadEvents(ctx context.Context, aggregateID string) ([]Event, error)

	// AllEvents yields all events in the order of [Compare]. An error comes
	// last, once, with the zero Event: a read that was cut short, also by ctx,
	// never looks complete. Each range over the sequence is a fresh read. No
	// lock, transaction or connection is held while the loop body runs, so it
	// may call the store; whether it sees what it saves is not specified.
	AllEvents(ctx context.Context) iter.Seq2[Event, error]
}

// ClockStorage keeps one Lamport clock value for each node. Adapters implement
// it; all methods are safe for concurrent use, and contexts and failures mean
// what they mean for [EventStore]. An empty nodeID is a [*ValidationError].
type ClockStorage interface {
	// LoadClock returns the value that was saved last, 0 if there is none.
	LoadClock(ctx context.Context, nodeID string) (int64, error)

	// SaveClock replaces the node's value. It is durable when SaveClock returns
	// nil, and may be or not be after an error. A negative value is a
	// [*ValidationError].
	SaveClock(ctx context.Context, nodeID string, value int64) error
}

// ErrorStorage keeps the latest entries of an error log. Adapters implement it;
// all methods are safe for concurrent use, and contexts and failures mean what
// they mean for [EventStore].
type ErrorStorage interface {
	// AppendError adds an entry, and drops the oldest ones over the storage's
	// limit. An entry that is not valid ([ErrorEntry.Validate]) is a
	// [*ValidationError].
	AppendError(ctx context.Context, e ErrorEntry) error

	// RecentErrors returns up to limit entries, those appended last first. The
	// caller owns the slice; it is empty, and the error nil, if there are none.
	// A limit below 1 is a [*ValidationError].
	RecentErrors(ctx context.Context, limit int) ([]ErrorEntry, error)
}

// BatchSaver is an optional capability of an [EventStore]. Use [SaveAll], which
// falls back to single saves.
type BatchSaver interface {
	// SaveEvents stores all events or, if it returns an error, none of them.
	// Each event means what it means to SaveEvent, including one that is in
	// events twice. The slice stays the caller's.
	SaveEvents(ctx context.Context, events []Event) error
}

// LogReader is an optional capability of an [EventStore]: reading the events in
// the order of their arrival, for delivery to others. The order of [Compare]
// does not serve for that: an event that arrives late from an offline node sorts
// before events that a reader has already seen.
type LogReader interface {
	// ReadLog yields the entries behind the cursor in arrival order, up to the
	// end of the log at some moment during the call. Arrival order has no gaps:
	// an event that is saved later comes later. Errors and ranges are as in
	// AllEvents. A cursor of another log, or beyond the end of this one, is
	// [ErrInvalidCursor].
	ReadLog(ctx context.Context, after Cursor) iter.Seq2[LogEntry, error]

	// Head returns the cursor of the latest entry; reading behind it yields
	// what is saved from now on.
	Head(ctx context.Context) (Cursor, error)
}

// LogEntry is one event in arrival order. The zero LogEntry comes with errors.
type LogEntry struct {
	Event Event
	// Cursor is the entry's position: give it to ReadLog to go on behind it.
	Cursor Cursor
}

// ClockAdvancer is an optional capability of a [ClockStorage]: several processes
// can then share a node ID. [LamportClock] uses it where it is there.
type ClockAdvancer interface {
	// AdvanceClock sets the node's value to max(value, floor) + by and returns
	// it, atomically across goroutines and processes: the by values up to the
	// returned one are the caller's alone. A negative floor or a by below 1 is a
	// [*ValidationError]; a result above [math.MaxInt64] is [ErrClockOverflow],
	// and the value stays as it was.
	AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error)
}

// SaveAll stores the events: all or none of them if s is a [BatchSaver], else
// one by one up to the first error, so that a retry is safe and completes the
// work. The slice stays the caller's.
func SaveAll(ctx context.Context, s EventStore, events []Event) error {
	if s == nil {
		return invalid("store", reasonNil)
	}
	if b, ok := s.(BatchSaver); ok {
		return b.SaveEvents(ctx, events)
	}
	if err := checkContext(ctx); err != nil {
		return err
	}
	for _, e := range events {
		if err := s.SaveEvent(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// LoadAll returns all events of s in the order of [Compare], or the error that
// cut the read short and no events. The caller owns the slice.
func LoadAll(ctx context.Context, s EventStore) ([]Event, error) {
	if s == nil {
		return nil, invalid("store", reasonNil)
	}
	var events []Event
	for e, err := range s.AllEvents(ctx) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
