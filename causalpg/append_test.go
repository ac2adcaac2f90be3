package causalpg_test

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// If the answer to a save with a condition is lost, saving again finds the
// events. If the retry is refused for a reason that would have refused the
// first attempt as well, the outcome is known; otherwise it is unknown.
func TestUnknownOutcomeOfACondition(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	other := openIn(t, schema)
	var lose atomic.Int64
	var then func()
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
		return &lossy{Conn: c, loses: func() bool { return lose.Add(-1) >= 0 }, then: func() { then() }}
	}))
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	defer s.Close()
	unchanged := causal.Condition{ProjectUUID: eventtest.Params(0).ProjectUUID, Aggregates: []string{eventtest.Params(0).AggregateID}}
	head, err := s.Head(ctx)
	require.NoError(t, err)

	then = func() { require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 100))) } // after it
	lose.Store(1)
	a, err := s.SaveEventsIf(ctx, head, unchanged, eventtest.NewRange(t, 0, 2))
	require.NoError(t, err)
	require.Equal(t, []bool{false, false}, a.New)
	lose.Store(1)
	a, err = s.Append(ctx, eventtest.NewRange(t, 1, 4))
	require.NoError(t, err)
	require.Equal(t, a.Before, a.After)
	require.Len(t, eventtest.ReadLog(t, s, head), 5)

	edit(t, schema, `CREATE FUNCTION {s}.refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$`)
	then = func() {
		edit(t, schema, "CREATE TRIGGER refuse BEFORE INSERT ON {s}.events FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse()")
	}
	for name, save := range map[string]func(n int) (causal.Appended, error){
		"append": func(n int) (causal.Appended, error) { return s.Append(ctx, eventtest.NewRange(t, n, n+1)) },
		"save if": func(n int) (causal.Appended, error) {
			head, err := other.Head(ctx)
			require.NoError(t, err)
			return s.SaveEventsIf(ctx, head, unchanged, eventtest.NewRange(t, n, n+1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := 200 + len(name)
			lose.Store(1)
			a, err := save(n)
			require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
			eventtest.RequireStorageError(t, err)
			require.Zero(t, a)
			_, err = save(n + 10)
			eventtest.RequireStorageError(t, err)
			require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
			edit(t, schema, "DROP TRIGGER refuse ON {s}.events")
		})
	}
}

// A call whose connection broke before the server received it, and whose retry
// is refused, is known to have stored nothing.
func TestKnownOutcomeOfACondition(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	other := openIn(t, schema)
	var breaks atomic.Bool
	var then func()
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
		return &cut{Conn: c, isCut: func() bool { return breaks.CompareAndSwap(true, false) }, then: func() { then() }}
	}))
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	defer s.Close()
	unchanged := causal.Condition{ProjectUUID: eventtest.Params(0).ProjectUUID, Aggregates: []string{eventtest.Params(0).AggregateID}}
	head, err := s.Head(ctx)
	require.NoError(t, err)

	then = func() { require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 0))) }
	breaks.Store(true)
	_, err = s.SaveEventsIf(ctx, head, unchanged, eventtest.NewRange(t, 1, 2))
	require.ErrorIs(t, err, causal.ErrConcurrentSave)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	then = func() {
		require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 2, eventtest.WithPayload(`{"other":1}`))))
	}
	breaks.Store(true)
	_, err = s.Append(ctx, eventtest.NewRange(t, 2, 3))
	require.ErrorIs(t, err, causal.ErrIDConflict)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.Len(t, eventtest.LoadAll(t, s), 2)
}

// cut is a connection that is closed instead of sending a saving transaction.
type cut struct {
	net.Conn
	isCut func() bool
	then  func()
}

func (c *cut) Write(b []byte) (int, error) {
	if len(b) > 300 && c.isCut() {
		_ = c.Close()
		c.then()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// A damaged row is named, and the earlier ones are readable.
func TestDamagedRejected(t *testing.T) {
	ctx := t.Context()
	for name, damage := range map[string]string{
		"time": "SET time = 'x'", "count": "SET count = -1", "key": "SET key = sha256('')", "data": "SET data = ''",
	} {
		t.Run(name, func(t *testing.T) {
			schema := newSchema(t)
			s := openIn(t, schema)
			for n := range 3 {
				_, err := s.AppendRejected(ctx, causal.Rejected{Data: []byte{byte(n)}, Reason: "none", Time: eventtest.New(t, n).Timestamp()})
				require.NoError(t, err)
			}
			edit(t, schema, "UPDATE {s}.rejected "+damage+" WHERE id = 2")
			n := 0
			var last error
			for _, err := range s.Rejected(ctx) {
				if last = err; err == nil {
					n++
				}
			}
			require.Equal(t, 1, n)
			eventtest.RequireStorageError(t, last)
			require.ErrorContains(t, last, "rejected event 2 is damaged")
		})
	}
}
