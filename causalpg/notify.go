package causalpg

import (
	"context"
	"time"
)

// notifyInterval is how often a Store notifies at most, and notifyTimeout how long that
// may take.
// The last time, when the store is closed, takes less.
const (
	notifyInterval    = 5 * time.Millisecond
	notifyTimeout     = 3 * time.Second
	lastNotifyTimeout = 100 * time.Millisecond
)

// announce wakes those who wait for entries here, and has others told of a save, soon and on
// another connection.
// In the transaction that saves, a notification would make the saves of all schemas of the
// server commit one after another.
func (s *Store) announce() {
	s.waiters.Wake()
	select {
	case s.saved <- struct{}{}:
	default: // it will be told
	}
}

// notify tells of saves until the store is closed. If it fails, those who wait look by
// themselves.
func (s *Store) notify() {
	for {
		select {
		case <-s.saved:
			s.notifyOnce(notifyTimeout)
		case <-s.ctx.Done():
			if len(s.saved) > 0 {
				s.notifyOnce(lastNotifyTimeout)
			}
			return
		}
		pause(s.ctx, notifyInterval)
	}
}

func (s *Store) notifyOnce(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), timeout)
	defer cancel()
	_, _ = s.pool.Exec(ctx, s.sql.notify)
}
