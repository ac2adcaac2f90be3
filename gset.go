package causal

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// GSet is a grow-only set (Shapiro et al. 2011, specification 11): the union of
// the elements added by events, in any order and any number of times. It is the
// state form of [MergeGSet].
//
// The zero value is an empty set. A copied GSet shares storage with the
// original; do not use both. To clone a set, merge it into a zero GSet. A GSet
// is safe for concurrent use unless one goroutine changes it. NaN and strings
// that are not valid UTF-8 cannot be elements.
type GSet[E cmp.Ordered] struct {
	elements map[E]origin // the first event that added it
	seen     VectorClock
}

// Apply adds the elements of the array in e's payload member "tags"; a missing
// member or null means none. It returns a [*ValidationError] if e is zero, if
// an element is not of type E, or if it is NaN or not UTF-8. On error, the set
// is unchanged.
func (s *GSet[E]) Apply(e Event) error {
	elements, err := appendPayloadElements[E](e, "tags", nil)
	if err != nil {
		return err
	}
	for i := range elements {
		detach(&elements[i])
	}
	return s.Add(e, elements...)
}

// Add adds elements on behalf of e. It does not retain the slice. It returns a
// [*ValidationError] if e is zero or an element is NaN or not UTF-8. On error,
// the set is unchanged.
func (s *GSet[E]) Add(e Event, elements ...E) error {
	if e.p == nil {
		return errZeroEvent()
	}
	for _, element := range elements {
		if reason := checkElement(element); reason != "" {
			return e.payloadError("has an element that "+reason, nil)
		}
	}
	by := originOf(e)
	if slices.ContainsFunc(elements, func(element E) bool { return s.isEarlier(canonical(element), by) }) {
		by = by.detached()
	}
	for _, element := range elements {
		s.join(canonical(element), by)
	}
	return nil
}

// isEarlier reports whether by precedes the events that have added the element
// so far.
func (s *GSet[E]) isEarlier(element E, by origin) bool {
	old, known := s.elements[element]
	return !known || by.compare(old) < 0
}

// join adds an element.
func (s *GSet[E]) join(element E, by origin) {
	if !s.isEarlier(element, by) {
		return
	}
	if s.elements == nil {
		s.elements = map[E]origin{}
	}
	s.elements[element] = by
}

// Merge adds the elements of other. Afterwards the sets share nothing but
// strings.
func (s *GSet[E]) Merge(other GSet[E]) {
	for element, by := range other.elements {
		s.join(element, by)
	}
	s.seen = s.seen.Merge(other.seen)
}

// Contains reports whether the element is in the set.
func (s GSet[E]) Contains(element E) bool {
	_, ok := s.elements[element]
	return ok
}

// Len returns the number of elements.
func (s GSet[E]) Len() int { return len(s.elements) }

// All yields the elements in ascending order. It sorts them first.
func (s GSet[E]) All() iter.Seq[E] { return slices.Values(slices.Sorted(maps.Keys(s.elements))) }

// Seen returns the set's causal context, as recorded by [GSet.MarkSeen].
func (s GSet[E]) Seen() VectorClock { return s.seen }

// MarkSeen records that the set has applied every relevant event covered by v,
// which becomes part of its causal context (Almeida et al. 2018). Pass the Seen
// of a [Batch] after applying its events and all earlier ones. [Node.Seen] may
// be ahead of the applied events, and Apply cannot do this itself, because
// earlier events may still be in transit.
func (s *GSet[E]) MarkSeen(v VectorClock) { s.seen = s.seen.Merge(v) }

// DeltaSince returns the part of the set missing from a replica with the vector
// clock since. It returns a [*ForkError] if the set holds two events of one
// node and clock covered by since, because the replica may have seen only one
// of them.
func (s GSet[E]) DeltaSince(since VectorClock) (Delta[GSet[E]], error) {
	d := Delta[GSet[E]]{since, GSet[E]{seen: s.seen}}
	var skipped forkFinder
	for element, by := range s.elements {
		if by.seenBy(since) {
			skipped.add(by)
		} else {
			d.part.join(element, by)
		}
	}
	if err := skipped.err(); err != nil {
		return Delta[GSet[E]]{}, err
	}
	return d, nil
}

// MergeDelta merges a delta. It returns a [*GapError] if the set has not seen
// everything the delta depends on. On error, the set is unchanged.
func (s *GSet[E]) MergeDelta(d Delta[GSet[E]]) error {
	if err := checkGap(s.seen, d.since); err != nil {
		return err
	}
	s.Merge(d.part)
	return nil
}

// MarshalJSON encodes the elements in ascending order, each with the event
// adding it, and the causal context. It returns a [*ValidationError] if an
// element has no JSON form, such as an infinite number, or the set has seen
// more than 65,536 nodes.
func (s GSet[E]) MarshalJSON() ([]byte, error) {
	b, err := appendSet(s.elements, func(b []byte, by origin) []byte { return by.appendJSON(b, ",") })
	if err != nil {
		return nil, err
	}
	if b, err = appendVector(b, `,"`, "seen", s.seen); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// UnmarshalJSON decodes the output of MarshalJSON. If data is invalid, it
// leaves *s unchanged and returns a [*ValidationError]. It does not retain
// data.
func (s *GSet[E]) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	var read GSet[E]
	err = readObject(text,
		member{"elements", read.readElements},
		member{"seen", into(&read.seen, parseVectorClock)})
	if err != nil {
		return err
	}
	*s = read
	return nil
}

// readElements reads the elements of the JSON form.
func (s *GSet[E]) readElements(value string) error {
	s.elements = map[E]origin{}
	return readElements(value, func(text string) (element E, err error) {
		var by origin
		err = readObject(text,
			member{"element", into(&element, parseElement[E])},
			member{"node_id", into(&by.node, parseDotNode)},
			member{"lamport_clock", into(&by.time, parseClock)},
			member{"event_id", into(&by.id, parseStateID)})
		detach(&element)
		s.elements[element] = by
		return element, err
	})
}
