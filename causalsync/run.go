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

// RunOptions are the options of [Replica.Run]. OnSync is required; otherwise
// the zero value means the default.
type RunOptions struct {
	// SyncOptions are the options of each Sync.
	SyncOptions
	// Interval is the time between two Syncs if nothing is saved here, to fetch
	// new events of the peer, which does not call by itself. Zero means a
	// minute.
	Interval time.Duration
	// OnSync is called after each Sync with its result, before the next one
	// begins. It may cancel the context of Run. Required.
	OnSync func(Report, error)
}

const (
	defaultInterval = time.Minute
	firstPause      = time.Second // after an error
)

// Run calls Sync repeatedly: immediately, soon after anyone saves something in
// the store, and after each Interval. After an error it waits for a second,
// doubling the wait each time up to the Interval, even if something is saved.
// Waits vary randomly, so that peers do not all call at once. One Run for each
// peer is enough.
//
// Run returns the error of ctx when it is done, [causal.ErrClosed] when the
// store or the node was closed, a [*RefusedError], or, immediately, a
// [*causal.ValidationError] if an argument is invalid. It continues after all
// other errors, even an [*HTTPError]; OnSync decides whether to cancel.
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
	if _, err := r.checkSync(exchange, &o.SyncOptions); err != nil {
		return err
	}
	interval := cmp.Or(o.Interval, defaultInterval)
	pause := firstPause
	for {
		head, _ := r.head(ctx) // before the Sync, so as not to miss a save; a failure here shows in Sync
		report, err := r.Sync(ctx, exchange, &o.SyncOptions)
		o.OnSync(report, err)
		if ended := r.ended(ctx); ended != nil {
			return ended
		}
		switch {
		case errors.Is(err, ErrRefused):
			return err
		case err != nil:
			err = r.wait(ctx, nil, min(pause, interval))
			pause = min(2*pause, interval)
		default:
			now, _ := r.head(ctx)
			if now.LogID() == head.LogID() && now.Position() == head.Position()+uint64(report.Received) {
				head = now // no one else has saved
			}
			err = r.wait(ctx, &head, interval)
			pause = firstPause
		}
		if err != nil {
			return err
		}
	}
}

// ended returns the reason why no Sync is possible any more: the error of ctx,
// or ErrClosed.
func (r *Replica) ended(ctx context.Context) error {
	err := r.begin(ctx)
	if err == nil {
		if _, headErr := r.head(ctx); errors.Is(headErr, causal.ErrClosed) {
			err = headErr
		}
	}
	if err == nil && r.options.Node != nil {
		if _, nodeErr := r.options.Node.Receive(ctx, nil, nil); errors.Is(nodeErr, causal.ErrClosed) {
			err = nodeErr
		}
	}
	return err
}

// head returns the cursor of the latest entry, if the store has a log.
func (r *Replica) head(ctx context.Context) (causal.Cursor, error) {
	if log, ok := r.store.(causal.LogReader); ok {
		return log.Head(ctx)
	}
	return causal.Cursor{}, errors.ErrUnsupported
}

// wait returns after approximately the given time, or when the log has an entry
// after a cursor, if one is given.
func (r *Replica) wait(ctx context.Context, after *causal.Cursor, atMost time.Duration) error {
	var chance [1]byte
	_, _ = rand.Read(chance[:]) // never fails
	atMost = min(atMost, 1<<62) // to avoid an overflow
	limited, cancel := context.WithTimeout(ctx, atMost/10*9+atMost/5/256*time.Duration(chance[0]))
	defer cancel()
	if log, ok := r.store.(causal.LogReader); ok && after != nil {
		for {
			err := causal.WaitLog(limited, log, *after)
			head := *after
			if err == nil {
				head, err = log.Head(limited)
			}
			if ended := r.ended(ctx); ended != nil || err == nil && head != *after {
				return ended
			}
			if err != nil {
				break // the next Sync reports it
			}
		}
	}
	for limited.Err() == nil { // a closed store ends the wait
		if err := r.ended(ctx); err != nil {
			return err
		}
		second := time.NewTimer(time.Second)
		select {
		case <-second.C:
		case <-limited.Done():
		}
		second.Stop()
	}
	return r.ended(ctx)
}
