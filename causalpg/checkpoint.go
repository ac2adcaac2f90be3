package causalpg

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// LoadCheckpoint returns the checkpoint with this name. See
// [causal.CheckpointStorage].
func (s *Store) LoadCheckpoint(ctx context.Context, name string) (loaded causal.Checkpoint, err error) {
	if err := causaladapter.CheckLoadCheckpoint(ctx, name); err != nil {
		return causal.Checkpoint{}, err
	}
	err = s.read(ctx, "load checkpoint", func(c *pgx.Conn) error {
		loaded = causal.Checkpoint{}
		var cursor, state []byte
		err := c.QueryRow(ctx, s.sql.loadCheckpoint, keyOf(name)).Scan(&loaded.Revision, &cursor, &state)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil && loaded.Cursor.UnmarshalText(cursor) != nil {
			err = errors.New("the checkpoint is damaged")
		}
		if len(state) > 0 {
			loaded.State = state
		}
		return err
	})
	if err != nil {
		return causal.Checkpoint{}, err
	}
	return loaded, nil
}

// SaveCheckpoint replaces the checkpoint with this name. See
// [causal.CheckpointStorage].
func (s *Store) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (revision uint64, err error) {
	const op = "save checkpoint"
	if err := causaladapter.CheckSaveCheckpoint(ctx, name, c); err != nil {
		return 0, err
	}
	if err := s.begin(op); err != nil {
		return 0, err
	}
	defer s.calls.Done()
	if c.State == nil {
		c.State = []byte{} // nil would be NULL
	}
	sql, args := s.sql.addCheckpoint, []any{keyOf(name), []byte(name), []byte(c.Cursor.String()), c.State}
	if c.Revision > 0 {
		sql, args = s.sql.saveCheckpoint, append(args, int64(c.Revision))
	}
	// Once it may be stored, a retry would be refused.
	err = s.retry(ctx, isUndone, func(conn *pgx.Conn) error {
		found := false
		err := transact(ctx, conn, func(b *pgx.Batch) {
			b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
				if found = rows.Next(); !found {
					return rows.Err()
				}
				return rows.Scan(&revision)
			})
		})
		if err == nil && !found {
			err = causal.ErrConcurrentSave
		}
		return err
	})
	if errors.Is(err, errLost) {
		err = adapter.OutcomeUnknown(err)
	}
	if err != nil {
		return 0, wrapError(ctx, op, err)
	}
	return revision, nil
}

// DeleteCheckpoint deletes the checkpoint with this name. See
// [causal.CheckpointStorage].
func (s *Store) DeleteCheckpoint(ctx context.Context, name string) error {
	if err := causaladapter.CheckLoadCheckpoint(ctx, name); err != nil {
		return err
	}
	return s.do(ctx, "delete checkpoint", isTransient, func(c *pgx.Conn) error {
		return transact(ctx, c, func(b *pgx.Batch) { b.Queue(s.sql.deleteCheckpoint, keyOf(name)) })
	})
}

// Checkpoints yields the names of all checkpoints. See
// [causal.CheckpointStorage]. It reads in pages, so a range includes all
// checkpoints that exist throughout, and may include others.
func (s *Store) Checkpoints(ctx context.Context) iter.Seq2[string, error] {
	return s.readTexts(ctx, "read checkpoints", s.sql.checkpoints)
}

// readTexts returns the results of a paged query for texts. Its first
// parameters are the previous text and the size of the page.
func (s *Store) readTexts(ctx context.Context, op, sql string, more ...any) iter.Seq2[string, error] {
	return adapter.ReadTexts(func() error { return s.check(ctx, op) }, func(p *adapter.Page[string], after string) error {
		return s.read(ctx, op, func(c *pgx.Conn) error {
			p.Reset()
			return query(ctx, c, sql, append([]any{[]byte(after), p.Limit()}, more...), func(rows pgx.Rows) error {
				var text pgtype.DriverBytes // not copied
				if err := rows.Scan(&text); err != nil {
					return err
				}
				p.Add(string(text), len(text))
				return nil
			})
		})
	})
}

// keyOf returns the key for a name, because names may be too long for an index.
func keyOf(name string) []byte {
	key := sha256.Sum256([]byte(name))
	return key[:]
}
