package causalsqlite

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// errMoved reports that a connection reads and writes a file that others no
// longer find.
var errMoved = errors.New("the file was removed or replaced while the store was open; close the store and open it again")

// file identifies a file as it was when opened.
type file struct {
	path     string
	identity identity
}

func newFile(path string) (file, error) {
	id, err := identify(path)
	return file{path, id}, err
}

// check returns [errMoved] if the path names no file or a different one, while
// SQLite continues with the open one. It must not open the file, which would
// drop SQLite's locks.
func (f file) check() error {
	now, err := identify(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !f.identity.isSame(now) {
		return errMoved
	}
	return err
}

// files are the files of an open store: the database, and the files of its
// write-ahead log, which all connections share.
type files []file

// openedFiles returns the files opened by a connection to a database. main is
// the database before the connection was opened.
func openedFiles(main file) (files, error) {
	all := files{main}
	target, err := filepath.EvalSymlinks(main.path) // next to which SQLite creates the others
	if err != nil {
		return nil, err
	}
	for _, end := range []string{"-wal", "-shm"} {
		f, err := newFile(target + end)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, main.check()
}

// check checks each file.
func (all files) check() error {
	for _, f := range all {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}
