package causalsqlite

import (
	"context"
	"errors"
	"sync"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// writer owns the connection for writing. Calls that arrive during a
// transaction wait in a queue and share the next one, and with it one flush of
// the disk. The caller whose turn it is writes for all of them.
type writer struct {
	conn  *sqlite.Conn // used by the caller whose turn it is, and finally by Close
	files files
	turn  chan struct{} // full during a turn

	log    logFile
	marked logID // the write-ahead log with a mark, zero if unknown
	pages  int64 // in that log after the latest checkpoint

	head    *causal.Cursor // of the log within the transaction, nil until it is read
	written int            // bytes since the size of that log was checked

	mu      sync.Mutex
	queue   adapter.Queue[*request] // whose callers all wait for their turn
	stopped bool
	calls   sync.WaitGroup // of write
}

// request is one call's write.
type request struct {
	// do writes within a transaction. It returns the call's error, and reports
	// whether the transaction is dirty: whether it contains a part of the
	// changes, or has failed. It may be called again after a rollback.
	do     func(*sqlite.Conn) (dirty bool, err error)
	size   int // in bytes, approximately
	err    error
	result chan error // has room for the result
}

// Size returns the approximate number of bytes to write.
func (r *request) Size() int { return r.size }

// newWriter returns a writer for a connection and the files it has opened.
func newWriter(c *sqlite.Conn, f files) (*writer, error) {
	log, err := openForReading(f[1].path)
	if err != nil {
		return nil, err
	}
	return &writer{conn: c, files: f, log: logFile{log}, turn: make(chan struct{}, 1)}, nil
}

// write queues a write and returns when it is committed. If ctx is done before
// the write has begun, it never begins; if later, write returns the outcome.
func (w *writer) write(ctx context.Context, op string, size int, do func(*sqlite.Conn) (bool, error)) error {
	r := &request{do: do, size: size, result: make(chan error, 1)}
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return adapter.Closed(op)
	}
	w.queue.Push(r)
	w.calls.Add(1)
	w.mu.Unlock()
	defer w.calls.Done()
	for {
		select {
		case err := <-r.result:
			return wrapError(op, err)
		case w.turn <- struct{}{}:
			if len(r.result) == 0 {
				w.writeGroup(ctx)
			}
			<-w.turn
		case <-ctx.Done():
			if w.withdraw(r) {
				return causaladapter.CheckContext(ctx)
			}
			return wrapError(op, <-r.result)
		}
	}
}

// withdraw removes r from the queue, and reports whether it was there.
func (w *writer) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queue.Withdraw(r)
}

// close refuses further writes, waits for those in the queue, and closes the
// connection.
func (w *writer) close() error {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.calls.Wait()
	_ = w.log.file.Close() // which has only been read
	return w.conn.Close()
}

// writeGroup writes the queue once the file is free, and sends each call its
// result. Until then, callers can still withdraw. It gives up if ctx is done
// first.
func (w *writer) writeGroup(ctx context.Context) {
	err := w.begin(ctx)
	if err != nil && ctx.Err() != nil {
		return
	}
	group := w.take()
	if err == nil && !w.transact(group) && len(group) > 1 {
		// One request is to blame. Run alone, each gets its own result.
		for _, r := range group {
			if r.err = w.begin(context.WithoutCancel(ctx)); r.err == nil {
				w.transact([]*request{r})
			}
		}
	}
	written := 0
	for _, r := range group {
		if err != nil {
			r.err = err
		}
		written += r.size
		r.result <- r.err
	}
	w.tend(written)
}

// begin starts a transaction once no other connection is writing.
func (w *writer) begin(ctx context.Context) error {
	return retry(ctx, func() error {
		if w.marked == (logID{}) {
			if err := w.mark(); err != nil {
				return err
			}
		}
		w.head = nil
		return exec(w.conn, "BEGIN IMMEDIATE")
	})
}

// take removes the next requests from the queue.
func (w *writer) take() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queue.Take(nil)
}

// transact runs the requests in the current transaction, and ends it. It
// reports false if one of them left the transaction dirty.
func (w *writer) transact(group []*request) bool {
	defer rollback(w.conn)
	if len(group) == 0 { // all have withdrawn
		return true
	}
	for _, r := range group {
		var dirty bool
		dirty, r.err = r.do(w.conn)
		if dirty || w.conn.AutocommitEnabled() { // SQLite ends the transaction after some failures
			return false
		}
	}
	if err := w.commit(); err != nil {
		for _, r := range group { // even a conflict with an event that is not stored after all
			r.err = err
		}
	}
	return true
}

// commit commits to the files that others find. It checks the database before,
// so that nothing is written elsewhere, and all files after, so that no answer
// is wrong.
func (w *writer) commit() error {
	if err := w.files[0].check(); err != nil {
		return err
	}
	err := exec(w.conn, "COMMIT") // if this fails, a restart may still find everything
	if err == nil {
		err = w.files.check()
	}
	if err != nil {
		return adapter.OutcomeUnknown(errors.New(err.Error())) // without the driver's type
	}
	return nil
}
