package causal

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync/atomic"
)

// emitter saves what a node emits. Its methods are for the holder of the node's lock.
type emitter struct {
	nodeLog
	hasVectors bool

	pending   *attempt    // whose outcome is unknown; it comes before all else
	isPending atomic.Bool // there is one; it needs no lock
	quiet     int         // saves in a row that found that nobody else had saved
}

// quietSaves is how many saves in a row must have found that nobody else has saved, for the
// next one to be made without reading the log on before, on the condition that it is still so.
const quietSaves = 8

// attempt is a group of emissions with their stamps.
type attempt struct {
	group     []*emission
	events    []Event
	single    [1]Event // that events often is
	after     Cursor
	condition Condition
	isQuiet   bool     // the condition is that nobody else has saved
	loaded    []string // aggregates whose heads were loaded: until it is saved, they may be later than the clock
}

// stamp gives the drafts their places after all that is stored.
func (w *emitter) stamp(ctx context.Context, a *attempt) error {
	w.heads.trim()
	a.events = a.single[:0]
	d := a.group[0].decision // which is alone
	a.isQuiet = w.quiet >= quietSaves
	if !a.isQuiet {
		if err := w.readOn(ctx); err != nil {
			return err
		}
	}
	err := w.loadHeads(ctx, a)
	if err == nil && !a.isQuiet && len(a.loaded) > 0 {
		err = w.readOn(ctx) // so that the heads are before the clock
	}
	if err == nil && len(w.isAhead) > 0 {
		err = w.leaveOutAhead(ctx, a)
	}
	if err == nil && d != nil {
		err = w.check(ctx, d)
	}
	if err != nil {
		return err
	}
	a.after = w.at
	if !a.isQuiet {
		a.condition = w.condition(d)
	}
	return w.stampAll(ctx, a)
}

// condition returns the condition that the chain of the node goes on, and the decision holds.
func (w *emitter) condition(d *decision) Condition {
	c := Condition{ProjectUUID: w.project, NodeID: w.node}
	if d != nil {
		c.Aggregates = d.aggregates
	}
	return c
}

func (w *emitter) stampAll(ctx context.Context, a *attempt) error {
	previous, err := w.own()
	if err != nil {
		return err
	}
	var seen VectorClock
	if w.hasVectors {
		seen = w.seen()
	}
	clock := w.clock
	for _, e := range a.group {
		for i := range e.drafts {
			d := &e.drafts[i]
			if d.stored.p != nil {
				continue
			}
			if clock == math.MaxInt64 {
				return ErrClockOverflow
			}
			clock++
			if w.hasVectors {
				if seen, err = seen.Advance(w.node, clock); err == nil && seen.Len() > maxVectorNodes {
					err = invalid(vectorField, reasonVectorSize)
				}
				if err != nil {
					return err
				}
			}
			parents, err := w.parents(ctx, d)
			if err != nil {
				return err
			}
			a.events = append(a.events, d.stamp(clock, previous, parents, seen))
			d.heads.after = headsAfter(d.heads.after, parents, d.content.ID)
			previous = clock
		}
	}
	return nil
}

// headsAfter returns the heads after an event with these parents.
func headsAfter(heads, parents []EventID, id EventID) []EventID {
	if len(heads) == len(parents) && slices.Equal(heads, parents) {
		return []EventID{id}
	}
	after := make([]EventID, 0, len(heads)+1)
	for _, h := range heads {
		for len(parents) > 0 && parents[0] < h { // both are in order
			parents = parents[1:]
		}
		if len(parents) == 0 || h != parents[0] {
			after = append(after, h)
		}
	}
	i, _ := slices.BinarySearch(after, id)
	return slices.Insert(after, i, id)
}

// loadHeads gives the drafts the heads of their aggregates.
func (w *emitter) loadHeads(ctx context.Context, a *attempt) error {
	for _, e := range a.group {
		for i := range e.drafts {
			d := &e.drafts[i]
			known := w.heads.byAggregate[d.content.AggregateID]
			if known == nil {
				heads, err := LoadHeads(ctx, w.storage, w.project, d.content.AggregateID)
				if err != nil {
					return err
				}
				a.loaded = append(a.loaded, d.content.AggregateID)
				known = w.heads.add(d.content.AggregateID, sortedParents(heads))
			}
			known.after = known.now
			d.heads = known
		}
	}
	return nil
}

// leaveOutAhead leaves events that are too far ahead out of the heads: they cannot come before, nor
// be between the others and what is emitted now.
func (w *emitter) leaveOutAhead(ctx context.Context, a *attempt) error {
	for _, e := range a.group {
		for i := range e.drafts {
			d := &e.drafts[i]
			heads, err := w.followedHeads(ctx, d.content.AggregateID, d.heads.now, a.isQuiet)
			if err != nil {
				return err
			}
			if len(heads) != len(d.heads.now) || !slices.Equal(heads, d.heads.now) {
				a.loaded = append(a.loaded, d.content.AggregateID)
				w.heads.replace(d.content.AggregateID, d.heads, heads)
			}
			d.heads.after = d.heads.now
		}
	}
	return nil
}

