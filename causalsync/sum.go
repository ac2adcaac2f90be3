package causalsync

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/spec-kitty/causal"
)

// key is a position in the order of [causal.SyncKey], or the end.
type key struct {
	clock  uint64
	digest [sha256.Size]byte
}

// end is after all keys.
var end = key{clock: math.MaxUint64}

func keyOf(k causal.SyncKey) key { return key{uint64(k.Clock), k.Digest} }

// syncKey returns the key for reads, in which the zero SyncKey means the end.
func (k key) syncKey() causal.SyncKey {
	if k == end {
		return causal.SyncKey{}
	}
	return causal.SyncKey{Clock: int64(k.clock), Digest: k.digest}
}

func (k key) compare(other key) int {
	if c := cmp.Compare(k.clock, other.clock); c != 0 {
		return c
	}
	return bytes.Compare(k.digest[:], other.digest[:])
}

func (k key) isBefore(other key) bool { return k.compare(other) < 0 }

// shortest returns the key after before, up to k, with the shortest encoding.
func shortest(before, k key) key {
	if before.clock != k.clock {
		return key{clock: k.clock}
	}
	short := key{clock: k.clock}
	for i := range k.digest {
		if short.digest[i] = k.digest[i]; before.digest[i] != k.digest[i] {
			break
		}
	}
	return short
}

// salt is a secret of the responding side, without which nobody can construct
// other events with an equal sum.
type salt [16]byte

// lift is the summand of an event.
type lift [sha256.Size]byte

func (s *salt) lift(digest *[sha256.Size]byte) lift {
	var text [len(s) + len(digest)]byte
	copy(text[:], s[:])
	copy(text[len(s):], digest[:])
	return sha256.Sum256(text[:])
}

// id represents an event in a list.
type id [16]byte

func (s *salt) id(k key) id {
	l := s.lift(&k.digest)
	return id(l[:len(id{})])
}

// sum represents a set of events by their count, and the sum of their lifts
// modulo 2^256. It is a multiset hash by addition (Bellare and Micciancio, "A
// New Paradigm for Collision-Free Hashing", 1997, section 5). Without a salt,
// Wagner's generalized birthday attack (2002) finds sets of equal sum.
type sum struct {
	count uint64
	words [4]uint64
}

func (s *sum) add(other sum) {
	var carry uint64
	s.count += other.count
	for i := range s.words {
		s.words[i], carry = bits.Add64(s.words[i], other.words[i], carry)
	}
}

func (s *sum) addLift(l lift) {
	one := sum{count: 1}
	for i := range one.words {
		one.words[i] = binary.LittleEndian.Uint64(l[8*i:])
	}
	s.add(one)
}

// fingerprint is the transmitted form of a sum.
type fingerprint [16]byte

func (s sum) fingerprint() fingerprint {
	var text [40]byte
	for i, word := range s.words {
		binary.LittleEndian.PutUint64(text[8*i:], word)
	}
	binary.LittleEndian.PutUint64(text[32:], s.count)
	hash := sha256.Sum256(text[:])
	return fingerprint(hash[:len(fingerprint{})])
}
