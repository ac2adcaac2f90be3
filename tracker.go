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
// seen its own earlier events.
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

// Observe records a received event. It advances the Lamport clock past e (see
// [LamportClock.Update]) and merges e's vector clock into the tracker's. An event
// without a vector clock counts as itself and every earlier event of its node. An
// event of the tracker's own node does not move the clock. Observe returns a
// [*ValidationError] if e is zero, and the errors of Update. On error, the
// tracker is unchanged.
func (t *VectorTracker) Observe(ctx context.Context, e Event) error {
	if e.p == nil {
		return errZeroEvent()
	}
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	if e.p.NodeID != t.clock.NodeID() {
		if _, err := t.clock.Update(ctx, e.clock); err != nil {
			return err
		}
	}
	t.seen = observe(t.seen, e)
	return nil
}

// ObserveClock records all events covered by v, as after merging a state or a
// [Delta] that has seen v. It advances the Lamport clock past them if it is not
// there yet. Its errors are those of [LamportClock.Update]. On error, the tracker
// is unchanged.
func (t *VectorTracker) ObserveClock(ctx context.Context, v VectorClock) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	return t.advance(ctx, v)
}

// advance records all events covered by v. The caller holds the lock.
func (t *VectorTracker) advance(ctx context.Context, v VectorClock) error {
	latest := int64(0)
	for _, e := range v.entries {
		latest = max(latest, e.time)
	}
	if latest > t.clock.Current() {
		if _, err := t.clock.Update(ctx, latest); err != nil {
			return err
		}
	}
	t.seen = t.seen.Merge(v)
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

// Restore records all events of a store, as after a restart. It advances the
// Lamport clock past them if it is not there yet. Its errors are those of the
// store and of [LamportClock.Update]. On error, the tracker is unchanged.
func (t *VectorTracker) Restore(ctx context.Context, s EventStore) error {
	if s == nil {
		return invalid("store", reasonNil)
	}
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	seen := t.seen
	for e, err := range s.AllEvents(ctx) {
		if err == nil && e.p == nil {
			err = errYieldedZero()
		}
		if err != nil {
			return err
		}
		seen = observe(seen, e)
	}
	return t.advance(ctx, seen)
}
