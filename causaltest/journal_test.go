package causaltest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"os"
	"sync"

	"github.com/spec-kitty/causal"
)

// journal is a small durable adapter, for testing the hooks of the suite: a
// file with one JSON object for each stored item, and a copy of everything in
// memory. One process writes to a file at a time.
type journal struct {
	events  causal.MemEventStore
	clocks  causal.MemClockStorage
	entries causal.MemErrorStorage
	mu      sync.Mutex // guards the fields below, and keeps file and memory consistent
	file    *os.File   // nil once it is closed
}

type record struct {
	Events []causal.Event     `json:"events,omitempty"`
	Node   string             `json:"node,omitempty"`
	Clock  int64              `json:"clock,omitempty"`
	Entry  *causal.ErrorEntry `json:"entry,omitempty"`
}

func openJournal(path string) (*journal, error) {
	j := &journal{}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1 // anything after it was not acknowledged
	for line := range bytes.Lines(data[:whole]) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		if err := j.apply(context.Background(), r); err != nil {
			return nil, err
		}
	}
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	if err := j.file.Truncate(int64(whole)); err != nil {
		return nil, err
	}
	_, err = j.file.Seek(int64(whole), 0)
	return j, err
}

// apply applies a record to memory.
func (j *journal) apply(ctx context.Context, r record) error {
	switch {
	case r.Entry != nil:
		return j.entries.AppendError(ctx, *r.Entry)
	case r.Node != "":
		return j.clocks.SaveClock(ctx, r.Node, r.Clock)
	}
	return j.events.SaveEvents(ctx, r.Events)
}

// store applies a record to memory, which checks it, and appends it to the
// file. It ignores cancellation during the call.
func (j *journal) store(ctx context.Context, r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.check(); err != nil {
		return err
	}
	if err := j.apply(ctx, r); err != nil {
		return err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return &causal.StorageError{Op: "encode", Err: err}
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return &causal.StorageError{Op: "write", Err: err}
	}
	if err := j.file.Sync(); err != nil {
		return &causal.StorageError{Op: "sync", Err: err}
	}
	return nil
}

func (j *journal) check() error {
	if j.file == nil {
		return &causal.StorageError{Op: "use", Err: causal.ErrClosed}
	}
	return nil
}

func (j *journal) open() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.check()
}

func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// journalEvents is a journal as an event store with no other capabilities than
// Close and batches.
type journalEvents struct{ *journal }

func (j journalEvents) SaveEvent(ctx context.Context, e causal.Event) error {
	return j.store(ctx, record{Events: []causal.Event{e}})
}

func (j journalEvents) SaveEvents(ctx context.Context, events []causal.Event) error {
	return j.store(ctx, record{Events: events})
}

func (j journalEvents) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	if err := j.open(); err != nil {
		return nil, err
	}
	return j.events.LoadEvents(ctx, aggregateID)
}

func (j journalEvents) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		for e, err := range j.events.AllEvents(ctx) {
			if err == nil {
				if err = j.open(); err != nil {
					e = causal.Event{}
				}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := j.open(); err != nil {
			yield(causal.Event{}, err)
		}
	}
}

// journalClocks is a journal as a clock storage with no other capabilities.
type journalClocks struct{ *journal }

func (j journalClocks) LoadClock(ctx context.Context, nodeID string) (int64, error) {
	if err := j.open(); err != nil {
		return 0, err
	}
	return j.clocks.LoadClock(ctx, nodeID)
}

func (j journalClocks) SaveClock(ctx context.Context, nodeID string, value int64) error {
	if nodeID == "" {
		return j.clocks.SaveClock(ctx, nodeID, value) // returns the error
	}
	return j.store(ctx, record{Node: nodeID, Clock: value})
}

// journalErrors is a journal as an error storage.
type journalErrors struct{ *journal }

func (j journalErrors) AppendError(ctx context.Context, e causal.ErrorEntry) error {
	return j.store(ctx, record{Entry: &e})
}

func (j journalErrors) RecentErrors(ctx context.Context, limit int) ([]causal.ErrorEntry, error) {
	if err := j.open(); err != nil {
		return nil, err
	}
	return j.entries.RecentErrors(ctx, limit)
}
