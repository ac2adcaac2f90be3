package causal

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unique"
)

// MarshalJSON encodes the totals by node, the other events in the order of
// [Compare], and the causal context. It returns a [*ValidationError] if a total
// does not fit in 96 bits, or the counter has seen more than 65,536 nodes.
func (c PNCounter) MarshalJSON() ([]byte, error) {
	b := []byte(`{"totals":[`)
	nodes := slices.SortedFunc(maps.Keys(c.totals), func(x, y unique.Handle[string]) int {
		return strings.Compare(x.Value(), y.Value())
	})
	for i, node := range nodes {
		if i > 0 {
			b = append(b, ',')
		}
		if !c.totals[node].sum.fits(totalBits) {
			return nil, invalid("totals", "has a total that does not fit in 96 bits")
		}
		b = dot{node, c.totals[node].time}.appendJSON(b, "{")
		b = append(append(b, `,"total":`...), c.totals[node].sum.String()...)
		b = fmt.Appendf(b, `,"digest":"%016x"}`, c.totals[node].digest)
	}
	b = append(b, `],"events":[`...)
	ids := slices.SortedFunc(maps.Keys(c.events), c.compareEvents)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, `{"event_id":`, string(id))
		b = c.events[id].appendJSON(b, ",")
		b = strconv.AppendInt(append(b, `,"delta":`...), c.events[id].delta, 10)
		b = append(b, '}')
	}
	b, err := appendVector(b, `],"`, "seen", c.seen)
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// compareEvents is like [Compare], for IDs of the counter's events.
func (c PNCounter) compareEvents(x, y EventID) int {
	return cmp.Or(c.events[x].compare(c.events[y].dot), strings.Compare(string(x), string(y)))
}

// UnmarshalJSON decodes the output of MarshalJSON. If data is invalid, it
// leaves *c unchanged and returns a [*ValidationError]. It does not retain
// data.
func (c *PNCounter) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	read := PNCounter{totals: map[unique.Handle[string]]counterTotal{}, events: map[EventID]counterEvent{}}
	err = readObject(text,
		member{"totals", read.readTotals},
		member{"events", read.readEvents},
		member{"seen", into(&read.seen, parseVectorClock)})
	if err != nil {
		return err
	}
	for _, e := range read.events {
		if read.counted(e.dot) {
			return invalid("events", "must not be in the totals")
		}
	}
	read.sum = read.total()
	*c = read
	return nil
}

// readTotals reads the totals of the JSON form.
func (c *PNCounter) readTotals(value string) error {
	last := ""
	return readArray(value, func(text string) error {
		var node unique.Handle[string]
		var total counterTotal
		err := readObject(text,
			member{"node_id", into(&node, parseDotNode)},
			member{"lamport_clock", into(&total.time, parseClock)},
			member{"total", into(&total.sum, parseTotal)},
			member{"digest", into(&total.digest, parseDigest)})
		switch {
		case err != nil:
			return err
		case total.time == 0:
			return invalid("lamport_clock", reasonNotPositive)
		case last >= node.Value():
			return invalid("node_id", reasonUnsorted)
		}
		last = node.Value()
		c.totals[node] = total
		return nil
	})
}

// parseDigest returns the digest of a total.
func parseDigest(value string) (digest uint64, err error) {
	s, err := parseString(value)
	if err != nil {
		return 0, err
	}
	digest, err = strconv.ParseUint(s, 16, 64)
	if err != nil || fmt.Sprintf("%016x", digest) != s {
		return 0, invalid("", "must be 16 hexadecimal digits in lower case")
	}
	return digest, nil
}

// totalBits limits sums from outside, so that the total of all nodes fits in an
// int128.
const totalBits = 96

// parseTotal returns the sum in a JSON integer.
func parseTotal(value string) (int128, error) {
	n, err := parseInt(value)
	if fault, _ := faultOf(err); fault.Reason != reasonRange {
		return int128From(n), err
	}
	tooLarge := invalid("", "does not fit in 96 bits")
	if len(value) > len("-")+totalBits*3/10+1 { // parsing digits takes more than linear time
		return int128{}, tooLarge
	}
	b, ok := new(big.Int).SetString(value, 10)
	if !ok || b.BitLen() > totalBits {
		return int128{}, tooLarge
	}
	return int128FromBig(b), nil
}

// readEvents reads the events of the JSON form.
func (c *PNCounter) readEvents(value string) error {
	var last EventID
	return readArray(value, func(text string) error {
		var e counterEvent
		var id EventID
		err := readObject(text,
			member{"event_id", into(&id, parseStateID)},
			member{"node_id", into(&e.node, parseDotNode)},
			member{"lamport_clock", into(&e.time, parseClock)},
			member{"delta", into(&e.delta, parseInt)})
		if err != nil {
			return err
		}
		_, twice := c.events[id]
		c.events[id] = e
		if twice || last != "" && c.compareEvents(last, id) >= 0 {
			return invalid("event_id", reasonUnsorted)
		}
		last = id
		return nil
	})
}
