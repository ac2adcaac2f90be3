package causaltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spec-kitty/causal"
)

// appendOnly ignores the order of late events.
type appendOnly struct {
	causal.MemEventStore
	latest causal.Event
}

func (s *appendOnly) SaveEvent(ctx context.Context, e causal.Event) error {
	if causal.Compare(e, s.latest) < 0 {
		return nil
	}
	s.latest = e
	return s.MemEventStore.SaveEvent(ctx, e)
}

// replacing is a map by ID.
type replacing struct {
	mu     sync.Mutex
	events []causal.Event
}

func (s *replacing) SaveEvent(_ context.Context, e causal.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = slices.DeleteFunc(s.events, func(old causal.Event) bool { return old.ID() == e.ID() })
	s.events = append(s.events, e)
	slices.SortFunc(s.events, causal.Compare)
	return nil
}

func (s *replacing) LoadEvents(ctx context.Context, _ string) ([]causal.Event, error) {
	return causal.LoadAll(ctx, s)
}

func (s *replacing) AllEvents(context.Context) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		s.mu.Lock()
		events := slices.Clone(s.events)
		s.mu.Unlock()
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// sharing returns its own slice.
type sharing struct {
	causal.MemEventStore
	cached []causal.Event
}

func (s *sharing) LoadEvents(ctx context.Context, id string) ([]causal.Event, error) {
	fresh, err := s.MemEventStore.LoadEvents(ctx, id)
	if len(s.cached) != len(fresh) {
		s.cached = fresh
	}
	return s.cached, err
}

// locking holds its lock while the loop body runs.
type locking struct {
	mu sync.Mutex
	causal.MemEventStore
}

func (s *locking) SaveEvent(ctx context.Context, e causal.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.MemEventStore.SaveEvent(ctx, e)
}

func (s *locking) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.MemEventStore.AllEvents(ctx)(yield)
	}
}

// repeating has a log of all calls.
type repeating struct {
	causal.MemEventStore
	calls causal.MemEventStore
	count int
}

func (s *repeating) SaveEvent(ctx context.Context, e causal.Event) error {
	err := s.MemEventStore.SaveEvent(ctx, e)
	if err == nil {
		s.count++
		err = s.calls.SaveEvent(ctx, rebuilt(e, func(p *causal.EventParams) { p.ID = causal.NewEventID() }))
	}
	return err
}

func (s *repeating) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return s.calls.ReadLog(ctx, after)
}

func (s *repeating) Head(ctx context.Context) (causal.Cursor, error) { return s.calls.Head(ctx) }

// logByClock delivers in the order of Compare.
type logByClock struct{ causal.MemEventStore }

func (s *logByClock) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return func(yield func(causal.LogEntry, error) bool) {
		sorted, err := causal.LoadAll(ctx, &s.MemEventStore)
		if err != nil {
			yield(causal.LogEntry{}, err)
			return
		}
		behind := len(sorted)
		for range s.MemEventStore.ReadLog(ctx, after) {
			behind--
		}
		cursors := []causal.Cursor{}
		for entry := range s.MemEventStore.ReadLog(ctx, causal.Cursor{}) {
			cursors = append(cursors, entry.Cursor)
		}
		for i, e := range sorted[behind:] {
			if !yield(causal.LogEntry{Event: e, Cursor: cursors[behind+i]}, nil) {
				return
			}
		}
	}
}

// gapped assigns the positions of a batch when it begins and shows its events
// when it ends, like a sequence of a database.
type gapped struct {
	causal.MemEventStore
	mu    sync.Mutex
	log   []*causal.Event // nil while its transaction runs
	logID [16]byte
}

func (s *gapped) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.SaveEvents(ctx, []causal.Event{e})
}

func (s *gapped) SaveEvents(ctx context.Context, events []causal.Event) error {
	s.mu.Lock()
	s.logID = [16]byte{1}
	from := len(s.log)
	s.log = append(s.log, make([]*causal.Event, len(events))...)
	s.mu.Unlock()
	time.Sleep(time.Duration(len(events)) * 100 * time.Microsecond)
	if err := s.MemEventStore.SaveEvents(ctx, events); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		s.log[from+i] = &events[i]
	}
	return nil
}

