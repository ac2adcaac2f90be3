package causalpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/spec-kitty/causal/internal/adapter"
)

// maxAttempts bounds how often something is tried that fails for a moment: about
// three seconds, for a server that starts again.
const maxAttempts = 10

// do calls f with a connection, again as long as repeat says so of the error. f
// starts afresh each time, and calls nothing of the caller. The error is the one
// for the caller.
func (s *Store) do(ctx context.Context, op string, repeat func(error) bool, f func(*pgx.Conn) error) error {
	if err := s.begin(op); err != nil {
		return err
	}
	defer s.calls.Done()
	return wrapError(ctx, op, s.retry(ctx, repeat, f))
}

// read is do for what may be repeated whatever became of it.
func (s *Store) read(ctx context.Context, op string, f func(*pgx.Conn) error) error {
	return s.do(ctx, op, isTransient, f)
}

func (s *Store) retry(ctx context.Context, repeat func(error) bool, f func(*pgx.Conn) error) error {
	pause := adapter.Backoff{First: 10 * time.Millisecond, Max: time.Second}
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, attempt > 1, f)
		if err == nil || attempt == maxAttempts || ctx.Err() != nil || !repeat(err) {
			return err
		}
		if err := adapter.Sleep(ctx, pause.Next()); err != nil {
			return err
		}
	}
}

// attempt calls f with a connection of the pool.
func (s *Store) attempt(ctx context.Context, probe bool, f func(*pgx.Conn) error) error {
	c, err := s.acquire(ctx, probe)
	if err != nil {
		return err
	}
	defer c.Release() // which closes it if a transaction is open
	err = f(c.Conn())
	if err != nil && c.Conn().IsClosed() {
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// acquire takes a connection out of the pool. If it is to probe, it drops those
// that a server has left behind that is gone.
func (s *Store) acquire(ctx context.Context, probe bool) (*pgxpool.Conn, error) {
	for range s.pool.Stat().MaxConns() {
		c, err := s.pool.Acquire(ctx)
		if err != nil || !probe || c.Ping(ctx) == nil {
			return c, err
		}
		_ = c.Conn().Close(ctx)
		c.Release()
	}
	return nil, errLost
}

// query calls row for each row of a query.
func query(ctx context.Context, c *pgx.Conn, sql string, args []any, row func(pgx.Rows) error) error {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// queryInt returns the integer that a query has as its only result; found is
// false if it has no row.
func queryInt(ctx context.Context, c *pgx.Conn, sql string, args ...any) (value int64, found bool, err error) {
	err = c.QueryRow(ctx, sql, args...).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return value, err == nil, err
}
