package causal

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// The merges are pure functions of the set of events: the order of the input,
// repetitions in it and the order of delivery make no difference, and neither
// does the spelling of a JSON value. Where several events are at fault, the
// error is about the one that comes first under [Compare].

// MergeGSet returns the union of the string arrays in the payload member "tags"
// of the events, sorted bytewise: the value of a grow-only set (Shapiro et al.,
// "A comprehensive study of Convergent and Commutative Replicated Data Types",
// 2011, specification 11). A missing member means no tags.
//
// The caller owns the result. MergeGSet returns a [*ValidationError] if tags are
// not an array of strings or an event is zero, and an [*IDConflictError] if two
// different events share an ID.
func MergeGSet(events []Event) ([]string, error) {
	var tags []string // reused: MergeGSetFunc copies the elements
	return MergeGSetFunc(events, func(e Event) ([]string, error) {
		var err error
		tags, err = appendPayloadElements(e, "tags", tags[:0])
		return tags, err
	})
}

// MergeGSetFunc is like [MergeGSet], but calls elements to extract the elements
// of an event. The function must be pure. The slices it returns are not retained.
// An error of the function comes back as the cause of a [*ValidationError]; NaN
// and strings that are not valid UTF-8 are rejected with one, too.
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
			if _, known := union[element]; known { // cheaper than to check and write it again
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

// MergeORSet returns the elements of the observed-remove set that the changes in
// the payloads of the events make, in ascending order: those with an add that no
// remove had seen (Shapiro et al. 2011, specification 15). See [ORSetChange] for
// the payload and [ORSet] for what counts as an add.
//
// The caller owns the result. MergeORSet returns a [*ValidationError] if a
// payload is not such a change or an event is zero, an [*IDConflictError] if different
// events share an ID, and a [*ForkError] if two events of one node and clock add one
// element.
func MergeORSet(events []Event) ([]string, error) {
	var c ORSetChange[string] // reused: MergeORSetFunc copies what it keeps
	return MergeORSetFunc(events, func(e Event) (ORSetChange[string], error) {
		err := c.read(e)
		return c, err
	})
}

// MergeORSetFunc is like [MergeORSet], but calls change to extract the change of
// an event. The function must be pure. What the changes refer to is not retained.
// An error of the function comes back as the cause of a [*ValidationError];
// changes that break the rules of [ORSetChange] are rejected with one, too.
func MergeORSetFunc[E cmp.Ordered](events []Event, change func(Event) (ORSetChange[E], error)) ([]E, error) {
	if change == nil {
		return nil, invalid("change", reasonNil)
	}
	var s ORSet[E]
	var earlier forkFinder // of adds that the set does not have, as there are later ones
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

// checkForkedAdds returns a *ForkError if an element was added by two events of one of
// these dots, of which a remove would have removed both.
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
// the events, each event ID once: the value of an operation-based counter
// (Shapiro et al. 2011, specification 5). A missing member means 0.
//
// MergeCounter returns a [*ValidationError] if a delta or the total does not fit
// in an int64 (intermediate sums may overflow) or if an event is zero, and an
// [*IDConflictError] if two different events share an ID.
func MergeCounter(events []Event) (int64, error) {
	return MergeCounterFunc(events, func(e Event) (int64, error) {
		delta, _, err := e.payloadDelta()
		return delta, err
	})
}

// MergeCounterFunc is like [MergeCounter], but calls delta to extract the delta
// of an event. The function must be pure. Its error comes back as the cause of a
// [*ValidationError].
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
// specification 9). It is decoded as [json.Unmarshal] does, except that a number
// without a type becomes a [json.Number], which keeps its digits. ok is false if
// no event has a value. Because Compare extends causality, a write wins over
// those that its node had seen. Which of two concurrent writes wins is arbitrary,
// but the same everywhere. See [History.Conflicts] for what is lost.
//
// MergeLWW returns a [*ValidationError] if the last value does not decode into T
// or an event is zero, and an [*IDConflictError] if two different events share an
// ID. It does not decode the other values.
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
// event; the function returns false for an event that writes none. It must be
// pure. Its error comes back as the cause of a [*ValidationError].
func MergeLWWFunc[T any](
	events []Event, value func(Event) (T, bool, error),
) (last T, ok bool, err error) {
	if value == nil {
		return last, false, invalid("value", reasonNil)
	}
	e, last, err := lastWrite(events, value)
	return last, e.p != nil, err
}

// lastWrite returns the last event that has a value, and the value; the zero
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

// Write is a value, and the event that wrote it. The caller of [MergeMV] owns it; the zero value is never
// returned.
type Write[T any] struct {
	// Value is what Event wrote.
	Value T
	// Event is the event.
	Event Event
}

// MergeMV returns the values in the payload member "value" of the events of an aggregate that no other
// write has in its past: those of a multi-value register (Shapiro et al. 2011, section 3.2.2), for
// people to choose from. One write is the value; of several, none had read the others, as far as is known
// ([History]). They are in the order of [Compare], and decoded as [MergeLWW] does. Without writes the
// result is empty.
//
// Pass every event of the aggregate: those without a value connect the others. For one of several fields,
// use [MergeMVFunc]; do not filter.
//
// The caller owns the result. MergeMV returns a [*ValidationError] if one of these values does not decode
// into T, if the events are of several aggregates or projects, or if one is zero, and an
// [*IDConflictError] if different events share an ID. It does not decode the other values.
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

// MergeMVFunc is like [MergeMV], but calls value to extract the value of an event; the function returns
// false for an event that writes none. It must be pure. Its error comes back as the cause of a
// [*ValidationError], unless another write has the event in its past.
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

// differs is the error for an event of which a member is not what it is in the others.
func (e Event) differs(field int) error {
	return &ValidationError{EventID: e.ID(), Fields: []FieldError{{fieldNames[field], "must be the same in all events"}}}
}

// lastWrites returns the last events of an aggregate that write something, and what they write. An error of
// read, or of check, counts if its event is one of them; that of the first one is returned.
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

// forEachOnce calls f once for each distinct event. If f fails more than once, it
// returns the error for the least event under Compare, so that the result does
// not depend on the order of events.
func forEachOnce(events []Event, f func(Event) error) error {
	d := newDeduper(events)
	isNew := make([]bool, len(events))
	for i, e := range events { // on its own, so that its cache misses overlap
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

// extractionError is what an error of the function that reads an event becomes.
func extractionError(e Event, err error) error {
	var ours *ValidationError
	if errors.As(err, &ours) && ours != nil && ours.EventID == e.p.ID { // a typed nil is an error, too
		return err
	}
	return e.payloadError("was refused by the function that reads it", err)
}
