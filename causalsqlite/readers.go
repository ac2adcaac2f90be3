package causalsqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// reader is a connection for reading.
type reader struct {
	conn  *sqlite.Conn
	alone *fileState // of a file read without a write-ahead log and without locks
}

// readers is a pool of connections for reading.
type readers struct {
	file   file
	open   func() (*reader, error)
	idle   chan *reader // nil stands for a connection not open yet
	closed chan struct{}
}

func newReaders(f file, count int, open func() (*reader, error)) *readers {
	p := &readers{file: f, open: open, idle: make(chan *reader, count), closed: make(chan struct{})}
	for range count {
		p.idle <- nil
	}
	return p
}

// read calls f with a connection, and retries it while another process is in
// the way. f must be safe to restart and must not call user code. The returned
// error is ready to hand to the user.
func (p *readers) read(ctx context.Context, op string, f func(*sqlite.Conn) error) error {
	var r *reader
	select {
	case <-p.closed:
		return adapter.Closed(op)
	case <-ctx.Done():
		return causaladapter.CheckContext(ctx)
	case r = <-p.idle:
	}
	defer func() { p.idle <- r }()
	err := retry(ctx, func() (err error) {
		if r == nil {
			if r, err = p.openReader(); err != nil {
				return err
			}
		}
		err = f(r.conn)
		if r.alone != nil && r.alone.hasChanged() {
			_ = r.conn.Close()
			r = nil
			return errChanging
		}
		if err != nil {
			return err
		}
		return p.file.check()
	})
	return wrapError(op, err)
}

// openReader opens a connection to the pool's file.
func (p *readers) openReader() (*reader, error) {
	if err := p.file.check(); err != nil { // otherwise the connection would create it
		return nil, err
	}
	r, err := p.open()
	if err != nil {
		return nil, err
	}
	if err := p.file.check(); err != nil {
		_ = r.conn.Close()
		return nil, err
	}
	return r, nil
}

// close waits for running reads and closes all connections.
func (p *readers) close() error {
	close(p.closed)
	var first error
	for range cap(p.idle) {
		if r := <-p.idle; r != nil {
			if err := r.conn.Close(); first == nil {
				first = err
			}
		}
	}
	return first
}

// read calls f with a connection for reading. See [readers.read].
func (s *Store) read(ctx context.Context, op string, f func(*sqlite.Conn) error) error {
	return s.readers.read(ctx, op, f)
}

// newReader sets up a connection that cannot write. It may still create the
// files next to the database, as every connection to a write-ahead log must. It
// does not map the file into memory, because a failing disk would then end the
// process.
func newReader(c *sqlite.Conn, alone *fileState) (*reader, error) {
	for _, pragma := range []string{
		"PRAGMA query_only = ON", "PRAGMA cache_size = -8192", "PRAGMA trusted_schema = OFF",
	} {
		if err := exec(c, pragma); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return &reader{c, alone}, nil
}

// openReader opens a connection for reading alongside the one for writing.
func openReader(path string) (*reader, error) {
	c, err := openConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	return newReader(c, nil)
}
