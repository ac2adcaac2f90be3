package causalpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
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
	return failure(ctx, op, s.retry(ctx, repeat, f))
}

func (s *Store) retry(ctx context.Context, repeat func(error) bool, f func(*pgx.Conn) error) error {
	var pause backoff
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, attempt > 1, f)
		if err == nil || attempt == maxAttempts || ctx.Err() != nil || !repeat(err) {
			return err
		}
		if err := sleep(ctx, pause.next()); err != nil {
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

// backoff is the time between two attempts. The zero value is ready for use.
type backoff time.Duration

// next doubles the time, from 10 ms up to a second.
func (b *backoff) next() time.Duration {
	*b = min(max(2**b, backoff(10*time.Millisecond)), backoff(time.Second))
	return time.Duration(*b)
}

// sleep waits, and returns early with an error if ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
