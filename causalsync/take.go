package causalsync

import (
	"context"
	"errors"
	"slices"

	"github.com/spec-kitty/causal"
)

// incoming is a received event.
type incoming struct {
	data  []byte
	event causal.Event   // zero if it cannot be decoded
	large causal.EventID // the ID of an event too large to send
	err   error          // the reason for refusing it
}

// refusal returns the report of a refused event.
func (in *incoming) refusal() Refusal {
	switch invalid, ok := errors.AsType[*causal.ValidationError](in.err); {
	case in.large != "":
		return Refusal{EventID: in.large, Err: in.err, ByPeer: true}
	case in.event.IsZero() && ok && invalid != nil:
		return Refusal{EventID: invalid.EventID, Err: in.err}
	}
	return Refusal{EventID: in.event.ID(), Err: in.err}
}

// decodeEvents decodes events. One that cannot be decoded has an error.
func decodeEvents(events []eventOf) []*incoming {
	all := make([]*incoming, len(events))
	for i, e := range events {
		in := &incoming{data: e.data, large: e.large}
		if e.large != "" {
			in.err = ErrTooLarge
		} else {
			in.err = in.event.UnmarshalJSON(e.data)
		}
		all[i] = in
	}
	return all
}

// take stores the acceptable events, judging each separately, and sets the
// errors of the others. It returns the number of new events. Only a failure
// affecting all events is returned as an error.
func (r *Replica) take(ctx context.Context, peer string, f causal.Filter, all []*incoming) (count int, err error) {
	var left []*incoming
	var unreadable [][]byte
	for _, in := range all {
		switch {
		case in.err == nil:
			in.err = r.check(peer, f, in.event)
		case in.large == "" && in.event.IsZero():
			unreadable = append(unreadable, in.data)
		}
		if in.err == nil {
			left = append(left, in)
		}
	}
	if r.options.Node != nil && len(unreadable) > 0 { // which keeps them
		if _, err := r.options.Node.ReceiveJSON(ctx, slices.Values(unreadable), &causal.ReceiveOptions{Source: peer}); err != nil {
			return 0, err
		}
	}
	// Store different contents of one ID one after another. No honest peer has
	// two.
	for try := 0; len(left) > 0; try++ {
		var batch, others []*incoming
		has := make(map[causal.EventID]bool, len(left))
		for _, in := range left {
			switch id := in.event.ID(); {
			case !has[id]:
				has[id] = true
				batch = append(batch, in)
			case try < mostContents:
				others = append(others, in)
			default:
				in.err = &causal.IDConflictError{IDs: []causal.EventID{id}}
			}
		}
		added, err := r.save(ctx, peer, batch)
		count += added
		if err != nil {
			return count, err
		}
		left = others
	}
	return count, nil
}

// mostContents is the number of different contents tried for one ID.
const mostContents = 3

// check returns the error for an event to refuse.
func (r *Replica) check(peer string, f causal.Filter, e causal.Event) error {
	if !f.Matches(e) {
		return ErrNotAllowed
	}
	if r.options.Accept != nil {
		if err := r.options.Accept(peer, e); err != nil {
			return notAllowedError{err}
		}
	}
	return nil
}

// save stores events with distinct IDs.
func (r *Replica) save(ctx context.Context, peer string, batch []*incoming) (count int, err error) {
	events := make([]causal.Event, len(batch))
	byID := make(map[causal.EventID]*incoming, len(batch))
	for i, in := range batch {
		events[i] = in.event
		byID[in.event.ID()] = in
	}
	if r.options.Node != nil {
		receipt, err := r.options.Node.Receive(ctx, events, &causal.ReceiveOptions{Source: peer})
		for _, rejected := range receipt.Rejected {
			if in := byID[rejected.EventID]; in != nil {
				in.err = rejected.Err
			}
		}
		return receipt.Saved, err
	}
	count, err = appendTo(ctx, r.store, events)
	conflict, isConflict := errors.AsType[*causal.IDConflictError](err)
	switch {
	case errors.Is(err, errors.ErrUnsupported): // the store is read-only
		for _, in := range batch {
			in.err = notAllowedError{err}
		}
		return 0, nil
	case errors.Is(err, causal.ErrStorage) || !isConflict && !errors.Is(err, causal.ErrValidation):
		return count, err
	case len(batch) == 1:
		batch[0].err = err
		return count, nil
	}
	// Save those in conflict one by one, because some of them may be stored by
	// now, and the others together.
	var parts [][]*incoming
	if isConflict {
		for _, id := range conflict.IDs {
			if in := byID[id]; in != nil {
				parts = append(parts, []*incoming{in})
				delete(byID, id)
			}
		}
	}
	if rest := slices.DeleteFunc(slices.Clone(batch), func(in *incoming) bool { return byID[in.event.ID()] == nil }); len(rest) < len(batch) {
		parts = append(parts, rest)
	} else { // the store does not say which
		parts = [][]*incoming{batch[:len(batch)/2], batch[len(batch)/2:]}
	}
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		added, err := r.save(ctx, peer, part)
		if count += added; err != nil {
			return count, err
		}
	}
	return count, nil
}

// appendTo stores events, and returns the number of new ones, or of all if the
// store does not report it.
func appendTo(ctx context.Context, s causal.EventStore, events []causal.Event) (count int, err error) {
	if _, ok := s.(causal.Appender); !ok {
		if err := causal.SaveAll(ctx, s, events); err != nil {
			return 0, err
		}
		return len(events), nil
	}
	a, err := causal.Append(ctx, s, events)
	for _, isNew := range a.New {
		if isNew {
			count++
		}
	}
	return count, err
}
