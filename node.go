package causal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// NodeOptions are the options of [OpenNode]. ProjectUUID is required; the zero
// value of any other option means the default.
type NodeOptions struct {
	// ProjectUUID is the project of the node, a UUID with hyphens. Required.
	ProjectUUID string
	// ProjectSlug is the project's short name, for events that do not set one.
	ProjectSlug string
	// MaxJump limits how far ahead of the node's clock the clock of a received
	// event may be, so that one faulty node cannot drag all clocks to the end
	// of their range. Zero means 2^40 ticks, and a negative value no limit.
	MaxJump int64
	// VectorClocks adds the full vector clock of the node to each emitted
	// event, for audits across aggregates. It costs the node ID and about 10
	// bytes for each node, in every event, and is limited to 65,536 nodes,
	// beyond which Emit returns a [*ValidationError]. Without it, events still
	// name their parents, which is exact within an aggregate.
	VectorClocks bool
	// MergeAbove is for a hub, of which a project should have one. After
	// Receive, the node emits an event of type [MergedType] without payload for
	// each aggregate of the received events with more than this many heads, so
	// that they do not pile up. The event records their receipt by the hub, but
	// resolves nothing: they stay in conflict. Zero means never.
	MergeAbove int
	// AfterRestore opens the node on a store restored from a backup, for which
	// OpenNode otherwise returns [ErrRestored]. First open the store under a
	// new node ID and receive all events the peers have. Only then set
	// AfterRestore: the node resumes after the last of its own events in the
	// store, and if a peer has a later one, its history forks. If an event in
	// between is lost, Emit permanently returns a [*GapError]. When in doubt,
	// use a new node ID instead. For this node, the store then no longer counts
	// as restored, possibly even if OpenNode fails. Do not leave the option on,
	// or the next restored backup will be opened as well.
	AfterRestore bool
	// OnFork is called with each fork found by the node, including those in
	// events saved by other processes; see [Receipt]. It is called by one
	// goroutine at a time, possibly after the call finding the fork has
	// returned, and may use the node.
	OnFork func(ForkError)
	// Now returns the Timestamp of events without one. nil means the current
	// time.
	Now func() time.Time
	// NewID returns the ID of events without one. nil means [NewEventID].
	NewID func() EventID
}

// A Node emits and receives the events of one node in one project, and keeps
// them in a store. An emitted event follows everything stored when Emit was
// called, by any writer. It names the heads of its aggregate as its parents,
// and the node's previous event, so that readers notice conflicts, gaps and
// forks.
//
// Use [OpenNode], and Close at the end; the zero value refuses every call. A
// Node is safe for concurrent use, and must not be copied. Several nodes may
// share a store, within one process or across processes. Several processes may
// even open the same node on a shared store; this is slower, but their events
// form one history. On separate stores they would fork it.
type Node struct {
	options NodeOptions // with defaults
	id      string
	storage NodeStorage
	life    context.Context // the context of shared saves; canceled by Close
	end     context.CancelFunc

	patience time.Duration // of Close

	lock    contextMutex // guards emitter, unless noted there
	emitter emitter

	mu        sync.Mutex // guards the fields below, and is held briefly
	queue     []*emission
	isSaving  bool // a goroutine is emptying the queue
	isClosed  bool
	idle      chan struct{} // closed when no goroutine is, for Close
	untold    []ForkError
	isTelling bool
}

// closeLimit is the maximum duration of Close.
const closeLimit = 5 * time.Second

// OpenNode opens the node with the given ID on a store. It reads the events
// stored since the node was closed, for which it keeps a checkpoint named
// "causal/node/", the project, "/" and the node ID. The first one is written
// before the first event. Events with a clock too far ahead (see MaxJump) do
// not prevent it: they stay in the store, but the node neither counts them as
// seen nor follows them.
//
// A node ID is for one history, so a new installation needs a new one. OpenNode
// returns [ErrRestored] if the store can be recognized as a restored backup,
// such as one made by Backup in module causalsqlite, a [*ValidationError] if an
// argument is invalid, and the errors of the store.
func OpenNode(ctx context.Context, nodeID string, s NodeStorage, o NodeOptions) (*Node, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if err := checkNode(nodeID, s, &o); err != nil {
		return nil, err
	}
	o.ProjectUUID = strings.ToLower(o.ProjectUUID)
	n := &Node{options: o, id: nodeID, storage: s, patience: closeLimit, lock: newContextMutex()}
	w := &n.emitter
	w.storage, w.node, w.project, w.maxJump = s, nodeID, o.ProjectUUID, cmp.Or(o.MaxJump, defaultMaxJump)
	w.hasVectors, w.quiet = o.VectorClocks, quietSaves
	err := n.emitter.open(ctx, o.AfterRestore)
	n.tell(n.emitter.tellForks())
	if err != nil {
		return nil, err
	}
	n.life, n.end = context.WithCancel(context.WithoutCancel(ctx))
	return n, nil
}

