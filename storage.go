package causal

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
)

// An EventStore is an append-only log of events, implemented by storage
// adapters. Its methods must be safe for concurrent use.
//
// If ctx is done before the call, nothing is written and the error matches
// ctx.Err() and [context.Cause]. The adapter's own failures are
// [*StorageError]; after its Close they match [ErrClosed]. If a save returns an
// error, nothing of it is stored, now or later, unless the error matches
// [ErrOutcomeUnknown]. A [*ValidationError] names the parameter in snake case,
// such as aggregate_id: a nil context as ctx, the zero Event as event. IDs must
// be valid UTF-8 and not empty.
type EventStore interface {
	// SaveEvent stores e. When it returns nil, e is durable, at the level
	// stated by the adapter, and visible to every later read. Saving an event
	// again does nothing. If different content (see [Event.Equal]) is stored
	// under the ID, SaveEvent returns an [*IDConflictError] and the stored
	// event is unchanged. If e is zero, it returns a [*ValidationError].
	SaveEvent(ctx context.Context, e Event) error

	// LoadEvents returns the events with this aggregate ID, of all projects, in
	// the order of [Compare]. The caller owns the slice; it is empty, and the
	// error nil, if there are none. LoadEvents returns a [*ValidationError] if
	// aggregateID is empty or not UTF-8.
	LoadEvents(ctx context.Context, aggregateID string) ([]Event, error)

	// AllEvents yields all events in the order of [Compare], in memory that
	// does not grow with their number. If the read fails, ctx is canceled or
	// the adapter is closed, the last pair yielded is the zero Event and the
	// error, so a truncated read never looks complete. Each range over the
	// sequence starts a new read. No lock, transaction or connection is held
	// while the loop body runs, so the body may call the store. It is not
	// specified whether the range then includes events saved by the body.
	AllEvents(ctx context.Context) iter.Seq2[Event, error]
}

// A ClockStorage keeps one Lamport clock value for each node, and is
// implemented by storage adapters. Its methods must be safe for concurrent use.
// Contexts and failures are as for [EventStore]. An empty nodeID, or one that
// is not UTF-8, is reported as a [*ValidationError].
type ClockStorage interface {
	// LoadClock returns the last saved value, or 0 if there is none.
	LoadClock(ctx context.Context, nodeID string) (int64, error)

	// SaveClock replaces the node's value. The value is durable when SaveClock
	// returns nil; after an error it may or may not have been saved. SaveClock
	// returns a [*ValidationError] if value is negative.
	SaveClock(ctx context.Context, nodeID string, value int64) error
}

// An ErrorStorage keeps the latest entries of an error log, and is implemented
// by storage adapters. Its methods must be safe for concurrent use. Contexts
// and failures are as for [EventStore].
type ErrorStorage interface {
	// AppendError appends e and discards the oldest entries beyond the
	// storage's limit. If e is invalid, it returns the error of
	// [ErrorEntry.Validate]. After other errors the entry may be stored.
	AppendError(ctx context.Context, e ErrorEntry) error

	// RecentErrors returns up to limit entries, the newest first. The caller
	// owns the slice; it is empty, and the error nil, if there are none.
	// RecentErrors returns a [*ValidationError] if limit < 1.
	RecentErrors(ctx context.Context, limit int) ([]ErrorEntry, error)
}

// BatchSaver is an optional capability of an [EventStore]. Use [SaveAll], which
// falls back to single saves.
type BatchSaver interface {
	// SaveEvents stores all events or none of them. Each event is treated as
	// SaveEvent would, even one that occurs twice in events; an
	// [*IDConflictError] names every refused event. SaveEvents does not retain
	// the slice.
	SaveEvents(ctx context.Context, events []Event) error
}

// EventFinder is an optional capability of an [EventStore]. Use [FindEvent],
// which falls back to reading all events.
type EventFinder interface {
	// FindEvent returns the event with this ID, whose case does not matter. It
	// returns the zero Event and no error if there is none, and a
	// [*ValidationError] if id is not an event ID.
	FindEvent(ctx context.Context, id EventID) (Event, error)
}

// AggregateLister is an optional capability of an [EventStore]. Use
// [Aggregates], which falls back to reading all events.
type AggregateLister interface {
	// Aggregates yields the ID of each aggregate with events, once, in bytewise
	// order. Errors and ranges are as in AllEvents; an error comes with "".
	Aggregates(ctx context.Context) iter.Seq2[string, error]
}

