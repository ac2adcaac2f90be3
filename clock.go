package causal

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
)

// maxRemoteClock is the highest value that a clock takes from a remote node: one
// more is the highest value there is.
const maxRemoteClock = math.MaxInt64 - 1

// LamportClockOptions are the choices of [NewLamportClock]; nil or the zero
// value means the defaults.
type LamportClockOptions struct {
	// MaxJump is how far ahead of the local clock a remote clock may be, in
	// ticks; further ones are refused with [*ClockJumpError]. It protects the
	// clocks of all nodes from one that is broken. 0 means no bound.
	MaxJump int64
	// Lease is how many ticks are reserved by one write to the storage. A crash
	// or a restart skips at most that many values. 0 means 1: one write for each
	// tick.
	Lease int64
}

// LamportClock is the logical clock of one node (Lamport, "Time, Clocks, and the
// Ordering of Events in a Distributed System", 1978, rules IR1 and IR2). It
// never returns a value twice, whatever fails or crashes: the storage has
// reserved a value before the clock returns it, and after an error the clock
// has not moved.
//
// Use [NewLamportClock]; the zero value refuses every tick. A clock is safe for
// concurrent use, and must not be copied. Several clocks, also in several
// processes, may share a node ID if the storage is a [ClockAdvancer]; else a
// node ID has one clock at a time.
type LamportClock struct {
	nodeID         string
	storage        ClockStorage
	advancer       ClockAdvancer // nil if the storage is none
	maxJump, lease int64

	// Values up to limit are reserved and values up to now are issued. Anyone
	// may advance now up to limit; only the holder of lock changes limit. Both
	// only grow.
	now, limit atomic.Int64
	lock       contextMutex
}

