package causalnats_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestPromises(t *testing.T) {
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	adaptertest.Test(t, adaptertest.Engine{
		Zero: &causalnats.Store{},
		Open: func(t *testing.T) adapter.Store {
			return open(t, nc, provision(t, nc, causalnats.Options{Replicas: 1}))
		},
	})
}

// Invalid options and connections are reported before a server is contacted.
func TestOptionsAreChecked(t *testing.T) {
	ctx := t.Context()
	nc := connect(t, "nats://127.0.0.1:1")
	for field, o := range map[string]causalnats.Options{
		"name": {Name: "a.b"}, "replicas": {Replicas: 2}, "max_bytes": {MaxBytes: -1}, "error_limit": {ErrorLimit: -1}, "retry": {Retry: -1},
		"replica": {Replica: (*causal.MemStore)(nil)},
	} {
		reasons := map[string]string{
			"name": "must have 1 to 32 ASCII letters, digits or hyphens", "replicas": "must be 0, 1, 3 or 5",
			"max_bytes": "must not be negative", "error_limit": "must not be negative", "retry": "must not be negative", "replica": "must not be a nil pointer",
		}
		adaptertest.RequireField(t, causalnats.Provision(ctx, nc, &o), field, reasons[field])
		_, err := causalnats.New(ctx, nc, &o)
		adaptertest.RequireField(t, err, field, reasons[field])
		_, err = causalnats.Open(ctx, "nats://127.0.0.1:1", &o)
		adaptertest.RequireField(t, err, field, reasons[field])
	}
	adaptertest.RequireField(t, causalnats.Provision(ctx, nil, nil), "connection", "must not be nil")
	_, err := causalnats.New(ctx, nil, nil)
	adaptertest.RequireField(t, err, "connection", "must not be nil")
	_, err = causalnats.Open(ctx, "", nil)
	adaptertest.RequireField(t, err, "url", "must not be empty")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, causalnats.Provision(ended, nc, nil), context.Canceled)
	_, err = causalnats.Open(ended, "nats://127.0.0.1:1", nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = causalnats.Open(ctx, "nats://\x00", nil)
	eventtest.RequireStorageError(t, err)
}

// Texts of any kind and length may be IDs, and never appear in subjects.
func TestHostileTexts(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	s := open(t, nc, o)
	texts := []string{">", "*", "a.b", " ", "a b", "\t\r\n", "\x00", strings.Repeat("x", 5000), strings.Repeat("ä", 2500), "T1.log", "$JS.API.>"}
	for i, text := range texts {
		e := eventtest.New(t, i, func(p *causal.EventParams) { p.NodeID, p.AggregateID = text, text })
		require.NoError(t, s.SaveEvent(ctx, e))
		value, err := s.AdvanceClock(ctx, text, int64(i), 1)
		require.NoError(t, err)
		require.EqualValues(t, i+1, value)
		_, err = s.SaveCheckpoint(ctx, text, causal.Checkpoint{State: []byte(text)})
		require.NoError(t, err)
	}
	other := open(t, connect(t, c.urls()), o)
	for i, text := range texts {
		events, err := other.LoadEvents(ctx, text)
		require.NoError(t, err)
		require.Len(t, events, 1)
		value, err := other.LoadClock(ctx, text)
		require.NoError(t, err)
		require.EqualValues(t, i+1, value)
		checkpoint, err := other.LoadCheckpoint(ctx, text)
		require.NoError(t, err)
		require.Equal(t, text, string(checkpoint.State))
	}
	require.True(t, nc.IsConnected())
}

// A value set back by another Store is not an overflow.
func TestClockIsSetBack(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	s, other := open(t, nc, o), open(t, nc, o)
	_, err := s.AdvanceClock(ctx, "n", math.MaxInt64-5, 1)
	require.NoError(t, err)
	_, err = s.AdvanceClock(ctx, "n", 0, 10)
	require.ErrorIs(t, err, causal.ErrClockOverflow)
	require.NoError(t, other.SaveClock(ctx, "n", 5))
	value, err := s.AdvanceClock(ctx, "n", 0, 10)
	require.NoError(t, err)
	require.EqualValues(t, 15, value)
}

// A record larger than a message of the servers is sent as several messages, or
// refused immediately with the limit.
func TestLargeRecords(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	s := open(t, nc, o)
	large := eventtest.New(t, 1, func(p *causal.EventParams) { p.Payload = map[string]string{"x": strings.Repeat("x", 1<<20)} })
	require.NoError(t, s.SaveEvent(ctx, large))
	saved := make(chan error)
	for i := range 4 { // together
		e := eventtest.New(t, 2+i, func(p *causal.EventParams) { p.Payload = map[string]string{"x": strings.Repeat("x", 100_000)} })
		go func() { saved <- s.SaveEvent(ctx, e) }()
	}
	for range 4 {
		require.NoError(t, <-saved)
	}
	head, err := s.Head(ctx)
	require.NoError(t, err)
	many := eventtest.NewRange(t, 10, 1010)
	a, err := s.SaveEventsIf(ctx, head, causal.Condition{}, many)
	require.NoError(t, err)
	require.EqualValues(t, 1005, a.After.Position())
	other := open(t, connect(t, c.urls()), o)
	all := eventtest.LoadAll(t, other)
	require.Len(t, all, 1005)
	require.True(t, all[0].Equal(large))
	require.Equal(t, many, all[5:])

	_, err = s.SaveCheckpoint(ctx, "p", causal.Checkpoint{State: make([]byte, 64<<10)})
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "max_payload")
	stored, err := s.AppendRejected(ctx, causal.Rejected{Data: make([]byte, 64<<10), Reason: "r", Time: large.Timestamp()})
	require.NoError(t, err)
	require.False(t, stored)
	tooLarge := eventtest.New(t, 7, func(p *causal.EventParams) { p.Payload = map[string]string{"x": strings.Repeat("x", 62_000_000)} })
	err = s.SaveEvent(ctx, tooLarge)
	eventtest.RequireStorageError(t, err)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.Len(t, eventtest.LoadAll(t, s), 1005)
}

func TestSmallMessages(t *testing.T) {
	c := startCluster(t, 1, func(o *server.Options) { o.MaxPayload = 8 << 10 })
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	_, err := causalnats.New(t.Context(), nc, &o)
	require.ErrorContains(t, err, "max_payload")
}

// A full stream refuses saves immediately, and drops nothing.
func TestFullStream(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	s := open(t, nc, provision(t, nc, causalnats.Options{Replicas: 1, MaxBytes: 100_000}))
	saved := 0
	var err error
	for ; err == nil; saved++ {
		err = s.SaveEvent(ctx, eventtest.New(t, saved, func(p *causal.EventParams) { p.Payload = map[string]string{"x": strings.Repeat("x", 1000)} }))
	}
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "maximum bytes")
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.Len(t, eventtest.LoadAll(t, s), saved-1)
}

// Processes installed concurrently create one store.
func TestProvisionTogether(t *testing.T) {
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := causalnats.Options{Replicas: 1, Name: "together"}
	done := make(chan error)
	for range 4 {
		go func() { done <- causalnats.Provision(t.Context(), nc, &o) }()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	open(t, nc, o)
}