// HeadLoader is an optional capability of an [EventStore]: queries about the
// parents of its events. Use [LoadHeads], which falls back to reading the
// aggregate, and [MissingParents], which falls back to reading all events.
type HeadLoader interface {
	// LoadHeads returns the IDs of the heads ([History.Heads]) of an aggregate
	// in a project, as far as all its stored events tell without those of other
	// aggregates, in ascending order. The result fits
	// [EventParams.Parents]: it is never nil, which would mean a plain event.
	// The caller owns it. LoadHeads returns a [*ValidationError] if projectUUID
	// is not a UUID with hyphens or aggregateID is empty or not UTF-8.
	LoadHeads(ctx context.Context, projectUUID, aggregateID string) ([]EventID, error)

	// MissingParents yields, in ascending order without duplicates, the IDs of
	// parents named by stored events of the project but not stored. Errors and
	// ranges are as in AllEvents, with "" in place of an event. An invalid
	// project is reported as in LoadHeads.
	MissingParents(ctx context.Context, projectUUID string) iter.Seq2[EventID, error]
}

// LogReader is an optional capability of an [EventStore]: reading events in
// arrival order, for replication. The order of [Compare] is unsuitable, because
// a late event from an offline node sorts before events already consumed by a
// reader.
type LogReader interface {
	// ReadLog yields the entries after the given cursor in arrival order, up to
	// the end of the log as of some moment during the range, which therefore
	// ends even if its body saves events. Arrival order has no gaps: new
	// entries only ever appear at the end. The cursor of an entry is the
	// [Cursor.Next] of its predecessor's; that of the first, of the cursor of
	// the log's position 0 ([NewCursor]). Errors and ranges are as in
	// AllEvents. The errors for the cursor are those of [Cursor.PositionIn].
	ReadLog(ctx context.Context, after Cursor) iter.Seq2[LogEntry, error]

	// Head returns the cursor of the latest entry. Reading after it yields
	// everything saved later.
	Head(ctx context.Context) (Cursor, error)
}

// LogEntry is one event in arrival order. The zero LogEntry comes with errors.
type LogEntry struct {
	Event Event
	// Cursor is the entry's position. Pass it to ReadLog to resume after this
	// entry.
	Cursor Cursor
}

// LogWaiter is an optional capability of a [LogReader]: waiting for the next
// save. Use [Follow], or [WaitLog], which falls back to a pause.
type LogWaiter interface {
	// WaitLog returns nil when the log may have an entry after the cursor:
	// immediately if it has one, otherwise when one is saved, and in any case
	// after about a second. The caller then reads, and waits again. Errors are
	// those of ReadLog, even if ctx is done or the store is closed during the
	// wait.
	WaitLog(ctx context.Context, after Cursor) error
}

// ClockAdvancer is an optional capability of a [ClockStorage]. It lets several
// processes share a node ID. [LamportClock] uses it if available.
type ClockAdvancer interface {
	// AdvanceClock sets the node's value to max(value, floor) + by and returns
	// it, atomically across goroutines and processes: the by values up to the
	// returned one belong to the caller alone. It returns a [*ValidationError]
	// if floor is negative or by < 1. If the result is above [math.MaxInt64],
	// it returns [ErrClockOverflow] and the value is unchanged.
	AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error)
}

// A Store combines events with all capabilities, clocks, an error log,
// checkpoints and rejected events. [MemStore] and the stores of the adapter
// modules implement it.
type Store interface {
	EventStore
	BatchSaver
	Appender
	EventFinder
	AggregateLister
	HeadLoader
	LogReader
	LogWaiter
	DigestReader
	ClockStorage
	ClockAdvancer
	ErrorStorage
	CheckpointStorage
	RejectedStorage
}

// ConsumerStorage is the part of a store used by [Consume].
type ConsumerStorage interface {
	LogReader
	CheckpointStorage
}

