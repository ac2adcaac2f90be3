package causalsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/spec-kitty/causal"
)

// magic is the start of each message. The last byte is the version of the
// protocol.
const magic = "csy1"

// Kinds of answers.
const (
	answerDone = iota
	answerSalt
	answerFilter
	answerRefused
)

// Modes of ranges.
const (
	modeSkip = iota // not described
	modeFingerprint
	modeList
	modeWanted
)

// minEvent is less than the size of any valid event, and maxRanges the maximum
// number of ranges in a message.
const (
	minEvent  = 64
	maxRanges = 1 << 16
)

// request is a message of the initiator.
type request struct {
	maxAnswer uint64
	salt      salt
	filter    causal.Filter
	ranges    []rangeOf
	events    []eventOf
}

// answer is the reply. Kinds other than answerDone have only the fields they
// need.
type answer struct {
	hash       [8]byte // of the request
	maxRequest uint64  // accepted here
	kind       int
	salt       salt
	filter     causal.Filter
	code       uint64

	done     key // the end of what was handled
	ranges   []rangeOf
	wants    []want
	events   []eventOf
	refusals []refusal
}

// rangeOf is the description of a range.
type rangeOf struct {
	span
	mode        int
	fingerprint fingerprint
	ids         []id
}

// want asks for an event on a list of the request.
type want struct{ rangeAt, index uint64 }

// eventOf is an event, or the ID of one that is too large to send.
type eventOf struct {
	data  []byte
	large causal.EventID
}

// refusal is a refused event of the request.
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

// appendRanges appends ranges in ascending order. The gaps between them are
// skipped ranges.
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

// append appends a range after one whose bound has the given clock.
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

// size returns an upper bound for the size of a range in bytes, close to it,
// including a skipped range before it.
func (r *rangeOf) size() int {
	size := boundSize(r.lo) + 1 + boundSize(r.hi) + 1
	if r.mode == modeFingerprint {
		return size + len(r.fingerprint)
	}
	return size + binary.MaxVarintLen32 + len(id{})*len(r.ids)
}

// boundSize returns the maximum size of a bound in bytes.
func boundSize(k key) int {
	if k == end {
		return 2
	}
	return 1 + bits.Len64(k.clock)/7 + 1 + len(bytes.TrimRight(k.digest[:], "\x00"))
}

// appendBound appends a key, with its clock as the difference from the previous
// one.
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

// size returns an upper bound for the size of an event in bytes.
func (e *eventOf) size() int { return 2*binary.MaxVarintLen32 + len(e.data) + len(e.large) }
