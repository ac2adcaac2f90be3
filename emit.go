package causal

import (
	"context"
	"fmt"
	"slices"
)

// Emit emits an event: it gives it its place after all that is stored, and stores it. When it
// returns nil, the event is durable, and every later one of the node comes after it. Callers at
// the same time share a save.
//
// The parameters need a Type and an AggregateID. NodeID and ProjectUUID must be empty or those
// of the node; LamportClock, PreviousClock and VectorClock zero. Parents are the heads of the
// aggregate unless they are given: who edits a version that somebody had read gives the
// events which were its heads then, so that what others have changed meanwhile is in conflict.
//
// If there is an event with the ID already and its type, aggregate and payload are the same,
// Emit returns that, whoever has emitted it, so that a command can be tried again; with another
// one it returns an [*IDConflictError]. An ID can be made from a key: see [EventIDFor].
//
// After an error that matches [ErrOutcomeUnknown], the event may be stored, now or later; the
// node saves it again before it emits anything else, unless others have saved what it would
// have to come after. The error of a ctx that ends while the save is under way is mostly one.
// After any other error the event is not there, and never will be:
// a [*ValidationError]; a [*GapError] while events of the node itself are missing, as in a
// store that has gone back and got only some of them from peers; [ErrClockOverflow];
// [ErrClosed]; and failures of the store, which match [ErrStorage], or [ErrInvalidCursor]
// or [ErrCursorAhead] if its log is not what it was.
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

// EmitAll emits several events, all or none, each after the one before it. It is Emit
// otherwise. The caller owns the result.
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

// draft makes the event that the parameters ask for.
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

// wait has an emission saved, and waits for that.
func (n *Node) wait(ctx context.Context, e *emission) error {
	isFirst, err := n.enqueue(e)
	if err != nil {
		return err
	}
	if isFirst { // it needs no other goroutine, nor a life beyond its own
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
	case <-e.done: // meanwhile
		return e.err
	default:
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, checkContext(ctx))
	}
}

// enqueue has an emission saved soon. If it is the first, the caller does that.
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

// withdraw takes an emission back that is not being saved, and reports whether it could.
func (n *Node) withdraw(e *emission) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.isTaken {
		return false
	}
	n.queue = slices.DeleteFunc(n.queue, func(other *emission) bool { return other == e })
	return true
}

// saveFirst saves the first emission of the queue alone, and has the others saved by a goroutine, on
// the life of the node: the context of one caller is none of the business of others.
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

// handOver has what is in the queue saved by a goroutine.
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

// run saves what is in the queue when its turn comes.
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

// How many events are saved together, unless one emission has more.
const maxGroup = 1000

// next takes the emissions that are to be saved together from the queue: of so many events, unless
// the first has more. There are none if they were withdrawn.
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
