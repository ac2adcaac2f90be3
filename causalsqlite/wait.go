package causalsqlite

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spec-kitty/causal"
)

// pollInterval is how often a store looks for what others have saved while somebody waits.
const pollInterval = 10 * time.Millisecond

const opWait = "wait for entries"

// WaitLog waits for an entry after the cursor; see [causal.LogWaiter]. A save of this process
// wakes it at once, and one of another process within 20 milliseconds. While nobody waits,
// nothing is looked for.
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

// neighbours are the stores of this process that are open, by their files without links.
var neighbours struct {
	sync.RWMutex
	byPath map[string][]*Store
}

// join makes the store a neighbour of those on its file.
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

// wakeAll wakes all of this process who wait for what was saved.
func (s *Store) wakeAll() {
	neighbours.RLock()
	defer neighbours.RUnlock()
	for _, other := range neighbours.byPath[s.path] {
		other.waiters.Wake()
	}
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
