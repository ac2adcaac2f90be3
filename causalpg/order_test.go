package causalpg_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// hold begins a transaction and stores an event, like a slow process.
func hold(t *testing.T, schema string, e causal.Event) (end func(how string)) {
	t.Helper()
	c := connect(t, testDSN)
	data, err := e.MarshalJSON()
	require.NoError(t, err)
	for _, sql := range causalpg.BeginSave {
		execute(t, c, schema, sql)
	}
	execute(t, c, schema, causalpg.InsertSQL, []string{string(e.ID())}, []int64{e.LamportClock()},
		[][]byte{[]byte(e.AggregateID())}, [][]byte{[]byte(e.NodeID())}, [][]byte{data}, []string{e.ProjectUUID()}, []*string{nil})
	return func(how string) { execute(t, c, schema, how) }
}

// While a transaction with a lower position is open, no reader gets to a higher
// one, and everything read remains the beginning of the log.
func TestReadersDoNotPassOpenTransactions(t *testing.T) {
	ctx := t.Context()
	for _, how := range []string{"COMMIT", "ROLLBACK"} {
		schema := newSchema(t)
		s, peer := openIn(t, schema), openIn(t, schema)
		require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 3)))
		end := hold(t, schema, eventtest.New(t, 100))
		saved := make(chan error)
		go func() { saved <- s.SaveEvent(ctx, eventtest.New(t, 200)) }()
		go func() { saved <- peer.SaveEvents(ctx, eventtest.NewRange(t, 300, 302)) }()
		requireWaiting(t, schema, 2)
		var last causal.Cursor
		for _, reader := range []*causalpg.Store{s, peer} {
			entries := eventtest.ReadLog(t, reader, causal.Cursor{})
			require.Len(t, entries, 3)
			require.Len(t, eventtest.LoadAll(t, reader), 3)
			last = entries[2].Cursor
		}
		end(how)
		require.NoError(t, <-saved)
		require.NoError(t, <-saved)
		want := 3
		if how == "COMMIT" {
			want = 4
		}
		rest := eventtest.ReadLog(t, s, last)
		require.Len(t, rest, want)
		if how == "COMMIT" {
			require.Equal(t, eventtest.ID(100), rest[0].Event.ID())
		}
		requirePositions(t, schema, 3+want)
	}
}

// requirePositions requires the positions 1 to n.
func requirePositions(t testing.TB, schema string, n int) {
	t.Helper()
	rows, err := connect(t, testDSN).Query(t.Context(), causalpg.InSchema(schema, "SELECT position FROM {s}.events ORDER BY position"))
	require.NoError(t, err)
	next := 0
	for rows.Next() {
		var position int
		require.NoError(t, rows.Scan(&position))
		next++
		require.Equal(t, next, position)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, n, next)
}

// Batches overlapping in opposite orders never deadlock.
func TestOverlappingBatches(t *testing.T) {
	schema := newSchema(t)
	stores := []*causalpg.Store{openIn(t, schema), openIn(t, schema)}
	errs := make(chan error)
	for worker := range 8 {
		go func() {
			for round := range 10 {
				batch := eventtest.NewRange(t, round*20, round*20+20)
				if worker%2 == 0 {
					slices.Reverse(batch)
				}
				if err := stores[worker/2%2].SaveEvents(t.Context(), batch); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
	requirePositions(t, schema, 200)
}

// A batch larger than one statement is all or nothing, too.
func TestLargeBatches(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	large := eventtest.WithPayload(`{"x":"` + strings.Repeat("x", 3_000_000) + `"}`)
	batch := eventtest.NewRange(t, 0, 7, large)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 5)))
	require.ErrorIs(t, s.SaveEvents(ctx, batch), causal.ErrIDConflict)
	require.Len(t, eventtest.LoadAll(t, s), 1)
	batch[5] = eventtest.New(t, 5)
	require.NoError(t, s.SaveEvents(ctx, batch))
	require.NoError(t, s.SaveEvents(ctx, batch))
	eventtest.RequireEqual(t, batch, eventtest.LoadAll(t, s))
	requirePositions(t, schema, 7)
	entries := eventtest.ReadLog(t, s, causal.Cursor{})
	require.Len(t, entries, 7)
	for i, place := range []int{5, 0, 1, 2, 3, 4, 6} { // the stored one first
		require.Equal(t, batch[place].ID(), entries[i].Event.ID())
	}
}

