package causal

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"unique"
)

// ORSet is an observed-remove set: a remove takes away the adds that its node had
// seen, so an add that is concurrent with it wins (Shapiro et al. 2011,
// specification 15). It gives the same answer for the same events, in whatever
// order and however often they come, removes before the adds that they remove
// included. It is the state form of [MergeORSet].
//
// An add is known by the node and the Lamport clock of its event, and stands also
// for the earlier adds of the element by its node. So the set keeps one entry for
// each element and node that ever added it, however often (Bieniusa et al., "An
// optimized conflict-free replicated set", 2012); [ORSet.Compact] drops those of
// removed elements.
//
// The zero value is an empty set. A copy shares its content: use one of the two,
// and merge into a zero ORSet for a set of its own. An ORSet is not safe for
// concurrent use while one goroutine changes it. NaN and strings that are not valid
// UTF-8 cannot be elements.
type ORSet[E cmp.Ordered] struct {
	elements map[E][]orAdd // for each node that added the element, its latest add
	live     int           // elements with an add that is not removed
	seen     VectorClock
	stable   VectorClock // what Compact has seen: nothing older comes anew
}

// orAdd is an add and whether it was removed. Under join it only moves up: a later
// add of the node stands for the earlier ones, and removed is above not removed.
type orAdd struct {
	add     dot
	removed dot // by which event, the least if several; zero if it was not removed
}

func (a orAdd) isRemoved() bool { return a.removed.time > 0 }

// join returns the upper of two adds of one node.
func (a orAdd) join(b orAdd) orAdd {
	switch {
	case a.add.time > b.add.time:
		return a
	case a.add.time < b.add.time || !a.isRemoved():
		return b
	case b.isRemoved() && b.removed.compare(a.removed) < 0:
		return b
	}
	return a
}

// seenBy reports whether v has seen the add and, if it is removed, its removal.
func (a orAdd) seenBy(v VectorClock) bool {
	return a.add.seenBy(v) && (!a.isRemoved() || a.removed.seenBy(v))
}

// Apply takes the change in the payload of e; see [ORSetChange]. The error is one
// of [ORSet.Change] or a [*ValidationError] for a payload that is no such change;
// then the set is as it was.
func (s *ORSet[E]) Apply(e Event) error {
	if e.p == nil {
		return errZeroEvent()
	}
	var change ORSetChange[E]
	if err := change.read(e); err != nil {
		return err
	}
	change.detach()
	return s.Change(e, change)
}

// Change takes a change that e makes. The caller keeps what the change refers to.
// The error is a [*ValidationError] for a change that breaks the rules on
// [ORSetChange] and for the zero Event; then the set is as it was.
func (s *ORSet[E]) Change(e Event, change ORSetChange[E]) error {
	if e.p == nil {
		return errZeroEvent()
	}
	if reason := change.check(e.clock); reason != "" {
		return e.payloadError(reason, nil)
	}
	by := dotOf(e)
	for _, element := range change.Add {
		s.join(canonical(element), orAdd{add: by})
	}
	for _, r := range change.Remove {
		for _, seen := range r.Observed.entries {
			s.join(canonical(r.Element), orAdd{dot{unique.Make(seen.node), seen.time}, by})
		}
	}
	return nil
}

// join takes an add, unless it is one that was removed and dropped.
func (s *ORSet[E]) join(element E, a orAdd) {
	adds := s.elements[element]
	i := indexOfNode(adds, a)
	wasLive := isLive(adds)
	switch {
	case i >= 0:
		if joined := adds[i].join(a); joined != adds[i] {
			adds[i] = joined
		}
	case a.add.seenBy(s.stable):
		return
	default:
		if s.elements == nil {
			s.elements = map[E][]orAdd{}
		}
		adds = append(adds, a)
		s.elements[element] = adds
	}
	s.count(wasLive, isLive(adds))
}

// count notes that an element was in the set, and is.
func (s *ORSet[E]) count(was, is bool) {
	switch {
	case is && !was:
		s.live++
	case was && !is:
		s.live--
	}
}

// indexOfNode returns the index of the add by a's node, -1 if there is none.
func indexOfNode(adds []orAdd, a orAdd) int {
	return slices.IndexFunc(adds, func(b orAdd) bool { return a.add.node == b.add.node })
}

// isLive reports whether an element with these adds is in the set.
func isLive(adds []orAdd) bool {
	return slices.ContainsFunc(adds, func(a orAdd) bool { return !a.isRemoved() })
}

// Removal returns the change that removes the elements: it names the adds that
// this set has seen. An element that is not in the set needs no removal. Before the
// event, the node's clock must have moved beyond [ORSet.LamportClock]; it has
// if the node observed the events.
func (s ORSet[E]) Removal(elements ...E) ORSetChange[E] {
	var change ORSetChange[E]
	for _, element := range elements {
		var observed []vectorEntry
		for _, a := range s.elements[element] {
			if !a.isRemoved() {
				observed = append(observed, vectorEntry{a.add.node.Value(), a.add.time})
			}
		}
		if observed != nil {
			slices.SortFunc(observed, func(a, b vectorEntry) int { return strings.Compare(a.node, b.node) })
			change.Remove = append(change.Remove, ORSetRemoval[E]{element, VectorClock{observed}})
		}
	}
	return change
}

