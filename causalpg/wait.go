package causalpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
)

// connectTimeout is how long a new connection may wait for the server's answer,
// and lingering how long a listening connection is kept after the last reader
// has left. Tests change them.
var (
	connectTimeout = 3 * time.Second
	lingering      = 10 * time.Second
)

// listenInterval is how long a connection listens before the store checks for
// waiters, and probeInterval how long it may be silent before it is probed.
const (
	listenInterval = time.Second
	probeInterval  = 5 * time.Second
)

const opWait = "wait for entries"

// WaitLog waits for an entry after the cursor. See [causal.LogWaiter]. A save
// of this Store wakes it immediately. Other Stores wake it by the server's
// NOTIFY, which a Store sends after saves, at most every 5 ms. If a
// notification is lost, because of a pooler or a lost connection, or on a
// standby, the reader looks again a second later. During a wait, and for some
// seconds after it, the Store has a listening connection in addition to the
// pool, with its BeforeConnect.
func (s *Store) WaitLog(ctx context.Context, after causal.Cursor) error {
	if err := s.check(ctx, opWait); err != nil {
		return err
	}
	s.watching.Do(func() {
		if s.begin(opWait) == nil {
			go func() {
				defer s.calls.Done()
				s.watch()
			}()
		}
	})
	return s.waiters.Wait(ctx, opWait, s.ctx.Done(), func() (bool, error) {
		head, err := s.locate(ctx, opWait, after)
		return after.Position() < head.Position(), err
	})
}

// watch wakes the waiters when it is notified of saves, until the store is
// closed.
func (s *Store) watch() {
	var l listener
	defer l.close()
	for s.ctx.Err() == nil {
		if somebody := s.waiters.Any(); somebody != nil {
			l.rest(s.ctx, somebody)
			continue
		}
		if l.conn == nil {
			l.connect(s)
		} else {
			l.wait(s.ctx)
		}
		s.waiters.Wake() // saves before the connection were not notified
		if l.conn == nil {
			pause(s.ctx, listenInterval)
		}
	}
}

// pause returns after some time, or when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// listener is a connection that receives notifications of saves, if there is
// one.
type listener struct {
	conn  *pgx.Conn // nil if unavailable
	alive time.Time // time of the last sign of life
}

// connect opens the connection.
func (l *listener) connect(s *Store) {
	ctx, cancel := context.WithTimeout(s.ctx, connectTimeout)
	defer cancel()
	config := s.pool.Config()
	if config.BeforeConnect != nil && config.BeforeConnect(ctx, config.ConnConfig) != nil {
		return
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return
	}
	l.conn, l.alive = conn, time.Now()
	if _, err := conn.Exec(ctx, s.sql.listen); err != nil {
		l.close()
	}
}

// wait returns on a notification, when the connection is lost, or after some
// time.
func (l *listener) wait(ctx context.Context) {
	listening, cancel := context.WithTimeout(ctx, listenInterval)
	defer cancel()
	_, err := l.conn.WaitForNotification(listening)
	if listening.Err() != nil && time.Since(l.alive) > probeInterval { // a broken connection is silent, too
		probing, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		err = l.conn.Ping(probing)
	} else if listening.Err() != nil {
		return
	}
	if l.alive = time.Now(); err != nil {
		l.close()
	}
}

// rest returns when a waiter arrives. After a while it closes the connection.
func (l *listener) rest(ctx context.Context, somebody <-chan struct{}) {
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	for {
		select {
		case <-somebody:
			return
		case <-ctx.Done():
			return
		case <-timer.C:
			l.close()
		}
	}
}

func (l *listener) close() {
	if l.conn != nil {
		_ = l.conn.Close(context.Background())
		l.conn = nil
	}
}

// channel returns the channel on which the saves of a schema are announced.
func channel(schema string) string { return fmt.Sprintf("causal_%016x", uint64(lockOf(schema))) }
