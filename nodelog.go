package causal

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// NodeStorage is the part of a [Store] required by a [Node]. A Node uses the
// other parts if they are there, for example to keep rejected events.
type NodeStorage interface {
	EventStore
	Appender
	LogReader
	ClockStorage
	CheckpointStorage
}

// nodeLog is a node's view of the log of its store, up to the last entry read.
// The caller of its methods must hold the node's lock, unless noted otherwise.
type nodeLog struct {
	storage       NodeStorage
	node, project string
	maxJump       int64 // negative if there is no limit

	at      Cursor   // of the last entry read
	clock   int64    // the greatest clock followed
	ahead   linkHeap // events with a clock too far ahead to follow
	isAhead map[EventID]bool
	heads   headCache
	forks   []ForkError // found, but not reported yet

	mu     sync.Mutex // guards the fields below, and is held briefly
	chains chains

	saved      Checkpoint // of this log, without its state
	tried      uint64     // the position at the latest attempt to save
	savedClock int64
}

const (
	checkpointEvery = 4096   // entries between two saves of the state
	clockEvery      = 1024   // clock values between two saves of the clock
	maxWaiting      = 10_000 // holes, beyond which an older checkpoint must do
)

// readingEvery is the number of entries between two saves while the log is
// read. A save takes as long as several thousand entries. It is a variable for
// tests.
var readingEvery uint64 = 262_144

// readOn reads the log to its end.
func (l *nodeLog) readOn(ctx context.Context) error { return l.readTo(ctx, Cursor{}) }

// readTo reads the log up to the given cursor or, if no entry has it, to the
// end.
func (l *nodeLog) readTo(ctx context.Context, last Cursor) error {
	if l.at == last && last != (Cursor{}) {
		return nil
	}
	for entry, err := range l.storage.ReadLog(ctx, l.at) {
		switch {
		case err != nil:
			return err
		case entry.Event.p == nil:
			return errYieldedZero()
		case entry.Cursor.position != l.at.position+1:
			return &StorageError{Op: "read log", Err: errors.New("the storage skipped an entry, or yielded one twice")}
		}
		l.take(entry.Event)
		l.at = entry.Cursor
		if l.at == last {
			return nil
		}
		if l.at.position-l.tried >= readingEvery {
			_ = l.saveCheckpoint(ctx) // a failed save is retried later
		}
	}
	return nil
}

// take processes the event of the next entry.
func (l *nodeLog) take(e Event) {
	k := linkOf(e)
	isOwn := k.Node == l.node && e.p.ProjectUUID == l.project
	if e.p.ProjectUUID != l.project {
		k.Node = "" // and only its clock counts
	} else {
		l.heads.drop(e.p.AggregateID)
	}
	if !isOwn && isJump(l.clock, k.Clock, l.maxJump) {
		heap.Push(&l.ahead, k)
		if l.isAhead == nil {
			l.isAhead = map[EventID]bool{}
		}
		l.isAhead[k.ID] = true
		return
	}
	l.follow(k)
}

// isJump reports whether a remote clock is more than maxJump ahead, or at the
// end of the range, where no value is left to follow it.
func isJump(now, remote, maxJump int64) bool {
	return remote > maxRemoteClock || maxJump >= 0 && remote > now && remote-now > maxJump
}

// jumpError returns the error for a clock that is too far ahead.
func (l *nodeLog) jumpError(now, remote int64) error {
	if remote > maxRemoteClock {
		return ErrClockOverflow
	}
	return &ClockJumpError{Local: now, Remote: remote, MaxJump: l.maxJump}
}

// follow follows an event, and then those no longer too far ahead.
func (l *nodeLog) follow(k link) {
	l.followOne(k)
	l.followAhead()
}

// followAhead follows the events no longer too far ahead.
func (l *nodeLog) followAhead() {
	for len(l.ahead) > 0 && !isJump(l.clock, l.ahead[0].Clock, l.maxJump) {
		next, _ := heap.Pop(&l.ahead).(link)
		delete(l.isAhead, next.ID)
		l.heads = headCache{} // it may be a head now
		l.followOne(next)
	}
}

// followOne advances the clock, and adds an event of the project to the chain
// of its node.
func (l *nodeLog) followOne(k link) {
	l.clock = max(l.clock, k.Clock)
	if k.Node == "" {
		return
	}
	l.mu.Lock()
	isFork := l.chains.add(k)
	l.mu.Unlock()
	if isFork {
		l.forks = append(l.forks, ForkError{NodeID: k.Node, LamportClock: k.Clock, IDs: []EventID{k.ID}})
	}
}

// tellForks returns the forks not reported yet.
func (l *nodeLog) tellForks() []ForkError {
	forks := l.forks
	l.forks = nil
	return forks
}

// own returns the clock of the node's latest event in the project. The error
// says what its chain waits for, if it does.
func (l *nodeLog) own() (previous int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.chains.nodes[l.node]
	if c == nil {
		return 0, nil
	}
	if len(c.Waiting) > 0 {
		return 0, &GapError{Seen: clockOf(l.node, c.Seen), Needed: clockOf(l.node, c.Waiting[0].Previous)}
	}
	return c.Seen, nil
}

func clockOf(node string, time int64) VectorClock {
	v, _ := VectorClock{}.Advance(node, time) // both come from an event
	return v
}

// seen returns the vector clock of the events seen. It needs no lock.
func (l *nodeLog) seen() VectorClock {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.chains.seen()
}

// nodeState is the state of a checkpoint.
type nodeState struct {
	Log   []byte // the ID of the log; in a restored backup, cursors have another
	Clock int64
	Nodes json.RawMessage
	Ahead []link
}

