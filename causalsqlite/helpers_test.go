package causalsqlite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

const projectUUID = "12345678-1234-5678-1234-567812345678"

var (
	ctx      = context.Background()
	testTime = time.Date(2026, 1, 26, 10, 0, 0, 123456789, time.FixedZone("", 5*60*60+30*60))
)

// testPath returns the path of a file that does not exist.
func testPath(t testing.TB) string { return filepath.Join(t.TempDir(), "events.db") }

// openAt opens a store that is closed at the end of the test.
func openAt(t testing.TB, path string, o *causalsqlite.Options) *causalsqlite.Store {
	t.Helper()
	s, err := causalsqlite.Open(ctx, path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openNew opens a new store that does not wait for the disk.
func openNew(t testing.TB) *causalsqlite.Store {
	t.Helper()
	return openAt(t, testPath(t), &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
}

// sql runs a script on a connection of its own.
func sql(t testing.TB, path, script string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	require.NoError(t, err)
	require.NoError(t, sqlitex.ExecuteScript(c, script, nil))
	require.NoError(t, c.Close())
}

// testID returns a valid event ID that depends on n alone and grows with it.
func testID(n int) causal.EventID { return causal.EventID(fmt.Sprintf("TEST%022d", n)) }

// newEvent returns the n-th event of a test, changed by the options.
func newEvent(t testing.TB, n int, change ...func(*causal.EventParams)) causal.Event {
	t.Helper()
	p := causal.EventParams{
		ID: testID(n), Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice",
		LamportClock: int64(n), Timestamp: testTime, ProjectUUID: projectUUID,
	}
	for _, c := range change {
		c(&p)
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	return e
}

// with returns a change of the payload to the given JSON text.
func with(payload string) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.Payload = json.RawMessage(payload) }
}

// newEvents returns events from..to-1.
func newEvents(t testing.TB, from, to int, change ...func(*causal.EventParams)) []causal.Event {
	t.Helper()
	var events []causal.Event
	for n := from; n < to; n++ {
		events = append(events, newEvent(t, n, change...))
	}
	return events
}

// ids returns the IDs of the events.
func ids(events []causal.Event) []causal.EventID {
	out := make([]causal.EventID, len(events))
	for i, e := range events {
		out[i] = e.ID()
	}
	return out
}

// requireEqualEvents compares by Event.Equal.
func requireEqualEvents(t require.TestingT, want, got []causal.Event) {
	require.Equal(t, ids(want), ids(got))
	for i := range want {
		require.True(t, want[i].Equal(got[i]), "event %d differs", i)
	}
}

// readLog returns the entries behind a cursor.
func readLog(t require.TestingT, s causal.LogReader, after causal.Cursor) (entries []causal.LogEntry) {
	for e, err := range s.ReadLog(ctx, after) {
		require.NoError(t, err)
		entries = append(entries, e)
	}
	return entries
}

// loadAll returns all events in order.
func loadAll(t require.TestingT, s causal.EventStore) []causal.Event {
	events, err := causal.LoadAll(ctx, s)
	require.NoError(t, err)
	return events
}

// requireStorageError checks that err is a failure of the store, and only that.
func requireStorageError(t require.TestingT, err error) {
	var e *causal.StorageError
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Op)
	require.NotErrorIs(t, err, causal.ErrValidation)
	require.NotErrorIs(t, err, causal.ErrClosed)
}

// block locks the file for writing, as another process would, until the caller
// or the end of the test releases it.
func block(t *testing.T, s *causalsqlite.Store) (release func()) {
	t.Helper()
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { done <- s.Hold(begun, end) }()
	<-begun
	release = sync.OnceFunc(func() {
		close(end)
		require.NoError(t, <-done)
	})
	t.Cleanup(release)
	return release
}
