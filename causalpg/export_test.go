package causalpg

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// BeginSave and InsertSQL are the statements of a save.
var (
	BeginSave = append([]string{beginWrite}, lockSave...)
	InsertSQL = strings.Replace(insertSQL, "{given}", givenArrays(1), 1)
)

// InSchema inserts the schema into a statement of a test.
var InSchema = inSchema

// MigrateNewer migrates like a later version of this package, with further
// migrations.
func MigrateNewer(ctx context.Context, dsn string, o *Options, further ...string) error {
	return migrate(ctx, dsn, o, slices.Concat(migrations, further))
}

// Version is the version of the schema.
var Version = len(migrations)

// Queued returns the number of saves waiting for their turn.
func (s *Store) Queued() int {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return s.writer.queue.Len()
}

// SetWaitLimit changes the maximum wait of a call.
func (s *Store) SetWaitLimit(d time.Duration) { s.waiters.Limit = d }

// SetLingering changes how long a connection listens without readers, until the
// result is called.
func SetLingering(d time.Duration) (restore func()) {
	before := lingering
	lingering = d
	return func() { lingering = before }
}

// SetConnectTimeout changes how long a store waits for a new connection, until
// the result is called.
func SetConnectTimeout(timeout time.Duration) (reset func()) {
	before := connectTimeout
	connectTimeout = timeout
	return func() { connectTimeout = before }
}

// ExplainPages returns the plans of the statements that read a page, by name.
func (s *Store) ExplainPages(ctx context.Context, c *pgx.Conn) (map[string]string, error) {
	digest := make([]byte, 32)
	key := []any{int64(10), digest, int64(5000), nil, 0}
	upper := []any{100, int64(4000), digest}
	plans := map[string]string{}
	for name, page := range map[string]struct {
		sql  string
		args []any
	}{
		"log":            {s.sql.arrival[5], []any{int64(10), int64(5000)}},
		"order":          {s.sql.order[5], []any{int64(10), []byte("a"), "A", int64(5000)}},
		"keys":           {s.sql.digests, slices.Concat(key, []any{nil}, upper)},
		"of aggregate":   {s.sql.digestsOf, slices.Concat(key, []any{[]byte("A")}, upper)},
		"key log":        {s.sql.digestLog, []any{int64(10), int64(5000), 100, nil, 0, nil}},
		"aggregate log":  {s.sql.digestLogOf, []any{int64(10), int64(5000), 100, nil, 0, []byte("A")}},
		"events by keys": {s.sql.loadDigests, []any{[]int64{1, 2}, [][]byte{digest, digest}}},
	} {
		err := queryPage(ctx, c, 1000, "EXPLAIN "+page.sql, page.args, func(rows pgx.Rows) error {
			var line string
			err := rows.Scan(&line)
			plans[name] += line + "\n"
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return plans, nil
}
