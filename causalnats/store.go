package causalnats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

var _ adapter.Store = (*Store)(nil)

// A Store keeps events in a stream of JetStream created by [Provision], and
// reads them from its own copy. Clocks, checkpoints, rejected events and an
// error log are in other streams. It has every capability. It is safe for
// concurrent use, and any number of Stores, in any number of processes, may use
// the same streams. Use [Open] or [New]; the zero value is a closed store. A
// Store must not be copied.
//
// The result of a call reflects all saves of any Store completed before the
// call. Once a Store has detected that the log has lost entries, all of its
// calls return a [*causal.StorageError] matching [ErrLogLost].
type Store struct {
	client   *client // nil in the zero value
	replica  *replica
	maxSize  int // of a message
	writer   batches[*request]
	fences   fences
	verified verified
	isNew    atomic.Bool // nothing has been read yet since the replica was opened
	lost     atomic.Pointer[error]
	clocks   clocks
	rejected rejectedIndex
	waiters  adapter.Waiters
	watching sync.Once

	life       context.Context // done when the store is closed, after its calls
	closing    chan struct{}   // closed when Close begins
	end        context.CancelFunc
	background sync.WaitGroup
	close      func() error // runs once

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

const opOpen = "open store"

// Open opens a store whose streams were created by [Provision], over a new
// connection, which reconnects whenever it is lost. url is a list of servers
// separated by commas, as for package nats. ctx limits the opening, not the
// store's life. Open reads the log up to its end, which takes long if the
// replica is new. For credentials, certificates and other options of the
// connection use New.
//
// Errors are those of [New]; any failure of the connection is reported as a
// [*causal.StorageError], too.
func Open(ctx context.Context, url string, o *Options) (*Store, error) {
	o = o.orDefaults()
	if err := causaladapter.CheckContext(ctx); err != nil {
		return nil, err
	}
	if url == "" {
		return nil, causaladapter.Invalid("url", "must not be empty")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	nc, err := nats.Connect(url, nats.Timeout(2*time.Second), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2), // detect a half-open connection while calls are retried
		nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // LastError has it
	if err != nil {
		return nil, &causal.StorageError{Op: opOpen, Err: err}
	}
	s, err := New(ctx, nc, o)
	if err != nil {
		nc.Close()
		return nil, err
	}
	s.close = sync.OnceValue(func() error { defer nc.Close(); return s.shutDown() })
	return s, nil
}

// New returns a store using the caller's connection, which the caller must
// close after the store. Once the connection is closed permanently, calls
// return errors, so it should reconnect without limit (MaxReconnects(-1)), and
// detect quickly that it hangs: Open sets ReconnectWait(50ms), PingInterval(2s)
// and MaxPingsOutstanding(2). ctx and duration are as for [Open].
//
// New returns a [*causal.ValidationError] if the connection is nil or an option
// is invalid, and a [*causal.StorageError] if a stream is missing, differs from
// the one created by Provision, or belongs to another version of this package.
// The error matches [ErrLogLost] if the stream has lost entries, or the replica
// belongs to another one. Any other failure except the error of ctx is a
// StorageError, too.
func New(ctx context.Context, nc *nats.Conn, o *Options) (*Store, error) {
	o = o.orDefaults()
	if err := checkOpening(ctx, nc, o); err != nil {
		return nil, err
	}
	c := newClient(nc, o)
	s, err := newStore(ctx, c, o)
	if err != nil {
		return nil, c.failure(opOpen, err)
	}
	if err := s.fence(ctx); err != nil {
		_ = s.shutDown()
		return nil, c.failure(opOpen, err)
	}
	return s, nil
}

func newStore(ctx context.Context, c *client, o *Options) (*Store, error) {
	log, err := c.checkStreams(ctx, o.replicas())
	if err != nil {
		return nil, err
	}
	size := int(c.conn.MaxPayload())
	if size < minPayload {
		return nil, fmt.Errorf("max_payload of the servers is %d bytes, and must be at least %d", size, minPayload)
	}
	store := o.Replica
	if store == nil {
		store = &causal.MemStore{}
	}
	r, err := openReplica(ctx, store, log)
	if err != nil {
		return nil, err
	}
	s := &Store{client: c, replica: r, maxSize: size - headerRoom}
	s.isNew.Store(true)
	s.life, s.end = context.WithCancel(context.Background())
	s.closing, s.rejected.turn = make(chan struct{}), make(chan struct{}, 1)
	s.writer = batches[*request]{run: s.write, fits: s.fits, background: &s.background}
	s.close = sync.OnceValue(s.shutDown)
	return s, nil
}

// headerRoom is the part of the largest message reserved for headers, and
// minPayload the minimum size of that message.
const (
	headerRoom = 4 << 10
	minPayload = 16 << 10
)

// checkStreams checks the streams and returns the ID of the log.
func (c *client) checkStreams(ctx context.Context, replicas int) (log [16]byte, err error) {
	err = c.retry(ctx, 0, func(ctx context.Context) error {
		for _, stream := range []string{c.names.log, c.names.state, c.names.rejects, c.names.errors} {
			info, err := c.info(ctx, stream)
			if isAPI(err, jetstream.JSErrCodeStreamNotFound) {
				err = errConfig(stream, "does not exist; call Provision")
			}
			if err != nil {
				return err
			}
			id, err := c.checkStream(stream, info, replicas)
			if err != nil {
				return err
			}
			if log != [16]byte{} && log != id {
				return errConfig(stream, "is of another log")
			}
			log = id
		}
		return nil
	})
	return log, err
}

// Close waits for running calls, records the position of the replica in the
// log, and closes a connection created by Open. Later calls, and ranges in
// progress, return an error matching [causal.ErrClosed]. Closing again does
// nothing and returns the same result.
func (s *Store) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

func (s *Store) shutDown() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	s.calls.Wait()
	s.watching.Do(func() {}) // so that watch is not started later
	s.end()
	s.background.Wait()
	r := s.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.applied() == r.saved || r.isUnsure || s.lost.Load() != nil {
		return nil
	}
	return s.client.failure("close store", r.savePosition(context.Background()))
}

// begin registers a call, for which Close waits. It returns an error if the
// store is closed.
func (s *Store) begin(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLocked(op); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) checkLocked(op string) error {
	if s.client == nil || s.closed {
		return adapter.Closed(op)
	}
	if lost := s.lost.Load(); lost != nil {
		return &causal.StorageError{Op: op, Err: *lost}
	}
	return nil
}

// check returns an error if ctx is done, the store is closed, or the log was
// lost.
func (s *Store) check(ctx context.Context, op string) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkLocked(op)
}

// call runs f as a registered call, and returns its error in the terms of
// package causal.
func (s *Store) call(op string, f func() error) error {
	if err := s.begin(op); err != nil {
		return err
	}
	defer s.calls.Done()
	return s.client.failure(op, f())
}

// read is call for reads from the replica, after a fence.
func (s *Store) read(ctx context.Context, op string, f func() error) error {
	return s.call(op, func() error {
		if err := s.fence(ctx); err != nil {
			return err
		}
		return f()
	})
}

// note records that the log was lost.
func (s *Store) note(err error) error {
	if errors.Is(err, ErrLogLost) {
		s.lost.CompareAndSwap(nil, &err)
		s.waiters.Wake()
	}
	return err
}