func (l *nodeLog) checkpointName() string { return internalNames + "node/" + l.project + "/" + l.node }

// load loads the last saved state. The error matches ErrRestored if it belongs
// to another timeline.
func (l *nodeLog) load(ctx context.Context) error {
	head, err := l.storage.Head(ctx)
	if err != nil {
		return err
	}
	l.at = Cursor{log: head.log}
	c, err := l.storage.LoadCheckpoint(ctx, l.checkpointName())
	if err != nil {
		return err
	}
	l.saved = Checkpoint{Revision: c.Revision}
	if c.Revision == 0 {
		return nil
	}
	var state nodeState
	var known chains
	err = json.Unmarshal(c.State, &state)
	if err == nil {
		err = known.unmarshal(state.Nodes)
	}
	switch {
	case err != nil:
		return &StorageError{Op: "open node", Err: fmt.Errorf("%w, or its checkpoint is damaged", ErrRestored)}
	case string(state.Log) != string(head.log[:]):
		return ErrRestored
	}
	for _, err := range l.storage.ReadLog(ctx, c.Cursor) { // which checks the cursor
		if errors.Is(err, ErrInvalidCursor) || errors.Is(err, ErrCursorAhead) {
			return ErrRestored
		}
		if err != nil {
			return err
		}
		break
	}
	if c.Cursor != (Cursor{}) {
		l.at = c.Cursor
	}
	l.clock, l.ahead, l.chains = max(l.clock, state.Clock), state.Ahead, known
	l.saved.Cursor, l.tried = l.at, l.at.position
	heap.Init(&l.ahead)
	l.isAhead = make(map[EventID]bool, len(l.ahead))
	for _, k := range l.ahead {
		l.isAhead[k.ID] = true
	}
	return nil
}

// saveCheckpoint saves the state unless it is too large, in which case an older
// checkpoint has to do.
func (l *nodeLog) saveCheckpoint(ctx context.Context) error {
	l.tried = l.at.position
	head, err := l.storage.Head(ctx)
	if err == nil && head.log != l.at.log { // the log has been replaced
		err = ErrInvalidCursor
	}
	if err != nil {
		return err
	}
	c := Checkpoint{Cursor: l.at, Revision: l.saved.Revision}
	log := l.at.log
	state, waiting, err := l.marshal(log[:])
	if err != nil {
		return err
	}
	if c.State = state; waiting > maxWaiting || len(state) > MaxCheckpointState {
		if l.saved.Cursor.log == log {
			return nil
		}
		c.Cursor = Cursor{log: log}
		if c.State, err = json.Marshal(nodeState{Log: log[:], Nodes: json.RawMessage("{}")}); err != nil {
			return err
		}
	}
	revision, err := l.storage.SaveCheckpoint(ctx, l.checkpointName(), c)
	if errors.Is(err, ErrConcurrentSave) {
		var stored Checkpoint
		var state nodeState
		stored, err = l.storage.LoadCheckpoint(ctx, l.checkpointName())
		switch {
		case err != nil:
		case json.Unmarshal(stored.State, &state) == nil && string(state.Log) == string(log[:]): // a checkpoint of another process will do
			revision, c.Cursor = stored.Revision, stored.Cursor
		default: // of a log that no longer exists
			c.Revision = stored.Revision
			revision, err = l.storage.SaveCheckpoint(ctx, l.checkpointName(), c)
		}
	}
	if err == nil {
		l.saved = Checkpoint{Cursor: c.Cursor, Revision: revision}
	}
	return err
}

func (l *nodeLog) marshal(log []byte) (state []byte, waiting int, err error) {
	l.mu.Lock()
	nodes, err := l.chains.marshal()
	for _, c := range l.chains.nodes {
		waiting += len(c.Waiting)
	}
	l.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	state, err = json.Marshal(nodeState{Log: log, Clock: l.clock, Nodes: nodes, Ahead: l.ahead})
	return state, waiting + len(l.ahead), err
}

// saveClock stores the clock for other users of the node ID, such as a
// LamportClock.
func (l *nodeLog) saveClock(ctx context.Context) error {
	value := l.clock
	if value == l.savedClock {
		return nil
	}
	var err error
	if a, ok := l.storage.(ClockAdvancer); ok {
		_, err = a.AdvanceClock(ctx, l.node, value-1, 1)
	} else {
		err = l.storage.SaveClock(ctx, l.node, value)
	}
	if err != nil {
		return clockStorageError("save clock", err)
	}
	l.savedClock = value
	return nil
}

// keep saves the state from time to time. A failed save is retried later.
func (l *nodeLog) keep(ctx context.Context) {
	if l.at.position-l.tried >= checkpointEvery {
		_ = l.saveCheckpoint(ctx)
	}
	if l.clock-l.savedClock >= clockEvery {
		_ = l.saveClock(ctx)
	}
}

// loadClock raises the clock to the stored one.
func (l *nodeLog) loadClock(ctx context.Context) error {
	value, err := l.storage.LoadClock(ctx, l.node)
	switch {
	case err != nil:
		return clockStorageError("load clock", err)
	case value < 0:
		return &StorageError{Op: "load clock", Err: errors.New("the stored value is negative")}
	}
	l.clock, l.savedClock = max(l.clock, value), value
	return nil
}

// linkHeap is a heap of events with a clock too far ahead, ordered by clock.
type linkHeap []link

func (h linkHeap) Len() int           { return len(h) }
func (h linkHeap) Less(i, j int) bool { return h[i].Clock < h[j].Clock }
func (h linkHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

func (h *linkHeap) Push(x any) {
	added, _ := x.(link)
	*h = append(*h, added)
}

func (h *linkHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
