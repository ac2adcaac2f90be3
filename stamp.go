package causal

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync/atomic"
)

// emitter saves the emitted events of a node. The caller of its methods must
// hold the node's lock.
type emitter struct {
	nodeLog
	hasVectors bool

	pending   *attempt    // whose outcome is unknown; it must be settled first
	isPending atomic.Bool // pending is not nil; needs no lock
	quiet     int         // consecutive saves that found no other writer
}

// quietSaves is the number of consecutive saves without another writer after
// which the next save does not read the log first, but is conditional on there
// still being none.
const quietSaves = 8

// attempt is a group of emissions with their stamps.
type attempt struct {
	group     []*emission
	events    []Event
	single    [1]Event // backs events if there is one
	after     Cursor
	condition Condition
	isQuiet   bool     // the save is conditional on there being no other writer
	loaded    []string // aggregates whose heads were loaded; until the save, they may be later than the clock
}

// stamp places the drafts after everything stored.
func (w *emitter) stamp(ctx context.Context, a *attempt) error {
	w.heads.trim()
	a.events = a.single[:0]
	d := a.group[0].decision // alone in its group
	a.isQuiet = w.quiet >= quietSaves
	if !a.isQuiet {
		if err := w.readOn(ctx); err != nil {
			return err
		}
	}
	err := w.loadHeads(ctx, a)
	if err == nil && !a.isQuiet && len(a.loaded) > 0 {
		err = w.readOn(ctx) // so that the clock covers the heads
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

// condition returns the condition that the chain of the node continues, and the
// decision still holds.
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

// headsAfter returns the heads after an event with the given parents.
func headsAfter(heads, parents []EventID, id EventID) []EventID {
	if len(heads) == len(parents) && slices.Equal(heads, parents) {
		return []EventID{id}
	}
	after := make([]EventID, 0, len(heads)+1)
	for _, h := range heads {
		for len(parents) > 0 && parents[0] < h { // both are sorted
			parents = parents[1:]
		}
		if len(parents) == 0 || h != parents[0] {
			after = append(after, h)
		}
	}
	i, _ := slices.BinarySearch(after, id)
	return slices.Insert(after, i, id)
}

// loadHeads sets the heads of the drafts' aggregates.
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

// leaveOutAhead removes events with a clock too far ahead from the heads: no
// new event can follow them, and none of them lies between the other heads and
// a new event.
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

// followedHeads returns the heads of an aggregate among the events that are
// followed, if some of its heads are not. If there may be another writer, it
// first reads the log, so that the clock covers them.
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

// parents returns the parents of a draft: those given by its caller, or the
// heads.
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

// mostParents returns as many heads as an event may name: the latest of the
// node itself, which may be one of this attempt, and then the last in the order
// of Compare. The others remain heads.
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

// withParents returns the emissions whose given parents are valid, and finishes
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

// checkParents checks that the given parents are earlier events of the same
// aggregate.
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
			if err == nil && parent.clock > w.clock && !w.isAhead[id] { // just saved by another process
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

// check returns ErrConcurrentSave if a decision no longer holds.
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
