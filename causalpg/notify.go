package causalpg

import (
	"context"
	"time"
)

// notifyInterval is the minimum time between two notifications of a Store, and
// notifyTimeout the maximum duration of one. The last one, when the store is
// closed, takes less.
const (
	notifyInterval    = 5 * time.Millisecond
	notifyTimeout     = 3 * time.Second
	lastNotifyTimeout = 100 * time.Millisecond
)

// announce wakes waiters of this Store, and schedules a notification of others
// about a save, on another connection. A notification in the saving transaction
// would make the saves of all schemas of the server commit one after another.
func (s *Store) announce() {
	s.waiters.Wake()
	select {
	case s.saved <- struct{}{}:
	default: // it will be notified
	}
}

// notify notifies others of saves until the store is closed. If that fails,
// waiters find new entries by themselves.
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
