package causal

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"
)

// maxDecisions is how often Decide calls its function.
const maxDecisions = 10

// Decide emits what f returns for the history of an aggregate, if nothing of the aggregate
// was saved meanwhile, and otherwise calls f with the new history, 10 times in all: so no
// decision is made on what is no longer so, whoever else uses the store. After that it returns
// [ErrConcurrentSave]: so may decisions of one node that compete for an aggregate. Nodes with
// stores of their own each decide on their own history, and what they emit may be in conflict.
//
// The history has the aggregate's events of the node's project, in the order of [Compare]; f
// owns it, and may use the node. If f returns events of other aggregates, nothing of these may
// have been saved meanwhile either. Decide emits all events or none; if there are none, it
// returns none. If f gives events an ID, so that a command can be tried again, it first looks
// for that in the history, which has its effect by then. Decide returns the error of f unchanged, and otherwise those of [Node.Emit] and a
// [*ValidationError] if aggregateID is no text or f is nil. The caller owns the result.
func (n *Node) Decide(ctx context.Context, aggregateID string, f func(history []Event) ([]EventParams, error)) ([]Event, error) {
	if err := n.begin(ctx); err != nil {
		return nil, err
	}
	if err := checkText("aggregate_id", aggregateID); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, invalid("f", reasonNil)
	}
	for try := range maxDecisions {
		events, err := n.decide(ctx, aggregateID, f)
		if _, isOfF := errors.AsType[handlerError](err); isOfF || !errors.Is(err, ErrConcurrentSave) {
			return events, ofHandler(err)
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
	return nil, ErrConcurrentSave
}

// pause waits for some time, at random so that not all who compete try again at once: half a
// millisecond at most after the first try, and twice as long after each further one.
func pause(ctx context.Context, try int) error {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return waitFor(ctx, nil, (500*time.Microsecond<<try)*time.Duration(b[0])/256)
}

// decide makes one decision. An error of f is a handlerError.
func (n *Node) decide(ctx context.Context, aggregateID string, f func([]Event) ([]EventParams, error)) ([]Event, error) {
	head, err := n.storage.Head(ctx)
	if err != nil {
		return nil, err
	}
	history, err := n.storage.LoadEvents(ctx, aggregateID)
	if err != nil {
		return nil, err
	}
	history = slices.DeleteFunc(history, func(e Event) bool { return e.ProjectUUID() != n.options.ProjectUUID })
	ps, err := f(history)
	if err != nil {
		return nil, handlerError{err}
	}
	d := &decision{after: head, aggregates: []string{aggregateID}}
	for _, p := range ps {
		if !slices.Contains(d.aggregates, p.AggregateID) {
			d.aggregates = append(d.aggregates, p.AggregateID)
		}
	}
	return n.emit(ctx, ps, d)
}
