package causalsqlite

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// identity distinguishes files.
type identity struct {
	device [2]uint32
	inode  uint64
}

func (id identity) isSame(other identity) bool { return id == other }

// identify returns the identity of the file at path. It does not request times,
// as os.Stat does: after that, the file system must give the next write a new
// time, and a commit takes a quarter longer.
func identify(path string) (identity, error) {
	var x unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO, &x)
	if err == nil {
		return identity{[2]uint32{x.Dev_major, x.Dev_minor}, x.Ino}, nil
	}
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // an old kernel, or a sandbox
		var s unix.Stat_t
		if err = unix.Stat(path, &s); err == nil {
			device := uint64(s.Dev) //nolint:unconvert // the type depends on the system
			return identity{[2]uint32{unix.Major(device), unix.Minor(device)}, s.Ino}, nil
		}
	}
	return identity{}, &fs.PathError{Op: "stat", Path: path, Err: err}
}

// openForReading opens a file without updating its access time, which would be
// written with the next write, so that a commit takes a third longer.
func openForReading(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) { // the file of another user
		return os.Open(path)
	}
	return f, err
}
