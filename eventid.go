package causal

import (
	"crypto/rand"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// EventID identifies an event everywhere: 26 ASCII letters or digits, as in a
// ULID. Upper and lower case differ. The zero value "" means none.
type EventID string

// eventIDLength is the number of characters of every event ID.
const eventIDLength = 26

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

// isEventID reports whether s is 26 ASCII letters or digits.
func isEventID(s string) bool {
	if len(s) != eventIDLength {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// idSeed makes the hashes differ between processes, so that nobody can make up
// IDs that collide.
var idSeed = maphash.MakeSeed()

func hashID(id EventID) uint64 { return maphash.String(idSeed, string(id)) }
