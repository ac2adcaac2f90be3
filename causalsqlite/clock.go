package causalsqlite

import (
	"context"
	"math"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// LoadClock returns the node's value. See [causal.ClockStorage].
func (s *Store) LoadClock(ctx context.Context, nodeID string) (value int64, err error) {
	const op = "load clock"
	if err := causaladapter.CheckLoadClock(ctx, nodeID); err != nil {
		return 0, err
	}
	if err := s.checkOpen(op); err != nil {
		return 0, err
	}
	err = s.read(ctx, op, func(c *sqlite.Conn) error {
		value, err = clockValue(c, nodeID)
		return err
	})
	if err != nil {
		return 0, err
	}
	return value, nil
}

// SaveClock replaces the node's value. See [causal.ClockStorage].
func (s *Store) SaveClock(ctx context.Context, nodeID string, value int64) error {
	const op = "save clock"
	if err := causaladapter.CheckSaveClock(ctx, nodeID, value); err != nil {
		return err
	}
	if err := s.checkOpen(op); err != nil {
		return err
	}
	return s.write(ctx, op, len(nodeID), func(c *sqlite.Conn) (bool, error) {
		err := setClock(c, nodeID, value)
		return err != nil, err
	})
}

// AdvanceClock reserves values, even across processes. See
// [causal.ClockAdvancer].
func (s *Store) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	const op = "advance clock"
	if err := causaladapter.CheckAdvanceClock(ctx, nodeID, floor, by); err != nil {
		return 0, err
	}
	if err := s.checkOpen(op); err != nil {
		return 0, err
	}
	var advanced int64
	err := s.write(ctx, op, len(nodeID), func(c *sqlite.Conn) (dirty bool, err error) {
		value, err := clockValue(c, nodeID)
		if err != nil {
			return true, err
		}
		base := max(value, floor)
		if base > math.MaxInt64-by {
			return false, causal.ErrClockOverflow
		}
		advanced = base + by
		err = setClock(c, nodeID, advanced)
		return err != nil, err
	})
	if err != nil {
		return 0, err
	}
	return advanced, nil
}

func clockValue(c *sqlite.Conn, nodeID string) (value int64, err error) {
	err = query(c, "SELECT value FROM clocks WHERE node_id = ?",
		func(s *sqlite.Stmt) { s.BindBytes(1, []byte(nodeID)) },
		func(s *sqlite.Stmt) (bool, error) {
			value = s.ColumnInt64(0)
			return false, nil
		})
	return value, err
}

func setClock(c *sqlite.Conn, nodeID string, value int64) error {
	return query(c, `INSERT INTO clocks (node_id, value) VALUES (?, ?)
		ON CONFLICT (node_id) DO UPDATE SET value = excluded.value`,
		func(s *sqlite.Stmt) {
			s.BindBytes(1, []byte(nodeID))
			s.BindInt64(2, value)
		}, nil)
}
