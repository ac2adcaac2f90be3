package causal

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"unique"
)

// ORSet is an observed-remove set. A remove cancels the adds its node had seen,
// so a concurrent add wins (Shapiro et al. 2011, specification 15). The same
// events give the same result in any order and any number of times, even if a
// remove arrives before the adds it removes. ORSet is the state form of
// [MergeORSet].
//
// An add is identified by the node and the Lamport clock of its event, and
// replaces earlier adds of the element by the same node. So the set keeps one
// entry for each element and each node that ever added it (Bieniusa et al., "An
// optimized conflict-free replicated set", 2012). [ORSet.Compact] drops the
// entries of removed elements.
//
// The zero value is an empty set. A copied ORSet shares storage with the
// original; do not use both. To clone a set, merge it into a zero ORSet. An
// ORSet is safe for concurrent use unless one goroutine changes it. NaN and
// strings that are not valid UTF-8 cannot be elements.
type ORSet[E cmp.Ordered] struct {
	elements map[E]orAdds
	live     int // elements with an add that is not removed
	seen     VectorClock
	stable   VectorClock // the cut of Compact: nothing older arrives for the first time
}

// Apply applies the change in e's payload; see [ORSetChange]. It returns a
// [*ValidationError] if the payload is not such a change, and the errors of
// [ORSet.Change]. On error, the set is unchanged.
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

// Change applies a change on behalf of e. It does not retain the change. It
// returns a [*ValidationError] if e is zero or the change breaks the rules of
// [ORSetChange], and a [*ForkError] if another event of e's node and clock
// added one of the elements, because removing one would remove both; if a later
// add of the node has replaced it, the fork has no effect, and is not noticed.
// On error, the set is unchanged.
func (s *ORSet[E]) Change(e Event, change ORSetChange[E]) error {
	if e.p == nil {
		return errZeroEvent()
	}
	if reason := change.check(e.clock); reason != "" {
		return e.payloadError(reason, nil)
	}
	by := originOf(e)
	isNew := len(change.Remove) > 0
	for _, element := range change.Add {
		adds := s.elements[canonical(element)]
		i := adds.find(orAdd{add: by})
		if i >= 0 && adds.all[i].add.isFork(by) {
			return errFork(by.dot, adds.all[i].add.id, e.p.ID)
		}
		isNew = isNew || i < 0 || adds.all[i].add.id == "" || adds.all[i].add.time < by.time
	}
	if isNew {
		s.apply(by.detached(), change, func(origin, origin) {})
	}
	return nil
}

// apply applies the valid change of an event. It calls replaced for each add if
// the set already had one by the same node, with both. Either may be the later.
func (s *ORSet[E]) apply(by origin, change ORSetChange[E], replaced func(old, add origin)) {
	for _, element := range change.Add {
		element = canonical(element)
		if old := s.join(element, orAdd{add: by}); old.time > 0 {
			replaced(old, by)
		}
	}
	for _, r := range change.Remove {
		element := canonical(r.Element)
		for _, seen := range r.Observed.entries {
			named := origin{dot: dot{unique.Make(seen.node), seen.time}}
			if old := s.join(element, orAdd{named, by}); old.time > 0 {
				replaced(old, named)
			}
		}
	}
}

// join joins an add with the one the set had by the same node, if any, and
// returns that one. It ignores an add that was removed and dropped.
func (s *ORSet[E]) join(element E, a orAdd) (old origin) {
	adds := s.elements[element]
	wasLive := adds.isLive()
	if i := adds.find(a); i >= 0 {
		old = adds.all[i].add
		if joined := adds.all[i].join(a); joined != adds.all[i] {
			adds.set(i, joined)
		}
	} else {
		if a.add.seenBy(s.stable) {
			return origin{}
		}
		if s.elements == nil {
			s.elements = map[E]orAdds{}
		}
		adds = adds.with(a)
		s.elements[element] = adds
	}
	s.count(wasLive, adds.isLive())
	return old
}

