package causalsync

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/spec-kitty/causal"
)

func decodeRequest(data []byte) (r request, err error) {
	d := decoder{data: data}
	if version := d.take(len(magic)); string(version) != magic {
		if len(version) == len(magic) && string(version[:3]) == magic[:3] {
			return r, errVersion
		}
		return r, broken("the message does not begin as one of this protocol")
	}
	r.maxAnswer = d.number(math.MaxInt64)
	copy(r.salt[:], d.take(len(r.salt)))
	r.filter = d.filter()
	r.ranges = d.ranges()
	r.events = d.events()
	return r, d.end()
}

func decodeAnswer(data []byte) (a answer, err error) {
	d := decoder{data: data}
	if string(d.take(len(magic))) != magic {
		return a, broken("the answer does not begin as one of this protocol")
	}
	copy(a.hash[:], d.take(len(a.hash)))
	a.maxRequest = d.number(math.MaxInt64)
	a.kind = int(d.byte())
	switch a.kind {
	case answerSalt:
		copy(a.salt[:], d.take(len(a.salt)))
	case answerFilter:
		a.filter = d.filter()
	case answerRefused:
		a.code = d.number(math.MaxInt64)
	case answerDone:
		var clock uint64
		a.done = d.bound(&clock)
		a.ranges = d.ranges()
		for range d.count(2) {
			a.wants = append(a.wants, want{d.number(math.MaxInt32), d.number(math.MaxInt32)})
		}
		a.events = d.events()
		for range d.count(2) {
			a.refusals = append(a.refusals, refusal{d.number(math.MaxInt32), d.number(math.MaxInt64)})
		}
	default:
		d.fail("the kind of an answer is not known")
	}
	return a, d.end()
}

// decoder decodes a message. After the first fault it returns zeros. Its memory
// use is linear in the bytes read.
type decoder struct {
	data []byte
	err  error
}

func (d *decoder) fail(reason string) {
	if d.err == nil {
		d.err = broken(reason)
	}
	d.data = nil
}

// end returns the first fault, including trailing data.
func (d *decoder) end() error {
	if d.err == nil && len(d.data) > 0 {
		d.fail("a message has bytes after its end")
	}
	return d.err
}

func (d *decoder) take(n int) []byte {
	if len(d.data) < n {
		d.fail("a message is too short")
		return nil
	}
	taken := d.data[:n]
	d.data = d.data[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads a number in its shortest form.
func (d *decoder) number(limit uint64) uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 || size > 1 && d.data[size-1] == 0 || n > limit {
		d.fail("a number is cut off, too large or not in its shortest form")
		return 0
	}
	d.data = d.data[size:]
	return n
}

// count reads the number of items that follow, each of at least size bytes.
func (d *decoder) count(size int) int {
	n := d.number(math.MaxInt32)
	if n > uint64(len(d.data)/size) {
		d.fail("a message is too short for what it counts")
		return 0
	}
	return int(n)
}

func (d *decoder) text() []byte { return d.take(d.count(1)) }

func (d *decoder) filter() (f causal.Filter) {
	f.ProjectUUID, f.AggregateID, f.MinTier = string(d.text()), string(d.text()), int(d.byte())
	if f.Validate() != nil || f.ProjectUUID != strings.ToLower(f.ProjectUUID) {
		d.fail("a filter is not valid")
	}
	return f
}

func (d *decoder) bound(clock *uint64) key {
	delta, size := d.number(math.MaxUint64), int(d.byte())
	if delta == 0 {
		if size != 0 {
			d.fail("the end has a digest")
		}
		return end
	}
	k := key{clock: *clock + delta - 1}
	digest := d.take(min(size, len(k.digest)+1))
	if k.clock < *clock || k.clock > math.MaxInt64 || size > len(k.digest) || size > 0 && len(digest) == size && digest[size-1] == 0 {
		d.fail("a bound is out of range or not in its shortest form")
		return end
	}
	copy(k.digest[:], digest)
	*clock = k.clock
	return k
}

func (d *decoder) ranges() (ranges []rangeOf) {
	const least = 3
	var clock uint64
	at := key{}
	isSkipped := false
	for range d.count(least) {
		r := rangeOf{span: span{lo: at}}
		r.hi = d.bound(&clock)
		if !at.isBefore(r.hi) {
			d.fail("the ranges of a message do not ascend")
		}
		switch r.mode = int(d.byte()); r.mode {
		case modeSkip:
			if isSkipped {
				d.fail("two ranges that are skipped follow each other")
			}
		case modeFingerprint:
			copy(r.fingerprint[:], d.take(len(r.fingerprint)))
		case modeList, modeWanted:
			r.ids = make([]id, d.count(len(id{})))
			if r.mode == modeWanted && len(r.ids) == 0 {
				d.fail("a range wants nothing")
			}
			for i := range r.ids {
				copy(r.ids[i][:], d.take(len(id{})))
			}
		default:
			d.fail("the mode of a range is not known")
		}
		if d.err != nil {
			return nil
		}
		if isSkipped = r.mode == modeSkip; !isSkipped {
			if len(ranges) == maxRanges {
				d.fail("a message has too many ranges")
				return nil
			}
			ranges = append(ranges, r)
		}
		at = r.hi
	}
	if isSkipped {
		d.fail("a message ends with a range that is skipped")
	}
	return ranges
}

func (d *decoder) events() (events []eventOf) {
	for range d.count(2) {
		e := eventOf{data: d.text()}
		if len(e.data) == 0 {
			text := d.text()
			large, err := causal.ParseEventID(string(text))
			if e.large = large; err != nil || string(large) != string(text) {
				d.fail("the ID of an event is not valid, or not in its canonical form")
			}
		} else if len(e.data) < minEvent {
			d.fail("an event is shorter than any can be")
		}
		if d.err != nil {
			return nil
		}
		events = append(events, e)
	}
	return events
}
