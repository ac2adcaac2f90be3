package causalsqlite

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

var _ adapter.Store = (*Store)(nil)

// Synchronous defines when an acknowledged write, one that has returned nil, is
// safe. The zero value is [SyncFull].
type Synchronous int

const (
	// SyncFull makes acknowledged writes survive a loss of power: each group of
	// writes is flushed to the disk before its callers continue.
	SyncFull Synchronous = iota
	// SyncNormal makes acknowledged writes survive a crash of the process, but
	// the last ones may be lost if the machine loses power. The file stays
	// consistent. Readers of the log elsewhere may then hold a cursor past the
	// end of the log, or at an event that has been replaced. Use it for data
	// that can be fetched again.
	SyncNormal
)

// Options are the options of [Open]. nil and the zero value mean the defaults.
type Options struct {
	// Synchronous defines when a write is safe: SyncFull, the default, or
	// SyncNormal.
	Synchronous Synchronous
	// ErrorLimit is the number of entries kept in the error log. Zero means
	// [causal.DefaultErrorLimit].
	ErrorLimit int
	// MustExist prevents Open from creating the file: if there is none, the
	// error matches [os.ErrNotExist].
	MustExist bool
	// ReadOnly prevents Open and the store from creating, changing or deleting
	// files, so that they work in a read-only directory as well. As an
	// exception, if another process has the file open, or has left a file whose
	// name ends in -wal, that file and the one ending in -shm may be created.
	// Writes of others are seen; a read that overlaps with one starts over.
	// Writing methods return a [*causal.StorageError] matching
	// [errors.ErrUnsupported]. Synchronous and ErrorLimit have no effect, and
	// MustExist is implied.
	ReadOnly bool
	// Readers is the number of concurrent reads, each on its own connection,
	// opened on demand. Further reads wait. Zero means the number of CPUs, but
	// at least 4. The maximum is 1000.
	Readers int
}

const maxReaders = 1000

// A Store keeps events, clocks, an error log, checkpoints and rejected events
// in one SQLite file, with every capability. It is safe for concurrent use,
// even by several processes and by several Stores on one file. Use [Open]; the
// zero value is a closed store. A Store must not be copied.
//
// If the file is removed or replaced while the Store is open, every call
// returns a [*causal.StorageError] until the file is back, so a Store never
// answers from a file that others no longer find under its path.
type Store struct {
	path       string // without links
	logID      [16]byte
	files      files
	errorLimit int
	writer     *writer  // nil if the store is read-only
	readers    *readers // nil in the zero value
	closed     atomic.Bool
	close      func() error // runs once

	waiters  adapter.Waiters
	watching sync.Once
	watchers sync.WaitGroup
}

// Open opens the store in a file. If there is no file, Open creates it,
// readable only by its owner, unless o.MustExist is set. It migrates a file of
// an earlier version of this package. ctx limits the opening, not the store's
// life.
//
// Open returns a [*causal.ValidationError] if path is empty or ":memory:" or an
// option is invalid. It returns a [*causal.StorageError], and leaves the file
// unchanged, if the file is not a database, belongs to another application or
// to a later version of this package, or is next to a -wal file of another
// state of it. Any other failure except the error of ctx is a StorageError,
// too.
func Open(ctx context.Context, path string, o *Options) (*Store, error) {
	return open(ctx, path, o, migrations)
}

func open(ctx context.Context, path string, o *Options, migrations []string) (*Store, error) {
	const op = "open store"
	if err := causaladapter.CheckContext(ctx); err != nil {
		return nil, err
	}
	if o == nil {
		o = &Options{}
	}
	if err := o.check(path); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err == nil && !o.MustExist && !o.ReadOnly {
		err = createFile(path)
	}
	if err != nil {
		return nil, wrapError(op, err)
	}
	s := &Store{errorLimit: cmp.Or(o.ErrorLimit, causal.DefaultErrorLimit)}
	readers := cmp.Or(o.Readers, max(4, runtime.NumCPU()))
	if o.ReadOnly {
		err = s.openReadOnly(ctx, op, path, readers, len(migrations))
	} else {
		err = s.openForWriting(ctx, path, o.Synchronous, readers, migrations)
	}
	if err != nil {
		return nil, wrapError(op, err)
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil { // otherwise it has just gone, and nobody else opens it
		path = resolved
	}
	s.join(path)
	s.close = sync.OnceValue(s.shutDown)
	return s, nil
}

func (s *Store) openForWriting(ctx context.Context, path string, mode Synchronous, readers int, migrations []string) error {
	var conn *sqlite.Conn
	err := retry(ctx, func() (err error) {
		conn, err = s.openWriter(ctx, path, mode, migrations)
		return err
	})
	if err != nil {
		return err
	}
	if s.writer, err = newWriter(conn, s.files); err != nil {
		_ = conn.Close()
		return err
	}
	s.readers = newReaders(s.files[0], readers, func() (*reader, error) { return openReader(path) })
	return nil
}

// check returns the error for invalid inputs of Open.
func (o *Options) check(path string) error {
	switch {
	case path == "":
		return causaladapter.Invalid("path", "must not be empty")
	case path == ":memory:":
		return causaladapter.Invalid("path", "must name a file")
	case o.Synchronous != SyncFull && o.Synchronous != SyncNormal:
		return causaladapter.Invalid("synchronous", "must be SyncFull or SyncNormal")
	case o.ErrorLimit < 0:
		return causaladapter.Invalid("error_limit", "must not be negative")
	case o.Readers < 0:
		return causaladapter.Invalid("readers", "must not be negative")
	case o.Readers > maxReaders:
		return causaladapter.Invalid("readers", "must be at most 1000")
	}
	return nil
}

// creating is held while createFile has a file open, because on POSIX systems
// closing a file drops the locks of the whole process on it, including
// SQLite's.
var creating sync.Mutex

// createFile creates an empty file if there is none. SQLite would make it
// readable for others. createFile never opens an existing file.
func createFile(path string) error {
	// Of the files that SQLite may create next to it, this one has the longest
	// name.
	if _, err := hasContent(path + "-journal"); err != nil {
		return err
	}
	if hasWAL, err := hasContent(path + "-wal"); err != nil || hasWAL {
		if _, statErr := os.Lstat(path); err == nil && errors.Is(statErr, fs.ErrNotExist) {
			err = errNoDatabase
		}
		if err != nil {
			return err
		}
	}
	creating.Lock()
	defer creating.Unlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Close waits for running calls, checkpoints the write-ahead log, and closes
// the file. Later calls, and ranges in progress, return an error matching
// [causal.ErrClosed]. Closing again does nothing and returns the same result.
func (s *Store) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

func (s *Store) shutDown() error {
	s.closed.Store(true)
	s.leave()
	err := s.readers.close()
	s.watching.Do(func() {}) // so that watch is not started later
	s.watchers.Wait()
	if s.writer != nil {
		if writerErr := s.writer.close(); writerErr != nil {
			err = writerErr
		}
	}
	return wrapError("close store", err)
}

// write queues a write. See [writer.write].
func (s *Store) write(ctx context.Context, op string, size int, do func(*sqlite.Conn) (dirty bool, err error)) error {
	if s.writer == nil {
		return &causal.StorageError{Op: op, Err: errReadOnly}
	}
	return s.writer.write(ctx, op, size, do)
}

// check returns an error if ctx is nil or done or the store is closed.
func (s *Store) check(ctx context.Context, op string) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	return s.checkOpen(op)
}

func (s *Store) checkOpen(op string) error {
	if s.readers == nil || s.closed.Load() {
		return adapter.Closed(op)
	}
	return nil
}
