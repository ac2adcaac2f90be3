package causal

import "context"

// VectorTracker keeps the vector clock of a node together with its
// [LamportClock], so that a service needs no vector arithmetic: it observes each
// event that it receives and stamps each event that it emits.
//
// Use [NewVectorTracker]; the zero value refuses every call with a
// [*ValidationError]. A tracker is safe for concurrent use, and must not be
// copied. All events of a node go through one tracker, also where the storage
// would let several clocks share the node ID: a stamp claims that the node had
// seen its own earlier events.
type VectorTracker struct {
	clock *LamportClock
	lock  contextMutex
	seen  VectorClock // guarded by lock
}

// NewVectorTracker returns a tracker that has seen nothing; see
// [VectorTracker.Restore]. A nil clock is a [*ValidationError].
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

// Observe takes note of an event that was received: the Lamport clock moves
// beyond it ([LamportClock.Update]), and the next stamp has seen all that its node
// had seen. An event without a vector clock stands for itself and the earlier
// events of its node. An event of the tracker's own node does not move the clock.
// After an error, which is one of Update or a [*ValidationError] for the zero
// Event, the tracker is as it was.
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

// ObserveClock takes note of all events within v, as after a state or a [Delta] was
// merged that has seen v: the Lamport clock moves beyond them if it is not there
// yet. After an error, which is one of [LamportClock.Update], the tracker is as it
// was.
func (t *VectorTracker) ObserveClock(ctx context.Context, v VectorClock) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.lock.release()
	return t.advance(ctx, v)
}

// advance takes note of all events within v; the caller has the lock.
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

// Stamp ticks the Lamport clock and returns its value and the vector clock for
// the next event of the node. The errors are those of [LamportClock.Tick]; then
// the tracker is as it was.
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

// Seen returns what the node has seen, its own events included.
func (t *VectorTracker) Seen(ctx context.Context) (VectorClock, error) {
	if err := t.acquire(ctx); err != nil {
		return VectorClock{}, err
	}
	defer t.lock.release()
	return t.seen, nil
}

// Restore takes note of all events of a store, as after a restart; the Lamport
// clock moves beyond them if it is not there yet. After an error, which is the
// store's or one of [LamportClock.Update], the tracker is as it was.
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
		if err != nil {
			return err
		}
		seen = observe(seen, e)
	}
	return t.advance(ctx, seen)
}
