package causalsqlite

import (
	"context"
	"iter"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// AppendRejected stores a rejected event. See [causal.RejectedStorage].
func (s *Store) AppendRejected(ctx context.Context, r causal.Rejected) (stored bool, err error) {
	const op = "append rejected"
	if r, err = causaladapter.CheckAppendRejected(ctx, r); err != nil {
		return false, err
	}
	if err := s.checkOpen(op); err != nil {
		return false, err
	}
	err = s.write(ctx, op, r.Size(), func(c *sqlite.Conn) (dirty bool, err error) {
		stored, err = appendRejected(c, r)
		return err != nil, err
	})
	return stored && err == nil, err
}

func appendRejected(c *sqlite.Conn, r causal.Rejected) (stored bool, err error) {
	var room adapter.Room
	key := r.Key()
	err = query(c, "SELECT count, bytes, (SELECT size FROM rejected WHERE key = ?) FROM rejected_total",
		func(s *sqlite.Stmt) { s.BindBytes(1, key[:]) },
		func(s *sqlite.Stmt) (bool, error) {
			room = adapter.Room{Count: s.ColumnInt64(0), Bytes: s.ColumnInt64(1)}
			if s.ColumnType(2) != sqlite.TypeNull {
				old := s.ColumnInt64(2)
				room.Old = &old
			}
			return false, nil
		})
	if err != nil || !room.Has(r) {
		return false, err
	}
	err = query(c, `INSERT INTO rejected (key, size, source, event_id, reason, time, count, data)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)
		ON CONFLICT (key) DO UPDATE SET size = ?2, event_id = ?4, reason = ?5, time = ?6, count = count + 1`,
		func(s *sqlite.Stmt) {
			s.BindBytes(1, key[:])
			s.BindInt64(2, int64(r.Size()))
			s.BindBytes(3, []byte(r.Source))
			s.BindText(4, string(r.EventID))
			s.BindBytes(5, []byte(r.Reason))
			s.BindText(6, r.Time.Format(time.RFC3339Nano))
			s.BindBytes(7, r.Data)
		}, nil)
	return err == nil, err
}

// Rejected yields the rejected events. See [causal.RejectedStorage]. It reads
// in pages.
func (s *Store) Rejected(ctx context.Context) iter.Seq2[causal.Rejected, error] {
	const op = "read rejected"
	check := func() error { return s.check(ctx, op) }
	return adapter.ReadRejected(check, func(p *adapter.Page[causal.Rejected], after int64) (last int64, err error) {
		err = s.read(ctx, op, func(c *sqlite.Conn) (err error) {
			last, err = fillRejected(c, p, after)
			return err
		})
		return last, err
	})
}

// fillRejected fills a page with the entries after a number, and returns the
// last number.
func fillRejected(c *sqlite.Conn, p *adapter.Page[causal.Rejected], after int64) (last int64, err error) {
	p.Reset()
	last = after
	err = query(c, "SELECT id, key, source, event_id, reason, time, count, data FROM rejected WHERE id > ? ORDER BY id",
		func(s *sqlite.Stmt) { s.BindInt64(1, after) },
		func(s *sqlite.Stmt) (bool, error) {
			r := causal.Rejected{
				Source: string(columnBytes(s, 2, nil)), EventID: causal.EventID(s.ColumnText(3)),
				Reason: string(columnBytes(s, 4, nil)), Data: columnBytes(s, 7, nil),
			}
			r, err := adapter.LoadRejected(s.ColumnInt64(0), columnBytes(s, 1, nil), r, s.ColumnText(5), s.ColumnInt64(6))
			if err != nil {
				return false, err
			}
			p.Add(r, r.Size())
			last = s.ColumnInt64(0)
			return !p.IsFull(), nil
		})
	return last, err
}

// DeleteRejected deletes a rejected event. See [causal.RejectedStorage].
func (s *Store) DeleteRejected(ctx context.Context, key causal.RejectedKey) error {
	const op = "delete rejected"
	if err := s.check(ctx, op); err != nil {
		return err
	}
	return s.write(ctx, op, len(key), func(c *sqlite.Conn) (bool, error) {
		err := query(c, "DELETE FROM rejected WHERE key = ?", func(s *sqlite.Stmt) { s.BindBytes(1, key[:]) }, nil)
		return err != nil, err
	})
}
