package causalpg

import (
	"context"
	"slices"
	"strings"
	"time"
)

// BeginSave and InsertSQL are what a save does.
var (
	BeginSave = append([]string{beginWrite}, lockSave...)
	InsertSQL = strings.Replace(insertSQL, "{given}", givenArrays(1), 1)
)

// InSchema puts the schema into a statement of a test.
var InSchema = inSchema

// MigrateNewer migrates as a later version of this package would, whose schema has
// these further migrations.
func MigrateNewer(ctx context.Context, dsn string, o *Options, further ...string) error {
	return migrate(ctx, dsn, o, slices.Concat(migrations, further))
}

// Version is the version of the schema.
var Version = len(migrations)

// Queued returns how many saves wait for their turn.
func (s *Store) Queued() int {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return s.writer.queue.Len()
}

// SetWaitLimit changes how long one call waits at most.
func (s *Store) SetWaitLimit(d time.Duration) { s.waiters.Limit = d }

// SetLingering changes how long a connection listens without readers, and returns how to
// change it back.
func SetLingering(d time.Duration) (restore func()) {
	before := lingering
	lingering = d
	return func() { lingering = before }
}

// SetConnectTimeout changes how long a store waits for a new connection, until the result is
// called.
func SetConnectTimeout(timeout time.Duration) (reset func()) {
	before := connectTimeout
	connectTimeout = timeout
	return func() { connectTimeout = before }
}
