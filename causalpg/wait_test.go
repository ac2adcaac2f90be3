package causalpg_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// waiting starts a WaitLog, and returns its result once the store listens.
func waiting(ctx context.Context, t *testing.T, s *causalpg.Store, schema string, after causal.Cursor) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- s.WaitLog(ctx, after) }()
	requireListeners(t, schema, 1)
	return result
}

// requireListeners requires that the given number of connections soon listen.
func requireListeners(t *testing.T, schema string, want int) {
	t.Helper()
	c := connect(t, testDSN)
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, c.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query = $1",
			causalpg.InSchema(schema, "LISTEN {channel}")).Scan(&n))
		return n == want
	}, 10*time.Second, 5*time.Millisecond)
}

func requireResult(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("WaitLog does not return")
		return nil
	}
}

// A save of another Store wakes all waiters, through one connection. The
// waiters' own checks are disabled.
func TestWaitLog(t *testing.T) {
	ctx := t.Context()
	defer causalpg.SetLingering(50 * time.Millisecond)()
	schema := newSchema(t)
	s, peer := openIn(t, schema), openIn(t, schema)
	s.SetWaitLimit(time.Hour)
	for n := range 5 {
		head, err := s.Head(ctx)
		require.NoError(t, err)
		results := make(chan error, 8)
		for range cap(results) {
			go func() {
				for { // first the store wakes the waiters because it starts to listen
					err := s.WaitLog(ctx, head)
					if now, _ := s.Head(ctx); err != nil || now != head {
						results <- err
						return
					}
				}
			}()
		}
		requireListeners(t, schema, 1)
		require.NoError(t, peer.SaveEvents(ctx, eventtest.NewRange(t, 2*n, 2*n+2)))
		for range cap(results) {
			require.NoError(t, requireResult(t, results))
		}
		require.Len(t, eventtest.ReadLog(t, s, head), 2)
		require.NoError(t, s.WaitLog(ctx, head), "there are entries already")
		if n%2 == 1 {
			requireListeners(t, schema, 0) // some time after the last reader
		}
	}
}

// If notifications are lost, the reader finds new entries by itself.
func TestWaitWithoutNotifications(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	_ = waiting(ctx, t, s, schema, causal.Cursor{})
	c := connect(t, testDSN)
	_, err := c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1", causalpg.InSchema(schema, "LISTEN {channel}"))
	require.NoError(t, err)
	_, err = c.Exec(ctx, causalpg.InSchema(schema, `INSERT INTO {s}.events VALUES (1, `+noHash+`, 0, 'TEST0000000000000000000001', 'A', 'b', '{}', `+noProject+`)`))
	require.NoError(t, err) // and without a notification
	require.Eventually(t, func() bool {
		head, err := s.Head(ctx)
		require.NoError(t, err)
		require.NoError(t, s.WaitLog(ctx, causal.Cursor{}))
		return head.Position() == 1
	}, 10*time.Second, time.Millisecond)
	requireListeners(t, schema, 0)
	head, err := s.Head(ctx)
	require.NoError(t, err)
	_ = waiting(ctx, t, s, schema, head) // it listens again
}

// A new connection gets no answer, and readers still read through the pool.
func TestWaitWithoutNewConnections(t *testing.T) {
	ctx := t.Context()
	defer causalpg.SetConnectTimeout(50 * time.Millisecond)()
	var dials atomic.Int64
	pool := newPool(t, testDSN, func(c *pgxpool.Config) {
		c.MaxConns = 1
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) == 1 {
				return dial(ctx, network, address)
			}
			silent, _ := net.Pipe()
			return silent, nil
		}
	})
	s := newOn(t, pool)
	result := make(chan error, 1)
	go func() {
		for _, err := range causal.Follow(ctx, s, causal.Cursor{}) {
			result <- err
			return
		}
	}()
	require.Eventually(t, func() bool { return dials.Load() > 2 }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	require.NoError(t, requireResult(t, result))
}

// Close and a done context end a wait, however long it would last.
func TestWaitEnds(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	s.SetWaitLimit(time.Hour)
	require.NoError(t, s.WaitLog(ctx, causal.Cursor{}), "woken when the store begins to listen")

	cancelled, cancel := context.WithCancel(ctx)
	result := waiting(cancelled, t, s, schema, causal.Cursor{})
	cancel()
	require.ErrorIs(t, requireResult(t, result), context.Canceled)

	result = waiting(ctx, t, s, schema, causal.Cursor{})
	require.NoError(t, s.Close())
	require.ErrorIs(t, requireResult(t, result), causal.ErrClosed)
}

// The listening connection is opened like those of the pool.
func TestWaitWithBeforeConnect(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	pool := newPool(t, testDSN, func(c *pgxpool.Config) {
		right := c.ConnConfig.Database
		c.ConnConfig.Database = "there is none"
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			c.Database = right
			return nil
		}
	})
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_ = waiting(ctx, t, s, schema, causal.Cursor{})
}

// Close does not wait for an exhausted pool.
func TestCloseWithBusyPool(t *testing.T) {
	ctx := t.Context()
	pool := newPool(t, testDSN, func(c *pgxpool.Config) { c.MaxConns = 1 })
	s := newOn(t, pool)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	c, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer c.Release()
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	require.NoError(t, requireResult(t, closed))
}
