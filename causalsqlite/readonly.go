package causalsqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

var (
	// errReadOnly matches [errors.ErrUnsupported].
	errReadOnly   = fmt.Errorf("the store is read-only: %w", errors.ErrUnsupported)
	errUnfinished = errors.New("the creation of the file was interrupted; open it for writing to complete it")
	// errChanging is retried.
	errChanging = errors.New("the file was written during a read")
)

// openReadOnly opens a store for reading only.
func (s *Store) openReadOnly(ctx context.Context, op, path string, readers, newest int) error {
	main, err := newFile(path)
	if err != nil {
		return err
	}
	s.files = files{main}
	s.readers = newReaders(main, readers, func() (*reader, error) { return openFile(path, newest) })
	err = s.read(ctx, op, func(c *sqlite.Conn) (err error) {
		if err := checkVersion(c, newest); err != nil {
			return err
		}
		s.logID, err = readLogID(c)
		return err
	})
	if err != nil {
		_ = s.readers.close()
	}
	return err
}

// checkVersion returns an error if a file does not have the newest schema.
func checkVersion(c *sqlite.Conn, newest int) error {
	version, err := fileVersion(c, newest)
	switch {
	case err != nil:
		return err
	case version == 0:
		return errors.New("the file is empty")
	case version < newest:
		return fmt.Errorf("the file has schema version %d, and this package needs %d; open it for writing to migrate it", version, newest)
	}
	return nil
}

// openFile opens a connection that cannot write. If there is no write-ahead
// log, it reads the file without it and takes no locks, because SQLite would
// create that log.
func openFile(path string, newest int) (*reader, error) {
	if err := checkLogs(path, newest); err != nil {
		return nil, err
	}
	state, err := readState(path, newest)
	if err != nil {
		return nil, err
	}
	open := func() (*reader, error) {
		if !state.hasLog {
			c, err := openAlone(state.path)
			if err != nil {
				return nil, err
			}
			return newReader(c, &state)
		}
		c, err := openConn(path, sqlite.OpenReadOnly)
		if err != nil {
			return nil, err
		}
		return newReader(c, nil)
	}
	r, err := open()
	switch {
	case err == nil:
		return r, nil
	case state.hasChanged():
		return nil, errChanging
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultReadOnly && state.hasJournal:
		return nil, errUnfinished
	}
	return nil, withoutIndex(state.path, err)
}

// fileState changes whenever a file is written.
type fileState struct {
	path       string // without links
	newest     int    // schema version
	hasLog     bool   // write-ahead log, or a journal
	hasJournal bool   // of an unfinished creation
	size       int64
	modified   int64 // time in nanoseconds
	generation generation
}

func readState(path string, newest int) (s fileState, err error) {
	s.newest = newest
	if s.path, err = filepath.EvalSymlinks(path); err != nil {
		return s, err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return s, err
	}
	s.size, s.modified = info.Size(), info.ModTime().UnixNano()
	// A file system may give two writes the same time.
	if s.generation, err = readAlone(s.path, newest); err != nil {
		return s, err
	}
	// Check the log last, because it exists while the file is written.
	hasWAL, err := hasContent(s.path + "-wal")
	if err != nil {
		return s, err
	}
	s.hasJournal, err = hasContent(s.path + "-journal")
	s.hasLog = hasWAL || s.hasJournal
	return s, err
}

// hasChanged reports whether the file was, or may have been, written.
func (s *fileState) hasChanged() bool {
	now, err := readState(s.path, s.newest)
	return err != nil || now != *s
}
