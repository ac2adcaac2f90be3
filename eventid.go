package causal

import (
	"crypto/rand"
	"hash/maphash"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// EventID identifies an event everywhere. It consists of 26 ASCII letters or
// digits, like a ULID, or is a UUID with hyphens. Case does not matter:
// [NewEvent] and the decoders store the former in upper case and the latter in
// lower case, so that peers using different cases mean the same event. The zero
// value "" means none.
type EventID string

// Lengths in characters.
const (
	eventIDLength = 26
	uuidLength    = 36
)

// NewEventID returns a new ULID: 48 bits of wall clock in milliseconds, then 80
// bits from crypto/rand. Each result is greater than all earlier ones of this
// process, even within one millisecond and when the wall clock steps back
// (until the year 10889, where the time field of a ULID ends).
//
// It never fails, and is safe for concurrent use.
func NewEventID() EventID { return processIDs.next() }

var processIDs = newIDGenerator(time.Now, rand.Reader)

// idGenerator generates strictly increasing ULIDs.
type idGenerator struct {
	wall    func() time.Time
	random  io.Reader
	mu      sync.Mutex
	last    uint64    // the time field of the latest ID, in milliseconds
	latest  ulid.ULID // here so as not to need an allocation
	entropy *ulid.MonotonicEntropy
}

func newIDGenerator(wall func() time.Time, random io.Reader) *idGenerator {
	return &idGenerator{wall: wall, random: random, entropy: ulid.Monotonic(random, 0)}
}

// next never decreases the time field, and moves on to the next millisecond
// when the random field overflows. ulid's own generator follows the wall clock
// backwards, and fails on overflow.
func (g *idGenerator) next() EventID {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.wall().UnixMilli(); now > 0 {
		g.last = min(max(g.last, uint64(now)), ulid.MaxTime())
	}
	for {
		_ = g.latest.SetTime(g.last) // which is never above MaxTime
		if g.entropy.MonotonicRead(g.last, g.latest[6:]) == nil {
			return EventID(g.latest.String())
		}
		// The random field has overflowed; crypto/rand itself cannot fail.
		if g.last < ulid.MaxTime() {
			g.last++
		} else {
			g.entropy = ulid.Monotonic(g.random, 0)
		}
	}
}

// Kinds of bytes in an event ID.
const (
	idUpper = 1 << iota
	idLower
	idOther // neither a letter nor a digit
)

var idByte = func() (kinds [256]uint8) {
	for c := range kinds {
		switch {
		case '0' <= c && c <= '9':
		case 'A' <= c && c <= 'Z':
			kinds[c] = idUpper
		case 'a' <= c && c <= 'z':
			kinds[c] = idLower
		default:
			kinds[c] = idOther
		}
	}
	return kinds
}()

// kinds returns the kinds of bytes in the ID.
func (id EventID) kinds() (kinds uint8) {
	for i := range len(id) {
		kinds |= idByte[id[i]]
	}
	return kinds
}

// canonical returns the ID in its canonical case, and reports whether it is
// valid. Most IDs are canonical, and checking is cheaper than rewriting.
func (id EventID) canonical() (EventID, bool) {
	switch kinds := id.kinds(); {
	case len(id) == eventIDLength && kinds&idOther == 0:
		if kinds&idLower != 0 {
			id = EventID(strings.ToUpper(string(id)))
		}
		return id, true
	case len(id) == uuidLength && isHyphenatedUUID(string(id)):
		if kinds&idUpper != 0 {
			id = EventID(strings.ToLower(string(id)))
		}
		return id, true
	}
	return id, false
}

// isEventID reports whether s is an event ID in its canonical case.
func isEventID(s string) bool {
	switch len(s) {
	case eventIDLength:
		return EventID(s).kinds()&(idOther|idLower) == 0
	case uuidLength:
		return EventID(s).kinds()&idUpper == 0 && isHyphenatedUUID(s)
	}
	return false
}

// idSeed makes hashes differ between processes, so that nobody can construct
// colliding IDs.
var idSeed = maphash.MakeSeed()

func hashID(id EventID) uint64 { return maphash.String(idSeed, string(id)) }

// isHyphenatedUUID reports whether s has the form 8-4-4-4-12 of hexadecimal
// digits in any case.
func isHyphenatedUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
