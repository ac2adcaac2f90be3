package causal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// ORSetChange is what an event does to an [ORSet], in the form of a payload: use it
// as [EventParams].Payload. Its JSON is an object with the members "add", an array
// of elements, and "remove", an array of removals; other members are ignored. The
// zero value changes nothing.
//
// Adds and removes need an event with a Lamport clock of at least 1.
type ORSetChange[E cmp.Ordered] struct {
	Add    []E               `json:"add,omitempty"`
	Remove []ORSetRemoval[E] `json:"remove,omitempty"`
}

// ORSetRemoval removes one element; [ORSet.Removal] makes it. The zero value
// is not valid.
type ORSetRemoval[E cmp.Ordered] struct {
	Element E `json:"element"`
	// Observed has for each node the clock of its latest add of the element that
	// was seen. It has at least one node, and its times are earlier than the
	// Lamport clock of the event that removes.
	Observed VectorClock `json:"observed"`
}

// check returns why an event with this Lamport clock cannot make the change.
func (c ORSetChange[E]) check(clock int64) string {
	if clock == 0 && len(c.Add)+len(c.Remove) > 0 {
		return "changes a set, for which lamport_clock must be at least 1"
	}
	for _, element := range c.Add {
		if reason := checkElement(element); reason != "" {
			return "adds an element that " + reason
		}
	}
	for _, r := range c.Remove {
		if reason := checkElement(r.Element); reason != "" {
			return "removes an element that " + reason
		}
		if r.Observed.IsZero() {
			return "removes an element without an add that was observed"
		}
		for _, seen := range r.Observed.entries {
			if seen.time >= clock {
				return "removes an add that is not earlier than lamport_clock"
			}
		}
	}
	return ""
}

// detach copies strings out of the JSON text that they share.
func (c ORSetChange[E]) detach() {
	detach(c.Add)
	for i := range c.Remove {
		element := []E{c.Remove[i].Element}
		detach(element)
		c.Remove[i].Element = element[0]
	}
}

// read reads the payload of e into c, and reuses its slices.
func (c *ORSetChange[E]) read(e Event) (err error) {
	c.Add, c.Remove = c.Add[:0], c.Remove[:0]
	add, remove := "", "" // of members with one name the last counts
	for name, value := range rawjson.Members(e.p.payload) {
		switch {
		case rawjson.IsString(name, "add"):
			add = value
		case rawjson.IsString(name, "remove"):
			remove = value
		}
	}
	if add != "" {
		if c.Add, err = appendElements(e, "add", add, c.Add); err != nil {
			return err
		}
	}
	if remove == "" {
		return nil
	}
	reason, cause := readArray(remove, func(text string) error {
		r, err := readRemoval[E](text)
		c.Remove = append(c.Remove, r)
		return err
	})
	if reason != "" {
		return e.payloadError(`member "remove" `+reason, cause)
	}
	return nil
}

var removalMembers = []string{"element", "observed"}

// readRemoval reads a removal.
func readRemoval[E cmp.Ordered](text string) (r ORSetRemoval[E], err error) {
	err = readObject(text, removalMembers, func(name, value string) (reason string, cause error) {
		if name == "element" {
			r.Element, reason, cause = elementMember[E](value)
			return reason, cause
		}
		r.Observed, reason = parseVectorClock(value)
		return reason, nil
	})
	return r, err
}

// MergeORSet returns the elements of the observed-remove set that the changes in
// the payloads of the events make, in ascending order: those with an add that no
// remove had seen (Shapiro et al. 2011, specification 15). See [ORSetChange] for
// the payload and [ORSet] for what is an add.
//
// The caller owns the result. The error is a [*ValidationError] for a payload that
// is no such change and for the zero Event, and an [*EventConflictError] for one
// ID with two contents.
func MergeORSet(events []Event) ([]string, error) {
	var c ORSetChange[string] // reused: MergeORSetFunc copies what it keeps
	return MergeORSetFunc(events, func(e Event) (ORSetChange[string], error) {
		err := c.read(e)
		return c, err
	})
}