// Long, incompressible IDs that do not fit in an index can be sorted and
// loaded.
func TestLongIDs(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	random := make([]byte, 0, 20_000)
	for state := uint32(1); len(random) < 20_000; {
		state = state*1664525 + 1013904223
		random = append(random, 'a'+byte(state>>27)%26)
	}
	var events []causal.Event
	for n := range 60 {
		// All share the first bytes, and the last ones decide.
		name := string(random) + string(rune('A'+n%20))
		events = append(events, eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.AggregateID, p.LamportClock = name, name, int64(n/20)
		}))
	}
	slices.Reverse(events)
	require.NoError(t, s.SaveEvents(ctx, events))
	for _, e := range events {
		loaded, err := s.LoadEvents(ctx, e.AggregateID())
		require.NoError(t, err)
		require.Len(t, loaded, 3)
	}
	slices.SortFunc(events, causal.Compare)
	eventtest.RequireEqual(t, events, eventtest.LoadAll(t, s))
	require.NoError(t, s.SaveClock(ctx, string(random), 5))
	value, err := s.LoadClock(ctx, string(random))
	require.NoError(t, err)
	require.EqualValues(t, 5, value)
}

// The plan of a save made for an empty table serves a large one.
func TestPlansUseIndexes(t *testing.T) {
	schema := newSchema(t)
	c := connect(t, testDSN)
	for _, sql := range causalpg.BeginSave {
		execute(t, c, schema, sql)
	}
	execute(t, c, schema, "PREPARE save (text[], bigint[], bytea[], bytea[], bytea[], uuid[], text[]) AS "+causalpg.InsertSQL)
	rows, err := c.Query(t.Context(), "EXPLAIN EXECUTE save ('{}', '{}', '{}', '{}', '{}', '{}', '{}')")
	require.NoError(t, err)
	var plan strings.Builder
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	require.NotContains(t, plan.String(), "Seq Scan on events")
	require.Contains(t, plan.String(), "Index")
	execute(t, c, schema, "ROLLBACK")
}

// A dump restored on another server has the same log: cursors remain valid, and
// everything works.
func TestDumpAndRestore(t *testing.T) {
	ctx := t.Context()
	t.Parallel() // it mostly waits
	bin, err := findBinaries()
	if err != nil {
		t.Skip("the test needs pg_dump and psql: ", err)
	}
	from, to := startServer(t), startServer(t)
	const schema = `dumped "schema"`
	migrate(t, from.dsn(), schema)
	o := &causalpg.Options{Schema: schema}
	s := openAt(t, from.dsn(), o)
	events := eventtest.NewRange(t, 0, 50, eventtest.WithPayload(`{"nul":"\u0000","backslash":"\\"}`), func(p *causal.EventParams) { p.NodeID = "a\x00é" })
	slices.Reverse(events)
	require.NoError(t, s.SaveEvents(ctx, events))
	require.NoError(t, s.SaveClock(ctx, "a\x00", 7))
	require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(1)))
	entries := eventtest.ReadLog(t, s, causal.Cursor{})

	var dump, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "pg_dump"), "--dbname", from.dsn())
	cmd.Stdout, cmd.Stderr = &dump, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	cmd = exec.Command(filepath.Join(bin, "psql"), "--dbname", to.dsn(), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1")
	cmd.Stdin, cmd.Stderr = &dump, &stderr
	require.NoError(t, cmd.Run(), stderr.String())

	require.NoError(t, causalpg.Migrate(ctx, to.dsn(), o))
	restored := openAt(t, to.dsn(), o)
	require.Equal(t, entries[20:], eventtest.ReadLog(t, restored, entries[19].Cursor))
	require.NoError(t, restored.SaveEvents(ctx, append(eventtest.NewRange(t, 50, 52), events[0])))
	more := eventtest.ReadLog(t, restored, entries[49].Cursor)
	require.Len(t, more, 2)
	eventtest.RequireEqual(t, eventtest.LoadAll(t, s), eventtest.LoadAll(t, restored)[:50])
	value, err := restored.AdvanceClock(ctx, "a\x00", 0, 1)
	require.NoError(t, err)
	require.EqualValues(t, 8, value)
	require.NoError(t, restored.AppendError(ctx, eventtest.NewEntry(2)))
	kept, err := restored.RecentErrors(ctx, 5)
	require.NoError(t, err)
	require.Len(t, kept, 2)
}

// A call waiting for a connection ends when its context is done.
func TestExhaustedPool(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	pool := newPool(t, testDSN, withConns(2))
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 100)))
	for range 2 {
		c, err := pool.Acquire(ctx)
		require.NoError(t, err)
		defer c.Release()
	}
	for name, call := range adaptertest.Calls {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		err := call(short, s, eventtest.New(t, 500))
		cancel()
		if name != "SaveEvents of nothing" {
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.NotErrorIs(t, err, causal.ErrStorage, name)
		}
	}
}
