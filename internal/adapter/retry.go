package adapter

import (
	"context"
	"time"

	"github.com/spec-kitty/causal/internal/ctxerr"
)

// Backoff computes the pauses between attempts: First, then doubling each time,
// up to Max.
type Backoff struct {
	First, Max time.Duration
	last       time.Duration
}

// Next returns the next pause.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.First), b.Max)
	return b.last
}

// Sleep waits for d, or returns early with an error if ctx is done.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctxerr.Of(ctx)
	}
}
