package causalnats

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal"
)

// WaitLog waits for an entry after the cursor. See [causal.LogWaiter]. The
// servers notify of each record; if a notification is lost, the wait ends after
// a second.
func (s *Store) WaitLog(ctx context.Context, after causal.Cursor) error {
	const op = "wait for the log"
	if err := s.check(ctx, op); err != nil {
		return err
	}
	s.watching.Do(s.watch)
	err := s.waiters.Wait(ctx, op, s.closing, func() (hasMore bool, err error) {
		err = s.read(ctx, op, func() error {
			head, position, err := s.locate(ctx, after)
			hasMore = position < head.Position()
			return err
		})
		return hasMore, err
	})
	if err == nil {
		err = s.check(ctx, op)
	}
	return err
}

// watch subscribes to notifications of records.
func (s *Store) watch() {
	sub, err := s.client.conn.Subscribe(s.client.names.hintSubject, func(*nats.Msg) { s.waiters.Wake() })
	if err != nil {
		return // readers look each second
	}
	s.background.Go(func() {
		<-s.life.Done()
		_ = sub.Unsubscribe()
	})
}
