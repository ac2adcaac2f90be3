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

// NodeOptions are the options of [OpenNode]. ProjectUUID is required; the zero value of the
// others means the default.
type NodeOptions struct {
	// ProjectUUID is the project of the node, a UUID with hyphens. Required.
	ProjectUUID string
	// ProjectSlug is the project's short name, for events that give none.
	ProjectSlug string
	// MaxJump limits how far ahead of the node's clock that of a received event may be, so
	// that one faulty node cannot drag all clocks to the end of their range. Zero means
	// 2^40 ticks, and a negative value no limit.
	MaxJump int64
	// VectorClocks gives each event that the node emits the full vector clock of what the
	// node has seen, for audits across aggregates. It weighs the node ID and about 10 bytes
	// for each node, in every event, and an event holds 65,536 nodes at most: beyond them Emit
	// returns a [*ValidationError]. Events name their parents in any case, which is exact within
	// an aggregate.
	VectorClocks bool
	// MergeAbove, for a hub, one node of a project: after Receive, the node emits an event of
	// type "causal.merged" and no payload for each aggregate that has more heads than this, so
	// that they do not pile up. It says that the hub has seen them, and resolves nothing. Zero
	// means never.
	MergeAbove int
	// AfterRestore opens the node on a store that was restored from a backup, where OpenNode
	// would return [ErrRestored]. Set it only after all that the peers have was received into
	// the store, by another node: this one goes on after its own events that are there, and if
	// a peer has later ones, its history forks. If none has an event in between, Emit returns a
	// [*GapError] for ever. In doubt give the node a new ID. The store counts as restored no
	// more, perhaps also if OpenNode fails. Do not leave it on: the next backup would be
	// opened, too.
	AfterRestore bool
	// OnFork is called with each fork that the node finds, also in what other processes
	// save; see [Receipt]. One goroutine at a time calls it, perhaps after the call that has
	// found the fork, and it may use the node.
	OnFork func(ForkError)
	// Now returns the Timestamp of events that have none. nil means the current time.
	Now func() time.Time
	// NewID returns the ID of events that have none. nil means [NewEventID].
	NewID func() EventID
}

// Node emits and receives the events of one node in one project, and keeps them in a store.
// It knows what the store holds: an event that it emits comes after all that was stored when
// Emit was called, whoever has stored it, and names the heads of its aggregate as its parents
// and the node's previous event, so that readers see conflicts, gaps and forks.
//
// Use [OpenNode], and Close at the end; the zero value refuses every call. A Node is safe for
// concurrent use, and must not be copied. Several nodes may share a store, in one process or in
// many. So may several processes that open a node under one ID: then they are slower, but
// their events are one history. On stores of their own they would fork it.
type Node struct {
	options NodeOptions // with defaults
	id      string
	storage NodeStorage
	life    context.Context // of saves that have begun; ends with Close
	end     context.CancelFunc

	patience time.Duration // of Close

	lock    contextMutex // guards emitter, except where that says otherwise
	emitter emitter

	mu        sync.Mutex // guards what follows, and is held for moments
	queue     []*emission
	isSaving  bool // somebody empties the queue
	isClosed  bool
	idle      chan struct{} // of Close, which waits until nobody does
	untold    []ForkError
	isTelling bool
}

// closeLimit is how long Close takes at most.
const closeLimit = 5 * time.Second

// OpenNode opens the node with this ID on a store. It reads what was stored since the node was
// closed, for which it keeps a checkpoint in the store, "causal/node/", the project, "/" and the
// node; the first one is written before the first event. Events that are too far ahead (see
// MaxJump) do not keep it from opening: they stay in the store, and are neither seen nor followed.
//
// A node ID is for one history: an installation that begins anew needs a new one. OpenNode
// returns [ErrRestored] if the store was restored from a backup that it can tell from the
// original, as those of Backup in module causalsqlite, a [*ValidationError] if an argument is
// invalid, and the errors of the store.
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

// Storage returns the store that the node was opened on.
func (n *Node) Storage() NodeStorage { return n.storage }

// Seen returns what the node's store has of the project, as of the latest call of the node: of
// each node, the clock up to which no event is missing between stamped ones. A plain event
// stands for the earlier ones of its node.
func (n *Node) Seen() VectorClock { return n.emitter.seen() }

// begin returns an error if nothing can be done.
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

// Close saves what the node knows, so that it opens fast, and ends it. It waits for what is
// being emitted, at most 5 seconds, and does not close the store. An error matches
// [ErrOutcomeUnknown] if that of an emission still is. Calls after the first do nothing. After
// Close, other calls return [ErrClosed], but for Seen.
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

// stop refuses what comes from now on. The channel is closed when nothing is saved any more.
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

// abandon finishes the emissions that nobody has begun to save.
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