// Merge takes what the other set has heard of and this one has not. The sets share
// nothing then but the strings.
func (s *ORSet[E]) Merge(other ORSet[E]) {
	compacted := checkGap(s.stable, other.stable) != nil // further than this set
	if !other.stable.IsZero() {
		s.drop(func(element E, a orAdd) bool { // what the other one has dropped
			return (compacted || a.isRemoved()) && a.add.seenBy(other.stable) &&
				indexOfNode(other.elements[element], a) < 0
		})
	}
	s.mergeAdds(other)
	s.seen = s.seen.Merge(other.seen)
	s.stable = s.stable.Merge(other.stable)
	if compacted {
		s.drop(s.isStable)
	}
}

// mergeAdds takes the adds of the other set.
func (s *ORSet[E]) mergeAdds(other ORSet[E]) {
	for element, adds := range other.elements {
		for _, a := range adds {
			s.join(element, a)
		}
	}
}

// isStable reports whether a is removed and no node can lack it.
func (s *ORSet[E]) isStable(_ E, a orAdd) bool { return a.isRemoved() && a.seenBy(s.stable) }

// drop drops the adds for which gone is true.
func (s *ORSet[E]) drop(gone func(element E, a orAdd) bool) {
	for element, adds := range s.elements {
		wasLive := isLive(adds)
		kept := slices.DeleteFunc(adds, func(a orAdd) bool { return gone(element, a) })
		s.count(wasLive, isLive(kept))
		if len(kept) == 0 {
			delete(s.elements, element)
		} else {
			s.elements[element] = kept
		}
	}
}

// Contains reports whether the element is in the set.
func (s ORSet[E]) Contains(element E) bool { return isLive(s.elements[element]) }

// Len returns the number of elements.
func (s ORSet[E]) Len() int { return s.live }

// All yields the elements in ascending order. It sorts them first.
func (s ORSet[E]) All() iter.Seq[E] { return slices.Values(s.sorted()) }

// sorted returns the elements in ascending order; the caller owns them.
func (s ORSet[E]) sorted() []E {
	sorted := make([]E, 0, s.live)
	for element, adds := range s.elements {
		if isLive(adds) {
			sorted = append(sorted, element)
		}
	}
	slices.Sort(sorted)
	return sorted
}

// LamportClock returns the latest clock of which the set knows, 0 for an empty set.
// It looks at all entries. A node that merges a set without having observed its
// events moves its clock beyond ([LamportClock.Update]) before it emits a change.
func (s ORSet[E]) LamportClock() int64 {
	latest := int64(0)
	for _, adds := range s.elements {
		for _, a := range adds {
			latest = max(latest, a.add.time, a.removed.time)
		}
	}
	for _, time := range s.seen.All() {
		latest = max(latest, time)
	}
	return latest
}

// Seen returns what the set has seen for certain; see [ORSet.MarkSeen].
func (s ORSet[E]) Seen() VectorClock { return s.seen }

// MarkSeen notes that the set has applied all events within v that concern it, as
// [GSet.MarkSeen] does.
func (s *ORSet[E]) MarkSeen(v VectorClock) { s.seen = s.seen.Merge(v) }

// Compact drops the entries of elements that were removed within the cut, which is
// what all nodes have seen: see [StableCut]. From then on the set ignores events
// within the cut, which only repeat. The error is a [*GapError] for a cut
// that the set has not seen; then it is as it was.
func (s *ORSet[E]) Compact(cut VectorClock) error {
	if err := checkGap(s.seen, cut); err != nil {
		return err
	}
	s.stable = s.stable.Merge(cut)
	s.drop(s.isStable)
	return nil
}

// DeltaSince returns what a replica lacks that has seen since. The error is a
// [*GapError] if that is less than what was compacted here: then the replica
// needs the whole set.
func (s ORSet[E]) DeltaSince(since VectorClock) (Delta[ORSet[E]], error) {
	if err := checkGap(since, s.stable); err != nil {
		return Delta[ORSet[E]]{}, err
	}
	d := Delta[ORSet[E]]{since, ORSet[E]{seen: s.seen}}
	for element, adds := range s.elements {
		for _, a := range adds {
			if !a.seenBy(since) {
				d.part.join(element, a)
			}
		}
	}
	return d, nil
}

// MergeDelta takes what the delta has. The error is a [*GapError] if the set
// has not seen what the delta builds upon; then it is as it was.
func (s *ORSet[E]) MergeDelta(d Delta[ORSet[E]]) error {
	if err := checkGap(s.seen, d.since); err != nil {
		return err
	}
	s.mergeAdds(d.part)
	s.seen = s.seen.Merge(d.part.seen)
	return nil
}
