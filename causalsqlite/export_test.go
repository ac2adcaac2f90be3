package causalsqlite

import (
	"context"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
)

// OpenNewer opens a file as a later version of this package would, whose schema
// has these further migrations.
func OpenNewer(ctx context.Context, path string, further ...string) (*Store, error) {
	return open(ctx, path, nil, slices.Concat(migrations, further))
}

// Exec runs a statement on the connection for writing, outside of a transaction.
func (s *Store) Exec(sql string) error {
	return s.writer.write(context.Background(), "exec", 0, func(c *sqlite.Conn) (bool, error) {
		err := exec(c, sql)
		return err != nil, err
	})
}

// Pragma returns the integer that a pragma of the connection for writing has.
func (s *Store) Pragma(name string) (value int64, err error) {
	err = s.writer.write(context.Background(), "exec", 0, func(c *sqlite.Conn) (bool, error) {
		value, err = queryInt(c, "PRAGMA "+name)
		return err != nil, err
	})
	return value, err
}

// Queued returns how many writes wait.
func (s *Store) Queued() int {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return s.writer.queue.Len()
}

// Hold keeps the file locked for writing until the channel is closed. It closes
// begun once it is locked.
func (s *Store) Hold(begun chan<- struct{}, release <-chan struct{}) error {
	return s.writer.write(context.Background(), "hold", 0, func(*sqlite.Conn) (bool, error) {
		close(begun)
		<-release
		return true, nil
	})
}

// LoggedPages returns how many pages are in the log of writes.
func (s *Store) LoggedPages() (int64, error) { return loggedPages(s.writer.conn) }

// Checkpoint copies the log of writes to the file, as a write does that makes it large.
func (s *Store) Checkpoint() error {
	s.writer.turn <- struct{}{}
	defer func() { <-s.writer.turn }()
	return s.writer.endLog()
}

// OpenNewerReadOnly is OpenNewer for reading only.
func OpenNewerReadOnly(ctx context.Context, path string, further ...string) (*Store, error) {
	return open(ctx, path, &Options{ReadOnly: true}, slices.Concat(migrations, further))
}

// InParallel calls f with the parts of a range of n.
func InParallel(n int, f func(from, to int)) { inParallel(n, f) }

// Call calls f as a write that writes nothing.
func (s *Store) Call(f func()) error {
	return s.writer.write(context.Background(), "call", 0, func(*sqlite.Conn) (bool, error) {
		f()
		return false, nil
	})
}

// SetWaitLimit changes how long one call waits at most.
func (s *Store) SetWaitLimit(d time.Duration) { s.waiters.Limit = d }

// NeverWatch keeps the store from looking for what others save.
func (s *Store) NeverWatch() { s.watching.Do(func() {}) }

// Emigrate makes the store one of another process for those who wait.
func (s *Store) Emigrate() {
	s.leave()
	s.path = ""
}
