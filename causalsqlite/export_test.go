package causalsqlite

import (
	"context"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
)

// OpenNewer opens a file like a later version of this package, with further
// migrations.
func OpenNewer(ctx context.Context, path string, further ...string) (*Store, error) {
	return open(ctx, path, nil, slices.Concat(migrations, further))
}

// Exec runs a statement on the connection for writing, outside of a
// transaction.
func (s *Store) Exec(sql string) error {
	return s.writer.write(context.Background(), "exec", 0, func(c *sqlite.Conn) (bool, error) {
		err := exec(c, sql)
		return err != nil, err
	})
}

// Pragma returns the integer value of a pragma of the connection for writing.
func (s *Store) Pragma(name string) (value int64, err error) {
	err = s.writer.write(context.Background(), "exec", 0, func(c *sqlite.Conn) (bool, error) {
		value, err = queryInt(c, "PRAGMA "+name)
		return err != nil, err
	})
	return value, err
}

// Queued returns the number of waiting writes.
func (s *Store) Queued() int {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return s.writer.queue.Len()
}

// Hold keeps the file locked for writing until release is closed. It closes
// begun once the file is locked.
func (s *Store) Hold(begun chan<- struct{}, release <-chan struct{}) error {
	return s.writer.write(context.Background(), "hold", 0, func(*sqlite.Conn) (bool, error) {
		close(begun)
		<-release
		return true, nil
	})
}

// LoggedPages returns the number of pages in the write-ahead log.
func (s *Store) LoggedPages() (int64, error) { return loggedPages(s.writer.conn) }

// Checkpoint copies the write-ahead log to the file, as after a write that
// makes it large.
func (s *Store) Checkpoint() error {
	s.writer.turn <- struct{}{}
	defer func() { <-s.writer.turn }()
	return s.writer.endLog()
}

// OpenNewerReadOnly is like OpenNewer, but read-only.
func OpenNewerReadOnly(ctx context.Context, path string, further ...string) (*Store, error) {
	return open(ctx, path, &Options{ReadOnly: true}, slices.Concat(migrations, further))
}

// InParallel calls f with parts of a range of n.
func InParallel(n int, f func(from, to int)) { inParallel(n, f) }

// Call calls f as a write that writes nothing.
func (s *Store) Call(f func()) error {
	return s.writer.write(context.Background(), "call", 0, func(*sqlite.Conn) (bool, error) {
		f()
		return false, nil
	})
}

// SetWaitLimit changes the maximum wait of a call.
func (s *Store) SetWaitLimit(d time.Duration) { s.waiters.Limit = d }

// NeverWatch prevents the store from polling for saves of others.
func (s *Store) NeverWatch() { s.watching.Do(func() {}) }

// Emigrate makes the store look like one of another process to waiters.
func (s *Store) Emigrate() {
	s.leave()
	s.path = ""
}
