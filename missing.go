package causal

import (
	"context"
	"maps"
	"slices"
)

// Missing returns the events of the project that the store lacks, as far as its
// events tell: first holes between stamped events, in the order of node IDs and
// clocks, then parents, in the order of their IDs. To fill a [Gap], obtain the
// node's events after After up to UpTo, and the event Parent, from a peer. A
// parent may be one of the events of a hole. If all or the latest events of a
// node are missing, only those named by other events are known. Of a node that
// has forked, events of one branch hide holes of the other (see [Node.Seen]).
//
// Errors are those of reading the store, and [ErrClosed]. The caller owns the
// result.
func (n *Node) Missing(ctx context.Context) ([]Gap, error) {
	if err := n.begin(ctx); err != nil {
		return nil, err
	}
	if err := n.enter(ctx); err != nil {
		return nil, err
	}
	err := n.emitter.readOn(ctx)
	forks := n.emitter.tellForks()
	n.lock.release()
	n.tell(forks)
	if err != nil {
		return nil, err
	}
	gaps := n.emitter.holes()
	for id, err := range MissingParents(ctx, n.storage, n.options.ProjectUUID) {
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, Gap{Parent: id})
	}
	return gaps, nil
}

// holes returns the holes in the chains. It needs no lock.
func (l *nodeLog) holes() (gaps []Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.chains.nodes)) {
		gaps = l.chains.nodes[id].appendHoles(gaps, id)
	}
	return gaps
}
