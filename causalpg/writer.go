package causalpg

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spec-kitty/causal"
)

// What one transaction takes of the queue: both bound what a caller waits for.
const (
	maxGroup      = 256
	maxGroupBytes = 4 << 20
)

// writer lets saves share transactions. Calls that come while a transaction is
// written wait in a queue and share the next one: transactions that save commit
// one after another, so that each costs a flush of the server's disk.
type writer struct {
	save func(ctx context.Context, group []*request) // sends all results

	mu      sync.Mutex
	queue   []*request
	running bool
}

// request is one call's save.
type request struct {
	rows   []row
	size   int        // in bytes, about
	result chan error // has room for the result
	group  *group     // nil in the queue
	done   atomic.Bool
}

// group is what is saved together.
type group struct {
	waiting atomic.Int64 // requests that are not done
	cancel  func()       // ends the saving
}

func newGroup(waiting int, cancel func()) *group {
	g := &group{cancel: cancel}
	g.waiting.Store(int64(waiting))
	return g
}

// finish sends the result.
func (r *request) finish(err error) {
	r.result <- err
	r.leave()
}

// leave says that nobody waits for the request any more. A group for which nobody
// waits is given up.
func (r *request) leave() {
	if !r.done.Swap(true) && r.group.waiting.Add(-1) == 0 {
		r.group.cancel()
	}
}

// write saves a request, and returns its result. If ctx ends while the request
// waits in the queue, it is taken back; after that, it may be saved or not.
func (w *writer) write(ctx context.Context, r *request) error {
	w.mu.Lock()
	if !w.running { // saves at once, without another goroutine
		w.running = true
		w.mu.Unlock()
		r.group = newGroup(1, func() {})
		w.save(ctx, []*request{r})
		w.goOn()
		return <-r.result
	}
	w.queue = append(w.queue, r)
	w.mu.Unlock()
	select {
	case err := <-r.result:
		return err
	case <-ctx.Done():
		if !w.withdraw(r) {
			r.leave()
		}
		return checkContext(ctx)
	}
}

// withdraw removes r from the queue. It is false if r is not there any more.
func (w *writer) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.queue, r)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

// goOn saves what has come meanwhile.
func (w *writer) goOn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running = len(w.queue) > 0; w.running {
		go w.run()
	}
}

// run saves until the queue is empty.
func (w *writer) run() {
	for {
		ctx, cancel := context.WithCancel(context.Background())
		requests := w.take(cancel)
		if len(requests) > 0 {
			w.save(ctx, requests)
		}
		cancel()
		if len(requests) == 0 {
			return
		}
	}
}

// take removes the next requests from the queue; if there are none, the writer
// runs no more.
func (w *writer) take(cancel func()) []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := slices.Clone(w.queue[:w.fitting()])
	w.queue = slices.Delete(w.queue, 0, len(taken))
	w.running = len(taken) > 0
	g := newGroup(len(taken), cancel)
	for _, r := range taken {
		r.group = g
	}
	return taken
}

// fitting returns how many requests of the queue can share a transaction.
func (w *writer) fitting() int {
	if len(w.queue) < 2 {
		return len(w.queue)
	}
	size := 0
	var together rowSet
	for n, r := range w.queue {
		size += r.size
		// A request that contradicts another one has to see what becomes of it.
		if !together.add(r.rows) || n == maxGroup || n > 0 && size > maxGroupBytes {
			return n
		}
	}
	return len(w.queue)
}

// rowSet is a set of rows with different IDs. The zero value is empty.
type rowSet struct {
	rows []row
	byID map[causal.EventID]row
}

// add adds the rows whose IDs are new. It is false if an ID is taken by different
// content; the rows before that one are added.
func (s *rowSet) add(rows []row) bool {
	if s.byID == nil {
		s.byID = make(map[causal.EventID]row, len(rows))
	}
	for _, r := range rows {
		id := r.event.ID()
		if old, ok := s.byID[id]; !ok {
			s.byID[id] = r
			s.rows = append(s.rows, r)
		} else if !old.isSame(r) {
			return false
		}
	}
	return true
}
