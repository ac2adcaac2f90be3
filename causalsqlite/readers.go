package causalsqlite

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// readers is a pool of connections for reading.
type readers struct {
	path   string
	idle   chan *sqlite.Conn // nil stands for a connection that is not open yet
	closed chan struct{}
}

func newReaders(path string, count int) *readers {
	p := &readers{path: path, idle: make(chan *sqlite.Conn, count), closed: make(chan struct{})}
	for range count {
		p.idle <- nil
	}
	return p
}

// read calls f with a connection, again while another process is in the way. f
// starts afresh each time, and calls nothing of the caller.
func (p *readers) read(ctx context.Context, op string, f func(*sqlite.Conn) error) error {
	var c *sqlite.Conn
	select {
	case <-p.closed:
		return closedError(op)
	case <-ctx.Done():
		return checkContext(ctx)
	case c = <-p.idle:
	}
	defer func() { p.idle <- c }()
	err := retry(ctx, func() (err error) {
		if c == nil {
			if c, err = openReader(p.path); err != nil {
				return err
			}
		}
		return f(c)
	})
	return storageError(op, err)
}

// openReader returns a connection that cannot write. It may still create the
// files beside the database, as every connection must in WAL mode. It does not
// map the file into memory: a disk that fails would then end the process.
func openReader(path string) (*sqlite.Conn, error) {
	c, err := openConn(path)
	if err != nil {
		return nil, err
	}
	for _, pragma := range []string{
		"PRAGMA query_only = ON", "PRAGMA cache_size = -8192", "PRAGMA trusted_schema = OFF",
	} {
		if err := exec(c, pragma); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return c, nil
}

// close waits for the reads that are running and closes all connections.
func (p *readers) close() error {
	close(p.closed)
	var first error
	for range cap(p.idle) {
		if c := <-p.idle; c != nil {
			if err := c.Close(); first == nil {
				first = err
			}
		}
	}
	return first
}
