package causalpg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// AppendError appends an entry and discards entries beyond the limit of this
// Store, in one step. See [causal.ErrorStorage]. If the connection is lost
// during the call, AppendError returns an error, and the entry may have been
// appended.
func (s *Store) AppendError(ctx context.Context, e causal.ErrorEntry) error {
	const op = "append error"
	if err := causaladapter.CheckAppendError(ctx, e); err != nil {
		return err
	}
	if err := s.checkOpen(op); err != nil {
		return err
	}
	data, err := adapter.Encode("entry", e, maxData)
	if err != nil {
		return wrapError(ctx, op, err)
	}
	return s.do(ctx, op, isUndone, func(c *pgx.Conn) error {
		return transact(ctx, c, func(b *pgx.Batch) {
			b.Queue(s.sql.addError, data)
			b.Queue(s.sql.dropErrors, s.errorLimit)
		})
	})
}

// RecentErrors returns the latest entries. See [causal.ErrorStorage].
func (s *Store) RecentErrors(ctx context.Context, limit int) ([]causal.ErrorEntry, error) {
	if err := causaladapter.CheckRecentErrors(ctx, limit); err != nil {
		return nil, err
	}
	// Entries added at the same moment exceed the limit together, until the
	// next one is added.
	limit = min(limit, s.errorLimit)
	var entries []causal.ErrorEntry
	err := s.read(ctx, "read errors", func(c *pgx.Conn) error {
		entries = nil
		return query(ctx, c, s.sql.errors, []any{limit}, func(rows pgx.Rows) error {
			var id int64
			var data pgtype.DriverBytes
			if err := rows.Scan(&id, &data); err != nil {
				return err
			}
			var e causal.ErrorEntry
			if err := e.UnmarshalJSON(data); err != nil {
				return fmt.Errorf("entry %d of the error log is damaged", id)
			}
			entries = append(entries, e)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}
