package causal

import "context"

// VectorTracker keeps the vector clock of a node together with its
// [LamportClock], so that a service needs no vector arithmetic: it observes each
// event that it receives and stamps each event that it emits.
//
// Use [NewVectorTracker]; the zero value refuses every call with a
// [*ValidationError]. A tracker is safe for concurrent use, and must not be
// copied. All events of a node must go through one tracker, even if the storage
// lets several clocks share the node ID, because a stamp claims that the node had
// seen its own earlier events. Save the event of a stamp before the next stamp, and a
// received event before you observe it: what is seen must be in the store.
type VectorTracker struct {
	clock *LamportClock
	lock  contextMutex
	seen  VectorClock // guarded by lock
}

// NewVectorTracker returns a tracker that has seen nothing; see
// [VectorTracker.Restore]. It returns a [*ValidationError] if clock is nil.
func NewVectorTracker(clock *LamportClock) (*VectorTracker, error) {
	if clock == nil {
		return nil, invalid("clock", reasonNil)
	}
	return &VectorTracker{clock: clock, lock: newContextMutex()}, nil
}

// acquire takes the lock, which release gives back.
func (t *VectorTracker) acquire(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if t.clock == nil {
		return invalid("tracker", "must come from NewVectorTracker")
	}
	return t.lock.acquire(ctx)
}

// Observe records a received event. If the event is new, it advances the Lamport
// clock past e (see [LamportClock.Update]) and merges e's vector clock into the
// tracker's. An event without a vector clock counts as itself and every earlier event
// of its node. An event of the tracker's own node moves the clock only if it is ahead
// of it, as after a restored backup. Observe returns a [*ValidationError] if e is zero
// or if more than 65,536 nodes would have been seen, and the errors of Update. On error,
// the tracker is unchanged.
func (t *VectorTracker) Observe(ctx context.Context, e Event) error {
	if e.p == nil {
		return errZeroEvent()
	}
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	seen := observe(t.seen, e)
	if err := t.checkSize(seen); err != nil {
		return err
	}
	isNew := e.clock > t.seen.At(e.p.NodeID)
	if e.p.NodeID == t.clock.NodeID() {
		isNew = e.clock > t.clock.Current()
	}
	if isNew {
		if _, err := t.clock.Update(ctx, e.clock); err != nil {
			return err
		}
	}
	t.seen = seen
	return nil
}

// checkSize returns an error if no event could carry a stamp of what would have been
// seen.
func (t *VectorTracker) checkSize(seen VectorClock) error {
	size := seen.Len()
	if seen.At(t.clock.NodeID()) == 0 {
		size++ // with the event that is stamped
	}
	if size > maxVectorNodes {
		return invalid(vectorField, reasonVectorSize)
	}
	return nil
}

// ObserveClock records all events covered by v, as after merging a state or a
// [Delta] that has seen v. It advances the Lamport clock past them if it is not
// there yet. It returns a [*ValidationError] if more than 65,536 nodes would have been
// seen, and the errors of [LamportClock.Update]. On error, the tracker is unchanged.
func (t *VectorTracker) ObserveClock(ctx context.Context, v VectorClock) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	return t.advance(ctx, v)
}

// advance records all events covered by v. The caller holds the lock.
func (t *VectorTracker) advance(ctx context.Context, v VectorClock) error {
	seen := t.seen.Merge(v)
	if err := t.checkSize(seen); err != nil {
		return err
	}
	latest := int64(0)
	for _, e := range v.entries {
		latest = max(latest, e.time)
	}
	if latest > t.clock.Current() {
		if _, err := t.clock.Update(ctx, latest); err != nil {
			return err
		}
	}
	t.seen = seen
	return nil
}

// observe returns what is seen after e.
func observe(seen VectorClock, e Event) VectorClock {
	seen = seen.Merge(e.p.VectorClock)
	seen, _ = seen.Advance(e.p.NodeID, e.clock) // an event's node and clock are valid
	return seen
}

// Stamp ticks the Lamport clock, and returns its value and the vector clock for
// the node's next event. Its errors are those of [LamportClock.Tick]. On error,
// the tracker is unchanged.
func (t *VectorTracker) Stamp(ctx context.Context) (int64, VectorClock, error) {
	if err := t.acquire(ctx); err != nil {
		return 0, VectorClock{}, err
	}
	defer t.lock.release()
	value, err := t.clock.Tick(ctx)
	if err != nil {
		return 0, VectorClock{}, err
	}
	seen, err := t.seen.Advance(t.clock.NodeID(), value)
	if err != nil {
		return 0, VectorClock{}, err
	}
	t.seen = seen
	return value, seen, nil
}

// Seen returns what the node has seen, including its own events.
func (t *VectorTracker) Seen(ctx context.Context) (VectorClock, error) {
	if err := t.acquire(ctx); err != nil {
		return VectorClock{}, err
	}
	defer t.lock.release()
	return t.seen, nil
}

// Restore records all events of a store, as after a restart, and advances the Lamport
// clock past them if it is not there yet. Events of the node itself are taken as they
// are. Events of other nodes are taken in the order of [Compare], each if it is not
// beyond MaxJump of the clock that the earlier ones lead to; one that is further ahead
// stays in the store, and is neither seen nor followed, so that it cannot keep the node
// from starting. Restore returns the errors of the store and of [LamportClock.Tick], and
// a [*ValidationError] if more than 65,536 nodes would have been seen. On error, the
// tracker is unchanged.
func (t *VectorTracker) Restore(ctx context.Context, s EventStore) error {
	if s == nil {
		return invalid("store", reasonNil)
	}
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	seen, now := t.seen, t.clock.Current()
	for e, err := range s.AllEvents(ctx) {
		if err == nil && e.p == nil {
			err = errYieldedZero()
		}
		if err != nil {
			return err
		}
		if e.p.NodeID == t.clock.NodeID() || !t.clock.isJump(now, e.clock) {
			seen, now = observe(seen, e), max(now, e.clock)
		}
	}
	if err := t.checkSize(seen); err != nil {
		return err
	}
	if now > t.clock.Current() {
		if _, err := t.clock.advance(ctx, now); err != nil {
			return err
		}
	}
	t.seen = seen
	return nil
}