func checkNode(nodeID string, s NodeStorage, o *NodeOptions) error {
	if err := checkText("node_id", nodeID); err != nil {
		return err
	}
	switch {
	case isNil(s):
		return invalid("store", reasonNil)
	case !isHyphenatedUUID(o.ProjectUUID):
		return invalid("project_uuid", reasonUUID)
	case !utf8.ValidString(o.ProjectSlug):
		return invalid("project_slug", reasonNotUTF8)
	case o.MergeAbove < 0:
		return invalid("merge_above", reasonNotNegative)
	}
	return nil
}

// ID returns the node's ID.
func (n *Node) ID() string { return n.id }

// ProjectUUID returns the UUID of the node's project, in lower case.
func (n *Node) ProjectUUID() string { return n.options.ProjectUUID }

// Storage returns the store on which the node was opened.
func (n *Node) Storage() NodeStorage { return n.storage }

// Seen returns the vector clock of the events in the node's store, for its
// project, as far as the node has read it; [Node.Missing] reads all. For each
// node, it has the clock up to which no event is missing, as far as its stamped
// events tell. A plain event stands for all earlier events of its node. Of a
// node that has forked, events of one branch stand for those of the other, and
// the clock may depend on the order of arrival.
func (n *Node) Seen() VectorClock { return n.emitter.seen() }

// begin returns an error if the node is closed or was not opened, or ctx is
// done.
func (n *Node) begin(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if n.storage == nil {
		return invalid("node", "must come from OpenNode")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed {
		return ErrClosed
	}
	return nil
}

// tell calls OnFork with the forks, one after another.
func (n *Node) tell(forks []ForkError) {
	if n.options.OnFork == nil || len(forks) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.untold = append(n.untold, forks...)
	if n.isTelling {
		return
	}
	n.isTelling = true
	go func() {
		for {
			n.mu.Lock()
			forks := n.untold
			n.untold, n.isTelling = nil, len(forks) > 0
			n.mu.Unlock()
			for _, f := range forks {
				n.options.OnFork(f)
			}
			if len(forks) == 0 {
				return
			}
		}
	}()
}

// Close saves the node's state, so that it opens fast, and closes the node but
// not the store. It waits up to 5 seconds for events being emitted. If the
// outcome of one is still unknown, the error matches [ErrOutcomeUnknown]. After
// Close, further calls of it do nothing, and Emit, Receive and all others that
// can fail return [ErrClosed].
func (n *Node) Close() error {
	if n.storage == nil {
		return invalid("node", "must come from OpenNode")
	}
	idle, isClosed := n.stop()
	if isClosed {
		return nil
	}
	ctx, cancel := context.WithTimeout(n.life, n.patience)
	defer cancel()
	defer n.end()
	select {
	case <-idle:
	case <-ctx.Done():
		n.end()
		n.abandon()
		return &StorageError{Op: "close node", Err: fmt.Errorf("%w: %w", ErrOutcomeUnknown, ctx.Err())}
	}
	if err := n.lock.acquire(ctx); err != nil {
		if n.emitter.isPending.Load() {
			err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
		}
		return &StorageError{Op: "close node", Err: err}
	}
	defer func() {
		forks := n.emitter.tellForks()
		n.lock.release()
		n.tell(forks)
	}()
	if err := n.emitter.settle(ctx); err != nil {
		if errors.Is(err, ErrOutcomeUnknown) {
			return err
		}
		return &StorageError{Op: "close node", Err: fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)}
	}
	return errors.Join(n.emitter.saveCheckpoint(ctx), n.emitter.saveClock(ctx))
}

// stop makes the node refuse new calls. The channel is closed when the last
// save has ended.
func (n *Node) stop() (idle chan struct{}, isClosed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	idle, isClosed = make(chan struct{}), n.isClosed
	n.isClosed = true
	if n.isSaving && !isClosed {
		n.idle = idle
	} else {
		close(idle)
	}
	return idle, isClosed
}

// abandon finishes the emissions whose save has not begun.
func (n *Node) abandon() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.queue {
		e.isTaken = true
	}
	finishAll(n.queue, ErrClosed)
	n.queue = nil
}

// enter takes the lock.
func (n *Node) enter(ctx context.Context) error {
	if err := n.lock.acquire(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed {
		n.lock.release()
		return ErrClosed
	}
	return nil
}
