package causalpg_test

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalpg"
)

// newSchema creates a schema that is dropped at the end of the test.
func newSchema(t testing.TB) string {
	t.Helper()
	schema := "test " + rand.Text()
	migrate(t, testDSN, schema)
	return schema
}

// withSetting returns the connection string of the server for all tests, a URL
// or a list, with one more setting.
func withSetting(name, value string) string {
	switch {
	case !strings.Contains(testDSN, "://"):
		return testDSN + " " + name + "=" + value
	case strings.Contains(testDSN, "?"):
		return testDSN + "&" + name + "=" + value
	}
	return testDSN + "?" + name + "=" + value
}

func migrate(t testing.TB, dsn, schema string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // for the clean-up
	require.NoError(t, causalpg.Migrate(ctx, dsn, &causalpg.Options{Schema: schema}))
	t.Cleanup(func() {
		if c, err := pgx.Connect(ctx, dsn); err == nil { // otherwise the server is gone
			_, _ = c.Exec(ctx, "DROP SCHEMA "+quoted(schema)+" CASCADE")
			_ = c.Close(ctx)
		}
	})
}

func quoted(names ...string) string { return pgx.Identifier(names).Sanitize() }

// openAt opens a store that is closed at the end of the test.
func openAt(t testing.TB, dsn string, o *causalpg.Options) *causalpg.Store {
	t.Helper()
	s, err := causalpg.Open(t.Context(), dsn, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openIn opens a store in a schema of the server for all tests.
func openIn(t testing.TB, schema string) *causalpg.Store {
	t.Helper()
	return openAt(t, testDSN, &causalpg.Options{Schema: schema})
}

// openNew opens a store in a new schema.
func openNew(t testing.TB) *causalpg.Store {
	t.Helper()
	return openIn(t, newSchema(t))
}

// newPool returns a pool with a changed configuration.
func newPool(t testing.TB, dsn string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	change(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func withConns(n int32) func(*pgxpool.Config) { return func(c *pgxpool.Config) { c.MaxConns = n } }

// newOn opens a store on a pool, in a new schema.
func newOn(t testing.TB, pool *pgxpool.Pool) *causalpg.Store {
	t.Helper()
	s, err := causalpg.New(t.Context(), pool, &causalpg.Options{Schema: newSchema(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// connect returns a connection of the test.
func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // for the clean-up
	c, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(ctx) })
	return c
}

// execute runs a statement after replacing {s} by the schema.
func execute(t testing.TB, c *pgx.Conn, schema, sql string, args ...any) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // so that clean-ups may call it
	_, err := c.Exec(ctx, causalpg.InSchema(schema, sql), args...)
	require.NoError(t, err)
}

// edit changes events, which the schema forbids.
func edit(t testing.TB, schema, sql string) {
	t.Helper()
	c := connect(t, testDSN)
	execute(t, c, schema, "ALTER TABLE {s}.events DISABLE TRIGGER USER")
	execute(t, c, schema, sql)
	execute(t, c, schema, "ALTER TABLE {s}.events ENABLE TRIGGER USER")
}

// block holds the lock needed by saves, as another process could, until the
// caller or the end of the test releases it.
func block(t *testing.T, schema string) (release func()) {
	t.Helper()
	c := connect(t, testDSN)
	execute(t, c, schema, "BEGIN")
	execute(t, c, schema, "LOCK TABLE {s}.meta IN EXCLUSIVE MODE")
	release = sync.OnceFunc(func() { execute(t, c, schema, "ROLLBACK") })
	t.Cleanup(release)
	return release
}

// requireWaiting waits until the given number of connections wait for a lock on
// the tables.
func requireWaiting(t *testing.T, schema string, count int) {
	t.Helper()
	c := connect(t, testDSN)
	require.Eventually(t, func() bool {
		n := 0
		err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND position($1 IN query) > 0`, quoted(schema)).Scan(&n)
		return err == nil && n == count
	}, 10*time.Second, time.Millisecond)
}

// newPoolOf returns a pool whose connections have a new role with the given
// privileges.
func newPoolOf(t *testing.T, schema string, rights ...string) *pgxpool.Pool {
	t.Helper()
	role := "test_" + strings.ToLower(rand.Text())
	c := connect(t, testDSN)
	for _, sql := range append([]string{"CREATE ROLE {r} LOGIN", "GRANT USAGE ON SCHEMA {s} TO {r}"}, rights...) {
		execute(t, c, schema, strings.ReplaceAll(sql, "{r}", role))
	}
	t.Cleanup(func() {
		execute(t, c, schema, "DROP OWNED BY "+role)
		execute(t, c, schema, "DROP ROLE "+role)
	})
	return newPool(t, testDSN, func(c *pgxpool.Config) {
		c.PrepareConn = func(ctx context.Context, c *pgx.Conn) (bool, error) {
			_, err := c.Exec(ctx, "SET ROLE "+role)
			return err == nil, err
		}
	})
}

func second(_ any, err error) error { return err }
