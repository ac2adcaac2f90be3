package causalsync

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// RunOptions are the options of [Replica.Run]. OnSync is required; the zero value of the others means the default.
type RunOptions struct {
	// SyncOptions are those of each Sync.
	SyncOptions
	// Interval is how long Run waits before it looks for what is new with the peer. Zero means a minute.
	Interval time.Duration
	// OnSync is called after each Sync with its result. Required.
	OnSync func(Report, error)
}

const (
	defaultInterval = time.Minute
	firstPause      = time.Second // after an error
)

// Run calls Sync again and again: at once, soon after something was saved in the store, by whomever, and after
// each Interval; after an error it waits for a second, and then twice as long each time, up to the Interval. Waits
// vary at random, so that not all peers come at once.
//
// It returns when ctx ends, with its error, and for what does not get better: a [*RefusedError],
// [causal.ErrClosed] if the store was closed, and a [*causal.ValidationError] for arguments.
func (r *Replica) Run(ctx context.Context, exchange Exchange, o *RunOptions) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	switch {
	case o == nil || o.OnSync == nil:
		return causaladapter.Invalid("on_sync", "must not be nil")
	case o.Interval < 0:
		return causaladapter.Invalid("interval", "must not be negative")
	}
	interval := cmp.Or(o.Interval, defaultInterval)
	pause := firstPause
	for {
		head, _ := r.head(ctx) // before, so that nothing is missed; what fails here fails in Sync
		report, err := r.Sync(ctx, exchange, &o.SyncOptions)
		o.OnSync(report, err)
		if ended := r.begin(ctx); ended != nil {
			return ended
		}
		switch {
		case errors.Is(err, ErrRefused), errors.Is(err, causal.ErrClosed), errors.Is(err, causal.ErrValidation):
			return err
		case err != nil:
			err = r.wait(ctx, nil, min(pause, interval))
			pause = min(2*pause, interval)
		default:
			now, _ := r.head(ctx)
			if now.LogID() == head.LogID() && now.Position() == head.Position()+uint64(report.Received) {
				head = now // nobody else has saved
			}
			err = r.wait(ctx, &head, interval)
			pause = firstPause
		}
		if err != nil {
			return err
		}
	}
}

// head returns the cursor of the latest entry, if the store has a log.
func (r *Replica) head(ctx context.Context) (causal.Cursor, error) {
	if log, ok := r.store.(causal.LogReader); ok {
		return log.Head(ctx)
	}
	return causal.Cursor{}, errors.ErrUnsupported
}

// wait returns after about some time, or when the log goes on after a cursor, if one is given.
func (r *Replica) wait(ctx context.Context, after *causal.Cursor, atMost time.Duration) error {
	var chance [1]byte
	_, _ = rand.Read(chance[:]) // never fails
	limited, cancel := context.WithTimeout(ctx, atMost/10*9+atMost/5/256*time.Duration(chance[0]))
	defer cancel()
	log, ok := r.store.(causal.LogReader)
	for ok && after != nil {
		if err := causal.WaitLog(limited, log, *after); err != nil {
			break // the next Sync tells it, after the time
		}
		head, err := log.Head(limited)
		if err != nil {
			break
		}
		if head != *after {
			return r.begin(ctx)
		}
	}
	<-limited.Done()
	return r.begin(ctx)
}