// MergeORSetFunc is [MergeORSet] for changes that the caller's function finds in
// an event. The function must depend on nothing but the event's content, and keeps
// what the changes refer to. Its error comes back as the cause of a
// [*ValidationError], which also refuses changes that break the rules on
// [ORSetChange].
func MergeORSetFunc[E cmp.Ordered](events []Event, change func(Event) (ORSetChange[E], error)) ([]E, error) {
	if change == nil {
		return nil, invalid("change", reasonNil)
	}
	var s ORSet[E]
	err := forEachOnce(events, func(e Event) error {
		c, err := change(e)
		if err != nil {
			return err
		}
		return s.Change(e, c)
	})
	if err != nil {
		return nil, err
	}
	return s.sorted(), nil
}

// MarshalJSON writes the elements in ascending order, each with the latest add of
// each node and the event that removed it, and what was seen and compacted. The
// error is a [*ValidationError] for an element that has no JSON form, such as an
// infinite number.
func (s ORSet[E]) MarshalJSON() ([]byte, error) {
	b, err := appendSet(s.elements, func(b []byte, adds []orAdd) []byte {
		return append(appendAdds(append(b, `,"adds":[`...), adds), ']')
	})
	if err != nil {
		return nil, err
	}
	b = s.seen.appendJSON(append(b, `,"seen":`...))
	return append(s.stable.appendJSON(append(b, `,"stable":`...)), '}'), nil
}

// appendAdds appends the adds of an element, by node.
func appendAdds(b []byte, adds []orAdd) []byte {
	sorted := slices.SortedFunc(slices.Values(adds), func(x, y orAdd) int {
		return strings.Compare(x.add.node.Value(), y.add.node.Value())
	})
	for i, a := range sorted {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.add.appendJSON(b, "{")
		if b = append(b, `,"removed_by":`...); a.isRemoved() {
			b = append(a.removed.appendJSON(b, "{"), '}')
		} else {
			b = append(b, "null"...)
		}
		b = append(b, '}')
	}
	return b
}

// UnmarshalJSON reads what MarshalJSON writes. It leaves *s as it was if there is
// an error, which is a [*ValidationError]. The caller keeps data.
func (s *ORSet[E]) UnmarshalJSON(data []byte) error {
	text, invalidJSON := checkJSON(data)
	if invalidJSON != nil {
		return invalidJSON
	}
	read := ORSet[E]{elements: map[E][]orAdd{}}
	err := readObject(text, []string{"elements", "seen", "stable"}, func(name, value string) (reason string, cause error) {
		switch name {
		case "seen":
			read.seen, reason = parseVectorClock(value)
		case "stable":
			read.stable, reason = parseVectorClock(value)
		default:
			return readElements(value, []string{"adds"}, readAdds, func(element E, adds []orAdd) {
				read.elements[element] = adds
				read.count(false, isLive(adds))
			})
		}
		return reason, nil
	})
	if err != nil {
		return err
	}
	if checkGap(read.seen, read.stable) != nil {
		return invalid("stable", "must be within seen")
	}
	*s = read
	return nil
}

// readAdds reads the adds of an element.
func readAdds(adds *[]orAdd, _, value string) (reason string, cause error) {
	last := ""
	reason, cause = readArray(value, func(text string) error {
		var a orAdd
		err := readObject(text, append([]string{"removed_by"}, dotMembers...), func(name, value string) (reason string, cause error) {
			if name == "removed_by" {
				return a.readRemoval(value)
			}
			return a.add.setMember(name, value)
		})
		switch {
		case err != nil:
			return err
		case a.add.time == 0:
			return invalid("lamport_clock", reasonNotPositive)
		case a.isRemoved() && a.removed.time <= a.add.time:
			return invalid("removed_by", "must be later than the add")
		case last >= a.add.node.Value():
			return invalid("node_id", reasonUnsorted)
		}
		last = a.add.node.Value()
		*adds = append(*adds, a)
		return nil
	})
	if reason == "" && len(*adds) == 0 {
		reason = reasonEmpty
	}
	return reason, cause
}

// readRemoval reads by which event an add was removed.
func (a *orAdd) readRemoval(value string) (reason string, cause error) {
	if value == "null" {
		return "", nil
	}
	if err := readObject(value, dotMembers, a.removed.setMember); err != nil {
		return nested("is an event", err)
	}
	if a.removed.time == 0 {
		return "is an event whose lamport_clock " + reasonNotPositive, nil
	}
	return "", nil
}
