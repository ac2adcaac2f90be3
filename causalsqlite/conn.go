package causalsqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// openConn opens a connection. Retries while it is busy are made here, not in
// SQLite, where waits grow to 100 ms and ignore the context.
func openConn(path string, mode sqlite.OpenFlags) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, mode) // without OpenURI, so the path is a path
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(0)
	return c, nil
}

// openWriter opens the connection for writing, migrates the schema, and records
// the state of the file.
func (s *Store) openWriter(ctx context.Context, path string, mode Synchronous, migrations []string) (*sqlite.Conn, error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return nil, err
	}
	main, err := newFile(path)
	if err == nil {
		err = checkLogs(path, len(migrations))
	}
	if err != nil {
		return nil, err
	}
	c, err := openConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	if err = prepare(c, path, mode, migrations); err == nil {
		err = beginTimeline(c)
	}
	if err == nil {
		s.logID, err = readLogID(c)
	}
	if err == nil {
		s.files, err = openedFiles(main)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// configure sets up the connection, and reads back the settings on which
// durability depends.
func configure(c *sqlite.Conn, mode Synchronous) error {
	level := int64(2)
	if mode == SyncNormal {
		level = 1
	}
	for _, pragma := range []string{
		"PRAGMA fullfsync = ON", // on macOS, flush to the disk
		"PRAGMA checkpoint_fullfsync = ON",
		"PRAGMA synchronous = " + string('0'+rune(level)),
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA wal_autocheckpoint = 0", // see writer.tend
		"PRAGMA cache_size = -16384",
		"PRAGMA trusted_schema = OFF",
	} {
		if err := exec(c, pragma); err != nil {
			return err
		}
	}
	actual, err := queryInt(c, "PRAGMA synchronous")
	if err == nil && actual != level {
		err = errors.New("the synchronous mode cannot be set")
	}
	return err
}

// useWAL makes the file use a write-ahead log, and opens it.
func useWAL(c *sqlite.Conn) error {
	var journal string
	err := query(c, "PRAGMA journal_mode = WAL", nil, func(s *sqlite.Stmt) (bool, error) {
		journal = s.ColumnText(0)
		return false, nil
	})
	if err == nil && journal != "wal" {
		err = errors.New("the file does not support write-ahead logging")
	}
	return err
}

// exec runs a statement and ignores rows.
func exec(c *sqlite.Conn, sql string) error {
	return query(c, sql, nil, func(*sqlite.Stmt) (bool, error) { return true, nil })
}

// transact runs f in a transaction for writing.
func transact(c *sqlite.Conn, f func() error) error {
	err := exec(c, "BEGIN IMMEDIATE")
	if err != nil {
		return err
	}
	if err = f(); err == nil {
		err = exec(c, "COMMIT")
	}
	rollback(c)
	return err
}

// rollback ends a transaction that was not committed. After some failures
// SQLite has done so already.
func rollback(c *sqlite.Conn) {
	if !c.AutocommitEnabled() {
		_ = exec(c, "ROLLBACK")
	}
}

// query runs a statement and calls row for each row until it returns false or
// an error. The statement holds a lock or a snapshot only until query returns.
func query(c *sqlite.Conn, sql string, bind func(*sqlite.Stmt), row func(*sqlite.Stmt) (bool, error)) (err error) {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	if bind != nil {
		bind(stmt)
	}
	for {
		more, err := stmt.Step() // which resets the statement if it fails
		if err != nil {
			return err
		}
		if more {
			more, err = row(stmt)
		}
		if !more || err != nil {
			if resetErr := stmt.Reset(); err == nil {
				err = resetErr
			}
			return err
		}
	}
}

// queryInt returns the integer in the first column of the first row, or 0 if
// there is no row.
func queryInt(c *sqlite.Conn, sql string) (value int64, err error) {
	err = query(c, sql, nil, func(s *sqlite.Stmt) (bool, error) {
		value = s.ColumnInt64(0)
		return false, nil
	})
	return value, err
}

// appendColumn appends a text or blob to buf.
func appendColumn(buf []byte, s *sqlite.Stmt, column int) []byte {
	free := buf[len(buf):cap(buf)]
	n := s.ColumnBytes(column, free)
	if n == len(free) { // there may be more; asking first would take time for each row
		if n = s.ColumnLen(column); n > len(free) {
			buf = slices.Grow(buf, n+1)
			free = buf[len(buf):cap(buf)]
			s.ColumnBytes(column, free)
		}
	}
	return buf[:len(buf)+n]
}

// columnBytes copies a text or blob into buf, which it grows as needed.
func columnBytes(s *sqlite.Stmt, column int, buf []byte) []byte {
	return appendColumn(buf[:0], s, column)
}

// retry calls f until it is no longer busy, or ctx is done. A writer in another
// process leaves only short gaps.
func retry(ctx context.Context, f func() error) error {
	pause := adapter.Backoff{First: 50 * time.Microsecond, Max: time.Millisecond}
	for {
		err := f()
		if !isBusy(err) {
			return err
		}
		if err := adapter.Sleep(ctx, pause.Next()); err != nil {
			return err
		}
	}
}
