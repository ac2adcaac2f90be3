package causalnats

import (
	"context"
	"runtime"
	"sync"

	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// batches lets calls share messages: those arriving during a send wait in a
// queue, and share the next message. It is sent under the store's context, so
// that a caller who leaves does not affect the others.
type batches[R interface {
	comparable
	Size() int // in bytes, approximately
}] struct {
	run        func([]R)           // sends each request its result
	fits       func() func(R) bool // as for [adapter.Queue.Take]; nil if all fit
	background *sync.WaitGroup

	mu      sync.Mutex
	queue   adapter.Queue[R]
	running bool
}

// do runs a request, and returns its result from the channel. If ctx is done
// first, the request is withdrawn, or it is being sent and isUnknown is set.
func (b *batches[R]) do(ctx context.Context, r R, result <-chan error) (isUnknown bool, err error) {
	b.mu.Lock()
	b.queue.Push(r)
	if !b.running {
		b.running = true
		b.background.Go(b.runAll)
	}
	b.mu.Unlock()
	select {
	case err := <-result:
		return false, err
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		isUnknown := !b.queue.Withdraw(r)
		select {
		case err := <-result: // at the same time
			return false, err
		default:
			return isUnknown, causaladapter.CheckContext(ctx)
		}
	}
}

func (b *batches[R]) runAll() {
	for {
		batch := b.take()
		if len(batch) == 0 {
			return
		}
		b.run(batch)
		b.yield()
	}
}

func (b *batches[R]) take() []R {
	b.mu.Lock()
	defer b.mu.Unlock()
	var fits func(R) bool
	if b.fits != nil {
		fits = b.fits()
	}
	batch := b.queue.Take(fits)
	b.running = len(batch) > 0
	return batch
}

// yield lets callers that have just got their results call again, for as long
// as more do. Otherwise each batch would have half of the callers in a loop,
// while the other half waits.
func (b *batches[R]) yield() {
	for before, now := -1, b.waiting(); now > before; before, now = now, b.waiting() {
		runtime.Gosched()
	}
}

func (b *batches[R]) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.Len()
}