// followedHeads returns the heads of an aggregate among the events that are followed, if there are
// others among its heads. Unless nobody else has saved, it reads on, so that they are before the clock.
func (w *emitter) followedHeads(ctx context.Context, aggregateID string, heads []EventID, isQuiet bool) ([]EventID, error) {
	if !slices.ContainsFunc(heads, func(id EventID) bool { return w.isAhead[id] }) {
		return heads, nil
	}
	events, err := w.storage.LoadEvents(ctx, aggregateID)
	if err == nil && !isQuiet {
		err = w.readOn(ctx)
	}
	if err != nil {
		return nil, err
	}
	return headIDs(slices.DeleteFunc(events, func(e Event) bool { return w.isAhead[e.ID()] }), w.project)
}

// parents returns the parents of a draft: those that its caller had read, or the heads.
func (w *emitter) parents(ctx context.Context, d *draft) ([]EventID, error) {
	if d.parents != nil {
		return d.parents, nil
	}
	parents := d.heads.after
	if len(parents) > maxParents {
		return w.mostParents(ctx, d.content.AggregateID, parents)
	}
	if parents == nil {
		parents = []EventID{}
	}
	return parents, nil
}

// mostParents returns as many heads as an event may name: the latest of the node itself, which may
// be one of this attempt, and otherwise the last in the order of Compare. The others stay heads.
func (w *emitter) mostParents(ctx context.Context, aggregateID string, heads []EventID) ([]EventID, error) {
	events, err := w.storage.LoadEvents(ctx, aggregateID)
	if err != nil {
		return nil, err
	}
	unsaved := make(map[EventID]bool, len(heads))
	for _, id := range heads {
		unsaved[id] = true
	}
	events = slices.DeleteFunc(events, func(e Event) bool {
		isHead := unsaved[e.ID()]
		delete(unsaved, e.ID())
		return !isHead
	})
	slices.SortFunc(events, func(a, b Event) int { return Compare(b, a) })
	if own := slices.IndexFunc(events, func(e Event) bool { return e.NodeID() == w.node }); own > 0 {
		latest := events[own]
		events = slices.Insert(slices.Delete(events, own, own+1), 0, latest)
	}
	parents := slices.Sorted(maps.Keys(unsaved)) // the latest is the last, unless callers gave IDs
	parents = parents[max(0, len(parents)-maxParents):]
	for _, e := range events[:min(len(events), maxParents-len(parents))] {
		parents = append(parents, e.ID())
	}
	slices.Sort(parents)
	return parents, nil
}

// withParents returns the emissions whose given parents are what they must be, and finishes
// the others.
func (w *emitter) withParents(ctx context.Context, group []*emission) []*emission {
	return slices.DeleteFunc(group, func(e *emission) bool {
		err := w.checkParents(ctx, e)
		if err != nil {
			e.finish(err)
		}
		return err != nil
	})
}

// checkParents checks that the given parents are earlier events of the same aggregate.
func (w *emitter) checkParents(ctx context.Context, e *emission) error {
	inEmission := map[EventID]string{} // their aggregates
	for i := range e.drafts {
		d := &e.drafts[i]
		for _, id := range d.parents {
			if aggregate, ok := inEmission[id]; ok && aggregate == d.content.AggregateID {
				continue
			}
			if known := w.heads.byAggregate[d.content.AggregateID]; known != nil && !w.isAhead[id] {
				if _, isHead := slices.BinarySearch(known.now, id); isHead {
					continue
				}
			}
			parent, err := FindEvent(ctx, w.storage, id)
			if err == nil && parent.clock > w.clock && !w.isAhead[id] { // another process has just saved it
				w.quiet = 0
				err = w.readOn(ctx)
			}
			switch {
			case err != nil:
				return err
			case parent.p == nil || parent.p.AggregateID != d.content.AggregateID || parent.p.ProjectUUID != w.project || w.isAhead[id]:
				return d.invalid(fieldParents, "must be earlier events of the aggregate")
			}
		}
		if d.stored.p == nil {
			inEmission[d.content.ID] = d.content.AggregateID
		}
	}
	return nil
}

// check returns ErrConcurrentSave if a decision does not hold any more.
func (w *emitter) check(ctx context.Context, d *decision) error {
	if d.after.position >= w.at.position {
		return nil
	}
	matches := Condition{ProjectUUID: w.project, Aggregates: d.aggregates}.matcher()
	for entry, err := range w.storage.ReadLog(ctx, d.after) {
		switch {
		case err != nil:
			return err
		case entry.Event.p == nil:
			return errYieldedZero()
		case matches(entry.Event):
			return ErrConcurrentSave
		case entry.Cursor.position >= w.at.position:
			d.after = w.at
			return nil
		}
	}
	return nil
}
