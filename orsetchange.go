package causal

import (
	"cmp"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// ORSetChange is a change of an [ORSet] in the form of a payload: use it as
// [EventParams].Payload. Its JSON is an object with the members "add", an array
// of elements, and "remove", an array of removals; either may be missing or
// null. Other members are ignored.
// The zero value changes nothing.
//
// Adds and removes need an event with a Lamport clock of at least 1.
type ORSetChange[E cmp.Ordered] struct {
	Add    []E               `json:"add,omitempty"`
	Remove []ORSetRemoval[E] `json:"remove,omitempty"`
}

// ORSetRemoval removes one element. Use [ORSet.Removal] to create it; the zero
// value is not valid.
type ORSetRemoval[E cmp.Ordered] struct {
	Element E `json:"element"`
	// Observed has, for each node, the clock of its latest observed add of the
	// element. It has at least one node, and its times are less than the
	// Lamport clock of the removing event.
	Observed VectorClock `json:"observed"`
}

// check returns the reason why an event with this Lamport clock cannot make the
// change, or "".
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

// detach clones strings that share the JSON text.
func (c ORSetChange[E]) detach() {
	for i := range c.Add {
		detach(&c.Add[i])
	}
	for i := range c.Remove {
		detach(&c.Remove[i].Element)
	}
}

// read decodes the payload of e into c, reusing its slices.
func (c *ORSetChange[E]) read(e Event) (err error) {
	c.Add, c.Remove = c.Add[:0], c.Remove[:0]
	add, remove := "", "" // the last member with a name counts
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
	if remove == "" || remove == "null" {
		return nil
	}
	err = readArray(remove, func(text string) error {
		var r ORSetRemoval[E]
		err := readObject(text,
			member{"element", into(&r.Element, parseElement[E])},
			member{"observed", into(&r.Observed, parseVectorClock)})
		c.Remove = append(c.Remove, r)
		return err
	})
	if err != nil {
		fault, cause := faultOf(err)
		return e.payloadError(`member "remove" `+fault.Reason, cause)
	}
	return nil
}
