package causalpg_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Timeouts of the server are the operator's decision: they are errors, and not
// retried.
func TestServerTimeouts(t *testing.T) {
	ctx := t.Context()
	for _, setting := range []string{"statement_timeout", "lock_timeout"} {
		schema := newSchema(t)
		s := openAt(t, withSetting(setting, "200"), &causalpg.Options{Schema: schema})
		release := block(t, schema)
		err := s.SaveEvent(ctx, eventtest.New(t, 1))
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, "timeout")
		release()
		require.Eventually(t, func() bool { // a slow machine may need more than the timeout
			return s.SaveEvent(ctx, eventtest.New(t, 1)) == nil
		}, time.Minute, time.Millisecond)
		require.Len(t, eventtest.LoadAll(t, s), 1)
	}
	for _, code := range []string{"57014", "55P03"} {
		schema := newSchema(t)
		failing(t, schema, "events", code, 1) // the next try would succeed
		eventtest.RequireStorageError(t, openIn(t, schema).SaveEvent(ctx, eventtest.New(t, 1)))
	}
}

// A deadlock, which requires a writer using other means, is resolved by saving
// again.
func TestDeadlock(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	// The server checks for a deadlock once in a wait, so not before the other
	// writer waits, too.
	s := openAt(t, withSetting("deadlock_timeout", "1000"), &causalpg.Options{Schema: schema})
	other := connect(t, withSetting("deadlock_timeout", "60000"))
	execute(t, other, schema, "BEGIN")
	execute(t, other, schema, `INSERT INTO {s}.events (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project)
		VALUES (77, `+noHash+`, $1, 1, 'a', 'n', '', `+noProject+`)`, string(eventtest.ID(5)))
	saved := make(chan error)
	go func() { saved <- s.SaveEvent(ctx, eventtest.New(t, 5)) }()
	requireWaiting(t, schema, 1) // for the ID, with the lock
	execute(t, other, schema, "LOCK TABLE {s}.meta IN EXCLUSIVE MODE")
	execute(t, other, schema, "ROLLBACK")
	require.NoError(t, <-saved)
	requirePositions(t, schema, 1)
	var deadlocks int
	require.Eventually(t, func() bool {
		return other.QueryRow(ctx, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&deadlocks) == nil && deadlocks > 0
	}, 10*time.Second, 10*time.Millisecond)
}

// failing creates a trigger that fails the given number of times, counted by a
// sequence outside of transactions.
func failing(t *testing.T, schema, table, code string, times int) {
	t.Helper()
	c := connect(t, testDSN)
	execute(t, c, schema, "CREATE SEQUENCE {s}.failures")
	execute(t, c, schema, fmt.Sprintf(`CREATE FUNCTION {s}.fail() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN
			IF nextval('{s}.failures') <= %d THEN RAISE EXCEPTION 'of the test' USING ERRCODE = '%s'; END IF;
			RETURN NEW;
		END $$`, times, code))
	execute(t, c, schema, "CREATE TRIGGER fail BEFORE INSERT ON {s}."+table+" FOR EACH ROW EXECUTE FUNCTION {s}.fail()")
}

// Failures caused by concurrency are retried, but not forever.
func TestSerializationFailures(t *testing.T) {
	ctx := t.Context()
	t.Parallel() // it mostly waits
	for _, code := range []string{"40001", "40P01"} {
		for table, call := range map[string]func(s *causalpg.Store) error{
			"events": func(s *causalpg.Store) error { return s.SaveEvent(ctx, eventtest.New(t, 1)) },
			"clocks": func(s *causalpg.Store) error { return second(s.AdvanceClock(ctx, "alice", 0, 1)) },
			"errors": func(s *causalpg.Store) error {
				return s.AppendError(ctx, eventtest.NewEntry(1))
			},
		} {
			schema := newSchema(t)
			failing(t, schema, table, code, 3)
			require.NoError(t, call(openIn(t, schema)), "%s %s", code, table)
		}
	}
	schema := newSchema(t)
	failing(t, schema, "events", "40001", 1_000_000)
	start := time.Now()
	eventtest.RequireStorageError(t, openIn(t, schema).SaveEvent(ctx, eventtest.New(t, 1)))
	require.Less(t, time.Since(start), 15*time.Second)
}

