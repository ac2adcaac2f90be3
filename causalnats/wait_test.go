package causalnats_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The servers wake a reader in another process, which would otherwise wait for
// an hour.
func TestWaitIsToldOfRecords(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	s, other := open(t, nc, o), open(t, connect(t, c.urls()), o)
	other.SetWaitLimit(time.Hour)
	arrived := make(chan causal.EventID)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for entry, err := range causal.Follow(ctx, other, causal.Cursor{}) {
			if err != nil {
				return
			}
			arrived <- entry.Event.ID()
		}
	}()
	for n := range 20 {
		e := eventtest.New(t, n, func(p *causal.EventParams) {
			if n%5 == 0 { // of several messages
				p.Payload = map[string][]byte{"x": make([]byte, 100_000)}
			}
		})
		require.NoError(t, s.SaveEvent(ctx, e))
		require.Equal(t, e.ID(), <-arrived)
	}
}

// Close ends waits, and waits for running calls.
func TestCloseEndsWaits(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	s := open(t, nc, provision(t, nc, causalnats.Options{Replicas: 1}))
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	ended := make(chan error)
	for range 3 {
		go func() {
			for {
				if err := s.WaitLog(ctx, head); err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	saved := make(chan error)
	for n := range 10 {
		go func() { saved <- s.SaveEvent(ctx, eventtest.New(t, 10+n)) }()
	}
	require.NoError(t, s.Close())
	for range 3 {
		require.ErrorIs(t, <-ended, causal.ErrClosed)
	}
	for range 10 {
		if err := <-saved; err != nil {
			require.ErrorIs(t, err, causal.ErrClosed)
		}
	}
	require.NoError(t, s.Close())
}

// While no server answers, calls are retried for the permitted time, and then
// report an unknown outcome.
func TestServerIsGone(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1, Retry: 300 * time.Millisecond})
	s := open(t, nc, o)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	c.stop(0)
	require.Eventually(t, func() bool { return !nc.IsConnected() }, time.Minute, time.Millisecond)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)), "what is in the replica is stored")
	err := s.SaveEvent(ctx, eventtest.New(t, 2))
	eventtest.RequireStorageError(t, err)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown, "nothing was sent")
	_, err = s.LoadEvents(ctx, "WP001")
	eventtest.RequireStorageError(t, err)
	_, err = s.AdvanceClock(ctx, "alice", 0, 1)
	eventtest.RequireStorageError(t, err)
	_, err = causalnats.New(ctx, nc, &o)
	eventtest.RequireStorageError(t, err)
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	err = s.SaveEvent(short, eventtest.New(t, 3))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	c.start(t, 0)
	c.ready(t)
	require.Eventually(t, func() bool { return s.SaveEvent(ctx, eventtest.New(t, 4)) == nil }, time.Minute, time.Millisecond)
	require.NotContains(t, eventtest.IDs(eventtest.LoadAll(t, s)), eventtest.ID(2))
}
