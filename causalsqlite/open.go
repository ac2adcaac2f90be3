package causalsqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"zombiezen.com/go/sqlite"
)

// creating is held while createFile has a file open: on POSIX systems the closing
// of a file drops the locks that the whole process has on it, also SQLite's.
var creating sync.Mutex

// createFile creates an empty file if there is none, which SQLite would make
// readable for others, and returns the absolute path, for connections that are
// opened later. It never opens a file that exists.
func createFile(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	creating.Lock()
	defer creating.Unlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

// openWriter returns a connection for writing to a file of the newest schema,
// and the ID of its log.
func openWriter(ctx context.Context, path string, mode Synchronous, migrations []string) (*sqlite.Conn, [16]byte, error) {
	var logID [16]byte
	if err := checkContext(ctx); err != nil {
		return nil, logID, err
	}
	c, err := openConn(path)
	if err != nil {
		return nil, logID, err
	}
	if err = prepare(c, mode, migrations); err == nil {
		logID, err = readLogID(c)
	}
	if err != nil {
		_ = c.Close()
		return nil, logID, err
	}
	return c, logID, nil
}

// prepare sets up the connection and the schema. It writes nothing before it is
// clear that the file is ours.
func prepare(c *sqlite.Conn, mode Synchronous, migrations []string) error {
	if err := exec(c, "BEGIN"); err != nil {
		return err
	}
	version, err := fileVersion(c, len(migrations))
	if endErr := exec(c, "COMMIT"); err == nil {
		err = endErr
	}
	if err == nil {
		err = configure(c, mode)
	}
	if err == nil && version < len(migrations) {
		err = migrate(c, migrations)
	}
	return err
}

// configure sets up the connection, and reads back what durability depends on.
func configure(c *sqlite.Conn, mode Synchronous) error {
	level := int64(2)
	if mode == SyncNormal {
		level = 1
	}
	for _, pragma := range []string{
		"PRAGMA fullfsync = ON", // on macOS a flush that reaches the disk
		"PRAGMA checkpoint_fullfsync = ON",
		"PRAGMA synchronous = " + string('0'+rune(level)),
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA cache_size = -16384",
		"PRAGMA trusted_schema = OFF",
	} {
		if err := exec(c, pragma); err != nil {
			return err
		}
	}
	var journal string
	err := query(c, "PRAGMA journal_mode = WAL", nil, func(s *sqlite.Stmt) (bool, error) {
		journal = s.ColumnText(0)
		return false, nil
	})
	if err != nil {
		return err
	}
	if journal != "wal" {
		return errors.New("the file does not support write-ahead logging")
	}
	actual, err := queryInt(c, "PRAGMA synchronous")
	if err == nil && actual != level {
		err = errors.New("the synchronous mode cannot be set")
	}
	return err
}

// readLogID returns the random ID that the file got when it was created.
func readLogID(c *sqlite.Conn) (id [16]byte, err error) {
	n := 0
	err = query(c, "SELECT value FROM meta WHERE name = 'log_id'", nil, func(s *sqlite.Stmt) (bool, error) {
		n = s.ColumnLen(0)
		s.ColumnBytes(0, id[:])
		return false, nil
	})
	if err == nil && n != len(id) {
		err = errors.New("the ID of the log is damaged")
	}
	return id, err
}
