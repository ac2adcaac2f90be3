package causal

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"unique"
)

// Delta is what a state has beyond a vector clock: for a replica that has seen
// that much, it is worth the whole state, and often much smaller (Almeida, Shoker
// and Baquero, "Delta state replicated data types", 2018). S is [GSet],
// [PNCounter] or [ORSet].
//
// DeltaSince of a state makes it, and MergeDelta of another one takes it. The zero
// value is the delta of an empty state. A Delta shares nothing with the state that
// made it. It is safe for concurrent use while nobody decodes into it.
type Delta[S any] struct {
	since VectorClock
	part  S // with what the whole state has seen
}

// Since returns what a replica must have seen to merge the delta.
func (d Delta[S]) Since() VectorClock { return d.since }

// MarshalJSON writes the delta. The errors are those of the state's MarshalJSON.
func (d Delta[S]) MarshalJSON() ([]byte, error) {
	part, err := json.Marshal(d.part)
	if err != nil {
		return nil, unwrapMarshaler(err)
	}
	b := d.since.appendJSON([]byte(`{"since":`))
	b = append(append(b, `,"part":`...), part...)
	return append(b, '}'), nil
}

// unwrapMarshaler returns the error of a MarshalJSON method that encoding/json has
// wrapped.
func unwrapMarshaler(err error) error {
	if wrapped, ok := err.(*json.MarshalerError); ok { //nolint:errorlint // json.Marshal returns it unwrapped
		return wrapped.Err
	}
	return err
}

// UnmarshalJSON reads what MarshalJSON writes. It leaves *d as it was if there is
// an error, which is a [*ValidationError]. The caller keeps data.
func (d *Delta[S]) UnmarshalJSON(data []byte) error {
	text, invalidJSON := checkJSON(data)
	if invalidJSON != nil {
		return invalidJSON
	}
	var read Delta[S]
	err := readObject(text, []string{"since", "part"}, func(name, value string) (reason string, cause error) {
		if name == "since" {
			read.since, reason = parseVectorClock(value)
			return reason, nil
		}
		if err := json.Unmarshal([]byte(value), &read.part); err != nil {
			return "is not the state of this type", err
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	*d = read
	return nil
}

// checkGap returns a *CausalGapError if seen lacks something of needed.
func checkGap(seen, needed VectorClock) error {
	if c := CompareVectorClocks(needed, seen); c == Equal || c == Before {
		return nil
	}
	return &CausalGapError{Seen: seen, Needed: needed}
}

// dot names an event by its node and Lamport clock (Almeida et al. 2018). It is
// small, and does not keep the text of the event that it is about.
type dot struct {
	node unique.Handle[string]
	time int64
}

// dotOf returns the name of a valid event.
func dotOf(e Event) dot { return dot{e.p.node, e.clock} }

// compare orders dots by time, then node, as [Compare] does.
func (d dot) compare(o dot) int {
	if d.time != o.time {
		return cmp.Compare(d.time, o.time)
	}
	return strings.Compare(d.node.Value(), o.node.Value())
}

// within reports whether v has seen the event. The time 0 is in no vector clock.
func (d dot) within(v VectorClock) bool {
	return d.time > 0 && !v.IsZero() && d.time <= v.Get(d.node.Value())
}

// appendJSON appends the members of a dot, with the punctuation before them.
func (d dot) appendJSON(b []byte, before string) []byte {
	b = appendString(append(b, before...), `"node_id":`, d.node.Value())
	return strconv.AppendInt(append(b, `,"lamport_clock":`...), d.time, 10)
}

// dotMembers are the members that appendJSON writes.
var dotMembers = []string{"node_id", "lamport_clock"}

// setMember takes a member of the JSON form.
func (d *dot) setMember(name, value string) (reason string, cause error) {
	switch name {
	case "node_id":
		var node string
		node, reason = nodeMember(value)
		d.node = unique.Make(node)
	case "lamport_clock":
		d.time, reason = clockMember(value)
	}
	return reason, nil
}
