package causalsqlite

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// ReadLog yields the entries after the cursor. See [causal.LogReader]. A range
// sees the events stored when it began, and uses as little memory as one of
// AllEvents. Cursors stay valid when the file is closed and reopened.
func (s *Store) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	const op = "read log"
	return adapter.ReadLog(s.source(ctx, op), after, func(p adapter.EntryPage) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error { return fillByArrival(c, p) })
	})
}

// fillByArrival fills the page.
func fillByArrival(c *sqlite.Conn, p adapter.EntryPage) error {
	p.Reset()
	rows := newRows()
	defer rows.free()
	err := query(c, "SELECT seq, data, hash FROM events WHERE seq > ? AND seq <= ? ORDER BY seq",
		func(s *sqlite.Stmt) {
			s.BindInt64(1, p.After())
			s.BindInt64(2, p.Head)
		},
		func(s *sqlite.Stmt) (bool, error) {
			rows.add(s).hash = columnHash(s, 2)
			return !rows.isFull(p.Limit()), nil
		})
	if err != nil {
		return err
	}
	for row, err := range rows.decode() {
		if err == nil {
			err = p.Add(row.position, row.hash, row.event, row.size())
		}
		if err != nil {
			return err
		}
	}
	return p.End()
}

// Head returns the cursor of the latest entry. See [causal.LogReader].
func (s *Store) Head(ctx context.Context) (causal.Cursor, error) {
	return s.locate(ctx, "read head", causal.Cursor{})
}

// locate returns the cursor of the latest entry, or the error for a cursor that
// is not valid in the log.
func (s *Store) locate(ctx context.Context, op string, after causal.Cursor) (head causal.Cursor, err error) {
	if err := s.check(ctx, op); err != nil {
		return causal.Cursor{}, err
	}
	err = s.read(ctx, op, func(c *sqlite.Conn) error {
		if head, err = readHead(c, s.logID); err != nil {
			return err
		}
		_, err = after.PositionIn(head, func(position uint64) ([8]byte, error) { return hashAt(c, position) })
		return err
	})
	if err != nil {
		return causal.Cursor{}, err
	}
	return head, nil
}

// readHead returns the cursor of the latest entry.
func readHead(c *sqlite.Conn, log [16]byte) (causal.Cursor, error) {
	head := causal.NewCursor(log, 0, [8]byte{})
	err := query(c, "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1", nil, func(s *sqlite.Stmt) (bool, error) {
		head = causal.NewCursor(log, uint64(s.ColumnInt64(0)), columnHash(s, 1))
		return false, nil
	})
	return head, err
}

// hashAt returns the hash stored with an entry, which must exist.
func hashAt(c *sqlite.Conn, position uint64) (hash [8]byte, err error) {
	found := false
	err = query(c, "SELECT hash FROM events WHERE seq = ?",
		func(s *sqlite.Stmt) { s.BindInt64(1, int64(position)) },
		func(s *sqlite.Stmt) (bool, error) {
			hash, found = columnHash(s, 0), true
			return false, nil
		})
	if err == nil && !found {
		err = adapter.Missing(int64(position))
	}
	return hash, err
}

// columnHash returns a hash. The schema checks its length.
func columnHash(s *sqlite.Stmt, column int) (hash [8]byte) {
	s.ColumnBytes(column, hash[:])
	return hash
}

// source returns the source for reads of all events and of the log.
func (s *Store) source(ctx context.Context, op string) adapter.Source {
	return adapter.Source{
		Locate: func(after causal.Cursor) (causal.Cursor, error) { return s.locate(ctx, op, after) },
		Check:  func() error { return s.check(ctx, op) },
	}
}
