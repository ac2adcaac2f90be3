package causalpg_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestMigrateTwice(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	migrate(t, testDSN, schema)
	again, err := openIn(t, schema).Head(ctx)
	require.NoError(t, err)
	require.Equal(t, head, again)
}

// Ten processes starting concurrently leave one schema.
func TestMigrateConcurrently(t *testing.T) {
	ctx := t.Context()
	schema := "test " + rand.Text()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := causalpg.Migrate(ctx, testDSN, &causalpg.Options{Schema: schema}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	migrate(t, testDSN, schema) // and clean up
	a, err := openIn(t, schema).Head(ctx)
	require.NoError(t, err)
	b, err := openIn(t, schema).Head(ctx)
	require.NoError(t, err)
	require.Equal(t, a, b)
}

// An existing schema, empty or of another application, accepts the tables if
// the names are free.
func TestMigrateExistingSchema(t *testing.T) {
	ctx := t.Context()
	schema := "test " + rand.Text()
	c := connect(t, testDSN)
	execute(t, c, schema, "CREATE SCHEMA {s}")
	execute(t, c, schema, "CREATE TABLE {s}.others (x integer)")
	migrate(t, testDSN, schema)
	require.NoError(t, openIn(t, schema).SaveEvent(ctx, eventtest.New(t, 1)))

	schema = "test " + rand.Text()
	execute(t, c, schema, "CREATE SCHEMA {s}")
	execute(t, c, schema, "CREATE TABLE {s}.events (x integer)")
	eventtest.RequireStorageError(t, causalpg.Migrate(ctx, testDSN, &causalpg.Options{Schema: schema}))
	var tables int
	require.NoError(t, c.QueryRow(ctx, "SELECT count(*) FROM pg_tables WHERE schemaname = $1", schema).Scan(&tables))
	require.Equal(t, 1, tables, "a migration is all or nothing")
	execute(t, c, schema, "DROP SCHEMA {s} CASCADE")
}

func TestVersions(t *testing.T) {
	ctx := t.Context()
	schema := "test " + rand.Text()
	o := &causalpg.Options{Schema: schema}
	requireOpen := func(want string) {
		t.Helper()
		pool := newPool(t, testDSN, func(*pgxpool.Config) {})
		for _, err := range []error{second(causalpg.Open(ctx, testDSN, o)), second(causalpg.New(ctx, pool, o))} {
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, want)
		}
	}
	requireOpen("the schema does not exist; call Migrate")
	c := connect(t, testDSN)
	execute(t, c, schema, "CREATE SCHEMA {s}")
	requireOpen("the schema does not exist; call Migrate")
	migrate(t, testDSN, schema)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	require.NoError(t, s.Close())

	require.NoError(t, causalpg.MigrateNewer(ctx, testDSN, o, "CREATE TABLE {s}.more (x integer)"))
	newer := fmt.Sprintf("the schema has version %d, and this package supports versions up to %d", causalpg.Version+1, causalpg.Version)
	requireOpen(newer)
	err := causalpg.Migrate(ctx, testDSN, o)
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, newer)

	execute(t, c, schema, "UPDATE {s}.meta SET version = $1", causalpg.Version-1)
	requireOpen("call Migrate")
	require.ErrorContains(t, causalpg.Migrate(ctx, testDSN, o), "an unreleased version")
	execute(t, c, schema, "UPDATE {s}.meta SET version = $1", causalpg.Version)
	require.Len(t, eventtest.LoadAll(t, openIn(t, schema)), 1)

	// A failed migration leaves the previous version.
	eventtest.RequireStorageError(t, causalpg.MigrateNewer(ctx, testDSN, o, "CREATE TABLE {s}.half (x integer)", "SELECT 1/0"))
	require.Len(t, eventtest.LoadAll(t, openIn(t, schema)), 1)
}

