package causalsqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"
)

// openConn opens a connection. Whatever is busy is tried again here, not in
// SQLite: its waits grow to 100 ms and do not end with a context.
func openConn(path string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite) // no OpenURI: the path is a path
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(0)
	return c, nil
}

// exec runs a statement that returns no rows, or whose rows are of no interest.
func exec(c *sqlite.Conn, sql string) error {
	return query(c, sql, nil, func(*sqlite.Stmt) (bool, error) { return true, nil })
}

// query runs a statement and calls row for each row until it returns false or an
// error. The statement holds a lock or a snapshot only until query returns.
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

// queryInt returns the integer in the first column of the first row, 0 if there
// is no row.
func queryInt(c *sqlite.Conn, sql string) (value int64, err error) {
	err = query(c, sql, nil, func(s *sqlite.Stmt) (bool, error) {
		value = s.ColumnInt64(0)
		return false, nil
	})
	return value, err
}

// columnBytes copies a text or blob into buf, which it grows as needed.
func columnBytes(s *sqlite.Stmt, column int, buf []byte) []byte {
	buf = buf[:cap(buf)]
	n := s.ColumnBytes(column, buf)
	if n == len(buf) { // there may be more; to ask before takes time in each row
		if n = s.ColumnLen(column); n > len(buf) {
			buf = make([]byte, n+1) // rows are often of one length
			s.ColumnBytes(column, buf)
		}
	}
	return buf[:n]
}

// backoff is the time between two attempts. The zero value is ready for use.
type backoff time.Duration

// next doubles the time, up to 1 ms: a writer in another process leaves gaps
// that are short.
func (b *backoff) next() time.Duration {
	*b = min(max(2**b, backoff(50*time.Microsecond)), backoff(time.Millisecond))
	return time.Duration(*b)
}

// retry calls f until nothing is in its way, or ctx ends.
func retry(ctx context.Context, f func() error) error {
	var pause backoff
	for {
		err := f()
		if !isBusy(err) {
			return err
		}
		timer := time.NewTimer(pause.next())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return checkContext(ctx)
		}
	}
}
