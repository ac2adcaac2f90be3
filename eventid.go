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

// EventID identifies an event everywhere: 26 ASCII letters or digits, as in a ULID,
// or a UUID with hyphens. Case does not matter: [NewEvent] and the decoders keep the
// first in upper case and the second in lower case, so that peers that write both
// mean one event. The zero value "" means none.
type EventID string

// eventIDLength is the number of characters of a ULID, and uuidLength that of a UUID.
const (
	eventIDLength = 26
	uuidLength    = 36
)

// NewEventID returns a new ULID: 48 bits of wall clock in milliseconds, then 80
// bits from crypto/rand. Each result is greater than all earlier ones of this
// process, even within one millisecond and when the wall clock steps back (until
// the year 10889, where the time field of a ULID ends).
//
// It never fails, and is safe for concurrent use.
func NewEventID() EventID { return processIDs.next() }

var processIDs = newIDGenerator(time.Now, rand.Reader)

// idGenerator makes strictly increasing ULIDs.
type idGenerator struct {
	wall    func() time.Time
	random  io.Reader
	mu      sync.Mutex
	last    uint64    // the time field of the latest ID, in milliseconds
	latest  ulid.ULID // kept here so that it needs no memory of its own
	entropy *ulid.MonotonicEntropy
}

func newIDGenerator(wall func() time.Time, random io.Reader) *idGenerator {
	return &idGenerator{wall: wall, random: random, entropy: ulid.Monotonic(random, 0)}
}

// next never lets the time field fall, and takes the next millisecond when the
// random field of this one has run out: ulid's own generator goes backwards
// with the wall clock, and fails when the field overflows.
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

// What the bytes of an event ID may be.
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

// kinds returns which kinds of bytes the ID has.
func (id EventID) kinds() (kinds uint8) {
	for i := range len(id) {
		kinds |= idByte[id[i]]
	}
	return kinds
}

// canonical returns the ID in its canonical case, and reports whether it is valid. Most
// IDs are canonical, and to look is cheaper than to write them anew.
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

// idSeed makes the hashes differ between processes, so that nobody can make up
// IDs that collide.
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
