package causal

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// The merges are pure functions of the set of events. The order of the input,
// duplicates, the order of delivery and the spelling of JSON values make no
// difference. If several events are invalid, the error is about the first under
// [Compare].

// MergeGSet returns the union of the string arrays in the payload member "tags"
// of the events, sorted bytewise: the value of a grow-only set (Shapiro et al.,
// "A comprehensive study of Convergent and Commutative Replicated Data Types",
// 2011, specification 11). A missing member or null means no tags.
//
// The caller owns the result. MergeGSet returns a [*ValidationError] if tags
// are not an array of strings or an event is zero, and an [*IDConflictError] if
// two different events share an ID.
func MergeGSet(events []Event) ([]string, error) {
	var tags []string // reused: MergeGSetFunc copies the elements
	return MergeGSetFunc(events, func(e Event) ([]string, error) {
		var err error
		tags, err = appendPayloadElements(e, "tags", tags[:0])
		return tags, err
	})
}

// MergeGSetFunc is like [MergeGSet], but calls elements to extract the elements
// of an event. The function must be pure. The slices it returns are not
// retained. MergeGSetFunc returns a [*ValidationError] if the function returns
// an error, which becomes the cause, or if an element is NaN or not valid
// UTF-8.
func MergeGSetFunc[E cmp.Ordered](events []Event, elements func(Event) ([]E, error)) ([]E, error) {
	if elements == nil {
		return nil, invalid("elements", reasonNil)
	}
	union := map[E]struct{}{}
	err := forEachOnce(events, func(e Event) error {
		found, err := elements(e)
		if err != nil {
			return err
		}
		for _, element := range found {
			if _, known := union[element]; known { // cheaper than checking and assigning again
				continue
			}
			if reason := checkElement(element); reason != "" {
				return e.payloadError("has an element that "+reason, nil)
			}
			union[canonical(element)] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sorted := slices.AppendSeq(make([]E, 0, len(union)), maps.Keys(union))
	slices.Sort(sorted)
	return sorted, nil
}

// MergeORSet returns the elements of the observed-remove set defined by the
// changes in the payloads of the events, in ascending order: those with an add
// not seen by any remove (Shapiro et al. 2011, specification 15). See
// [ORSetChange] for the payload and [ORSet] for the definition of an add.
//
// The caller owns the result. MergeORSet returns a [*ValidationError] if a
// payload is not such a change or an event is zero, an [*IDConflictError] if
// different events share an ID, and a [*ForkError] if two events of one node
// and clock add the same element.
func MergeORSet(events []Event) ([]string, error) {
	var c ORSetChange[string] // reused: MergeORSetFunc copies elements
	return MergeORSetFunc(events, func(e Event) (ORSetChange[string], error) {
		err := c.read(e)
		return c, err
	})
}

// MergeORSetFunc is like [MergeORSet], but calls change to extract the change
// of an event. The function must be pure. Its changes are not retained.
// MergeORSetFunc returns a [*ValidationError] if the function returns an error,
// which becomes the cause, or if a change breaks the rules of [ORSetChange].
func MergeORSetFunc[E cmp.Ordered](events []Event, change func(Event) (ORSetChange[E], error)) ([]E, error) {
	if change == nil {
		return nil, invalid("change", reasonNil)
	}
	var s ORSet[E]
	var earlier forkFinder // of adds superseded by later ones
	err := forEachOnce(events, func(e Event) error {
		c, err := change(e)
		if err != nil {
			return err
		}
		if reason := c.check(e.clock); reason != "" {
			return e.payloadError(reason, nil)
		}
		s.apply(originOf(e), c, func(old, add origin) {
			if old.time <= add.time {
				earlier.add(old)
			}
			if old.time >= add.time {
				earlier.add(add)
			}
		})
		return nil
	})
	if err == nil && len(earlier.forked) > 0 {
		err = checkForkedAdds(events, change, earlier.forked)
	}
	if err != nil {
		return nil, err
	}
	return s.sorted(), nil
}

// checkForkedAdds returns a *ForkError if two events with one of these dots
// added the same element, because a remove of one would remove both.
func checkForkedAdds[E cmp.Ordered](
	events []Event, change func(Event) (ORSetChange[E], error), dots map[dot][]EventID,
) error {
	type key struct {
		element E
		by      dot
	}
	first := map[key]EventID{}
	var found forkFinder
	err := forEachOnce(events, func(e Event) error {
		by := dotOf(e)
		if dots[by] == nil {
			return nil
		}
		c, err := change(e)
		for _, element := range c.Add {
			k := key{canonical(element), by}
			if id, ok := first[k]; ok && id != e.p.ID {
				found.note(by, id, e.p.ID)
			}
			first[k] = e.p.ID
		}
		return err
	})
	if err != nil {
		return err
	}
	return found.err()
}

// MergeCounter returns the sum of the integers in the payload member "delta" of
// the events, counting each event ID once: the value of an operation-based
// counter (Shapiro et al. 2011, specification 5). A missing member, or null, is
// 0.
//
// MergeCounter returns a [*ValidationError] if a delta or the total does not
// fit in an int64 (intermediate sums may overflow) or if an event is zero, and
// an [*IDConflictError] if two different events share an ID.
func MergeCounter(events []Event) (int64, error) {
	return MergeCounterFunc(events, func(e Event) (int64, error) {
		delta, _, err := e.payloadDelta()
		return delta, err
	})
}

// MergeCounterFunc is like [MergeCounter], but calls delta to extract the delta
// of an event. The function must be pure. If it returns an error,
// MergeCounterFunc returns a [*ValidationError] with this cause.
func MergeCounterFunc(events []Event, delta func(Event) (int64, error)) (int64, error) {
	if delta == nil {
		return 0, invalid("delta", reasonNil)
	}
	var sum int128
	err := forEachOnce(events, func(e Event) error {
		d, err := delta(e)
		sum = sum.add(int128From(d))
		return err
	})
	if err != nil {
		return 0, err
	}
	return counterValue(sum)
}

// MergeLWW returns the payload member "value" of the last event under [Compare]
// that has one: the value of a last-writer-wins register (Shapiro et al. 2011,
// specification 9). It decodes the value as [json.Unmarshal] does, except that
// an untyped number becomes a [json.Number], which keeps its digits. ok is
// false if no event has a value. Because Compare extends causality, a write
// wins over any write its node had seen. The winner of concurrent writes is
// arbitrary, but the same everywhere. Use [History.Conflicts] to find the
// losers.
//
// MergeLWW returns a [*ValidationError] if the last value does not decode into
// T or an event is zero, and an [*IDConflictError] if two different events
// share an ID. It does not decode the other values.
func MergeLWW[T any](events []Event) (value T, ok bool, err error) {
	e, text, err := lastWrite(events, func(e Event) (string, bool, error) {
		text, ok := e.payloadMember("value")
		return text, ok, nil
	})
	if err != nil || e.p == nil {
		return value, false, err
	}
	value, err = decodeValue[T](e, text)
	return value, err == nil, err
}

// MergeLWWFunc is like [MergeLWW], but calls value to extract the value of an
// event. The function returns false for an event without one, and must be pure.
// If it returns an error, MergeLWWFunc returns a [*ValidationError] with this
// cause.
func MergeLWWFunc[T any](
	events []Event, value func(Event) (T, bool, error),
) (last T, ok bool, err error) {
	if value == nil {
		return last, false, invalid("value", reasonNil)
	}
	e, last, err := lastWrite(events, value)
	return last, e.p != nil, err
}

// lastWrite returns the last event with a value, and the value, or the zero
// Event if there is none.
func lastWrite[T any](
	events []Event, value func(Event) (T, bool, error),
) (last Event, latest T, err error) {
	err = forEachOnce(events, func(e Event) error {
		found, ok, err := value(e)
		if ok && err == nil && (last.p == nil || Compare(e, last) > 0) {
			last, latest = e, found
		}
		return err
	})
	if err != nil {
		var none T
		return Event{}, none, err
	}
	return last, latest, nil
}

// A Write is a value and the event that wrote it. The caller of [MergeMV] owns
// it; the zero value is never returned.
type Write[T any] struct {
	// Value is the value written by Event.
	Value T
	// Event is the event.
	Event Event
}

// MergeMV returns the current values of a multi-value register (Shapiro et al.
// 2011, section 3.2.2), for people to choose from: those in the payload member
// "value" of the aggregate's events that no other write follows. A single write
// is the value. If there are several, none of the writers had read the others,
// as far as the [History] of the events tells. They are in the order of
// [Compare], and decoded as by [MergeLWW]. Without writes the result is empty.
//
// Pass every event of the aggregate, because events without a value connect the
// others. For one of several fields, use [MergeMVFunc]; do not filter.
//
// The caller owns the result. MergeMV returns a [*ValidationError] if one of
// these values does not decode into T, if the events are of several aggregates
// or projects, or if one is zero, and an [*IDConflictError] if different events
// share an ID. It does not decode the other values.
func MergeMV[T any](events []Event) ([]Write[T], error) {
	h, last, texts, err := lastWrites(events, func(e Event) (string, bool, error) {
		text, ok := e.payloadMember("value")
		return text, ok, nil
	}, nil)
	if err != nil {
		return nil, err
	}
	writes := make([]Write[T], len(last))
	for i, k := range last {
		writes[i].Event = h.At(int(k))
		if writes[i].Value, err = decodeValue[T](writes[i].Event, texts[i]); err != nil {
			return nil, err
		}
	}
	return writes, nil
}

// MergeMVFunc is like [MergeMV], but calls value to extract the value of an
// event. The function returns false for an event without one, and must be pure.
// If it returns an error for an event not followed by another write,
// MergeMVFunc returns a [*ValidationError] with this cause.
func MergeMVFunc[T any](events []Event, value func(Event) (T, bool, error)) ([]Write[T], error) {
	if value == nil {
		return nil, invalid("value", reasonNil)
	}
	h, last, values, err := lastWrites(events, value, nil)
	if err != nil {
		return nil, err
	}
	writes := make([]Write[T], len(last))
	for i, k := range last {
		writes[i] = Write[T]{values[i], h.At(int(k))}
	}
	return writes, nil
}

// differs returns the error for an event whose field differs from that of the
// others.
func (e Event) differs(field int) error {
	return &ValidationError{EventID: e.ID(), Fields: []FieldError{{fieldNames[field], "must be the same in all events"}}}
}

// lastWrites returns the last writes of an aggregate and their events. An error
// of read or check is ignored for events followed by another write; of the
// others, the first is returned.
func lastWrites[T any](
	events []Event, read func(Event) (T, bool, error), check func(Event, T) error,
) (h *History, last []int32, values []T, err error) {
	h, err = NewHistory(events)
	if err != nil {
		return nil, nil, nil, err
	}
	type write struct {
		value T
		err   error
	}
	written := map[int32]write{}
	var numbers []int32
	for k, e := range h.events {
		switch first := h.events[0]; {
		case e.p.AggregateID != first.p.AggregateID:
			return nil, nil, nil, e.differs(fieldAggregateID)
		case e.p.ProjectUUID != first.p.ProjectUUID:
			return nil, nil, nil, e.differs(fieldProjectUUID)
		}
		if e.p.Type == MergedType {
			continue
		}
		if value, ok, err := read(e); ok || err != nil {
			written[int32(k)] = write{value, err}
			numbers = append(numbers, int32(k))
		}
	}
	last = h.find().maximal(numbers, nil)
	for _, k := range last {
		w := written[k]
		if w.err == nil && check != nil {
			w.err = check(h.events[k], w.value)
		}
		if w.err != nil {
			return nil, nil, nil, extractionError(h.events[k], w.err)
		}
		values = append(values, w.value)
	}
	return h, last, values, nil
}

// forEachOnce calls f once for each distinct event. If f fails more than once,
// it returns the error for the least event under Compare, so that the result
// does not depend on the order of events.
func forEachOnce(events []Event, f func(Event) error) error {
	d := newDeduper(events)
	isNew := make([]bool, len(events))
	for i, e := range events { // in a separate loop, so that cache misses overlap
		isNew[i] = d.isNew(e, i)
	}
	if err := d.err(); err != nil {
		return err
	}
	var first Event
	var err error
	for i, e := range events {
		if !isNew[i] {
			continue
		}
		if failed := f(e); failed != nil && (first.p == nil || Compare(e, first) < 0) {
			first, err = e, extractionError(e, failed)
		}
	}
	return err
}

// extractionError returns the error for e after the caller's function has
// failed.
func extractionError(e Event, err error) error {
	var ours *ValidationError
	if errors.As(err, &ours) && ours != nil && ours.EventID == e.p.ID { // a typed nil is a cause, too
		return err
	}
	return e.payloadError("was refused by the function that reads it", err)
}