// A save refused by the server does not affect those sharing its transaction.
func TestRefusedSaveInAGroup(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	execute(t, connect(t, testDSN), schema, "ALTER TABLE {s}.events ADD CHECK (octet_length(data) < 5000)")
	s := openIn(t, schema)
	release := block(t, schema)
	results, large := make(chan error), make(chan error)
	go func() { results <- s.SaveEvent(ctx, eventtest.New(t, 0)) }()
	requireWaiting(t, schema, 1)
	for n := range 4 {
		go func() { results <- s.SaveEvent(ctx, eventtest.New(t, n+1)) }()
	}
	go func() {
		large <- s.SaveEvent(ctx, eventtest.New(t, 9, eventtest.WithPayload(`{"hush":"`+strings.Repeat("hush", 2000)+`"}`)))
	}()
	require.Eventually(t, func() bool { return s.Queued() == 5 }, 5*time.Second, time.Millisecond)
	release()
	for range 5 {
		require.NoError(t, <-results)
	}
	err := <-large
	eventtest.RequireStorageError(t, err)
	require.NotContains(t, err.Error(), "hush")
	require.Len(t, eventtest.LoadAll(t, s), 5)
	requirePositions(t, schema, 5)
}

// The messages of some errors contain written values; ours do not.
func TestErrorsWithoutValues(t *testing.T) {
	for _, code := range []string{"22000", "22023", "P0001"} {
		schema := newSchema(t)
		failing(t, schema, "events", code, 1000)
		err := openIn(t, schema).SaveEvent(t.Context(), eventtest.New(t, 1))
		eventtest.RequireStorageError(t, err)
		require.NotContains(t, err.Error(), "of the test")
		require.ErrorContains(t, err, code)
	}
}

// A save that meets a damaged entry does not affect those sharing its
// transaction.
func TestDamagedEntryInAGroup(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 9)))
	edit(t, schema, `UPDATE {s}.events SET data = '[]'`)
	release := block(t, schema)
	results, bad := make(chan error), make(chan error)
	go func() { results <- s.SaveEvent(ctx, eventtest.New(t, 0)) }()
	requireWaiting(t, schema, 1)
	for n := range 3 {
		go func() { results <- s.SaveEvent(ctx, eventtest.New(t, n+1)) }()
	}
	go func() { bad <- s.SaveEvent(ctx, eventtest.New(t, 9)) }()
	require.Eventually(t, func() bool { return s.Queued() == 4 }, 5*time.Second, time.Millisecond)
	release()
	for range 4 {
		require.NoError(t, <-results)
	}
	err := <-bad
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "entry 1 of the log is damaged")
	requirePositions(t, schema, 5)
}

// An entry that does not decode results in an error naming its position, and is
// not reported as invalid input of the caller.
func TestDamagedEntries(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 6)))
	require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(1)))
	edit(t, schema, `UPDATE {s}.events SET data = '{"secret":1}' WHERE position = 3`)
	edit(t, schema, `UPDATE {s}.errors SET entry = '[]'`)
	check := func(err error) {
		t.Helper()
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, "entry 3 of the log is damaged")
		require.NotContains(t, err.Error(), "secret")
	}
	check(second(s.LoadEvents(ctx, "WP001")))
	adaptertest.RequireDamage(t, s, 3, check)
	check(s.SaveEvent(ctx, eventtest.New(t, 3)))
	eventtest.RequireStorageError(t, second(s.RecentErrors(ctx, 1)))
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 7)))

	// Columns that do not fit the event never cause an infinite loop.
	edit(t, schema, `UPDATE {s}.events SET data = (SELECT data FROM {s}.events WHERE position = 1) WHERE position = 3`)
	check(second(causal.LoadAll(ctx, s)))
}

func TestMissingEntries(t *testing.T) {
	ctx := t.Context()
	for _, where := range []string{"position = 1", "position = 3", "position IN (3, 4)"} {
		schema := newSchema(t)
		s := openIn(t, schema)
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 6)))
		edit(t, schema, "DELETE FROM {s}.events WHERE "+where)
		var last error
		for _, last = range s.ReadLog(ctx, causal.Cursor{}) {
			if last != nil {
				require.ErrorContains(t, last, "of the log is missing")
			}
		}
		eventtest.RequireStorageError(t, last)
	}
}

// History cannot be changed by mistake.
func TestEventsNeverChange(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	require.NoError(t, openIn(t, schema).SaveEvent(ctx, eventtest.New(t, 1)))
	c := connect(t, testDSN)
	for _, sql := range []string{"UPDATE {s}.events SET position = 2", "DELETE FROM {s}.events", "TRUNCATE {s}.events"} {
		_, err := c.Exec(ctx, causalpg.InSchema(schema, sql))
		require.ErrorContains(t, err, "events are never changed nor deleted")
	}
}

// A checkpoint that does not decode results in an error, and can be deleted.
func TestDamagedCheckpoint(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	_, err := s.SaveCheckpoint(ctx, "p", causal.Checkpoint{})
	require.NoError(t, err)
	execute(t, connect(t, testDSN), schema, "UPDATE {s}.checkpoints SET cursor = 'secret'")
	_, err = s.LoadCheckpoint(ctx, "p")
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "the checkpoint is damaged")
	require.NotContains(t, err.Error(), "secret")
	require.NoError(t, s.DeleteCheckpoint(ctx, "p"))
	_, err = s.LoadCheckpoint(ctx, "p")
	require.NoError(t, err)
}
