package causalsqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// Check looks for damage. It runs SQLite's own check of the whole file, and
// checks that every entry of the log can be decoded, has the position and
// digest that fit its content, and follows the previous entry. It returns nil
// if it finds none, and otherwise a [*causal.StorageError] naming the first
// damaged entry, or the findings of SQLite. It does not block other calls; a
// large file takes minutes. Events saved after Check has begun may or may not
// be checked. It does not detect a deliberate edit of the JSON of an event
// outside the parts covered by the cursor and the columns, because nothing is
// signed.
//
// Once the file is checked, Check calls progress, if it is not nil, with the
// number of checked entries and of all entries, in the goroutine of the caller.
func (s *Store) Check(ctx context.Context, progress func(checked, total uint64)) error {
	const op = "check"
	if err := s.check(ctx, op); err != nil {
		return err
	}
	if err := s.read(ctx, op, func(c *sqlite.Conn) error { return checkFile(ctx, c) }); err != nil {
		return err
	}
	return adapter.CheckLog(s.source(ctx, op), progress, func(at causal.Cursor, last uint64) (causal.Cursor, error) {
		var checked causal.Cursor
		err := s.read(ctx, op, func(c *sqlite.Conn) (err error) {
			checked, err = checkEntries(c, at, last)
			return err
		})
		return checked, err
	})
}

// checkFile runs SQLite's own check.
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
	case err == nil:
		var beyond int64
		beyond, err = queryInt(c, "SELECT count(*) FROM digests WHERE seq > coalesce((SELECT max(seq) FROM events), 0)")
		if err == nil && beyond > 0 {
			err = adapter.ErrDigestsBeyond
		}
	}
	return err
}

// checkEntries checks the entries after a cursor, and returns the cursor of the
// last one.
func checkEntries(c *sqlite.Conn, at causal.Cursor, last uint64) (causal.Cursor, error) {
	var data []byte
	err := query(c, `SELECT e.seq, data, hash, event_id, aggregate_id, e.lamport_clock, node_id, d.lamport_clock, digest, project, tier,
			e.seq <= (SELECT max(seq) FROM digests) FROM events e LEFT JOIN digests d ON d.seq = e.seq
		WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq`,
		func(s *sqlite.Stmt) {
			s.BindInt64(1, int64(at.Position()))
			s.BindInt64(2, int64(last))
		},
		func(s *sqlite.Stmt) (more bool, err error) {
			data = columnBytes(s, 1, data)
			e, err := decode(s, data)
			if err == nil {
				stored := adapter.Stored{
					Position: s.ColumnInt64(0), Hash: columnHash(s, 2), ID: s.ColumnText(3),
					Aggregate: columnBytes(s, 4, nil), Clock: s.ColumnInt64(5), Node: columnBytes(s, 6, nil),
				}
				at, err = stored.Check(at, e)
			}
			if err == nil && s.ColumnBool(11) && (columnKey(s, 7) != e.SyncKey() ||
				string(columnBytes(s, 9, nil)) != string(projectKey(e.ProjectUUID())) || s.ColumnInt(10) != e.DataTier()) {
				err = adapter.Damaged(s.ColumnInt64(0))
			}
			return true, err
		})
	if err == nil && at.Position() != last {
		err = adapter.Missing(int64(at.Position()) + 1)
	}
	return at, err
}