// NewLamportClock returns the clock of a node, which goes on from the stored
// value. The error is a [*ValidationError] for a nodeID that is empty or not UTF-8,
// a nil storage or a negative option, and otherwise the storage's.
func NewLamportClock(ctx context.Context, nodeID string, s ClockStorage, o *LamportClockOptions) (*LamportClock, error) {
	if o == nil {
		o = &LamportClockOptions{}
	}
	if err := checkText("node_id", nodeID); err != nil {
		return nil, err
	}
	switch {
	case s == nil:
		return nil, invalid("storage", reasonNil)
	case o.MaxJump < 0:
		return nil, invalid("max_jump", reasonNotNegative)
	case o.Lease < 0:
		return nil, invalid("lease", reasonNotNegative)
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	value, err := s.LoadClock(ctx, nodeID)
	if err != nil {
		return nil, clockStorageError("load clock", err)
	}
	if value < 0 {
		return nil, &StorageError{Op: "load clock", Err: errors.New("the stored value is negative")}
	}
	c := &LamportClock{
		nodeID: nodeID, storage: s, maxJump: o.MaxJump, lease: max(o.Lease, 1), lock: newContextMutex(),
	}
	c.advancer, _ = s.(ClockAdvancer)
	c.now.Store(value)
	c.limit.Store(value)
	return c, nil
}

// NodeID returns the node that the clock belongs to.
func (c *LamportClock) NodeID() string { return c.nodeID }

// Current returns the value that the clock issued last, or loaded if it has not
// issued any.
func (c *LamportClock) Current() int64 { return c.now.Load() }

// Tick advances the clock and returns its new value, for an event of this node.
// The errors are those of ctx and of the storage, and [ErrClockOverflow] when
// [math.MaxInt64] has been issued.
func (c *LamportClock) Tick(ctx context.Context) (int64, error) { return c.advance(ctx, 0) }

// Update advances the clock beyond a value that came from another node, and
// returns the new value: max(local, remote) + 1. Besides the errors of Tick, a
// negative remote value is a [*ValidationError], one above [math.MaxInt64] - 1
// is [ErrClockOverflow], and one beyond MaxJump is a [*ClockJumpError].
func (c *LamportClock) Update(ctx context.Context, remote int64) (int64, error) {
	switch {
	case remote < 0:
		return 0, invalid("remote", reasonNotNegative)
	case remote > maxRemoteClock:
		return 0, ErrClockOverflow
	}
	if now := c.now.Load(); c.maxJump > 0 && remote > now && remote-now > c.maxJump {
		return 0, &ClockJumpError{Local: now, Remote: remote, MaxJump: c.maxJump}
	}
	return c.advance(ctx, remote)
}

// advance issues max(now, remote) + 1.
func (c *LamportClock) advance(ctx context.Context, remote int64) (int64, error) {
	if ctx == nil || ctx.Err() != nil {
		return 0, checkContext(ctx)
	}
	if value, ok := c.issueReserved(remote); ok {
		return value, nil
	}
	if c.storage == nil {
		return 0, invalid("clock", "must come from NewLamportClock")
	}
	if err := c.lock.acquire(ctx); err != nil {
		return 0, err
	}
	defer c.lock.release()
	// Whoever held the lock before may have reserved enough.
	if value, ok := c.issueReserved(remote); ok {
		return value, nil
	}
	return c.reserve(ctx, max(c.now.Load(), remote))
}

// issueReserved issues a value that is already reserved. It is not ok if there
// is none.
func (c *LamportClock) issueReserved(remote int64) (value int64, ok bool) {
	for {
		// now is read before limit: a limit that is newer than now only makes
		// the swap fail, because reserve moves now first.
		now := c.now.Load()
		base := max(now, remote)
		if base >= c.limit.Load() {
			return 0, false
		}
		if c.now.CompareAndSwap(now, base+1) {
			return base + 1, true
		}
	}
}

// reserve has the storage reserve values above base, which is at least limit,
// and issues the first of them. The caller holds the lock.
func (c *LamportClock) reserve(ctx context.Context, base int64) (int64, error) {
	if base == math.MaxInt64 {
		return 0, ErrClockOverflow
	}
	count := min(c.lease, math.MaxInt64-base)
	last := base + count
	var err error
	if c.advancer == nil {
		err = c.storage.SaveClock(ctx, c.nodeID, last)
	} else {
		last, count, err = c.advanceStorage(ctx, base, count)
	}
	if err != nil {
		return 0, clockStorageError("save clock", err)
	}
	first := last - count + 1
	c.now.Store(first)
	c.limit.Store(last)
	return first, nil
}

// advanceStorage reserves count values above base, or one if the storage is so
// close to the end of the range that it refuses count.
func (c *LamportClock) advanceStorage(ctx context.Context, base, count int64) (last, reserved int64, err error) {
	last, err = c.advancer.AdvanceClock(ctx, c.nodeID, base, count)
	if count > 1 && errors.Is(err, ErrClockOverflow) {
		count = 1
		last, err = c.advancer.AdvanceClock(ctx, c.nodeID, base, count)
	}
	if err == nil && last < base+count {
		err = errors.New("the storage returned a value that it cannot have reserved")
	}
	return last, count, err
}

// clockStorageError wraps what a storage returned, unless it says what it is.
func clockStorageError(op string, err error) error {
	if errors.Is(err, ErrClockOverflow) || errors.Is(err, ErrStorage) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &StorageError{Op: op, Err: err}
}

// contextMutex is a mutex whose waiters give up when their context ends, so that
// a storage that hangs holds nobody for longer than they asked for.
type contextMutex struct {
	held atomic.Bool
	wake chan struct{} // has a token if the mutex was released since the last wait
}

func newContextMutex() contextMutex { return contextMutex{wake: make(chan struct{}, 1)} }

func (m *contextMutex) acquire(ctx context.Context) error {
	for !m.held.CompareAndSwap(false, true) {
		select {
		case <-m.wake: // and try again, as may others
		case <-ctx.Done():
			return checkContext(ctx)
		}
	}
	return nil
}

// release wakes one waiter. If there is a token already, a waiter that has not
// taken it yet tries after this.
func (m *contextMutex) release() {
	m.held.Store(false)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
