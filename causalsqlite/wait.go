package causalsqlite

import (
	"context"
	"time"

	"github.com/spec-kitty/causal"
)

// pollInterval is how often a store looks for what others have saved while somebody waits.
const pollInterval = 10 * time.Millisecond

const opWait = "wait for entries"

// WaitLog waits for an entry after the cursor; see [causal.LogWaiter]. A save of this Store
// wakes it at once, and one of another Store or process within 20 milliseconds. While
// nobody waits, nothing is looked for.
func (s *Store) WaitLog(ctx context.Context, after causal.Cursor) error {
	if err := s.check(ctx, opWait); err != nil {
		return err
	}
	s.watching.Do(func() { s.watchers.Go(s.watch) })
	return s.waiters.Wait(ctx, opWait, s.readers.closed, func() (bool, error) {
		head, err := s.locate(ctx, opWait, after)
		return after.Position() < head.Position(), err
	})
}

// watch wakes who waits when others have saved, until the store is closed. What it cannot
// read, they cannot read either.
func (s *Store) watch() {
	last, pause := uint64(0), time.NewTicker(pollInterval)
	defer pause.Stop()
	for {
		select {
		case <-s.readers.closed:
			return
		case <-pause.C:
		}
		if parked := s.waiters.Any(); parked != nil {
			select {
			case <-s.readers.closed:
				return
			case <-parked:
			}
		}
		head, err := s.locate(context.Background(), opWait, causal.Cursor{})
		if err != nil || head.Position() != last {
			s.waiters.Wake()
		}
		last = head.Position()
	}
}
