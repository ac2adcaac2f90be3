package causalsqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// errMoved reports that what a connection reads and writes is not what others find.
var errMoved = errors.New("the file was removed or replaced while the store was open; close the store and open it again")

// file is a file as it was when it was opened.
type file struct {
	path string
	info os.FileInfo
}

func statFile(path string) (file, error) {
	info, err := os.Stat(path)
	return file{path, info}, err
}

// check returns [errMoved] if the path names no file or another one. SQLite would go on
// with the one that it has open. To open the file here would drop SQLite's locks.
func (f file) check() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(f.info, info) {
		return errMoved
	}
	return err
}

// files are the files of a store that is open: the database, and beside it those of its
// log of writes, which all connections share.
type files []file

// sidecars are the ends of the names of the files beside the database.
var sidecars = []string{"-wal", "-shm"}

// openedFiles returns the files of a database that a connection has open. main is the
// database before the connection was opened.
func openedFiles(main file) (files, error) {
	all := files{main}
	target, err := filepath.EvalSymlinks(main.path) // beside which SQLite puts the others
	if err != nil {
		return nil, err
	}
	for _, end := range sidecars {
		f, err := statFile(target + end)
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
