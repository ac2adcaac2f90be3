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
	InsertSQL = strings.Replace(insertSQL, "{given}", givenArrays, 1)
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

// SetPollInterval changes how often Wait looks by itself, and returns how to change
// it back.
func SetPollInterval(d time.Duration) (restore func()) {
	before := pollInterval
	pollInterval = d
	return func() { pollInterval = before }
}

// SetConnectTimeout changes how long Wait waits for a new connection, until the result is
// called.
func SetConnectTimeout(timeout time.Duration) (reset func()) {
	before := connectTimeout
	connectTimeout = timeout
	return func() { connectTimeout = before }
}
