package causalsqlite

import (
	"context"
	"errors"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// LoadCheckpoint returns the checkpoint with this name. See
// [causal.CheckpointStorage].
func (s *Store) LoadCheckpoint(ctx context.Context, name string) (loaded causal.Checkpoint, err error) {
	const op = "load checkpoint"
	if err := causaladapter.CheckLoadCheckpoint(ctx, name); err != nil {
		return causal.Checkpoint{}, err
	}
	if err := s.checkOpen(op); err != nil {
		return causal.Checkpoint{}, err
	}
	err = s.read(ctx, op, func(c *sqlite.Conn) error {
		loaded = causal.Checkpoint{}
		return query(c, "SELECT revision, cursor, state FROM checkpoints WHERE name = ?",
			func(s *sqlite.Stmt) { s.BindBytes(1, []byte(name)) },
			func(s *sqlite.Stmt) (bool, error) {
				if loaded.Cursor.UnmarshalText(columnBytes(s, 1, nil)) != nil {
					return false, errors.New("the checkpoint is damaged")
				}
				loaded.Revision = uint64(s.ColumnInt64(0))
				if state := columnBytes(s, 2, nil); len(state) > 0 {
					loaded.State = state
				}
				return false, nil
			})
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
	if err := s.checkOpen(op); err != nil {
		return 0, err
	}
	err = s.write(ctx, op, len(c.State), func(conn *sqlite.Conn) (dirty bool, err error) {
		stored := uint64(0)
		err = query(conn, "SELECT revision FROM checkpoints WHERE name = ?",
			func(s *sqlite.Stmt) { s.BindBytes(1, []byte(name)) },
			func(s *sqlite.Stmt) (bool, error) {
				stored = uint64(s.ColumnInt64(0))
				return false, nil
			})
		if err == nil && stored != c.Revision {
			err = causal.ErrConcurrentSave
		}
		if err != nil {
			return false, err
		}
		revision, err = replaceCheckpoint(conn, name, c)
		return err != nil, err
	})
	if err != nil {
		return 0, err
	}
	return revision, nil
}

// replaceCheckpoint stores a checkpoint as a new row, with a number that was
// never used.
func replaceCheckpoint(conn *sqlite.Conn, name string, c causal.Checkpoint) (revision uint64, err error) {
	if err := deleteCheckpoint(conn, name); err != nil {
		return 0, err
	}
	err = query(conn, "INSERT INTO checkpoints (name, cursor, state) VALUES (?, ?, ?)",
		func(s *sqlite.Stmt) {
			s.BindBytes(1, []byte(name))
			s.BindText(2, c.Cursor.String())
			s.BindBytes(3, c.State)
		}, nil)
	return uint64(conn.LastInsertRowID()), err
}

// DeleteCheckpoint deletes the checkpoint with this name. See
// [causal.CheckpointStorage].
func (s *Store) DeleteCheckpoint(ctx context.Context, name string) error {
	const op = "delete checkpoint"
	if err := causaladapter.CheckLoadCheckpoint(ctx, name); err != nil {
		return err
	}
	if err := s.checkOpen(op); err != nil {
		return err
	}
	return s.write(ctx, op, len(name), func(c *sqlite.Conn) (bool, error) {
		err := deleteCheckpoint(c, name)
		return err != nil, err
	})
}

func deleteCheckpoint(c *sqlite.Conn, name string) error {
	return query(c, "DELETE FROM checkpoints WHERE name = ?",
		func(s *sqlite.Stmt) { s.BindBytes(1, []byte(name)) }, nil)
}

// Checkpoints yields the names of all checkpoints. See
// [causal.CheckpointStorage]. It reads in pages, so a range includes all
// checkpoints that exist throughout, and may include others.
func (s *Store) Checkpoints(ctx context.Context) iter.Seq2[string, error] {
	return s.readTexts(ctx, "read checkpoints", "SELECT name FROM checkpoints WHERE name > ? ORDER BY name LIMIT ?")
}

// readTexts returns the results of a paged query for texts. Its first
// parameters are the previous text and the size of the page.
func (s *Store) readTexts(ctx context.Context, op, sql string, more ...string) iter.Seq2[string, error] {
	return adapter.ReadTexts(func() error { return s.check(ctx, op) }, func(p *adapter.Page[string], after string) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error {
			p.Reset()
			return query(c, sql,
				func(s *sqlite.Stmt) {
					s.BindBytes(1, []byte(after))
					s.BindInt64(2, int64(p.Limit()))
					for i, text := range more {
						s.BindBytes(3+i, []byte(text))
					}
				},
				func(s *sqlite.Stmt) (bool, error) {
					text := string(columnBytes(s, 0, nil))
					p.Add(text, len(text))
					return !p.IsFull(), nil
				})
		})
	})
}

// moveCheckpoints turns cursors of one log into those of its replacement.
func moveCheckpoints(conn *sqlite.Conn, from, to [16]byte) error {
	cursors := map[int64]causal.Cursor{}
	err := query(conn, "SELECT revision, cursor FROM checkpoints", nil, func(s *sqlite.Stmt) (bool, error) {
		var c causal.Cursor
		if c.UnmarshalText(columnBytes(s, 1, nil)) == nil && c.LogID() == from {
			cursors[s.ColumnInt64(0)] = causal.NewCursor(to, c.Position(), c.Hash())
		}
		return true, nil
	})
	for revision, c := range cursors {
		if err == nil {
			err = query(conn, "UPDATE checkpoints SET cursor = ? WHERE revision = ?", func(s *sqlite.Stmt) {
				s.BindText(1, c.String())
				s.BindInt64(2, revision)
			}, nil)
		}
	}
	return err
}
