//go:build !linux

package causalsqlite

import "os"

// identity distinguishes files.
type identity struct{ info os.FileInfo }

func (id identity) isSame(other identity) bool { return os.SameFile(id.info, other.info) }

// identify returns the identity of the file at path.
func identify(path string) (identity, error) {
	info, err := os.Stat(path)
	return identity{info}, err
}

// openForReading opens a file.
func openForReading(path string) (*os.File, error) { return os.Open(path) }
