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

// maxAttempts is the number of attempts for temporary failures: about three
// seconds, for a server that is restarting.
const maxAttempts = 10

// do runs f on a pooled connection, and retries it while repeat(err) is true. f
// must be safe to restart and must not call user code. The returned error is
// ready to hand to the user.
func (s *Store) do(ctx context.Context, op string, repeat func(error) bool, f func(*pgx.Conn) error) error {
	if err := s.begin(op); err != nil {
		return err
	}
	defer s.calls.Done()
	return wrapError(ctx, op, s.retry(ctx, repeat, f))
}

// read is do for calls that are always safe to repeat.
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

// attempt calls f with a pooled connection.
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

// acquire takes a connection from the pool. If probe is set, it pings first,
// and closes connections left over from a server that has gone away.
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

// readByIndex is for statements that read a page by an index, and have no other
// plan of similar speed. While a table has no statistics, the planner would
// read and sort all remaining rows for each page.
const readByIndex = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
	set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)`

// queryPage is query for such a statement, with at most limit rows, in one
// round trip. There must be no transaction. A small page is usually the only
// one, and is read directly.
func queryPage(ctx context.Context, c *pgx.Conn, limit int, sql string, args []any, row func(pgx.Rows) error) error {
	if limit <= adapter.FirstPage {
		return query(ctx, c, sql, args, row)
	}
	var b pgx.Batch
	b.Queue("BEGIN READ ONLY")
	b.Queue(readByIndex)
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := row(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	b.Queue("COMMIT")
	return c.SendBatch(ctx, &b).Close()
}

// beginWrite begins a transaction in which writers of one row wait for each
// other. At a higher default level they would fail instead.
const beginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED"

// transact runs the statements queued by write in a transaction, in one round
// trip.
func transact(ctx context.Context, c *pgx.Conn, write func(*pgx.Batch)) error {
	var b pgx.Batch
	b.Queue(beginWrite)
	write(&b)
	b.Queue("COMMIT")
	return c.SendBatch(ctx, &b).Close()
}

// queryInt returns the only result of a query, an integer, or 0 if there is no
// row.
func queryInt(ctx context.Context, c *pgx.Conn, sql string, args ...any) (value int64, err error) {
	err = c.QueryRow(ctx, sql, args...).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return value, err
}
