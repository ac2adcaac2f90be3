package causal

import (
	"slices"
	"strings"
)

// MarshalJSON encodes the elements in ascending order, each with the latest add
// of each node and the event that removed it, and the vector clocks of the
// events seen and compacted. It returns a [*ValidationError] if an element has
// no JSON form, such as an infinite number, or the set has seen more than
// 65,536 nodes.
func (s ORSet[E]) MarshalJSON() ([]byte, error) {
	b, err := appendSet(s.elements, func(b []byte, adds orAdds) []byte {
		return append(appendAdds(append(b, `,"adds":[`...), adds.all), ']')
	})
	if err != nil {
		return nil, err
	}
	if b, err = appendVector(b, `,"`, "seen", s.seen); err != nil {
		return nil, err
	}
	if b, err = appendVector(b, `,"`, "stable", s.stable); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
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

// UnmarshalJSON decodes the output of MarshalJSON. If data is invalid, it
// leaves *s unchanged and returns a [*ValidationError]. It does not retain
// data.
func (s *ORSet[E]) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	read := ORSet[E]{elements: map[E]orAdds{}}
	err = readObject(text,
		member{"elements", read.readElements},
		member{"seen", into(&read.seen, parseVectorClock)},
		member{"stable", into(&read.stable, parseVectorClock)})
	if err != nil {
		return err
	}
	if checkGap(read.seen, read.stable) != nil {
		return invalid("stable", "must be within seen")
	}
	*s = read
	return nil
}

// readElements reads the elements of the JSON form.
func (s *ORSet[E]) readElements(value string) error {
	return readElements(value, func(text string) (element E, err error) {
		var adds []orAdd
		err = readObject(text,
			member{"element", into(&element, parseElement[E])},
			member{"adds", into(&adds, parseAdds)})
		detach(&element)
		read := newOrAdds(adds)
		s.elements[element] = read
		s.count(false, read.isLive())
		return element, err
	})
}

// parseAdds returns the adds of an element, in ascending order of their nodes.
func parseAdds(value string) (adds []orAdd, err error) {
	last := ""
	err = readArray(value, func(text string) error {
		a, err := parseAdd(text)
		if err == nil && last >= a.add.node.Value() {
			err = invalid("node_id", reasonUnsorted)
		}
		if err != nil {
			return err
		}
		last = a.add.node.Value()
		adds = append(adds, a)
		return nil
	})
	if err == nil && len(adds) == 0 {
		err = invalid("", reasonEmpty)
	}
	return adds, err
}

// parseAdd returns an add of an element.
func parseAdd(text string) (a orAdd, err error) {
	err = readObject(text,
		member{"node_id", into(&a.add.node, parseDotNode)},
		member{"lamport_clock", into(&a.add.time, parseClock)},
		member{"event_id", into(&a.add.id, parseAddID)},
		member{"removed_by", into(&a.removed, parseRemoval)})
	switch {
	case err != nil:
		return a, err
	case a.add.id == "" && !a.isRemoved():
		return a, invalid("event_id", "must not be null for an add that is not removed")
	case a.add.time == 0:
		return a, invalid("lamport_clock", reasonNotPositive)
	case a.isRemoved() && a.removed.time <= a.add.time:
		return a, invalid("removed_by", "must be later than the add")
	}
	return a, nil
}

// parseAddID returns the event ID of an add, or "" if it is known only from a
// removal.
func parseAddID(value string) (EventID, error) {
	if value == "null" {
		return "", nil
	}
	return parseStateID(value)
}

// parseRemoval returns the event that removed an add, or zero if none did.
func parseRemoval(value string) (by origin, err error) {
	if value == "null" {
		return origin{}, nil
	}
	err = readObject(value,
		member{"node_id", into(&by.node, parseDotNode)},
		member{"lamport_clock", into(&by.time, parseClock)},
		member{"event_id", into(&by.id, parseStateID)})
	if err == nil && by.time == 0 {
		err = invalid("lamport_clock", reasonNotPositive)
	}
	if err != nil {
		return origin{}, inPart("is an event", err)
	}
	return by, nil
}
