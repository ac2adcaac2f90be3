package causalpg

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// writer lets saves share transactions. Saving transactions commit one after
// another, each with a flush of the server's disk, so requests arriving during
// one wait in a queue and share the next one.
//
// A request is in one of three states:
//
//   - waiting, in the queue: if its context is done, it is withdrawn, and
//     nothing is saved;
//   - saving, in a batch, owned by one goroutine: if its context is done, its
//     caller returns, and it may or may not be saved;
//   - finished: its result is sent.
//
// A batch is canceled when all of its callers have stopped waiting.
type writer struct {
	save func(ctx context.Context, requests []*request) // finishes all requests

	mu       sync.Mutex
	queue    adapter.Queue[*request]
	isSaving bool // a goroutine is saving, and then takes the queue
}

// request is one call's save.
type request struct {
	ctx    context.Context // of the call
	rows   []row
	size   int        // in bytes, approximately
	result chan error // has room for the result
	leave  func()     // tells the batch that the caller has left; nil without a batch
}

// Size returns the approximate number of bytes to save.
func (r *request) Size() int { return r.size }

// finish sends the result.
func (r *request) finish(err error) {
	r.result <- err
	if r.leave != nil {
		r.leave()
	}
}

// write saves a request, and returns its result.
func (w *writer) write(r *request) error {
	w.mu.Lock()
	if !w.isSaving { // save immediately, without another goroutine
		w.isSaving = true
		w.mu.Unlock()
		w.save(r.ctx, []*request{r})
		w.saveWaiting()
		return <-r.result
	}
	w.queue.Push(r)
	w.mu.Unlock()
	select {
	case err := <-r.result:
		return err
	case <-r.ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		err := causaladapter.CheckContext(r.ctx)
		if !w.queue.Withdraw(r) {
			err = adapter.OutcomeUnknown(err)
		}
		return err
	}
}

// saveWaiting saves, in the background, the requests that arrived during a
// save.
func (w *writer) saveWaiting() {
	if requests := w.next(); len(requests) > 0 {
		go func() {
			for len(requests) > 0 {
				w.saveBatch(requests)
				requests = w.next()
			}
		}()
	}
}

// saveBatch saves requests for as long as one of their callers is waiting.
func (w *writer) saveBatch(requests []*request) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var waiting atomic.Int64
	waiting.Store(int64(len(requests)))
	for _, r := range requests {
		leave := sync.OnceFunc(func() {
			if waiting.Add(-1) == 0 {
				cancel()
			}
		})
		stop := context.AfterFunc(r.ctx, leave)
		r.leave = func() { stop(); leave() }
	}
	w.save(ctx, requests)
}

// next takes requests that can share a transaction from the queue. If there are
// none, no goroutine is saving any more.
func (w *writer) next() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rows rowSet
	// A request that contradicts another one must wait for its result.
	requests := w.queue.Take(func(r *request) bool { return rows.add(r.rows) })
	w.isSaving = len(requests) > 0
	return requests
}
