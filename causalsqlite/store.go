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

// Synchronous says when a write that has returned nil is safe. The zero value is
// [SyncFull].
type Synchronous int

const (
	// SyncFull means that an acknowledged write survives a loss of power: each
	// group of writes is flushed to the disk before its callers continue.
	SyncFull Synchronous = iota
	// SyncNormal means that an acknowledged write survives a crash of the
	// process, but the last writes may be lost if the machine loses power. The
	// file stays consistent. A reader of the log elsewhere may then hold a cursor
	// past the end of the log, or at another event than before. Use it for data
	// that can be fetched again.
	SyncNormal
)

// Options are the options of [Open]. nil and the zero value mean the defaults.
type Options struct {
	// Synchronous is when a write counts as done: SyncFull, the default, or
	// SyncNormal.
	Synchronous Synchronous
	// ErrorLimit is how many entries of the error log are kept. Zero means
	// [causal.DefaultErrorLimit].
	ErrorLimit int
	// MustExist means that Open does not create the file: if there is none, the error
	// matches [os.ErrNotExist].
	MustExist bool
	// ReadOnly means that neither Open nor the store creates, changes or deletes a file,
	// so that it works in a directory that cannot be written, too. Only while another
	// process has the file open, or if it has left one whose name ends in -wal, may that
	// and the one that ends in -shm be made. What others write is seen; a read during
	// which they have written begins again. Writes return a
	// [*causal.StorageError] that matches [errors.ErrUnsupported]. Synchronous and
	// ErrorLimit have no effect, and MustExist is implied.
	ReadOnly bool
	// Readers is how many reads run at a time, each on a connection of its own
	// that is opened when it is first needed. Further reads wait. Zero means the
	// number of CPUs, but at least 4. The maximum is 1000.
	Readers int
}

const maxReaders = 1000

// Store keeps events, clocks, an error log, checkpoints and what was rejected in one SQLite
// file, with every capability. It is safe for concurrent use, even by several processes and
// by several Stores on one file. Use [Open]; the zero value is a closed store. A Store must
// not be copied.
//
// If the file is removed or replaced while the Store is open, every call returns a
// [*causal.StorageError] until the file is back: what a Store answers is in the file that
// others find under its path.
type Store struct {
	path       string // without links
	logID      [16]byte
	files      files
	errorLimit int
	writer     *writer  // nil if the store is open for reading only
	readers    *readers // nil in the zero value
	closed     atomic.Bool
	close      func() error // runs once

	waiters  adapter.Waiters
	watching sync.Once
	watchers sync.WaitGroup
}

// Open opens the store in a file. If there is no file, Open creates it, readable
// by its owner alone, unless o.MustExist is set. It migrates a file of an earlier
// version of this package. ctx bounds the opening, not the store's life.
//
// Open returns a [*causal.ValidationError] if path is empty or ":memory:" or an
// option is invalid. It returns a [*causal.StorageError], and leaves the file
// unchanged, if the file is not a database, belongs to another application or to a
// later version of this package, or is beside a -wal of another state of it. Every other
// failure is a StorageError, too, except that of ctx.
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
	if resolved, err := filepath.EvalSymlinks(path); err == nil { // else it has just gone, and nobody else opens it
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

// check returns what is wrong with the inputs of Open.
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

// creating is held while createFile has a file open: on POSIX systems the closing
// of a file drops the locks that the whole process has on it, also SQLite's.
var creating sync.Mutex

// createFile creates an empty file if there is none, which SQLite would make
// readable for others. It never opens a file that exists.
func createFile(path string) error {
	// What SQLite may put beside the file has the longest name.
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

// Close waits for running calls, checkpoints the write-ahead log, and closes the
// file. Every later call, and every range that continues, returns an error that
// matches [causal.ErrClosed]. Closing again does nothing and returns the same
// result.
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
	s.watching.Do(func() {}) // from now on nobody begins to
	s.watchers.Wait()
	if s.writer != nil {
		if writerErr := s.writer.close(); writerErr != nil {
			err = writerErr
		}
	}
	return wrapError("close store", err)
}

// write queues a write; see [writer.write].
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
