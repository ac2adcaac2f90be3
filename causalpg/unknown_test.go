package causalpg_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// lossy is a connection that breaks when the answer to a commit is read.
type lossy struct {
	net.Conn
	loses func() bool  // whether this answer is lost
	then  func()       // called after that
	write func(string) // called with the written text, if not nil
}

func (c *lossy) Write(b []byte) (int, error) {
	if c.write != nil {
		c.write(string(b))
	}
	return c.Conn.Write(b)
}

func (c *lossy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if strings.Contains(string(b[:n]), "COMMIT\x00") && c.loses() {
		_ = c.Close()
		c.then()
		return 0, errors.New("lost by the test")
	}
	return n, err
}

// openLossy opens a store that loses the given number of answers to commits.
func openLossy(t *testing.T, schema string) (*causalpg.Store, *atomic.Int64) {
	var lose atomic.Int64
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
		return &lossy{Conn: c, loses: func() bool { return lose.Add(-1) >= 0 }, then: func() {}}
	}))
	s, err := causalpg.New(t.Context(), pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, &lose
}

// A commit whose outcome is unknown to the client is resolved by saving again:
// the event is there once.
func TestUnknownOutcome(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s, lose := openLossy(t, schema)
	for n := range 10 {
		lose.Store(int64(n%3 + 1))
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, n*10, n*10+3)))
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n*10+5)))
		require.LessOrEqual(t, lose.Load(), int64(0), "answers were lost")
	}
	lose.Store(0)
	require.Len(t, eventtest.LoadAll(t, s), 40)
	requirePositions(t, schema, 40)
}

// A save of a checkpoint whose answer is lost is not retried, because the retry
// would be refused.
func TestUnknownCheckpoint(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s, lose := openLossy(t, schema)
	c := causal.Checkpoint{State: []byte("state")}
	lose.Store(1)
	_, err := s.SaveCheckpoint(ctx, "p", c)
	require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.ErrorIs(t, err, causal.ErrStorage)
	loaded, err := s.LoadCheckpoint(ctx, "p")
	require.NoError(t, err)
	require.Equal(t, c.State, loaded.State)
	_, err = s.SaveCheckpoint(ctx, "p", c)
	require.ErrorIs(t, err, causal.ErrConcurrentSave)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
}

// Errors report whether the events may be stored.
func TestErrorsSayWhatIsKnown(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	var lose atomic.Int64
	refuse := func() {
		edit(t, schema, "ALTER TABLE {s}.events ADD CONSTRAINT none CHECK (lamport_clock < 0) NOT VALID")
	}
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
		return &lossy{Conn: c, loses: func() bool { return lose.Add(-1) >= 0 }, then: refuse}
	}))
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 0)))
	for name, test := range map[string]struct {
		fail      func(ctx context.Context, cancel func()) error
		isUnknown bool
	}{
		"the answer is lost, then the server refuses": {func(ctx context.Context, _ func()) error {
			lose.Store(1)
			return s.SaveEvent(ctx, eventtest.New(t, 1))
		}, true},
		"the server refuses": {func(ctx context.Context, _ func()) error {
			refuse()
			return s.SaveEvent(ctx, eventtest.New(t, 1))
		}, false},
		"canceled while it saves": {func(ctx context.Context, cancel func()) error {
			defer block(t, schema)()
			go func() { requireWaiting(t, schema, 1); cancel() }()
			return s.SaveEvent(ctx, eventtest.New(t, 1))
		}, true},
		"canceled while it waits": {func(ctx context.Context, cancel func()) error {
			release := block(t, schema)
			done := make(chan error)
			go func() { done <- s.SaveEvent(t.Context(), eventtest.New(t, 0)) }()
			defer func() { release(); require.NoError(t, <-done) }()
			requireWaiting(t, schema, 1)
			time.AfterFunc(10*time.Millisecond, cancel)
			return s.SaveEvent(ctx, eventtest.New(t, 1))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			err := test.fail(ctx, cancel)
			require.Error(t, err)
			require.Equal(t, ctx.Err() != nil, errors.Is(err, context.Canceled))
			require.Equal(t, ctx.Err() == nil, errors.Is(err, causal.ErrStorage))
			require.Equal(t, test.isUnknown, errors.Is(err, causal.ErrOutcomeUnknown), err)
			edit(t, schema, "ALTER TABLE {s}.events DROP CONSTRAINT IF EXISTS none")
		})
	}
}

// After a lost answer, the lookup of the stored row fails, so the event itself
// may be stored.
func TestUnknownOutcomeOfALookUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	schema := newSchema(t)
	var lose atomic.Int64
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
		return &lossy{Conn: c, loses: func() bool { return lose.Add(-1) >= 0 }, then: func() {}, write: func(sql string) {
			if strings.Contains(sql, "event_id = ANY") {
				cancel()
			}
		}}
	}))
	s, err := causalpg.New(t.Context(), pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	defer s.Close()
	lose.Store(1)
	err = s.SaveEvent(ctx, eventtest.New(t, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.Len(t, eventtest.LoadAll(t, openIn(t, schema)), 1)
}

// The answer to a group is lost, and then each member is refused: all may be
// stored.
func TestUnknownOutcomeOfAGroup(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	var commits atomic.Int64
	refuse := func() {
		c := connect(t, testDSN)
		execute(t, c, schema, `CREATE FUNCTION {s}.refuse() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$`)
		execute(t, c, schema, "CREATE TRIGGER refuse BEFORE INSERT ON {s}.events FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse()")
	}
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
		return &lossy{Conn: c, loses: func() bool { return commits.Add(1) == 2 }, then: refuse}
	}))
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	defer s.Close()
	commits.Store(0)
	release := block(t, schema)
	first, others := make(chan error, 1), make(chan error)
	go func() { first <- s.SaveEvent(ctx, eventtest.New(t, 0)) }()
	requireWaiting(t, schema, 1)
	for n := range 2 {
		go func() { others <- s.SaveEvent(ctx, eventtest.New(t, n+1)) }()
	}
	require.Eventually(t, func() bool { return s.Queued() == 2 }, 10*time.Second, time.Millisecond)
	release()
	require.NoError(t, <-first)
	for range 2 {
		err := <-others
		eventtest.RequireStorageError(t, err)
		require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
	}
	require.Len(t, eventtest.LoadAll(t, openIn(t, schema)), 3)
}
