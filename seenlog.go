package causal

import (
	"context"
	"errors"
)

// seenLog knows what the log has of a project up to an entry. The zero value knows nothing,
// and is not asked.
type seenLog struct {
	project, consumer string
	chains            chains
	at                Cursor // up to which it knows
	unsaved           int    // entries
}

// seenSaves is how many entries come between two saves of a seenLog.
const seenSaves = 4096

func (s *seenLog) name() string { return internalNames + "seen/" + s.project + "/" + s.consumer }

// load loads what was saved last, if that is before a cursor.
func (s *seenLog) load(ctx context.Context, storage ConsumerStorage, upTo Cursor) error {
	saved, err := storage.LoadCheckpoint(ctx, s.name())
	if err != nil {
		return err
	}
	isBefore := saved.Cursor.log == upTo.log && saved.Cursor.position < upTo.position || saved.Cursor == upTo
	if s.at = saved.Cursor; !isBefore || s.chains.unmarshal(saved.State) != nil {
		s.at, s.chains = Cursor{}, chains{}
	}
	return nil
}

// readTo reads the log up to a cursor.
func (s *seenLog) readTo(ctx context.Context, storage ConsumerStorage, upTo Cursor) error {
	for entry, err := range storage.ReadLog(ctx, s.at) {
		if s.at.position >= upTo.position {
			return nil
		}
		if err == nil && entry.Event.p == nil {
			err = errYieldedZero()
		}
		if s.at != (Cursor{}) && (errors.Is(err, ErrInvalidCursor) || errors.Is(err, ErrCursorAhead)) {
			s.at, s.chains = Cursor{}, chains{} // what was saved is of another log
			return s.readTo(ctx, storage, upTo)
		}
		if err == nil {
			s.addEntry(entry)
			err = s.save(ctx, storage)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *seenLog) addEntry(entry LogEntry) {
	s.at = entry.Cursor
	s.unsaved++
	if entry.Event.p.ProjectUUID == s.project {
		s.chains.add(linkOf(entry.Event))
	}
}

// add adds the entries that follow, and returns what is seen with them; nothing if nobody asks.
func (s *seenLog) add(entries []LogEntry) VectorClock {
	if s.project == "" {
		return VectorClock{}
	}
	for _, entry := range entries {
		s.addEntry(entry)
	}
	return s.chains.seen()
}

// save saves from time to time what is known, so that the log need not be read from its
// beginning again.
func (s *seenLog) save(ctx context.Context, storage ConsumerStorage) error {
	if s.unsaved < seenSaves {
		return nil
	}
	state, err := s.chains.marshal()
	if err != nil {
		return err
	}
	if len(state) <= MaxCheckpointState { // otherwise what was saved before serves, too
		saved, err := storage.LoadCheckpoint(ctx, s.name())
		if err == nil {
			_, err = storage.SaveCheckpoint(ctx, s.name(), Checkpoint{Cursor: s.at, State: state, Revision: saved.Revision})
		}
		if err != nil {
			return err
		}
	}
	s.unsaved = 0
	return nil
}
