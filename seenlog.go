package causal

import (
	"context"
	"errors"
)

// seenLog computes the vector clock of the events in a log up to an entry. The
// zero value has no project; its clock is always zero.
type seenLog struct {
	project, consumer string
	chains            chains
	at                Cursor // the last entry included
	unsaved           int    // entries
}

// seenSaves is the number of entries between two saves of a seenLog.
const seenSaves = 4096

func (s *seenLog) name() string { return internalNames + "seen/" + s.project + "/" + s.consumer }

// load loads the last saved state, if it is not beyond upTo.
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
			s.at, s.chains = Cursor{}, chains{} // the saved state belongs to another log
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

// add adds the entries that follow, and returns the vector clock including
// them, which is zero without a project.
func (s *seenLog) add(entries []LogEntry) VectorClock {
	if s.project == "" {
		return VectorClock{}
	}
	for _, entry := range entries {
		s.addEntry(entry)
	}
	return s.chains.seen()
}

// save saves the state from time to time, so that the log need not be read from
// its beginning again.
func (s *seenLog) save(ctx context.Context, storage ConsumerStorage) error {
	if s.unsaved < seenSaves {
		return nil
	}
	state, err := s.chains.marshal()
	if err != nil {
		return err
	}
	if len(state) <= MaxCheckpointState { // otherwise the earlier state has to do
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
