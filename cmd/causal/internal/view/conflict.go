package view

import (
	"cmp"
	"slices"

	"github.com/spec-kitty/causal"
)

// Conflict is a period in the history of an aggregate with more than one head:
// from the first event that had not read another one, up to the event that had
// read all, if there is one.
type Conflict struct {
	Number                   int // from 1, in the order of their first events
	ProjectUUID, AggregateID string
	Events                   []int // during it, in ascending order, and the head before
	Branches                 []int // the heads when it was joined, or now
	JoinedBy                 int   // the event that had read all branches, -1 if none has
	IsCertain                bool  // the branches are known to be concurrent; otherwise, some may follow others
}

// IsOpen reports whether no event has read all branches.
func (c *Conflict) IsOpen() bool { return c.JoinedBy < 0 }

// Conflicts returns the conflicts of all aggregates among the selected events,
// without those of type [causal.MergedType]. The open ones are those of
// [causal.History.Conflicts].
func (v *View) Conflicts(takesPart func(causal.Event) bool) []Conflict {
	type aggregate struct{ project, id string }
	of := map[aggregate][]int{}
	for i := range v.Len() {
		if e := v.At(i); e.Type() != causal.MergedType && takesPart(e) {
			at := aggregate{e.ProjectUUID(), e.AggregateID()}
			of[at] = append(of[at], i)
		}
	}
	var found []Conflict
	for at, events := range of {
		found = v.appendConflicts(found, Conflict{ProjectUUID: at.project, AggregateID: at.id, JoinedBy: -1}, events)
	}
	slices.SortFunc(found, func(a, b Conflict) int { return cmp.Compare(a.Events[1], b.Events[1]) })
	for k := range found {
		found[k].Number = k + 1
	}
	return found
}

// appendConflicts scans an aggregate, tracking its heads.
func (v *View) appendConflicts(found []Conflict, begun Conflict, events []int) []Conflict {
	var heads []int
	var open *Conflict
	for _, i := range events {
		before := heads
		heads = nil
		for _, h := range before {
			if v.Relation(h, i) != causal.OrderBefore {
				heads = append(heads, h)
			}
		}
		heads = append(heads, i)
		switch {
		case len(heads) > 1 && open == nil:
			c := begun
			c.Events, open = slices.Clone(heads), &c
		case len(heads) > 1:
			open.Events = append(open.Events, i)
		case open != nil:
			open.JoinedBy = i
			found, open = append(found, v.end(*open, before)), nil
		}
	}
	if open != nil {
		found = append(found, v.end(*open, heads))
	}
	return found
}

func (v *View) end(c Conflict, heads []int) Conflict {
	c.Branches, c.IsCertain = heads, true
	for k, i := range heads {
		for _, j := range heads[:k] {
			c.IsCertain = c.IsCertain && v.Relation(i, j) == causal.OrderConcurrent
		}
	}
	return c
}
