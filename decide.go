package causal

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"
)

// maxDecisions is the number of times Decide calls its function.
const maxDecisions = 10

// Decide calls f with the history of an aggregate and emits the events returned
// by f, provided nothing of the aggregate was saved in between. Otherwise it
// calls f again with the new history, 10 times in all, and then returns
// [ErrConcurrentSave]. So no decision rests on an outdated history, whoever
// else uses the store. Other decisions of the same node count, too. Nodes with
// separate stores each decide on their own history, and their events may
// conflict.
//
// The history has the aggregate's events in the node's project, in the order of
// [Compare]. f owns it, and may use the node. If f returns events of other
// aggregates, nothing may have been saved in those either. Decide emits all
// events or none. If f returns none, Decide returns none, without a check of
// the history. If f sets event IDs to make a command idempotent, it must first
// look for them in the history, which may already contain the effect of an
// earlier try. Decide returns the error of f unchanged, a [*ValidationError] if
// aggregateID is empty or not UTF-8 or if f is nil, and otherwise the errors of
// [Node.Emit]. The caller owns the result.
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

// pause waits for a random time, so that competitors do not all retry at once:
// up to half a millisecond after the first try, doubling with each further one.
func pause(ctx context.Context, try int) error {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return waitFor(ctx, nil, (500*time.Microsecond<<try)*time.Duration(b[0])/256)
}

// decide makes one decision. It wraps an error of f in a handlerError.
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
