package causalsync

import (
	"context"
	"errors"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// source returns where to read the keys of the store, and the position up to
// which they exist.
func (r *Replica) source(ctx context.Context) (source, causal.Cursor, error) {
	r.mu.Lock()
	m := r.mirror
	r.mu.Unlock()
	src, ok := r.store.(source)
	if ok && m == nil {
		head, err := src.Head(ctx)
		if err == nil {
			err = makeKeys(ctx, src, head)
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return src, head, err
		}
	}
	r.mu.Lock()
	if r.mirror == nil {
		r.mirror = &mirror{store: r.store, turn: make(chan struct{}, 1)}
	}
	m = r.mirror
	r.mu.Unlock()
	return m.update(ctx)
}

// makeKeys makes a store compute all keys, and returns its error if it cannot.
func makeKeys(ctx context.Context, src source, head causal.Cursor) error {
	for _, err := range src.ReadDigestLog(ctx, causal.Filter{}, head, head) {
		if err != nil {
			return err
		}
	}
	return nil
}

// mirror is a copy of a store in memory.
type mirror struct {
	store causal.EventStore
	turn  chan struct{} // full during an update
	copy  *causal.MemEventStore
	at    causal.Cursor // in the store, the end of the copy
}

// update copies new events.
func (m *mirror) update(ctx context.Context) (source, causal.Cursor, error) {
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return nil, causal.Cursor{}, causaladapter.CheckContext(ctx)
	}
	err := m.read(ctx)
	if errors.Is(err, causal.ErrInvalidCursor) || errors.Is(err, causal.ErrCursorAhead) { // the log has been replaced
		m.copy, m.at = nil, causal.Cursor{}
		err = m.read(ctx)
	}
	if err != nil {
		return nil, causal.Cursor{}, err
	}
	head, err := m.copy.Head(ctx)
	return m.copy, head, err
}

func (m *mirror) read(ctx context.Context) error {
	log, ok := m.store.(causal.LogReader)
	if !ok {
		return m.readAll(ctx)
	}
	if m.copy == nil {
		m.copy = &causal.MemEventStore{}
	}
	for entry, err := range log.ReadLog(ctx, m.at) {
		if err == nil {
			err = m.copy.SaveEvent(ctx, entry.Event)
		}
		if err != nil {
			return err
		}
		m.at = entry.Cursor
	}
	return nil
}

// readAll copies a store without a log. If events in the copy are missing from
// it, it has been replaced.
func (m *mirror) readAll(ctx context.Context) error {
	all, err := causal.LoadAll(ctx, m.store)
	if err != nil {
		return err
	}
	if m.copy != nil {
		err := m.copy.SaveEvents(ctx, all)
		head, headErr := m.copy.Head(ctx)
		if err == nil && headErr == nil && head.Position() == uint64(len(all)) {
			return nil
		}
	}
	m.copy = &causal.MemEventStore{}
	return m.copy.SaveEvents(ctx, all)
}
