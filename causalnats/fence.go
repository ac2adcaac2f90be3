package causalnats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spec-kitty/causal/causaladapter"
)

// fences lets readers that arrive together share a question to the leader, but
// not one asked before they arrived.
type fences struct {
	mu      sync.Mutex
	running bool
	next    *fence // nil if nobody waits for the next one
}

type fence struct {
	done chan struct{}
	err  error
}

// fence returns when the replica has everything saved before the call, by any
// process.
func (s *Store) fence(ctx context.Context) error {
	f := &s.fences
	f.mu.Lock()
	if f.next == nil {
		f.next = &fence{done: make(chan struct{})}
	}
	mine := f.next
	if !f.running {
		f.running = true
		s.background.Go(s.runFences)
	}
	f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return causaladapter.CheckContext(ctx)
	}
}

func (s *Store) runFences() {
	f := &s.fences
	for {
		f.mu.Lock()
		current := f.next
		f.next, f.running = nil, current != nil
		f.mu.Unlock()
		if current == nil {
			return
		}
		current.err = s.note(s.catchUp())
		close(current.done)
	}
}

// catchUp asks the leader for the end of the log, and applies the log up to
// there.
func (s *Store) catchUp() error {
	last, err := s.verify(s.life)
	if err != nil {
		return err
	}
	r := s.replica
	if r.applied() >= last && !s.isNew.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.applyTo(s.life, last); err != nil {
		return err
	}
	if s.isNew.CompareAndSwap(true, false) {
		return r.checkEnd()
	}
	return nil
}

// verified is the known state of the stream.
type verified struct {
	mu   sync.Mutex
	term term
	at   time.Time
}

// trustTime is how long a verified stream is trusted. It takes longer for a
// majority of servers to restart without their data and elect a leader.
const trustTime = 250 * time.Millisecond

// isTrusted reports whether the stream cannot have gone back since it was
// verified.
func (s *Store) isTrusted() bool {
	v := &s.verified
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.term != term{} && time.Since(v.at) < trustTime && (v.term.server == "" || v.term.server == s.client.conn.ConnectedServerId())
}

// verify asks the leader for the state of the stream, and requires that it is
// the one whose records are applied. It returns the sequence of its last
// message.
func (s *Store) verify(ctx context.Context) (last uint64, err error) {
	asked, latest := time.Now(), *s.replica.latest.Load()
	var info *streamInfo
	var now term
	err = s.client.retry(ctx, 0, func(ctx context.Context) error {
		server := s.client.conn.ConnectedServerId()
		if info, err = s.client.info(ctx, s.client.names.log); err != nil {
			return err
		}
		if now = info.termOf(server); !info.hasMajority() {
			return errNoMajority
		}
		return s.checkLast(ctx, latest, info, now)
	})
	if err != nil {
		return 0, err
	}
	v := &s.verified
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at.Before(asked) {
		v.term, v.at = now, asked
	}
	return info.State.LastSeq, nil
}

// checkLast requires that the stream is the same as before and, if its leader
// has changed, that it still has the last record applied before the leader was
// asked.
func (s *Store) checkLast(ctx context.Context, last mark, info *streamInfo, now term) error {
	stream := s.client.names.log
	log, err := s.client.checkStream(stream, info, 1)
	if err != nil && !errors.Is(err, ErrLogLost) {
		err = fmt.Errorf("%w: %w", ErrLogLost, err)
	}
	if err != nil {
		return err
	}
	v := &s.verified
	v.mu.Lock()
	before := v.term
	v.mu.Unlock()
	switch {
	case log != s.replica.log:
		return fmt.Errorf("%w: the stream has been replaced", ErrLogLost)
	case last.sequence == 0 || before == now && now != term{}:
		return nil
	}
	m, err := s.client.getMessage(ctx, stream, bySequence(last.sequence))
	if err != nil {
		return err
	}
	if got, err := markOf(last.sequence, m.Header, m.Data); m.Sequence == 0 || err != nil || got != last {
		return errOther(last.sequence)
	}
	return nil
}

// applyTo applies the log up to a sequence, which it must have. The caller
// holds the lock of the replica.
func (s *Store) applyTo(ctx context.Context, to uint64) error {
	latest := *s.replica.latest.Load()
	if latest.sequence >= to {
		return s.replica.resync(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type window struct {
		records []record
		err     error
	}
	windows := make(chan window, 3) // read while earlier ones are applied
	go func() {
		defer close(windows)
		r := reader{client: s.client, last: latest, to: to}
		for !r.isDone() {
			records, err := r.next(ctx)
			select {
			case windows <- window{records, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for w := range windows {
		for range len(windows) { // a file applies them faster together than one by one
			if w.err != nil {
				break
			}
			next := <-windows
			w = window{append(w.records, next.records...), next.err}
		}
		if err := s.replica.apply(ctx, w.records); err != nil {
			return err
		}
		if w.err != nil {
			return w.err
		}
	}
	if s.replica.applied() < to { // only if ctx is done
		return context.Cause(ctx)
	}
	return nil
}