// SaveAll stores the events. If s is a [BatchSaver], it stores all or none of
// them. Otherwise it stores them one by one up to the first error; a retry is
// safe and completes the work. SaveAll does not retain the slice.
func SaveAll(ctx context.Context, s EventStore, events []Event) error {
	if isNil(s) {
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

// Append stores the events, and reports where they are; see [Appender]. If s is
// not an Appender, the error matches [errors.ErrUnsupported].
func Append(ctx context.Context, s EventStore, events []Event) (Appended, error) {
	a, err := appender(s, "append events")
	if err != nil {
		return Appended{}, err
	}
	return a.Append(ctx, events)
}

// SaveEventsIf stores the events unless a matching event was saved after the
// cursor; see [Appender]. If s is not an Appender, the error matches
// [errors.ErrUnsupported].
//
// Use it to save a decision only if its basis has not changed: get the Head of
// the log, read the events the decision depends on, decide, and save after this
// head. If the error matches [ErrConcurrentSave], start over.
func SaveEventsIf(ctx context.Context, s EventStore, after Cursor, c Condition, events []Event) (Appended, error) {
	a, err := appender(s, "save events if")
	if err != nil {
		return Appended{}, err
	}
	return a.SaveEventsIf(ctx, after, c, events)
}

func appender(s EventStore, op string) (Appender, error) {
	if isNil(s) {
		return nil, invalid("store", reasonNil)
	}
	a, ok := s.(Appender)
	if !ok {
		return nil, &StorageError{Op: op, Err: errors.ErrUnsupported}
	}
	return a, nil
}

// FindEvent returns the event of s with this ID; see [EventFinder]. If s is not
// an EventFinder, it reads all events.
func FindEvent(ctx context.Context, s EventStore, id EventID) (Event, error) {
	if isNil(s) {
		return Event{}, invalid("store", reasonNil)
	}
	if f, ok := s.(EventFinder); ok {
		return f.FindEvent(ctx, id)
	}
	if err := checkContext(ctx); err != nil {
		return Event{}, err
	}
	id, err := ParseEventID(string(id))
	if err != nil {
		return Event{}, err
	}
	for e, err := range s.AllEvents(ctx) {
		if err == nil && e.p == nil {
			err = errYieldedZero()
		}
		if err != nil {
			return Event{}, err
		}
		if e.p.ID == id {
			return e, nil
		}
	}
	return Event{}, nil
}

// Aggregates yields the IDs of the aggregates of s; see [AggregateLister]. If s
// is not an AggregateLister, it reads all events first.
func Aggregates(ctx context.Context, s EventStore) iter.Seq2[string, error] {
	if l, ok := s.(AggregateLister); ok && !isNil(s) {
		return l.Aggregates(ctx)
	}
	return texts(ctx, func() ([]string, error) {
		events, err := LoadAll(ctx, s)
		ids := map[string]struct{}{}
		for _, e := range events {
			ids[e.p.AggregateID] = struct{}{}
		}
		return slices.Sorted(maps.Keys(ids)), err
	})
}

// texts yields the result of read, called when a range begins, until ctx is
// done, and then an error.
func texts(ctx context.Context, read func() ([]string, error)) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := checkContext(ctx)
		var all []string
		if err == nil {
			all, err = read()
		}
		for i := 0; err == nil && i < len(all); i++ {
			if !yield(all[i], nil) {
				return
			}
			err = checkContext(ctx)
		}
		if err != nil {
			yield("", err)
		}
	}
}

// LoadHeads returns the heads of an aggregate; see [HeadLoader]. If s is not a
// HeadLoader, it reads the aggregate.
func LoadHeads(ctx context.Context, s EventStore, projectUUID, aggregateID string) ([]EventID, error) {
	if isNil(s) {
		return nil, invalid("store", reasonNil)
	}
	if l, ok := s.(HeadLoader); ok {
		return l.LoadHeads(ctx, projectUUID, aggregateID)
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if !isHyphenatedUUID(projectUUID) {
		return nil, invalid("project_uuid", reasonUUID)
	}
	events, err := s.LoadEvents(ctx, aggregateID)
	if err != nil {
		return nil, err
	}
	return headIDs(events, strings.ToLower(projectUUID))
}

// MissingParents yields the IDs of missing parents; see [HeadLoader]. If s is
// not a HeadLoader, it reads all events first.
func MissingParents(ctx context.Context, s EventStore, projectUUID string) iter.Seq2[EventID, error] {
	if l, ok := s.(HeadLoader); ok && !isNil(s) {
		return l.MissingParents(ctx, projectUUID)
	}
	return parentIDs(ctx, projectUUID, func(project string) ([]EventID, error) {
		events, err := LoadAll(ctx, s)
		isStored := make(map[EventID]bool, len(events))
		for _, e := range events {
			isStored[e.p.ID] = true
		}
		isMissing := map[EventID]bool{}
		for _, e := range events {
			for _, id := range e.p.Parents {
				if e.p.ProjectUUID == project && !isStored[id] {
					isMissing[id] = true
				}
			}
		}
		return slices.Sorted(maps.Keys(isMissing)), err
	})
}

// parentIDs yields the result of read for a project, called when a range
// begins.
func parentIDs(ctx context.Context, projectUUID string, read func(project string) ([]EventID, error)) iter.Seq2[EventID, error] {
	return func(yield func(EventID, error) bool) {
		all := texts(ctx, func() ([]string, error) {
			if !isHyphenatedUUID(projectUUID) {
				return nil, invalid("project_uuid", reasonUUID)
			}
			ids, err := read(strings.ToLower(projectUUID))
			all := make([]string, len(ids))
			for i, id := range ids {
				all[i] = string(id)
			}
			return all, err
		})
		for id, err := range all {
			if !yield(EventID(id), err) {
				return
			}
		}
	}
}

// LoadAll returns all events of s in the order of [Compare]. If the read is cut
// short, it returns the error and no events. The caller owns the slice.
func LoadAll(ctx context.Context, s EventStore) ([]Event, error) {
	if isNil(s) {
		return nil, invalid("store", reasonNil)
	}
	var events []Event
	for e, err := range s.AllEvents(ctx) {
		if err == nil && e.p == nil {
			err = errYieldedZero()
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// errYieldedZero reports a store that yields the zero Event without an error.
func errYieldedZero() error {
	return &StorageError{Op: "read events", Err: errors.New("the storage yielded the zero Event")}
}
