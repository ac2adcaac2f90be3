package causal

import (
	"context"
	"errors"
	"slices"
)

// take stores the acceptable events of a batch, and sets the errors of the
// others.
func (n *Node) take(ctx context.Context, batch []incoming) (Receipt, error) {
	var r Receipt
	if err := n.enter(ctx); err != nil {
		return r, err
	}
	err := n.takeAll(ctx, n.screen(batch), &r)
	n.emitter.keep(ctx)
	r.Forks = n.emitter.tellForks()
	n.lock.release()
	n.tell(r.Forks)
	return r, err
}

// maxContents is the number of different events tried for one ID, if the store
// refuses one after another.
const maxContents = 4

// takeAll stores events of the project. If several different events share an
// ID, it tries one first, and then compares the others with the stored one.
func (n *Node) takeAll(ctx context.Context, left []*incoming, r *Receipt) error {
	for try := 1; len(left) > 0; try++ {
		first := firstContents(left)
		good := make([]*incoming, 0, len(left))
		var others []*incoming
		for _, in := range left {
			if best := first[in.event.p.ID]; best == in || best.event.Equal(in.event) {
				good = append(good, in)
			} else {
				others = append(others, in)
			}
		}
		slices.SortStableFunc(good, func(a, b *incoming) int { return Compare(a.event, b.event) })
		if err := n.append(ctx, good, r); err != nil {
			return err
		}
		left = left[:0]
		for _, in := range others {
			best := first[in.event.p.ID]
			switch {
			case best.stored.p != nil:
				in.compare(best.stored, r)
			case best.err == nil || try == maxContents:
				in.compare(best.event, r)
			case isJump(n.emitter.clock, in.event.clock, n.emitter.maxJump):
				in.err = n.emitter.jumpError(n.emitter.clock, in.event.clock)
			default:
				left = append(left, in)
			}
		}
	}
	return nil
}

// firstContents returns, for each ID, the first event with it, or a fuller form
// of that event.
func firstContents(all []*incoming) map[EventID]*incoming {
	first := make(map[EventID]*incoming, len(all))
	for _, in := range all {
		best := first[in.event.p.ID]
		if best == nil || isPart(best.event, in.event) && !best.event.Equal(in.event) {
			first[in.event.p.ID] = in
		}
	}
	return first
}

// compare rejects an event with the ID of a stored one, or counts it as known.
func (in *incoming) compare(stored Event, r *Receipt) {
	if stored.Equal(in.event) {
		in.reject(errKnown, r)
		return
	}
	in.reject(conflictWith(in.event, stored), r)
}

// reject sets the error of in, or counts it if it is known.
func (in *incoming) reject(err error, r *Receipt) {
	if in.err = err; errors.Is(err, errKnown) {
		r.Known++
	}
}

// screen returns the events of the project, and rejects the others.
func (n *Node) screen(batch []incoming) []*incoming {
	good := make([]*incoming, 0, len(batch))
	for i := range batch {
		in := &batch[i]
		if in.err == nil && in.event.p.ProjectUUID != n.options.ProjectUUID {
			in.err = &ValidationError{EventID: in.event.p.ID, Fields: []FieldError{{fieldNames[fieldProjectUUID], "must be the project of the node"}}}
		}
		if in.err == nil {
			good = append(good, in)
		}
	}
	return good
}

// errKnown marks an event stored in a fuller form.
var errKnown = errors.New("known")

// conflictWith returns the error for an event with the ID of another one.
func conflictWith(e, stored Event) error {
	if isPart(e, stored) {
		return errKnown
	}
	return &IDConflictError{IDs: []EventID{e.p.ID}}
}

// isPart reports whether e differs from stored only in lacking members dropped
// by peers that do not know them.
func isPart(e, stored Event) bool {
	if stored.p == nil {
		return false
	}
	part := *stored.p
	if e.p.Parents == nil {
		part.Parents, part.PreviousClock = nil, 0
	}
	if e.p.VectorClock.IsZero() {
		part.VectorClock = VectorClock{}
	}
	if e.p.extra == "" {
		part.extra = ""
	}
	return Event{clock: stored.clock, p: &part}.Equal(e)
}

