package causalsqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// checkRows is how many entries are checked between two reports of the progress.
const checkRows = 1000

// Check looks for damage: SQLite's own check of the whole file, and of every entry of the
// log whether it can be read, has its place by its content, and follows the one before.
// It returns nil if it finds none, and a [*causal.StorageError] that names the first
// entry at fault, or says what SQLite has found. Other calls go on meanwhile; a large
// file takes minutes. What is saved after Check has begun may or may not be checked.
//
// Check calls progress, if it is not nil, with the number of entries that were checked
// and that of all, in the goroutine of the caller.
func (s *Store) Check(ctx context.Context, progress func(checked, total uint64)) error {
	const op = "check"
	head, err := s.locate(ctx, op, causal.Cursor{})
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	progress(0, head.Position())
	if err := s.read(ctx, op, func(c *sqlite.Conn) error { return checkFile(ctx, c) }); err != nil {
		return err
	}
	at := causal.NewCursor(head.LogID(), 0, [8]byte{})
	for at.Position() < head.Position() {
		err := s.read(ctx, op, func(c *sqlite.Conn) (err error) {
			at, err = checkEntries(c, at, head.Position())
			return err
		})
		if err != nil {
			return err
		}
		progress(at.Position(), head.Position())
		if err := s.check(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

// checkFile is SQLite's own check.
func checkFile(ctx context.Context, c *sqlite.Conn) error {
	before := c.SetInterrupt(ctx.Done())
	defer c.SetInterrupt(before)
	found := ""
	err := query(c, "PRAGMA integrity_check(1)", nil, func(s *sqlite.Stmt) (bool, error) {
		found = s.ColumnText(0)
		return false, nil
	})
	switch {
	case ctx.Err() != nil:
		return causaladapter.CheckContext(ctx)
	case err == nil && found != "ok":
		err = fmt.Errorf("the file is damaged: %s", found)
	}
	return err
}

// checkEntries checks some entries after a cursor, and returns that of the last one.
func checkEntries(c *sqlite.Conn, at causal.Cursor, last uint64) (causal.Cursor, error) {
	end := min(at.Position()+checkRows, last)
	var data []byte
	err := query(c, `SELECT seq, hash, data, event_id, aggregate_id, lamport_clock, node_id FROM events
		WHERE seq > ? AND seq <= ? ORDER BY seq`,
		func(s *sqlite.Stmt) {
			s.BindInt64(1, int64(at.Position()))
			s.BindInt64(2, int64(end))
		},
		func(s *sqlite.Stmt) (bool, error) {
			if position := int64(at.Position()) + 1; s.ColumnInt64(0) != position {
				return false, adapter.Missing(position)
			}
			data = columnBytes(s, 2, data)
			e, err := decode(s, data)
			if err != nil {
				return false, err
			}
			at = at.Next(e.ID())
			isInPlace := columnHash(s, 1) == at.Hash() && s.ColumnText(3) == string(e.ID()) &&
				string(columnBytes(s, 4, nil)) == e.AggregateID() && s.ColumnInt64(5) == e.LamportClock() &&
				string(columnBytes(s, 6, nil)) == e.NodeID()
			if !isInPlace {
				return false, adapter.Damaged(int64(at.Position()))
			}
			return true, nil
		})
	if err == nil && at.Position() != end {
		err = adapter.Missing(int64(at.Position()) + 1)
	}
	return at, err
}
