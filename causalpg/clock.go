package causalpg

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// LoadClock returns the node's value. See [causal.ClockStorage].
func (s *Store) LoadClock(ctx context.Context, nodeID string) (value int64, err error) {
	if err := causaladapter.CheckLoadClock(ctx, nodeID); err != nil {
		return 0, err
	}
	err = s.read(ctx, "load clock", func(c *pgx.Conn) error {
		value, err = queryInt(ctx, c, s.sql.loadClock, keyOf(nodeID))
		return err
	})
	return value, err
}

// SaveClock replaces the node's value. See [causal.ClockStorage].
func (s *Store) SaveClock(ctx context.Context, nodeID string, value int64) error {
	if err := causaladapter.CheckSaveClock(ctx, nodeID, value); err != nil {
		return err
	}
	return s.do(ctx, "save clock", isTransient, func(c *pgx.Conn) error {
		return transact(ctx, c, func(b *pgx.Batch) { b.Queue(s.sql.saveClock, keyOf(nodeID), []byte(nodeID), value) })
	})
}

// AdvanceClock reserves values, even across processes. See
// [causal.ClockAdvancer]. A lost connection may cost by values.
func (s *Store) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (value int64, err error) {
	if err := causaladapter.CheckAdvanceClock(ctx, nodeID, floor, by); err != nil {
		return 0, err
	}
	if err := s.checkOpen(opAdvance); err != nil {
		return 0, err
	}
	if floor > math.MaxInt64-by {
		return 0, causal.ErrClockOverflow
	}
	err = s.do(ctx, opAdvance, isTransient, func(c *pgx.Conn) error {
		found := false
		err := transact(ctx, c, func(b *pgx.Batch) {
			b.Queue(s.sql.advance, keyOf(nodeID), []byte(nodeID), floor, by).Query(func(rows pgx.Rows) error {
				found = rows.Next()
				if !found {
					return rows.Err()
				}
				return rows.Scan(&value)
			})
		})
		if err == nil && !found {
			err = causal.ErrClockOverflow
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return value, nil
}

const opAdvance = "advance clock"