// Schemas can have any name, and no part of a name is interpreted as SQL.
func TestSchemaNames(t *testing.T) {
	ctx := t.Context()
	for _, schema := range []string{
		`Upper`, `upper`, `with space`, `quote"inside`, `""`, `"; DROP SCHEMA public CASCADE; --`, `a'b`, `$user2`, `{s}`, `a.b`, `é😀`,
		`$1`, `--`, `\`, `select`, "line\nbreak", strings.Repeat("x", 63),
	} {
		migrate(t, testDSN, schema)
		s := openIn(t, schema)
		e := eventtest.New(t, 1, func(p *causal.EventParams) { p.AggregateID = schema })
		require.NoError(t, s.SaveEvent(ctx, e), schema)
		_, err := s.AdvanceClock(ctx, schema, 0, 1)
		require.NoError(t, err)
		loaded, err := s.LoadEvents(ctx, schema)
		require.NoError(t, err)
		eventtest.RequireEqual(t, []causal.Event{e}, loaded)
		require.Len(t, eventtest.LoadAll(t, s), 1)
		require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), 1)
	}
	var public bool
	c := connect(t, testDSN)
	require.NoError(t, c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public')").Scan(&public))
	require.True(t, public)
}

func TestDefaultSchema(t *testing.T) {
	ctx := t.Context()
	require.NoError(t, causalpg.Migrate(ctx, testDSN, nil))
	s := openAt(t, testDSN, nil)
	_, err := s.Head(ctx)
	require.NoError(t, err)
}

// The pool passed to New belongs to the caller; Open closes its own.
func TestPools(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	pool := newPool(t, testDSN, func(*pgxpool.Config) {})
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	require.NoError(t, s.Close())
	require.NoError(t, pool.Ping(ctx))

	s, err = causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	pool.Close()
	eventtest.RequireStorageError(t, s.SaveEvent(ctx, eventtest.New(t, 2)))
	require.NoError(t, s.Close())

	const name = "causalpg-pool"
	s = openAt(t, withSetting("application_name", name), &causalpg.Options{Schema: schema})
	require.Len(t, eventtest.LoadAll(t, s), 1)
	c := connect(t, testDSN)
	connections := func() (n int) {
		require.NoError(t, c.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", name).Scan(&n))
		return n
	}
	require.Positive(t, connections())
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return connections() == 0 }, 5*time.Second, 5*time.Millisecond)
}

// All query execution modes and isolation levels of a pool work.
func TestPoolSettings(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		for _, level := range []string{"read committed", "serializable"} {
			t.Run(fmt.Sprint(mode, " ", level), func(t *testing.T) {
				pool := newPool(t, testDSN, func(c *pgxpool.Config) {
					c.ConnConfig.DefaultQueryExecMode = mode
					c.ConnConfig.RuntimeParams["default_transaction_isolation"] = level
				})
				requireStore(t, newOn(t, pool))
			})
		}
	}
}

// If transactions are serializable by default, writers of one row still wait
// for each other, and do not fail.
func TestWritesAreReadCommitted(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	c := connect(t, testDSN)
	execute(t, c, schema, `CREATE FUNCTION {s}.check_level() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN IF current_setting(''transaction_isolation'') <> ''read committed'' THEN RAISE EXCEPTION ''another level''; END IF; RETURN NEW; END'`)
	for _, table := range []string{"events", "clocks", "errors"} {
		execute(t, c, schema, "CREATE TRIGGER check_level BEFORE INSERT OR UPDATE ON {s}."+table+" FOR EACH ROW EXECUTE FUNCTION {s}.check_level()")
	}
	s, err := causalpg.New(ctx, newPool(t, testDSN, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
	}), &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for name, call := range adaptertest.Calls {
		require.NoError(t, call(ctx, s, eventtest.New(t, 1)), name)
	}
}

// Migrate accepts the connection strings that Open accepts.
func TestMigrateTakesSettingsOfThePool(t *testing.T) {
	schema := newSchema(t)
	require.NoError(t, causalpg.Migrate(t.Context(), withSetting("pool_max_conns", "4"), &causalpg.Options{Schema: schema}))
}

// requireStore uses everything, including from several goroutines.
func requireStore(t *testing.T, s *causalpg.Store) {
	t.Helper()
	ctx := t.Context()
	var wg sync.WaitGroup
	node := "alice\x00\\'"
	for worker := range 8 {
		wg.Go(func() {
			for n := range 5 {
				first := worker*1000 + n*10
				if err := s.SaveEvent(ctx, eventtest.New(t, first, eventtest.WithPayload(`{"nul":"\u0000","quote":"'\\"}`))); err != nil {
					t.Error(err)
				}
				if err := s.SaveEvents(ctx, append(eventtest.NewRange(t, first+1, first+4), eventtest.New(t, 90_000))); err != nil {
					t.Error(err)
				}
				if err := s.SaveEvent(ctx, eventtest.New(t, 90_000, eventtest.WithPayload(`{"x":1}`))); !errors.Is(err, causal.ErrIDConflict) {
					t.Error(err)
				}
				if _, err := s.AdvanceClock(ctx, node, 0, 1); err != nil {
					t.Error(err)
				}
				if err := s.AppendError(ctx, eventtest.NewEntry(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	const count = 8*5*4 + 1
	require.Len(t, eventtest.LoadAll(t, s), count)
	require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), count)
	loaded, err := s.LoadEvents(ctx, "WP001")
	require.NoError(t, err)
	require.Len(t, loaded, count)
	value, err := s.LoadClock(ctx, node)
	require.NoError(t, err)
	require.EqualValues(t, 40, value)
	require.NoError(t, s.SaveClock(ctx, node, 3))
	entries, err := s.RecentErrors(ctx, 100)
	require.NoError(t, err)
	require.Len(t, entries, 40)
}

// A role with the documented privileges is sufficient.
func TestRights(t *testing.T) {
	schema := newSchema(t)
	pool := newPoolOf(t, schema,
		"GRANT SELECT, INSERT ON {s}.events, {s}.digests TO {r}", "GRANT SELECT, UPDATE ON {s}.meta TO {r}",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON {s}.checkpoints, {s}.clocks, {s}.errors, {s}.heads, {s}.rejected TO {r}")
	s, err := causalpg.New(t.Context(), pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	requireStore(t, s)
	for call, f := range adaptertest.Calls {
		require.NoError(t, f(t.Context(), s, eventtest.New(t, 210_000)), call)
	}
	large := eventtest.WithPayload(`{"x":"` + strings.Repeat("x", 300_000) + `"}`)
	require.NoError(t, s.SaveEvents(t.Context(), []causal.Event{eventtest.New(t, 200_000, large), eventtest.New(t, 200_001)}))
	require.NoError(t, s.Check(t.Context(), nil))
	head, err := s.Head(t.Context())
	require.NoError(t, err)
	for _, err := range s.ReadDigests(t.Context(), causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}, head) {
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	pool.Close()
}

// Servers that only speak the protocol are refused before anything is created.
// The answers have the form of the real ones.
func TestOtherServers(t *testing.T) {
	ctx := t.Context()
	c := connect(t, testDSN)
	for i, answer := range []string{
		"CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.10)",
		"PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 16.0.6, 64-bit",
		"PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.58",
		"",
	} {
		fake := fmt.Sprintf("fake_%d_%s", i, strings.ToLower(rand.Text()))
		execute(t, c, fake, "CREATE SCHEMA {s}")
		t.Cleanup(func() { execute(t, c, fake, "DROP SCHEMA {s} CASCADE") })
		execute(t, c, fake, "CREATE FUNCTION {s}.version() RETURNS text LANGUAGE sql AS $$ SELECT '"+answer+"' $$")
		dsn := withSetting("search_path", fake+",pg_catalog")

		schema := "test " + rand.Text()
		var storage *causal.StorageError
		err := causalpg.Migrate(ctx, dsn, &causalpg.Options{Schema: schema})
		require.ErrorAs(t, err, &storage)
		require.ErrorContains(t, err, "not PostgreSQL")
		err = c.QueryRow(ctx, "SELECT FROM pg_namespace WHERE nspname = $1", schema).Scan()
		require.ErrorIs(t, err, pgx.ErrNoRows)

		_, err = causalpg.Open(ctx, dsn, &causalpg.Options{Schema: newSchema(t)})
		require.ErrorAs(t, err, &storage)
		require.ErrorContains(t, err, "not PostgreSQL")
	}
}