// count updates live for an element that was, and is, in the set.
func (s *ORSet[E]) count(was, is bool) {
	switch {
	case is && !was:
		s.live++
	case was && !is:
		s.live--
	}
}

// Removal returns the change that removes elements. It names the adds seen by
// this set; an element not in the set needs no removal. Before the node emits
// the change, it must advance its clock past [ORSet.LamportClock]. If the node
// has observed the events, it has done so already.
func (s ORSet[E]) Removal(elements ...E) ORSetChange[E] {
	var change ORSetChange[E]
	for _, element := range elements {
		var observed []vectorEntry
		for _, a := range s.elements[element].all {
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

// Merge merges the other set into this one. Afterwards the sets share nothing
// but strings. Merge returns a [*ForkError] if an event would be mistaken for
// another of its node and clock, because that one added the element too, or was
// removed and compacted. On error, the set is unchanged.
func (s *ORSet[E]) Merge(other ORSet[E]) error {
	changed, err := s.compare(other)
	if err != nil {
		return err
	}
	compacted := checkGap(s.stable, other.stable) != nil // further than this set
	if !other.stable.IsZero() {
		s.drop(func(element E, a orAdd) bool { // what other has dropped
			return (compacted || a.isRemoved()) && a.add.seenBy(other.stable) && other.elements[element].find(a) < 0
		})
	}
	s.mergeAdds(other, changed)
	s.seen = s.seen.Merge(other.seen)
	s.stable = s.stable.Merge(other.stable)
	if compacted {
		s.drop(s.isStable)
	}
	return nil
}

// compare returns the elements with adds in other that are missing or in
// another state here, or the error of Merge.
func (s *ORSet[E]) compare(other ORSet[E]) (changed []E, err error) {
	var found forkFinder
	for element, adds := range other.elements {
		mine := s.elements[element]
		isSame := true
		for _, a := range adds.all {
			i := mine.find(a)
			switch {
			case i < 0:
				isSame = false
			case mine.all[i].add.isFork(a.add):
				found.add(mine.all[i].add)
				found.add(a.add)
			default:
				isSame = isSame && mine.all[i].join(a) == mine.all[i]
			}
		}
		if !isSame {
			changed = append(changed, element)
		}
	}
	s.findTaken(&found, other)
	other.findTaken(&found, *s)
	return changed, found.err()
}

// findTaken notes live adds of s that a merge would drop because other has
// compacted past them, although other never had them. This is certain if other
// has another event with the same dot, or if s has seen everything compacted by
// other, including the removal.
func (s *ORSet[E]) findTaken(found *forkFinder, other ORSet[E]) {
	if other.stable.IsZero() {
		return
	}
	hasSeen := checkGap(s.seen, other.stable) == nil
	taken := map[dot]EventID{}
	for element, adds := range s.elements {
		for _, a := range adds.all {
			if !a.isRemoved() && a.add.seenBy(other.stable) && other.elements[element].find(a) < 0 {
				taken[a.add.dot] = a.add.id
				if hasSeen {
					found.note(a.add.dot, a.add.id)
				}
			}
		}
	}
	if len(taken) == 0 {
		return
	}
	for _, adds := range other.elements {
		for _, a := range adds.all {
			if id, ok := taken[a.add.dot]; ok && a.add.id != "" && a.add.id != id {
				found.note(a.add.dot, id, a.add.id)
			}
		}
	}
}

// mergeAdds merges other's adds of the given elements.
func (s *ORSet[E]) mergeAdds(other ORSet[E], elements []E) {
	for _, element := range elements {
		for _, a := range other.elements[element].all {
			s.join(element, a)
		}
	}
}

// isStable reports whether a is removed and every node has it.
func (s *ORSet[E]) isStable(_ E, a orAdd) bool { return a.isRemoved() && a.seenBy(s.stable) }

// drop drops the adds for which gone is true.
func (s *ORSet[E]) drop(gone func(element E, a orAdd) bool) {
	for element, adds := range s.elements {
		wasLive := adds.isLive()
		kept := adds.without(func(a orAdd) bool { return gone(element, a) })
		s.count(wasLive, kept.isLive())
		if len(kept.all) == 0 {
			delete(s.elements, element)
		} else {
			s.elements[element] = kept
		}
	}
}

// Contains reports whether the element is in the set.
func (s ORSet[E]) Contains(element E) bool { return s.elements[element].isLive() }

// Len returns the number of elements.
func (s ORSet[E]) Len() int { return s.live }

// All yields the elements in ascending order. It sorts them first.
func (s ORSet[E]) All() iter.Seq[E] { return slices.Values(s.sorted()) }

// sorted returns the elements in ascending order. The caller owns the slice.
func (s ORSet[E]) sorted() []E {
	sorted := make([]E, 0, s.live)
	for element, adds := range s.elements {
		if adds.isLive() {
			sorted = append(sorted, element)
		}
	}
	slices.Sort(sorted)
	return sorted
}

// LamportClock returns the latest clock in the set, or 0 if it is empty. It
// examines all entries. A node that merges a set without having observed its
// events must advance its clock past this value (see [LamportClock.Update])
// before it emits a change.
func (s ORSet[E]) LamportClock() int64 {
	latest := int64(0)
	for _, adds := range s.elements {
		for _, a := range adds.all {
			latest = max(latest, a.add.time, a.removed.time)
		}
	}
	for _, time := range s.seen.All() {
		latest = max(latest, time)
	}
	return latest
}

// Seen returns the set's causal context, as recorded by [ORSet.MarkSeen].
func (s ORSet[E]) Seen() VectorClock { return s.seen }

// MarkSeen records that the set has applied every relevant event covered by v.
// See [GSet.MarkSeen].
func (s *ORSet[E]) MarkSeen(v VectorClock) { s.seen = s.seen.Merge(v) }

// Compact discards entries whose removal every node has seen, as given by cut
// (see [StableCut]). Afterwards the set ignores events covered by cut, which
// can only be duplicates. If the set itself has not seen cut, Compact returns a
// [*GapError] and changes nothing.
func (s *ORSet[E]) Compact(cut VectorClock) error {
	if err := checkGap(s.seen, cut); err != nil {
		return err
	}
	s.stable = s.stable.Merge(cut)
	s.drop(s.isStable)
	return nil
}

// DeltaSince returns the part of the set missing from a replica with the vector
// clock since. It returns a [*GapError] if since does not cover everything
// compacted here, so that the replica needs the whole set, and a [*ForkError]
// if the set holds two events of one node and clock covered by since.
func (s ORSet[E]) DeltaSince(since VectorClock) (Delta[ORSet[E]], error) {
	if err := checkGap(since, s.stable); err != nil {
		return Delta[ORSet[E]]{}, err
	}
	d := Delta[ORSet[E]]{since, ORSet[E]{seen: s.seen}}
	var skipped forkFinder
	for element, adds := range s.elements {
		for _, a := range adds.all {
			a.noteSeen(&skipped, since)
			if !a.seenBy(since) {
				d.part.join(element, a)
			}
		}
	}
	if err := skipped.err(); err != nil {
		return Delta[ORSet[E]]{}, err
	}
	return d, nil
}

// MergeDelta merges a delta. It returns a [*GapError] if the set has not seen
// everything the delta depends on, and the errors of [ORSet.Merge]. On error,
// the set is unchanged.
func (s *ORSet[E]) MergeDelta(d Delta[ORSet[E]]) error {
	if err := checkGap(s.seen, d.since); err != nil {
		return err
	}
	changed, err := s.compare(d.part)
	if err != nil {
		return err
	}
	s.mergeAdds(d.part, changed)
	s.seen = s.seen.Merge(d.part.seen)
	return nil
}
