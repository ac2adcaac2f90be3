package causalsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"

	"github.com/spec-kitty/causal"
)

// magic begins each message. The last byte is the version of the protocol.
const magic = "csy1"

// The kinds of an answer.
const (
	answerDone = iota
	answerSalt
	answerFilter
	answerRefused
)

// The modes of a range.
const (
	modeSkip = iota // the messages say nothing of it
	modeFingerprint
	modeList
	modeWanted
)

// minEvent is less than any valid event takes, and maxRanges how many ranges a message has at most.
const (
	minEvent  = 64
	maxRanges = 1 << 16
)

// request is what the initiator sends.
type request struct {
	maxAnswer uint64
	salt      salt
	filter    causal.Filter
	ranges    []rangeOf
	events    []eventOf
}

// answer is what comes back. Of kinds other than answerDone it has only what the kind names.
type answer struct {
	hash       [8]byte // of the request
	maxRequest uint64  // which is taken
	kind       int
	salt       salt
	filter     causal.Filter
	code       uint64

	done     key // up to which the request was dealt with
	ranges   []rangeOf
	wants    []want
	events   []eventOf
	refusals []refusal
}

// rangeOf is what is said of a range.
type rangeOf struct {
	span
	mode        int
	fingerprint fingerprint
	ids         []id
}

// want asks for an event of a list in the request.
type want struct{ rangeAt, index uint64 }

// eventOf is an event, or the ID of one that is too large to be sent.
type eventOf struct {
	data  []byte
	large causal.EventID
}

// refusal is an event of the request that was not taken.
type refusal struct {
	index uint64
	code  uint64
}

func hashOf(request []byte) [8]byte {
	hash := sha256.Sum256(request)
	return [8]byte(hash[:8])
}

func (r *request) encode() []byte {
	b := binary.AppendUvarint([]byte(magic), r.maxAnswer)
	b = append(b, r.salt[:]...)
	b = appendFilter(b, r.filter)
	b = appendRanges(b, r.ranges)
	return appendEvents(b, r.events)
}

func (a *answer) encode() []byte {
	b := append([]byte(magic), a.hash[:]...)
	b = binary.AppendUvarint(b, a.maxRequest)
	b = append(b, byte(a.kind))
	switch a.kind {
	case answerSalt:
		return append(b, a.salt[:]...)
	case answerFilter:
		return appendFilter(b, a.filter)
	case answerRefused:
		return binary.AppendUvarint(b, a.code)
	}
	var at uint64
	b = appendBound(b, &at, a.done)
	b = appendRanges(b, a.ranges)
	b = binary.AppendUvarint(b, uint64(len(a.wants)))
	for _, w := range a.wants {
		b = binary.AppendUvarint(binary.AppendUvarint(b, w.rangeAt), w.index)
	}
	b = appendEvents(b, a.events)
	b = binary.AppendUvarint(b, uint64(len(a.refusals)))
	for _, r := range a.refusals {
		b = binary.AppendUvarint(binary.AppendUvarint(b, r.index), r.code)
	}
	return b
}

func appendFilter(b []byte, f causal.Filter) []byte {
	b = appendText(b, strings.ToLower(f.ProjectUUID))
	b = appendText(b, f.AggregateID)
	return append(b, byte(f.MinTier))
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendRanges appends ranges that ascend. What lies between them is skipped.
func appendRanges(b []byte, ranges []rangeOf) []byte {
	count := len(ranges)
	at := key{}
	for _, r := range ranges {
		if at != r.lo {
			count++
		}
		at = r.hi
	}
	b = binary.AppendUvarint(b, uint64(count))
	var clock uint64
	at = key{}
	for _, r := range ranges {
		if at != r.lo {
			b = append(appendBound(b, &clock, r.lo), modeSkip)
		}
		b = r.append(b, &clock)
		at = r.hi
	}
	return b
}

// append appends a range after the one whose bound has the clock.
func (r *rangeOf) append(b []byte, clock *uint64) []byte {
	b = append(appendBound(b, clock, r.hi), byte(r.mode))
	if r.mode == modeFingerprint {
		return append(b, r.fingerprint[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(r.ids)))
	for _, id := range r.ids {
		b = append(b, id[:]...)
	}
	return b
}

// size is about how many bytes a range takes, and at least as many: as if what is before it were skipped.
func (r *rangeOf) size() int {
	size := boundSize(r.lo) + 1 + boundSize(r.hi) + 1
	if r.mode == modeFingerprint {
		return size + len(r.fingerprint)
	}
	return size + binary.MaxVarintLen32 + len(id{})*len(r.ids)
}

// boundSize is how many bytes a bound takes at most.
func boundSize(k key) int {
	if k == end {
		return 2
	}
	return 1 + bits.Len64(k.clock)/7 + 1 + len(bytes.TrimRight(k.digest[:], "\x00"))
}

// appendBound appends a key, as the difference of its clock to the one before.
func appendBound(b []byte, clock *uint64, k key) []byte {
	if k == end {
		return append(b, 0, 0)
	}
	b = binary.AppendUvarint(b, k.clock-*clock+1)
	*clock = k.clock
	digest := bytes.TrimRight(k.digest[:], "\x00")
	return append(append(b, byte(len(digest))), digest...)
}

func appendEvents(b []byte, events []eventOf) []byte {
	b = binary.AppendUvarint(b, uint64(len(events)))
	for _, e := range events {
		b = e.append(b)
	}
	return b
}

func (e *eventOf) append(b []byte) []byte {
	b = appendText(b, e.data)
	if len(e.data) == 0 {
		b = appendText(b, string(e.large))
	}
	return b
}

// size is how many bytes an event takes, and at least as many.
func (e *eventOf) size() int { return 2*binary.MaxVarintLen32 + len(e.data) + len(e.large) }

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

// decoder reads a message. After the first fault it yields zeros. It takes memory in proportion to what it has
// read.
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

// end returns the first fault. Nothing may be left.
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

// count reads how many things follow, which take at least size bytes each.
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
	count := d.count(least)
	if count > 2*maxRanges { // as each may follow one that is skipped
		d.fail("a message has too many ranges")
	}
	for range count {
		if d.err != nil {
			return nil
		}
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