func withoutErrors(good []*incoming) []*incoming {
	return slices.DeleteFunc(good, func(in *incoming) bool { return in.err != nil })
}

// screenClocks returns the events whose clock is not too far ahead. One may
// lead to the next.
func (n *Node) screenClocks(ctx context.Context, good []*incoming, r *Receipt) ([]*incoming, error) {
	w := &n.emitter
	isFresh := false
	now := w.clock
	for _, in := range good {
		if isJump(now, in.event.clock, w.maxJump) && !isFresh { // the store may have advanced
			if err := w.readOn(ctx); err != nil {
				return nil, err
			}
			isFresh, now = true, max(now, w.clock)
		}
		if !isJump(now, in.event.clock, w.maxJump) {
			now = max(now, in.event.clock)
			continue
		}
		var err error
		in.stored, err = FindEvent(ctx, w.storage, in.event.p.ID)
		switch {
		case err != nil:
			return nil, err
		case in.stored.p != nil && (in.stored.Equal(in.event) || isPart(in.event, in.stored)):
			in.reject(errKnown, r)
		default:
			in.err = w.jumpError(now, in.event.clock)
		}
	}
	return withoutErrors(good), nil
}

// append stores events with distinct IDs in the order of Compare. It sets the
// errors of those refused by the store, and stores the others.
func (n *Node) append(ctx context.Context, good []*incoming, r *Receipt) error {
	w := &n.emitter
	good, err := n.screenClocks(ctx, good, r) // each time, because a refused event leads to nothing
	if err != nil || len(good) == 0 {
		return err
	}
	events := make([]Event, len(good))
	for i, in := range good {
		events[i] = in.event
	}
	a, err := w.storage.Append(ctx, events)
	conflict, isConflict := errors.AsType[*IDConflictError](err)
	switch {
	case err == nil:
		n.received(ctx, events, a, r)
		return nil
	case ctx.Err() != nil || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrStorage) || !isConflict && !errors.Is(err, ErrValidation):
		return err
	case isConflict && conflict != nil:
		before := len(good)
		if good, err = n.sortOut(ctx, good, conflict, r); err != nil {
			return err
		}
		if len(good) < before {
			return n.append(ctx, good, r)
		}
		err = conflict
	}
	if len(good) == 1 {
		good[0].err = err
		return nil
	}
	half := len(good) / 2
	if err := n.append(ctx, good[:half], r); err != nil {
		return err
	}
	return n.append(ctx, good[half:], r)
}

// sortOut sets the errors of events whose IDs are taken, and returns the
// others.
func (n *Node) sortOut(ctx context.Context, good []*incoming, conflict *IDConflictError, r *Receipt) ([]*incoming, error) {
	isTaken := map[EventID]bool{}
	for _, id := range conflict.IDs {
		isTaken[id] = true
	}
	for _, in := range good {
		if !isTaken[in.event.p.ID] {
			continue
		}
		var err error
		if in.stored, err = FindEvent(ctx, n.storage, in.event.p.ID); err != nil {
			return nil, err
		}
		in.reject(conflictWith(in.event, in.stored), r)
	}
	return withoutErrors(good), nil
}

// received updates the node after a save.
func (n *Node) received(ctx context.Context, events []Event, a Appended, r *Receipt) {
	w := &n.emitter
	for i := range events {
		if i < len(a.New) && a.New[i] {
			r.Saved++
		} else {
			r.Known++
		}
	}
	if len(a.New) != len(events) || a.Before == a.After || a.Before != w.at && (w.readTo(ctx, a.Before) != nil || w.at != a.Before) {
		return // the rest is read later
	}
	for i, e := range events {
		if a.New[i] {
			w.take(e)
		}
	}
	w.at = a.After
}
