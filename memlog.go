package causal

import (
	"context"
	"crypto/rand"
	"iter"
)

// ReadLog yields the entries after the cursor. See [LogReader]. A range sees
// the events stored when it began.
func (s *MemEventStore) ReadLog(ctx context.Context, after Cursor) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		if err := checkContext(ctx); err != nil {
			yield(LogEntry{}, err)
			return
		}
		log, cursors := s.arrivals()
		position, err := after.PositionIn(cursors.head(), cursors.hashAt)
		if err != nil {
			yield(LogEntry{}, err)
			return
		}
		for _, e := range log[position:] {
			if ctx.Err() != nil {
				yield(LogEntry{}, checkContext(ctx))
				return
			}
			position++
			if !yield(LogEntry{e, cursors.at(position)}, nil) {
				return
			}
		}
	}
}

// Head returns the cursor of the latest entry. See [LogReader].
func (s *MemEventStore) Head(ctx context.Context) (Cursor, error) {
	if err := checkContext(ctx); err != nil {
		return Cursor{}, err
	}
	_, cursors := s.arrivals()
	return cursors.head(), nil
}

// arrivals returns the current log and its cursors, which it computes on
// demand, because stores without readers need none.
func (s *MemEventStore) arrivals() ([]Event, memCursors) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log, s.cursors()
}

// cursors returns the cursors of the log. The caller holds the lock.
func (s *MemEventStore) cursors() memCursors {
	if s.logID == [16]byte{} {
		_, _ = rand.Read(s.logID[:]) // never fails
	}
	cursors := memCursors{s.logID, s.hashes}
	last := cursors.head()
	for _, e := range s.log[len(s.hashes):] {
		last = last.Next(e.p.ID)
		s.hashes = append(s.hashes, last.hash)
	}
	return memCursors{s.logID, s.hashes}
}

// memCursors are the cursors of a log.
type memCursors struct {
	log    [16]byte
	hashes [][8]byte // of the entries
}

// at returns the cursor of a position.
func (c memCursors) at(position uint64) Cursor {
	if position == 0 {
		return Cursor{log: c.log}
	}
	return Cursor{c.log, position, c.hashes[position-1]}
}

// head returns the cursor of the last entry.
func (c memCursors) head() Cursor { return c.at(uint64(len(c.hashes))) }

func (c memCursors) hashAt(position uint64) ([8]byte, error) { return c.hashes[position-1], nil }

// WaitLog waits for an entry after the cursor. See [LogWaiter].
func (s *MemEventStore) WaitLog(ctx context.Context, after Cursor) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	saved := s.nextSave() // before reading, so as not to miss a save
	log, cursors := s.arrivals()
	position, err := after.PositionIn(cursors.head(), cursors.hashAt)
	if err != nil || position < uint64(len(log)) {
		return err
	}
	return waitFor(ctx, saved, waitLimit)
}

// nextSave returns a channel closed by the next save.
func (s *MemEventStore) nextSave() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		s.saved = make(chan struct{})
	}
	return s.saved
}
