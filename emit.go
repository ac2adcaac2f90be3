package causal

import (
	"context"
	"fmt"
	"slices"
)

// Emit stores a new event. Unless Parents is set, the event follows everything
// stored so far. When Emit returns nil, the event is durable, and every later
// event of the node follows it. Concurrent callers share a save.
//
// p must have a Type and an AggregateID. NodeID and ProjectUUID must be empty
// or those of the node, and LamportClock, PreviousClock and VectorClock zero.
// Parents default to the heads of the aggregate, and must be in the store. If
// the event is an edit of a version read earlier, set Parents to the heads of
// the version read, so that changes made since are in conflict with it.
//
// If p has the ID of a stored event with the same type, aggregate and payload,
// Emit returns that event, whoever emitted it, which makes a command
// idempotent. If the stored event differs, it returns an [*IDConflictError].
// [EventIDFor] derives an ID from a key.
//
// After an error that matches [ErrOutcomeUnknown], which includes most
// cancellations during a save, the event may be stored, now or later. The node
// saves it again before it emits anything else, unless something was saved that
// it would have to follow. To learn the outcome, give events an ID, and call
// Emit again with the same p until it returns nil. After any other error this
// call has not stored the event, and never will, but an earlier call with its
// ID may have. These errors include a [*ValidationError]; an
// [*IDConflictError]; the error of ctx; a [*GapError] while events of the node
// itself are missing, as in a restored store that has received only some of
// them from peers; [ErrClockOverflow]; [ErrClosed]; and failures of the store,
// which match [ErrStorage], or [ErrInvalidCursor] or [ErrCursorAhead] if its
// log has been replaced or has lost its end: close the node and open it again.
func (n *Node) Emit(ctx context.Context, p EventParams) (Event, error) {
	e := &emission{}
	e.drafts = e.single[:]
	err := n.begin(ctx)
	if err == nil {
		err = n.draft(p, &e.single[0])
	}
	if err == nil {
		err = n.wait(ctx, e)
	}
	if err != nil {
		return Event{}, err
	}
	return e.single[0].stored, nil
}

// EmitAll is like Emit for several events: it stores all or none, each
// following the one before. The caller owns the result.
func (n *Node) EmitAll(ctx context.Context, ps []EventParams) ([]Event, error) {
	return n.emit(ctx, ps, nil)
}

func (n *Node) emit(ctx context.Context, ps []EventParams, d *decision) ([]Event, error) {
	if err := n.begin(ctx); err != nil {
		return nil, err
	}
	drafts, err := n.drafts(ps)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(drafts))
	if len(drafts) == 0 {
		return events, nil
	}
	if err := n.wait(ctx, &emission{drafts: drafts, decision: d}); err != nil {
		return nil, err
	}
	for i := range drafts {
		events[i] = drafts[i].stored
	}
	return events, nil
}

func (n *Node) drafts(ps []EventParams) ([]draft, error) {
	drafts := make([]draft, len(ps))
	given := make(map[EventID]bool, len(ps))
	for i, p := range ps {
		d := &drafts[i]
		if err := n.draft(p, d); err != nil {
			return nil, err
		}
		if given[d.content.ID] {
			return nil, d.invalid(fieldEventID, reasonTwice)
		}
		given[d.content.ID] = true
	}
	return drafts, nil
}

// draft makes d the event described by p.
func (n *Node) draft(p EventParams, d *draft) error {
	if p.ID == "" && n.options.NewID != nil {
		p.ID = n.options.NewID()
	}
	if p.Timestamp.IsZero() && n.options.Now != nil {
		p.Timestamp = n.options.Now()
	}
	var err error
	*d, err = newDraft(p, EventParams{NodeID: n.id, ProjectUUID: n.options.ProjectUUID, ProjectSlug: n.options.ProjectSlug})
	return err
}

// wait waits until e is saved, by this goroutine or another.
func (n *Node) wait(ctx context.Context, e *emission) error {
	isFirst, err := n.enqueue(e)
	if err != nil {
		return err
	}
	if isFirst { // it needs no other goroutine
		return n.saveFirst(ctx, e)
	}
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
	}
	if n.withdraw(e) {
		return checkContext(ctx)
	}
	select {
	case <-e.done: // in the meantime
		return e.err
	default:
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, checkContext(ctx))
	}
}

// enqueue adds e to the queue. If isFirst, the caller must save it.
func (n *Node) enqueue(e *emission) (isFirst bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed {
		return false, ErrClosed
	}
	if n.queue = append(n.queue, e); n.isSaving {
		e.done = make(chan struct{})
	}
	isFirst = !n.isSaving
	n.isSaving = true
	return isFirst, nil
}

// withdraw removes an emission from the queue, and reports whether it was still
// there.
func (n *Node) withdraw(e *emission) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.isTaken {
		return false
	}
	n.queue = slices.DeleteFunc(n.queue, func(other *emission) bool { return other == e })
	return true
}

// saveFirst saves the first emission of the queue alone. A goroutine saves the
// others under the node's own context, because canceling one caller must not
// affect another.
func (n *Node) saveFirst(ctx context.Context, e *emission) error {
	defer n.handOver()
	if err := n.lock.acquire(ctx); err != nil {
		if n.withdraw(e) {
			return err
		}
		return ErrClosed // which has finished it
	}
	if group := n.next(1); group != nil {
		n.save(ctx, group)
	} else {
		n.lock.release()
	}
	return e.err
}

// handOver starts a goroutine to save the queue.
func (n *Node) handOver() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isSaving = len(n.queue) > 0; n.isSaving {
		go n.run()
	} else if n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
}

// run saves the queue when its turn comes.
func (n *Node) run() {
	defer n.handOver()
	if err := n.lock.acquire(n.life); err != nil {
		n.abandon()
		return
	}
	if group := n.next(maxGroup); group != nil {
		n.save(n.life, group)
	} else {
		n.lock.release()
	}
}

// save saves a group, and releases the lock.
func (n *Node) save(ctx context.Context, group []*emission) {
	n.emitter.save(ctx, group)
	n.emitter.keep(ctx)
	forks := n.emitter.tellForks()
	n.lock.release()
	n.tell(forks)
}

// maxGroup is the maximum number of events saved together, unless one emission
// has more.
const maxGroup = 1000

// next removes the emissions to save together from the queue: up to most
// events, unless the first emission has more. There are none if they were
// withdrawn.
func (n *Node) next(most int) []*emission {
	n.mu.Lock()
	defer n.mu.Unlock()
	end, count, ids := 0, 0, map[EventID]bool{}
	for ; end < len(n.queue); end++ {
		e := n.queue[end]
		count += len(e.drafts)
		isTogether := count <= most && e.decision == nil && n.queue[0].decision == nil && e.addIDs(ids)
		if end > 0 && !isTogether {
			break
		}
		e.isTaken = true
	}
	if end == 0 {
		return nil
	}
	group := n.queue[0].group[:0]
	group = append(group, n.queue[:end]...)
	n.queue = slices.Delete(n.queue, 0, end)
	return group
}
