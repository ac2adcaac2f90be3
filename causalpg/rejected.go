package causalpg

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// AppendRejected stores a rejected event. See [causal.RejectedStorage]. If the
// connection is lost during the call, it returns an error, and the event may
// have been stored, or its count incremented.
func (s *Store) AppendRejected(ctx context.Context, r causal.Rejected) (stored bool, err error) {
	const op = "append rejected"
	if r, err = causaladapter.CheckAppendRejected(ctx, r); err != nil {
		return false, err
	}
	if r.Size() > causal.MaxRejectedSize {
		return false, s.checkOpen(op)
	}
	key, data := r.Key(), r.Data
	if data == nil {
		data = []byte{} // nil would be NULL
	}
	args := []any{
		key[:], r.Size(), []byte(r.Source), string(r.EventID), []byte(r.Reason), r.Time.Format(time.RFC3339Nano), data,
		causal.MaxRejected, causal.MaxRejectedBytes,
	}
	err = s.do(ctx, op, isUndone, func(c *pgx.Conn) error {
		return transact(ctx, c, func(b *pgx.Batch) {
			b.Queue(s.sql.lockRejected)
			b.Queue(s.sql.addRejected, args...).Exec(func(result pgconn.CommandTag) error {
				stored = result.RowsAffected() > 0
				return nil
			})
		})
	})
	return stored && err == nil, err
}

// Rejected yields the rejected events. See [causal.RejectedStorage]. It reads
// in pages.
func (s *Store) Rejected(ctx context.Context) iter.Seq2[causal.Rejected, error] {
	const op = "read rejected"
	check := func() error { return s.check(ctx, op) }
	return adapter.ReadRejected(check, func(p *adapter.Page[causal.Rejected], after int64) (last int64, err error) {
		err = s.read(ctx, op, func(c *pgx.Conn) (err error) {
			last, err = s.fillRejected(ctx, c, p, after)
			return err
		})
		return last, err
	})
}

// fillRejected fills a page with the entries after a number, and returns the
// last number.
func (s *Store) fillRejected(ctx context.Context, c *pgx.Conn, p *adapter.Page[causal.Rejected], after int64) (last int64, err error) {
	p.Reset()
	last = after
	err = query(ctx, c, s.sql.rejected, []any{after, p.Limit()}, func(rows pgx.Rows) error {
		var r causal.Rejected
		var key, source, reason []byte
		var at string
		var count int64
		if err := rows.Scan(&last, &key, &source, &r.EventID, &reason, &at, &count, &r.Data); err != nil {
			return err
		}
		r.Source, r.Reason = string(source), string(reason)
		r, err := adapter.LoadRejected(last, key, r, at, count)
		if err != nil {
			return err
		}
		p.Add(r, r.Size())
		return nil
	})
	return last, err
}

// DeleteRejected deletes a rejected event. See [causal.RejectedStorage].
func (s *Store) DeleteRejected(ctx context.Context, key causal.RejectedKey) error {
	const op = "delete rejected"
	if err := s.check(ctx, op); err != nil {
		return err
	}
	return s.do(ctx, op, isTransient, func(c *pgx.Conn) error {
		return transact(ctx, c, func(b *pgx.Batch) { b.Queue(s.sql.deleteRejected, key[:]) })
	})
}
