package causal

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"unicode/utf8"
)

// ReceiveOptions are the options of [Node.Receive]. nil and the zero value mean
// the defaults.
type ReceiveOptions struct {
	// Source names the sender of the events in [Rejected] entries.
	Source string
}

// Receive stores events received from elsewhere. It judges each event
// separately. An event is rejected if it is zero, belongs to another project,
// is beyond MaxJump, or has the ID of a different stored event. A rejected
// event is reported with its reason, kept unchanged if the store is a
// [RejectedStorage], and does not affect the others. Events are processed in
// the order of [Compare], and saved together.
//
// An event counts as known if it differs from a stored one only in lacking
// members that older peers drop: its parents and previous clock, its vector
// clock, or all of its unknown members. Events of the node itself, which come
// back after a restore, are treated like any others: the node's clock advances
// past them, and later events follow them.
//
// Receive returns a [*ValidationError] if the source is not UTF-8, [ErrClosed],
// a failure of the store, which matches [ErrOutcomeUnknown] if the events may
// be stored, or, with MergeAbove, an error of Emit. What the receipt reports
// has been done even then, but it may be incomplete. Receiving everything again
// is safe, and completes the work. Receive does not retain the slice.
func (n *Node) Receive(ctx context.Context, events []Event, o *ReceiveOptions) (Receipt, error) {
	batch := make([]incoming, len(events))
	for i, e := range events {
		batch[i] = incoming{event: e}
		if e.p == nil {
			batch[i].err = errZeroEvent()
		}
	}
	return n.receive(ctx, batch, o)
}

// receivedTogether is the number of texts that ReceiveJSON processes at once.
const receivedTogether = 1000

// ReceiveJSON is like Receive for events in their wire format, one in each
// text. An undecodable text is rejected as well, and kept byte for byte.
// ReceiveJSON copies the texts, and processes up to 1000 at a time.
func (n *Node) ReceiveJSON(ctx context.Context, texts iter.Seq[[]byte], o *ReceiveOptions) (Receipt, error) {
	var all Receipt
	if texts == nil {
		return all, invalid("texts", reasonNil)
	}
	var batch []incoming
	take := func() error {
		r, err := n.receive(ctx, batch, o)
		all.add(r)
		batch = batch[:0]
		return err
	}
	for text := range texts {
		in := incoming{data: append([]byte{}, text...)}
		in.event, in.err = decodeEvent(text)
		if len(batch) == receivedTogether {
			if err := take(); err != nil {
				return all, err
			}
		}
		batch = append(batch, in)
	}
	err := take()
	return all, err
}

// receive processes a batch, keeps what is rejected, and reports forks.
func (n *Node) receive(ctx context.Context, batch []incoming, o *ReceiveOptions) (Receipt, error) {
	if o == nil {
		o = &ReceiveOptions{}
	}
	if err := n.begin(ctx); err != nil {
		return Receipt{}, err
	}
	if !utf8.ValidString(o.Source) {
		return Receipt{}, invalid("source", reasonNotUTF8)
	}
	r, err := n.take(ctx, batch)
	if err == nil {
		for _, in := range batch {
			if in.err != nil && !errors.Is(in.err, errKnown) {
				r.Rejected = append(r.Rejected, in.rejection(o.Source))
			}
		}
		err = n.keepRejected(ctx, r.Rejected)
	}
	if err == nil && n.options.MergeAbove > 0 {
		err = n.merge(ctx, batch)
	}
	return r, err
}

// merge emits an event naming the heads of each aggregate with too many.
func (n *Node) merge(ctx context.Context, batch []incoming) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	merged, err := n.tooManyHeads(ctx, batch)
	n.lock.release()
	if err == nil {
		_, err = n.EmitAll(ctx, merged)
	}
	return err
}

// tooManyHeads returns the events to emit. Heads with a clock too far ahead do
// not count, because no event can name them.
func (n *Node) tooManyHeads(ctx context.Context, batch []incoming) (merged []EventParams, err error) {
	heads := map[string][]EventID{}
	for _, in := range batch {
		if in.err != nil || heads[in.event.p.AggregateID] != nil {
			continue
		}
		heads[in.event.p.AggregateID], err = LoadHeads(ctx, n.storage, n.options.ProjectUUID, in.event.p.AggregateID)
		if err != nil {
			return nil, err
		}
	}
	if err := n.emitter.readOn(ctx); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(heads)) {
		followed, err := n.emitter.followedHeads(ctx, id, heads[id], false)
		if err != nil {
			return nil, err
		}
		if len(followed) > n.options.MergeAbove {
			merged = append(merged, EventParams{Type: MergedType, AggregateID: id})
		}
	}
	return merged, nil
}

// keepRejected stores rejected events. If storing one fails, it continues with
// the others.
func (n *Node) keepRejected(ctx context.Context, rejected []Rejection) error {
	storage, ok := n.storage.(RejectedStorage)
	if !ok {
		return nil
	}
	var errs error
	for i := range rejected {
		r := &rejected[i]
		isStored, err := storage.AppendRejected(ctx, r.Rejected)
		r.IsStored = isStored && err == nil
		if err != nil && errs == nil {
			errs = err
		}
	}
	return errs
}
