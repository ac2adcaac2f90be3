package causal

import (
	"context"
	"maps"
	"slices"
)

// Missing returns what the store lacks of the project, as far as its events tell: first holes
// between stamped events, in the order of node IDs and clocks, and then parents, in the order of
// their IDs. Whoever has the events of the node after After, up to UpTo, and the event Parent,
// sends them. A parent may be one of the events of a hole. Of a node whose events are all missing,
// or the latest, nothing is known but what others name.
//
// Errors are those of reading the store, and [ErrClosed]. The caller owns the result.
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
