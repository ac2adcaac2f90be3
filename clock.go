package causal

import (
	"cmp"
	"context"
	"errors"
	"math"
	"sync/atomic"
)

// maxRemoteClock is the largest remote value that Update accepts. Update
// returns remote+1, which must fit in an int64.
const maxRemoteClock = math.MaxInt64 - 1

// defaultMaxJump far exceeds any difference between honest nodes, and leaves
// eight million jumps before the end of the range.
const defaultMaxJump = 1 << 40

// LamportClockOptions are the options of [NewLamportClock]. nil and the zero
// value mean the defaults.
type LamportClockOptions struct {
	// MaxJump limits how far ahead of the node's clock a remote clock may be.
	// Update rejects anything further with a [*ClockJumpError], so that one
	// faulty node cannot drag every clock to the end of its range. Zero means
	// 2^40 ticks, and a negative value no limit.
	MaxJump int64
	// Lease is the number of ticks reserved by one write to the storage. A
	// crash or restart skips at most that many values. Zero means 1: each tick
	// is one write.
	Lease int64
}

// LamportClock is the logical clock of one node (Lamport, "Time, Clocks, and
// the Ordering of Events in a Distributed System", 1978, rules IR1 and IR2).
// Every value is reserved in the storage before the clock returns it, so no
// value is returned twice, whatever crashes, provided the storage keeps what it
// has saved. A storage restored from a backup repeats values. On error, the
// clock has not moved.
//
// Use [NewLamportClock]; the zero value refuses every tick. A clock is safe for
// concurrent use, and must not be copied. If the storage is a [ClockAdvancer],
// several clocks, even in several processes, may share a node ID. Otherwise a
// node ID has one clock at a time.
type LamportClock struct {
	nodeID         string
	storage        ClockStorage
	advancer       ClockAdvancer // nil if the storage is not one
	maxJump, lease int64         // maxJump is negative if there is no limit

	// Values up to limit are reserved and values up to now are issued. Anyone
	// may advance now up to limit; only the holder of lock changes limit. Both
	// only grow.
	now, limit atomic.Int64
	lock       contextMutex
}

// NewLamportClock returns a clock for nodeID, resuming from the stored value.
// It returns a [*ValidationError] if nodeID is empty or not UTF-8, if s is nil,
// or if o.Lease is negative. Other errors come from s.
func NewLamportClock(ctx context.Context, nodeID string, s ClockStorage, o *LamportClockOptions) (*LamportClock, error) {
	if o == nil {
		o = &LamportClockOptions{}
	}
	if err := checkText("node_id", nodeID); err != nil {
		return nil, err
	}
	switch {
	case isNil(s):
		return nil, invalid("storage", reasonNil)
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
		nodeID: nodeID, storage: s, maxJump: cmp.Or(o.MaxJump, defaultMaxJump), lease: max(o.Lease, 1), lock: newContextMutex(),
	}
	c.advancer, _ = s.(ClockAdvancer)
	c.now.Store(value)
	c.limit.Store(value)
	return c, nil
}

// NodeID returns the clock's node.
func (c *LamportClock) NodeID() string { return c.nodeID }

// Current returns the last issued value, or the loaded value if the clock has
// issued none.
func (c *LamportClock) Current() int64 { return c.now.Load() }

// Tick advances the clock and returns its new value, for an event of this node.
// It returns [ErrClockOverflow] once [math.MaxInt64] has been issued. Other
// errors come from ctx and the storage.
func (c *LamportClock) Tick(ctx context.Context) (int64, error) { return c.advance(ctx, 0) }

// Update advances the clock past a value received from another node, and
// returns the new value, max(local, remote) + 1. It returns a
// [*ValidationError] if remote is negative, [ErrClockOverflow] if remote is
// above [math.MaxInt64] - 1, and a [*ClockJumpError] if remote is beyond
// MaxJump. If several clocks share the node ID, MaxJump counts from the stored
// value. Other errors are those of Tick.
func (c *LamportClock) Update(ctx context.Context, remote int64) (int64, error) {
	switch {
	case remote < 0:
		return 0, invalid("remote", reasonNotNegative)
	case remote > maxRemoteClock:
		return 0, ErrClockOverflow
	}
	if err := c.checkJump(ctx, remote); err != nil {
		return 0, err
	}
	return c.advance(ctx, remote)
}

// checkJump returns an error if remote is beyond MaxJump.
func (c *LamportClock) checkJump(ctx context.Context, remote int64) error {
	now := c.now.Load()
	if !c.isJump(now, remote) || c.storage == nil {
		return nil
	}
	if c.advancer != nil { // other clocks of the node may be ahead of this one
		if err := checkContext(ctx); err != nil {
			return err
		}
		stored, err := c.storage.LoadClock(ctx, c.nodeID)
		if err != nil {
			return clockStorageError("load clock", err)
		}
		if now = max(now, stored); !c.isJump(now, remote) {
			return nil
		}
	}
	return &ClockJumpError{Local: now, Remote: remote, MaxJump: c.maxJump}
}

// isJump reports whether remote is more than MaxJump ahead of now.
func (c *LamportClock) isJump(now, remote int64) bool {
	return c.maxJump >= 0 && remote > now && remote-now > c.maxJump
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
	// The previous holder of the lock may have reserved enough.
	if value, ok := c.issueReserved(remote); ok {
		return value, nil
	}
	return c.reserve(ctx, max(c.now.Load(), remote))
}

// issueReserved issues a value that is already reserved. ok is false if there
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

// reserve has the storage reserve values above base, which must be at least
// limit, and issues the first of them. The caller holds the lock.
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
		err = errors.New("the storage returned an impossible value")
	}
	return last, count, err
}

// clockStorageError wraps err in a [*StorageError], unless it is already one of
// this package's errors or a context error.
func clockStorageError(op string, err error) error {
	if errors.Is(err, ErrClockOverflow) || errors.Is(err, ErrStorage) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &StorageError{Op: op, Err: err}
}

// contextMutex is a mutex whose waiters give up when their context is done, so
// that a hanging storage delays no caller for longer than it asked for.
type contextMutex struct {
	held atomic.Bool
	wake chan struct{} // holds a token if the mutex was released since the last wait
}

func newContextMutex() contextMutex { return contextMutex{wake: make(chan struct{}, 1)} }

func (m *contextMutex) acquire(ctx context.Context) error {
	for !m.held.CompareAndSwap(false, true) {
		select {
		case <-m.wake: // and try again, alongside others
		case <-ctx.Done():
			return checkContext(ctx)
		}
	}
	return nil
}

// release wakes one waiter. If a token is already there, the waiter it is meant
// for has yet to take it and will try after this.
func (m *contextMutex) release() {
	m.held.Store(false)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
