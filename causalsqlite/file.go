package causalsqlite

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// errMoved reports that what a connection reads and writes is not what others find.
var errMoved = errors.New("the file was removed or replaced while the store was open; close the store and open it again")

// file is a file as it was when it was opened.
type file struct {
	path     string
	identity identity
}

func newFile(path string) (file, error) {
	id, err := identify(path)
	return file{path, id}, err
}

// check returns [errMoved] if the path names no file or another one. SQLite would go on
// with the one that it has open. To open the file here would drop SQLite's locks.
func (f file) check() error {
	now, err := identify(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !f.identity.isSame(now) {
		return errMoved
	}
	return err
}

// files are the files of a store that is open: the database, and beside it those of its
// log of writes, which all connections share.
type files []file

// openedFiles returns the files of a database that a connection has open. main is the
// database before the connection was opened.
func openedFiles(main file) (files, error) {
	all := files{main}
	target, err := filepath.EvalSymlinks(main.path) // beside which SQLite puts the others
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

// check is that of each file.
func (all files) check() error {
	for _, f := range all {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}
