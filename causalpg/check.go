package causalpg

import (
	"bytes"
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// Check looks for damage. It checks that every entry of the log can be decoded,
// has the position and digest that fit its content, and follows the previous
// entry. It returns nil if it finds none, and otherwise a
// [*causal.StorageError] naming the first damaged entry. It does not block
// other calls; a large log takes minutes. Events saved after Check has begun
// are not checked. It does not check indexes; use pg_amcheck. It does not
// detect a deliberate edit of the JSON of an event outside the parts covered by
// the cursor and the columns, because nothing is signed.
//
// Check calls progress, if it is not nil, with the number of checked entries
// and of all entries, in the goroutine of the caller.
func (s *Store) Check(ctx context.Context, progress func(checked, total uint64)) error {
	const op = "check"
	err := s.read(ctx, op, func(c *pgx.Conn) error {
		beyond, err := queryInt(ctx, c, s.sql.digestsBeyond)
		if err == nil && beyond > 0 {
			err = adapter.ErrDigestsBeyond
		}
		return err
	})
	if err != nil {
		return err
	}
	return adapter.CheckLog(s.source(ctx, op), progress, func(at causal.Cursor, last uint64) (causal.Cursor, error) {
		var checked causal.Cursor
		err := s.read(ctx, op, func(c *pgx.Conn) (err error) {
			checked, err = s.checkEntries(ctx, c, at, last)
			return err
		})
		return checked, err
	})
}

// checkEntries checks the entries after a cursor, and returns the cursor of the
// last one.
func (s *Store) checkEntries(ctx context.Context, c *pgx.Conn, at causal.Cursor, last uint64) (causal.Cursor, error) {
	var hash pgtype.DriverBytes // of each row, as are the other variables
	var stored adapter.Stored
	var digest struct { // zero if there is none
		isStored    bool
		clock, tier int64
		digest      []byte
		project     string
	}
	check := func(position int64, e causal.Event, _ int) (err error) {
		stored.Position, stored.Hash = position, [8]byte(hash)
		at, err = stored.Check(at, e)
		if key := e.SyncKey(); err == nil && digest.isStored && (digest.clock != key.Clock || !bytes.Equal(digest.digest, key.Digest[:]) ||
			digest.project != e.ProjectUUID() || digest.tier != int64(e.DataTier())) {
			err = adapter.Damaged(position)
		}
		return err
	}
	err := queryEvents(ctx, c, s.sql.check, []any{int64(at.Position()), int64(last)}, check,
		&hash, &stored.ID, &stored.Aggregate, &stored.Clock, &stored.Node,
		&digest.isStored, &digest.clock, &digest.digest, &digest.project, &digest.tier)
	if err == nil && at.Position() != last {
		err = adapter.Missing(int64(at.Position()) + 1)
	}
	return at, err
}