func (s *gapped) ReadLog(_ context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return func(yield func(causal.LogEntry, error) bool) {
		s.mu.Lock()
		log := slices.Clone(s.log)
		s.mu.Unlock()
		cursor := func(position uint64) causal.Cursor { return causal.NewCursor(s.logID, position, [8]byte{}) }
		at, err := after.PositionIn(cursor(uint64(len(log))), func(uint64) ([8]byte, error) { return [8]byte{}, nil })
		if err != nil {
			yield(causal.LogEntry{}, err)
			return
		}
		for i, e := range log[at:] {
			if e != nil && !yield(causal.LogEntry{Event: *e, Cursor: cursor(at + uint64(i) + 1)}, nil) {
				return
			}
		}
	}
}

// closable can be closed, without effect.
type closable struct{ *causal.MemEventStore }

func (closable) Close() error { return nil }

// barelyClosed returns the bare sentinel once it is closed.
type barelyClosed struct {
	causal.MemEventStore
	closed bool
}

func (s *barelyClosed) Close() error {
	s.closed = true
	return nil
}

func (s *barelyClosed) SaveEvent(ctx context.Context, e causal.Event) error {
	if s.closed {
		return causal.ErrClosed
	}
	return s.MemEventStore.SaveEvent(ctx, e)
}

// abrupt fails a save that is running when it is closed.
type abrupt struct {
	causal.MemEventStore
	closed atomic.Bool
}

func (s *abrupt) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *abrupt) SaveEvent(ctx context.Context, e causal.Event) error {
	if s.closed.Load() {
		return &causal.StorageError{Op: "save event", Err: causal.ErrClosed}
	}
	time.Sleep(time.Microsecond)
	if s.closed.Load() {
		return errors.New("database not open")
	}
	return s.MemEventStore.SaveEvent(ctx, e)
}

