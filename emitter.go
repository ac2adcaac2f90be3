package causal

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// open reads the events stored since the node was closed.
func (w *emitter) open(ctx context.Context, afterRestore bool) error {
	err := w.load(ctx)
	isRestored := errors.Is(err, ErrRestored)
	if err != nil && (!isRestored || !afterRestore) {
		return err
	}
	if err := w.loadClock(ctx); err != nil {
		return err
	}
	w.followAhead()
	if err := w.readOn(ctx); err != nil {
		return err
	}
	if w.saved.Revision == 0 || isRestored {
		return w.saveCheckpoint(ctx)
	}
	w.keep(ctx)
	return nil
}

// save saves the emissions together, in order, and finishes them.
func (w *emitter) save(ctx context.Context, group []*emission) {
	if err := w.settle(ctx); err != nil {
		for _, e := range group {
			e.finish(w.asPending(e, err))
		}
		return
	}
	var refused *attempt
	for {
		group = w.withParents(ctx, group)
		if len(group) == 0 {
			return
		}
		a := &attempt{group: group}
		err := w.stamp(ctx, a)
		if err == nil && refused != nil && !refused.isQuiet && a.after == refused.after {
			err = &StorageError{Op: "save events if", Err: errors.New("the storage refused because of an event that is not in its log")}
		}
		var saved Appended
		isStamped := err == nil
		if isStamped {
			saved, err = w.storage.SaveEventsIf(ctx, a.after, a.condition, a.events)
		}
		if err != nil {
			w.heads.drop(a.loaded...)
		}
		var conflict *IDConflictError
		switch {
		case !isStamped:
			finishAll(group, err)
			return
		case err == nil:
			w.commit(ctx, a, saved)
			a.deliver()
			return
		case errors.Is(err, ErrOutcomeUnknown):
			w.setPending(a)
			finishAll(group, err)
			return
		case errors.Is(err, ErrConcurrentSave):
			w.quiet, refused = 0, a
		case errors.As(err, &conflict) && conflict != nil:
			group = w.takeOut(ctx, group, conflict)
		case len(group) > 1 && ctx.Err() == nil && isRefusal(err): // perhaps caused by only one of the events
			for _, e := range group {
				w.save(ctx, []*emission{e})
			}
			return
		default:
			finishAll(group, err)
			return
		}
	}
}

// deliver finishes the emissions with their events.
func (a *attempt) deliver() {
	events := a.events
	for _, e := range a.group {
		for i := range e.drafts {
			if e.drafts[i].stored.p == nil {
				e.drafts[i].stored, events = events[0], events[1:]
			}
		}
		e.finish(nil)
	}
}

// commit updates the state after a save.
func (w *emitter) commit(ctx context.Context, a *attempt, saved Appended) {
	for _, e := range a.group {
		for i := range e.drafts {
			if d := &e.drafts[i]; d.heads != nil && d.stored.p == nil {
				w.heads.advance(d.content.AggregateID, d.heads)
			}
		}
	}
	isAlone := saved.Before == w.at && w.at == a.after
	isNew := len(saved.New) == len(a.events) && !slices.Contains(saved.New, false)
	if isNew && (isAlone || w.readTo(ctx, saved.Before) == nil) && w.at == saved.Before {
		for _, e := range a.events {
			w.follow(linkOf(e))
		}
		w.at = saved.After
		if w.quiet++; !isAlone {
			w.quiet = 0
		}
		return
	}
	w.quiet = 0 // and the log is read before the next save
	for _, e := range a.events {
		w.heads.drop(e.p.AggregateID)
	}
}

// settle saves again the events whose outcome is unknown, until the store has
// saved or refused them.
func (w *emitter) settle(ctx context.Context) error {
	a := w.pending
	if a == nil {
		return nil
	}
	saved, err := w.storage.SaveEventsIf(ctx, a.after, a.condition, a.events)
	switch {
	case err == nil:
		w.setPending(nil)
		w.commit(ctx, a, saved)
		return nil
	case ctx.Err() == nil && isRefusal(err):
		w.setPending(nil)
		w.quiet = 0
		return nil
	}
	return err
}

func (w *emitter) setPending(a *attempt) {
	w.pending = a
	w.isPending.Store(a != nil)
}

// isRefusal reports whether err proves that the same save was not made and
// never will be: the log only grows, and whatever is in the way stays there.
func isRefusal(err error) bool {
	return !errors.Is(err, ErrOutcomeUnknown) && (errors.Is(err, ErrConcurrentSave) || errors.Is(err, ErrIDConflict) ||
		errors.Is(err, ErrValidation) || errors.Is(err, ErrInvalidCursor) || errors.Is(err, ErrCursorAhead))
}

// asPending returns the error for an emission that waits for an unsettled one.
// Its own outcome is unknown only if it is among the unsettled ones.
func (w *emitter) asPending(e *emission, err error) error {
	for i := range e.drafts {
		if slices.ContainsFunc(w.pending.events, func(p Event) bool { return p.ID() == e.drafts[i].content.ID }) {
			if errors.Is(err, ErrOutcomeUnknown) {
				return err
			}
			return &StorageError{Op: "save events", Err: fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)}
		}
	}
	return &StorageError{Op: "save what was emitted before", Err: earlierError{err}}
}

// earlierError is an error about other events.
type earlierError struct{ err error }

func (e earlierError) Error() string { return e.err.Error() }

func (e earlierError) Is(target error) bool {
	return target != ErrOutcomeUnknown && errors.Is(e.err, target)
}

// takeOut handles emissions whose IDs are taken. It finishes those in conflict
// with stored events, with an error, and those stored already, with success,
// and returns the emissions left to save.
func (w *emitter) takeOut(ctx context.Context, group []*emission, conflict *IDConflictError) []*emission {
	isTaken := map[EventID]bool{}
	for _, id := range conflict.IDs {
		isTaken[id] = true
	}
	before := len(group)
	isFound := false
	group = slices.DeleteFunc(group, func(e *emission) bool {
		found, err := w.findStored(ctx, e, isTaken)
		isFound = isFound || found
		if err != nil || e.isStored() {
			e.finish(err)
			return true
		}
		return false
	})
	if len(group) == before && !isFound { // the IDs are not of these events
		finishAll(group, conflict)
		return nil
	}
	return group
}

// findStored finds the stored events with the IDs of drafts.
func (w *emitter) findStored(ctx context.Context, e *emission, isTaken map[EventID]bool) (found bool, err error) {
	var conflicts []EventID
	for i := range e.drafts {
		d := &e.drafts[i]
		if d.stored.p != nil || !isTaken[d.content.ID] {
			continue
		}
		stored, err := FindEvent(ctx, w.storage, d.content.ID)
		if err != nil {
			return false, err
		}
		if stored.p == nil || !d.agrees(stored) {
			conflicts = append(conflicts, d.content.ID)
			continue
		}
		d.stored, found = stored, true
	}
	return found, errIDConflict(conflicts)
}
