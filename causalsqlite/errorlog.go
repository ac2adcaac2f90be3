package causalsqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// AppendError appends an entry and discards entries beyond the limit of this
// Store, in one step. See [causal.ErrorStorage].
func (s *Store) AppendError(ctx context.Context, e causal.ErrorEntry) error {
	const op = "append error"
	if err := causaladapter.CheckAppendError(ctx, e); err != nil {
		return err
	}
	if err := s.checkOpen(op); err != nil {
		return err
	}
	data, err := adapter.Encode("entry", e, maxText)
	if err != nil {
		return wrapError(op, err)
	}
	return s.write(ctx, op, len(data), func(c *sqlite.Conn) (bool, error) {
		err := s.insertError(c, data)
		return err != nil, err
	})
}

// insertError relies on IDs without gaps: only the lowest ones are ever
// deleted.
func (s *Store) insertError(c *sqlite.Conn, data []byte) error {
	err := query(c, "INSERT INTO errors (entry) VALUES (?)",
		func(s *sqlite.Stmt) { s.BindText(1, string(data)) }, nil)
	if err != nil {
		return err
	}
	oldest := c.LastInsertRowID() - int64(s.errorLimit)
	return query(c, "DELETE FROM errors WHERE id <= ?",
		func(s *sqlite.Stmt) { s.BindInt64(1, oldest) }, nil)
}

// RecentErrors returns the latest entries. See [causal.ErrorStorage].
func (s *Store) RecentErrors(ctx context.Context, limit int) ([]causal.ErrorEntry, error) {
	const op = "read errors"
	if err := causaladapter.CheckRecentErrors(ctx, limit); err != nil {
		return nil, err
	}
	if err := s.checkOpen(op); err != nil {
		return nil, err
	}
	var entries []causal.ErrorEntry
	err := s.read(ctx, op, func(c *sqlite.Conn) error {
		entries = nil
		return query(c, "SELECT id, entry FROM errors ORDER BY id DESC LIMIT ?",
			func(s *sqlite.Stmt) { s.BindInt64(1, int64(limit)) },
			func(s *sqlite.Stmt) (bool, error) {
				var e causal.ErrorEntry
				if err := e.UnmarshalJSON(columnBytes(s, 1, nil)); err != nil {
					return false, fmt.Errorf("entry %d of the error log is damaged", s.ColumnInt64(0))
				}
				entries = append(entries, e)
				return true, causaladapter.CheckContext(ctx)
			})
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}
