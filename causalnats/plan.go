package causalnats

import (
	"context"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// recentEntry is an entry of the log, for conditions.
type recentEntry struct {
	event causal.Event
	at    causal.Cursor // in the store
}

// maxRecent is the number of entries a replica remembers, to check conditions
// without the store.
const maxRecent = 4096

// remember adds an entry following those of the store.
func (r *replica) remember(e causal.Event) {
	if len(r.recent) >= 2*maxRecent {
		r.recent = append([]recentEntry(nil), r.recent[maxRecent:]...)
	}
	r.at = r.at.Next(e.ID())
	r.recent = append(r.recent, recentEntry{e, r.at})
}

// plan applies the rule to saves before storing them, so that they can be
// stored together. The result is the same as storing them one after another.
type plan struct {
	*replica
	head   causal.Cursor // in the store, after the pending entries
	events []causal.Event
	recent []recentEntry // including the pending ones
	byID   map[causal.EventID]causal.Event
}

func (r *replica) newPlan() *plan {
	return &plan{replica: r, head: r.at, recent: r.recent[:len(r.recent):len(r.recent)], byID: map[causal.EventID]causal.Event{}}
}

// decide sets the result of a save, unless its condition refers to entries that
// are not remembered.
func (p *plan) decide(ctx context.Context, s save, r *result) (isDecided bool, err error) {
	isNew := make([]bool, len(s.events))
	first := map[causal.EventID]causal.Event{}
	var conflicts []causal.EventID
	added := 0
	for i, e := range s.events {
		known := first[e.ID()]
		if known.IsZero() {
			if known, err = p.find(ctx, e.ID()); err != nil {
				return false, err
			}
			if known.IsZero() {
				known, isNew[i] = e, true
				added++
			}
			first[e.ID()] = known
		}
		if !known.Equal(e) {
			conflicts = append(conflicts, e.ID())
		}
	}
	if len(conflicts) > 0 {
		r.err = causaladapter.IDConflict(conflicts)
		return true, nil
	}
	if s.condition != nil && added > 0 {
		holds, isKnown := p.holds(s.condition)
		if !isKnown {
			return false, nil
		}
		if holds != nil || added < len(first) {
			if r.err = holds; holds == nil {
				r.err = causal.ErrConcurrentSave
			}
			return true, nil
		}
	}
	if err := p.bring(s.events, isNew); err != nil {
		return false, err
	}
	r.appended = causal.Appended{Before: p.cursor(p.head), New: isNew}
	for i, e := range s.events {
		if isNew[i] {
			p.head = p.head.Next(e.ID())
			p.events, p.byID[e.ID()] = append(p.events, e), e
			p.recent = append(p.recent, recentEntry{e, p.head})
		}
	}
	r.appended.After = p.cursor(p.head)
	return true, nil
}

// find returns the event with an ID, or the zero Event if there is none.
func (p *plan) find(ctx context.Context, id causal.EventID) (causal.Event, error) {
	if e, ok := p.byID[id]; ok {
		return e, nil
	}
	return p.replica.store.FindEvent(ctx, id)
}

// holds returns the error by which a condition is refused, or false if this is
// unknown.
func (p *plan) holds(c *condition) (refused error, isKnown bool) {
	first := p.head.Position() - uint64(len(p.recent)) // the position before the remembered entries
	if c.position <= first || c.position > p.head.Position() {
		return nil, false
	}
	after := p.recent[c.position-first-1:]
	if after[0].at.Hash() != c.hash {
		return causal.ErrInvalidCursor, true
	}
	for _, entry := range after[1:] {
		if c.Matches(entry.event) {
			return causal.ErrConcurrentSave, true
		}
	}
	return nil, true
}

// store stores the pending events.
func (p *plan) store(ctx context.Context) error {
	if len(p.events) == 0 {
		return nil
	}
	a, err := p.replica.store.Append(ctx, p.events)
	if err != nil {
		return p.failed(err)
	}
	return p.checkAppended(a, save{events: p.events})
}