// rangeByOffset reads pages, each starting at the number where the previous one
// ended.
func rangeByOffset(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
	const page = 100
	for offset := 0; ; offset += page {
		all, err := causal.LoadAll(ctx, s)
		if err != nil {
			yield(causal.Event{}, err)
			return
		}
		if offset >= len(all) {
			return
		}
		for _, e := range all[offset:min(offset+page, len(all))] {
			if ctx.Err() != nil {
				yield(causal.Event{}, context.Cause(ctx))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// blindTo returns a store that ignores a difference in these members.
func blindTo(members ...string) func() causal.EventStore {
	return saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		seen := slices.Clone(events)
		for i, e := range events {
			for old := range s.AllEvents(ctx) {
				if !e.IsZero() && old.ID() == e.ID() && withMembersOf(e, old, members).Equal(old) {
					seen[i] = old
				}
			}
		}
		return s.SaveEvents(ctx, seen)
	})
}

// withMembersOf returns e with these members taken from another event.
func withMembersOf(e, other causal.Event, members []string) (changed causal.Event) {
	var own, others map[string]json.RawMessage
	for e, into := range map[*causal.Event]*map[string]json.RawMessage{&e: &own, &other: &others} {
		text, err := json.Marshal(*e)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			panic(err)
		}
	}
	for _, member := range members {
		delete(own, member)
		if value, ok := others[member]; ok {
			own[member] = value
		}
	}
	text, err := json.Marshal(own)
	if err != nil {
		panic(err)
	}
	if changed.UnmarshalJSON(text) != nil {
		return e // if it cannot be changed
	}
	return changed
}

type maxClocks struct{ *causal.MemClockStorage }

func (s maxClocks) SaveClock(ctx context.Context, node string, value int64) error {
	old, err := s.LoadClock(ctx, node)
	if err != nil {
		return err
	}
	return s.MemClockStorage.SaveClock(ctx, node, max(old, value))
}

type oneClock struct{ *causal.MemClockStorage }

func (s oneClock) SaveClock(ctx context.Context, node string, value int64) error {
	if node == "" {
		return s.MemClockStorage.SaveClock(ctx, node, value)
	}
	return s.MemClockStorage.SaveClock(ctx, "all", value)
}

func (s oneClock) LoadClock(ctx context.Context, node string) (int64, error) {
	if node == "" {
		return s.MemClockStorage.LoadClock(ctx, node)
	}
	return s.MemClockStorage.LoadClock(ctx, "all")
}

type clampedClocks struct{ *causal.MemClockStorage }

func (s clampedClocks) SaveClock(ctx context.Context, node string, value int64) error {
	return s.MemClockStorage.SaveClock(ctx, node, max(value, 0))
}

type loadThenSave struct{ *causal.MemClockStorage }

func (s loadThenSave) AdvanceClock(ctx context.Context, node string, floor, by int64) (int64, error) {
	value, err := s.LoadClock(ctx, node)
	if err != nil {
		return 0, err
	}
	time.Sleep(time.Microsecond) // as long as a round trip to a database
	value = max(value, floor) + by
	return value, s.SaveClock(ctx, node, value)
}

type wrapping struct{ *causal.MemClockStorage }

func (s wrapping) AdvanceClock(ctx context.Context, node string, floor, by int64) (int64, error) {
	value, err := s.MemClockStorage.AdvanceClock(ctx, node, floor, by)
	if errors.Is(err, causal.ErrClockOverflow) {
		return math.MinInt64, nil
	}
	return value, err
}

type overflowing struct{ *causal.MemClockStorage }

func (s overflowing) AdvanceClock(ctx context.Context, node string, floor, by int64) (int64, error) {
	value, err := s.MemClockStorage.AdvanceClock(ctx, node, floor, by)
	if err != nil {
		err = causal.ErrClockOverflow
	}
	return value, err
}

type nameless struct{ *causal.MemClockStorage }

func (s nameless) SaveClock(ctx context.Context, node string, value int64) error {
	err := s.MemClockStorage.SaveClock(ctx, node, value)
	if errors.Is(err, causal.ErrValidation) {
		return &causal.ValidationError{Fields: []causal.FieldError{{Reason: "is bad"}}}
	}
	return err
}

func limited(limit int) *causal.MemErrorStorage {
	s, err := causal.NewMemErrorStorage(limit)
	if err != nil {
		panic(err)
	}
	return s
}

type byTime struct{ *causal.MemErrorStorage }

func (s byTime) RecentErrors(ctx context.Context, limit int) ([]causal.ErrorEntry, error) {
	entries, err := s.MemErrorStorage.RecentErrors(ctx, limit)
	slices.SortStableFunc(entries, func(a, b causal.ErrorEntry) int { return b.Timestamp.Compare(a.Timestamp) })
	return entries, err
}

type tenEntries struct{ *causal.MemErrorStorage }

func (s tenEntries) RecentErrors(ctx context.Context, limit int) ([]causal.ErrorEntry, error) {
	if limit == 0 {
		limit = 10
	}
	return s.MemErrorStorage.RecentErrors(ctx, limit)
}

// checkpoints returns a storage with another SaveCheckpoint.
func checkpoints(
	save func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error),
) func() causal.CheckpointStorage {
	return func() causal.CheckpointStorage { return patchedCheckpoints{&causal.MemCheckpointStorage{}, save} }
}

type patchedCheckpoints struct {
	*causal.MemCheckpointStorage
	save func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error)
}

func (s patchedCheckpoints) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	return s.save(ctx, s.MemCheckpointStorage, name, c)
}

// countedCheckpoints restarts counting when a checkpoint is deleted.
type countedCheckpoints struct{ causal.MemCheckpointStorage }

func (s *countedCheckpoints) DeleteCheckpoint(ctx context.Context, name string) error {
	if err := s.MemCheckpointStorage.DeleteCheckpoint(ctx, name); err != nil {
		return err
	}
	for range s.Checkpoints(ctx) {
		return nil
	}
	s.MemCheckpointStorage = causal.MemCheckpointStorage{}
	return nil
}

// sharingCheckpoints returns slices it was given.
type sharingCheckpoints struct {
	causal.MemCheckpointStorage
	state []byte
}

func (s *sharingCheckpoints) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	s.state = c.State
	return s.MemCheckpointStorage.SaveCheckpoint(ctx, name, c)
}

func (s *sharingCheckpoints) LoadCheckpoint(ctx context.Context, name string) (causal.Checkpoint, error) {
	c, err := s.MemCheckpointStorage.LoadCheckpoint(ctx, name)
	if c.Revision > 0 {
		c.State = s.state
	}
	return c, err
}
