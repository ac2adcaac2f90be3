package adapter

import (
	"context"
	"sync"
	"time"

	"github.com/spec-kitty/causal/causaladapter"
)

// waitLimit is the time for which a store lets a reader of its log wait. See
// [causal.LogWaiter].
const waitLimit = time.Second

// Waiters are the readers of a log waiting for its next entry. The zero value
// is ready.
type Waiters struct {
	Limit time.Duration // the maximum wait; 0 means a second

	mu     sync.Mutex
	count  int
	wake   chan struct{} // closed by the next Wake; nil if nobody has waited since the last one
	parked chan struct{} // closed when the first waiter arrives; nil if nobody asks
}

// Wait returns nil if hasMore does, which it calls once, when Wake is called,
// or after the limit. It returns the errors of hasMore and of ctx, and that of
// [Closed] once the channel is closed.
func (w *Waiters) Wait(ctx context.Context, op string, closed <-chan struct{}, hasMore func() (bool, error)) error {
	wake := w.join() // before asking, so as not to miss a Wake
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

// Wake wakes all waiters.
func (w *Waiters) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake != nil {
		close(w.wake)
		w.wake = nil
	}
}

// Any returns nil if there is a waiter, and otherwise a channel closed when one
// arrives. One goroutine at a time may ask.
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
