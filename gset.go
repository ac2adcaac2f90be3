package causal

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// GSet is a grow-only set (Shapiro et al. 2011, specification 11): the union of
// what events add, in whatever order and however often they come. It is the state
// form of [MergeGSet].
//
// The zero value is an empty set. A copy shares its content: use one of the two,
// and merge into a zero GSet for a set of its own. A GSet is not safe for
// concurrent use while one goroutine changes it. NaN and strings that are not
// valid UTF-8 cannot be elements.
type GSet[E cmp.Ordered] struct {
	elements map[E]dot // the least dot that added it
	seen     VectorClock
}

// Apply adds the elements of the array in the payload member "tags" of e; a
// missing member has none. The error is a [*ValidationError] for elements that are
// not of type E or that no set can have, and for the zero Event; then the set is as
// it was.
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

// Add adds elements that e adds. The caller keeps the slice. The error is a
// [*ValidationError] for elements that no set can have and for the zero Event; then
// the set is as it was.
func (s *GSet[E]) Add(e Event, elements ...E) error {
	if e.p == nil {
		return errZeroEvent()
	}
	for _, element := range elements {
		if reason := checkElement(element); reason != "" {
			return e.payloadError("has an element that "+reason, nil)
		}
	}
	for _, element := range elements {
		s.join(canonical(element), dotOf(e))
	}
	return nil
}

// join adds an element.
func (s *GSet[E]) join(element E, by dot) {
	if old, known := s.elements[element]; known && old.compare(by) <= 0 {
		return
	}
	if s.elements == nil {
		s.elements = map[E]dot{}
	}
	s.elements[element] = by
}

// Merge adds what the other set has. The sets share nothing then but the strings.
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

// Seen returns what the set has seen for certain; see [GSet.MarkSeen].
func (s GSet[E]) Seen() VectorClock { return s.seen }

// MarkSeen notes that the set has applied all events within v that concern it:
// what [VectorTracker.Seen] returns, if each event that the tracker observed was
// also applied, and nodes exchange their events without gaps. Apply alone cannot
// know, as earlier events may be on their way.
func (s *GSet[E]) MarkSeen(v VectorClock) { s.seen = s.seen.Merge(v) }

// DeltaSince returns what a replica lacks that has seen since.
func (s GSet[E]) DeltaSince(since VectorClock) Delta[GSet[E]] {
	d := Delta[GSet[E]]{since, GSet[E]{seen: s.seen}}
	for element, by := range s.elements {
		if !by.seenBy(since) {
			d.part.join(element, by)
		}
	}
	return d
}

// MergeDelta adds what the delta has. The error is a [*GapError] if the set
// has not seen what the delta builds upon; then it is as it was.
func (s *GSet[E]) MergeDelta(d Delta[GSet[E]]) error {
	if err := checkGap(s.seen, d.since); err != nil {
		return err
	}
	s.Merge(d.part)
	return nil
}

// MarshalJSON writes the elements in ascending order, each with the event that
// added it, and what was seen. The error is a [*ValidationError] for an element
// that has no JSON form, such as an infinite number.
func (s GSet[E]) MarshalJSON() ([]byte, error) {
	b, err := appendSet(s.elements, func(b []byte, by dot) []byte { return by.appendJSON(b, ",") })
	if err != nil {
		return nil, err
	}
	return append(s.seen.appendJSON(append(b, `,"seen":`...)), '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes. It leaves *s as it was if there is
// an error, which is a [*ValidationError]. The caller keeps data.
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
	s.elements = map[E]dot{}
	return readElements(value, func(text string) (element E, err error) {
		var by dot
		err = readObject(text,
			member{"element", into(&element, parseElement[E])},
			member{"node_id", into(&by.node, parseDotNode)},
			member{"lamport_clock", into(&by.time, parseClock)})
		detach(&element)
		s.elements[element] = by
		return element, err
	})
}
