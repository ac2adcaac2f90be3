package causalpg_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// waiting starts a Wait, and returns its result when it listens or has ended.
func waiting(ctx context.Context, t *testing.T, s *causalpg.Store, after causal.Cursor, before int) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- s.Wait(ctx, after) }()
	require.Eventually(t, func() bool { return len(result) > 0 || listeners(t) > before }, 10*time.Second, 5*time.Millisecond)
	return result
}

// listeners returns how many connections listen.
func listeners(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, connect(t, testDSN).QueryRow(t.Context(),
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN causal%'").Scan(&n))
	return n
}

func requireResult(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Wait does not return")
		return nil
	}
}

// A save of another Store wakes who waits, and a save that stores nothing does not
// end the wait. That the store looks by itself is not what wakes here.
func TestWait(t *testing.T) {
	ctx := t.Context()
	defer causalpg.SetPollInterval(time.Hour)()
	schema := newSchema(t)
	s, peer := openIn(t, schema), openIn(t, schema)
	for n := range 5 {
		head, err := s.Head(ctx)
		require.NoError(t, err)
		result := waiting(ctx, t, s, head, listeners(t))
		if n > 0 {
			require.NoError(t, peer.SaveEvent(ctx, eventtest.New(t, 0))) // is there already
		}
		require.Empty(t, result)
		require.NoError(t, peer.SaveEvents(ctx, eventtest.NewRange(t, 2*n, 2*n+2)))
		require.NoError(t, requireResult(t, result))
		require.Len(t, eventtest.ReadLog(t, s, head), 2)
		require.NoError(t, s.Wait(ctx, head), "there are entries already")
	}
}

// Where no notification comes through, the store looks by itself.
func TestWaitWithoutNotifications(t *testing.T) {
	ctx := t.Context()
	defer causalpg.SetPollInterval(20 * time.Millisecond)()
	schema := newSchema(t)
	s := openIn(t, schema)
	result := waiting(ctx, t, s, causal.Cursor{}, listeners(t))
	_, err := connect(t, testDSN).Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN causal%'")
	require.NoError(t, err)
	c := connect(t, testDSN)
	_, err = c.Exec(ctx, causalpg.InSchema(schema, `INSERT INTO {s}.events VALUES (1, `+noHash+`, 0, 'TEST0000000000000000000001', 'A', 'b', '{}')`))
	require.NoError(t, err) // and nothing that notifies
	require.NoError(t, requireResult(t, result))
}

// A new connection gets no answer: the store looks through the pool all the same.
func TestWaitWithoutNewConnections(t *testing.T) {
	ctx := t.Context()
	defer causalpg.SetConnectTimeout(50 * time.Millisecond)()
	defer causalpg.SetPollInterval(50 * time.Millisecond)()
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
	go func() { result <- s.Wait(ctx, causal.Cursor{}) }()
	require.Eventually(t, func() bool { return dials.Load() > 2 }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	require.NoError(t, requireResult(t, result))
}

func TestWaitEnds(t *testing.T) {
	ctx := t.Context()
	defer causalpg.SetPollInterval(time.Hour)()
	s, other := openNew(t), openNew(t)
	require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 0)))
	head, err := other.Head(ctx)
	require.NoError(t, err)
	require.ErrorIs(t, s.Wait(ctx, head), causal.ErrInvalidCursor)
	require.ErrorIs(t, s.Wait(nil, causal.Cursor{}), causal.ErrValidation) //nolint:staticcheck // the point of the test

	cancelled, cancel := context.WithCancel(ctx)
	result := waiting(cancelled, t, s, causal.Cursor{}, listeners(t))
	cancel()
	require.ErrorIs(t, requireResult(t, result), context.Canceled)
	require.ErrorIs(t, s.Wait(cancelled, causal.Cursor{}), context.Canceled)

	result = waiting(ctx, t, s, causal.Cursor{}, listeners(t))
	require.NoError(t, s.Close())
	require.ErrorIs(t, requireResult(t, result), causal.ErrClosed)
	require.ErrorIs(t, s.Wait(ctx, causal.Cursor{}), causal.ErrClosed)
	var zero causalpg.Store
	require.ErrorIs(t, zero.Wait(ctx, causal.Cursor{}), causal.ErrClosed)
}
