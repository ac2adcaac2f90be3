package adapter

import (
	"context"
	"sync"
	"time"

	"github.com/spec-kitty/causal/causaladapter"
)

// waitLimit is how long a store lets a reader of its log wait; see [causal.LogWaiter].
const waitLimit = time.Second

// Waiters are the readers of a log that wait for its next entry. The zero value is ready.
type Waiters struct {
	Limit time.Duration // how long one waits at most; 0 means a second

	mu     sync.Mutex
	count  int
	wake   chan struct{} // closed by the next Wake; nil if nobody waits since the last one
	parked chan struct{} // closed when the first one comes; nil if nobody asks
}

// Wait returns nil when hasMore does, which it asks once, when Wake was called, or
// after the limit. It returns the errors of hasMore and of ctx, and that of [Closed] once the
// channel is closed.
func (w *Waiters) Wait(ctx context.Context, op string, closed <-chan struct{}, hasMore func() (bool, error)) error {
	wake := w.join() // before asking, so that nothing comes in between
	defer w.leave()
	if found, err := hasMore(); found || err != nil {
		return err
	}
	limit := w.Limit
	if limit == 0 {
		limit = waitLimit
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-closed:
		return Closed(op)
	case <-ctx.Done():
		return causaladapter.CheckContext(ctx)
	}
	return nil
}

func (w *Waiters) join() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count++; w.parked != nil {
		close(w.parked)
		w.parked = nil
	}
	if w.wake == nil {
		w.wake = make(chan struct{})
	}
	return w.wake
}

func (w *Waiters) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count--
}

// Wake wakes all that wait.
func (w *Waiters) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake != nil {
		close(w.wake)
		w.wake = nil
	}
}

// Any returns nil if somebody waits, and otherwise a channel that is closed when somebody
// comes. One goroutine at a time may ask.
func (w *Waiters) Any() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count > 0 {
		return nil
	}
	if w.parked == nil {
		w.parked = make(chan struct{})
	}
	return w.parked
}
