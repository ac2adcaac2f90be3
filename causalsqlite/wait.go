package causalsqlite

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spec-kitty/causal"
)

// pollInterval is the time between checks for saves of other processes while
// there are waiters.
const pollInterval = 10 * time.Millisecond

const opWait = "wait for entries"

// WaitLog waits for an entry after the cursor. See [causal.LogWaiter]. A save
// of this process wakes it immediately, and one of another process within 20
// milliseconds. Without waiters, the store does not poll.
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

// neighbours are the open stores of this process, by their files without links.
var neighbours struct {
	sync.RWMutex
	byPath map[string][]*Store
}

// join makes the store a neighbour of the stores on the same file.
func (s *Store) join(path string) {
	neighbours.Lock()
	defer neighbours.Unlock()
	if neighbours.byPath == nil {
		neighbours.byPath = map[string][]*Store{}
	}
	s.path = path
	neighbours.byPath[path] = append(neighbours.byPath[path], s)
}

func (s *Store) leave() {
	neighbours.Lock()
	defer neighbours.Unlock()
	left := slices.DeleteFunc(neighbours.byPath[s.path], func(other *Store) bool { return other == s })
	if neighbours.byPath[s.path] = left; len(left) == 0 {
		delete(neighbours.byPath, s.path)
	}
}

// wakeAll wakes all waiters of this process on the same file.
func (s *Store) wakeAll() {
	neighbours.RLock()
	defer neighbours.RUnlock()
	for _, other := range neighbours.byPath[s.path] {
		other.waiters.Wake()
	}
}

// watch wakes the waiters after saves of other processes, until the store is
// closed. Entries that it cannot read, they cannot read either.
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
