package adapter

import "github.com/spec-kitty/causal"

// checkedAtOnce is the number of entries between two reports of progress.
const checkedAtOnce = 1000

// CheckLog checks all entries of the log. next checks those after a cursor, up
// to a position, with [Stored.Check], and returns the cursor of the last one.
// progress may be nil.
func CheckLog(
	s Source, progress func(checked, total uint64), next func(at causal.Cursor, last uint64) (causal.Cursor, error),
) error {
	head, err := s.Locate(causal.Cursor{})
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	at := causal.NewCursor(head.LogID(), 0, [8]byte{})
	for {
		progress(at.Position(), head.Position())
		if at.Position() == head.Position() {
			return nil
		}
		if err := s.Check(); err != nil {
			return err
		}
		last := min(at.Position()+checkedAtOnce, head.Position())
		if at, err = next(at, last); err != nil {
			return err
		}
	}
}

// Stored is an entry as stored: its event, and the columns beside it.
type Stored struct {
	Position        int64
	Hash            [8]byte
	ID              string
	Aggregate, Node []byte
	Clock           int64
}

// Check checks an entry with this event against its predecessor, and returns
// its cursor.
func (s Stored) Check(before causal.Cursor, e causal.Event) (causal.Cursor, error) {
	at := before.Next(e.ID())
	switch {
	case s.Position != int64(at.Position()):
		return before, Missing(int64(at.Position()))
	case s.Hash != at.Hash(), s.ID != string(e.ID()), string(s.Aggregate) != e.AggregateID(),
		string(s.Node) != e.NodeID(), s.Clock != e.LamportClock():
		return before, Damaged(s.Position)
	}
	return at, nil
}
