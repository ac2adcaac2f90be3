package causal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A Cursor is a position in the arrival order of one log. It is opaque,
// comparable with ==, storable as text, and stays valid when the log is
// reopened. The zero Cursor is the start of every log; its text is "".
//
// A cursor identifies the entries before it by a chained hash of their IDs. If
// the log no longer begins with these entries, because it was replaced or
// restored from a backup, the cursor is rejected with [ErrInvalidCursor], as is
// a damaged cursor or one of another log. It is never mistaken for the start of
// the log or for another position.
type Cursor struct {
	log      [16]byte
	position uint64
	hash     [8]byte
}

// NewCursor returns the cursor of a position in the log with this ID. It is for
// adapters. A log has a random ID stored with its data, and its n-th entry has
// position n, counted from 1. Position 0 is the start of the log, with the zero
// hash; [Cursor.Next] computes the other hashes.
func NewCursor(log [16]byte, position uint64, hash [8]byte) Cursor {
	return Cursor{log, position, hash}
}

// LogID returns the ID of the cursor's log, zero for the zero Cursor.
func (c Cursor) LogID() [16]byte { return c.log }

// Position returns the number of entries before the cursor, 0 for the zero
// Cursor.
func (c Cursor) Position() uint64 { return c.position }

// Hash returns the chained hash of the entries before the cursor, which an
// adapter stores with each entry: the first 8 bytes of the SHA-256 of the hash
// before it and the ID of the entry. It is zero at position 0.
func (c Cursor) Hash() [8]byte { return c.hash }

// Next returns the cursor of the entry after c, given the ID of the entry's
// event. It is for adapters.
func (c Cursor) Next(id EventID) Cursor {
	id, _ = id.canonical()
	var input [len(c.hash) + uuidLength]byte
	sum := sha256.Sum256(append(append(input[:0], c.hash[:]...), id...))
	return Cursor{c.log, c.position + 1, [8]byte(sum[:8])}
}

// PositionIn returns the position of c in the log whose latest entry has the
// cursor head. It is for adapters. The position of the zero Cursor is 0. hashAt
// returns the hash of the entry at a position, from 1 up to but not including
// the position of head. PositionIn calls it at most once, and returns its
// error.
//
// PositionIn returns [ErrInvalidCursor] if c belongs to another log or
// identifies other entries than the log has, [ErrCursorAhead] if c lies beyond
// head, and a [*ValidationError] if hashAt is nil.
func (c Cursor) PositionIn(head Cursor, hashAt func(position uint64) ([8]byte, error)) (uint64, error) {
	hash := [8]byte{}
	var err error
	switch {
	case hashAt == nil:
		return 0, invalid("hash_at", reasonNil)
	case c == (Cursor{}):
		return 0, nil
	case c.log != head.log:
		return 0, ErrInvalidCursor
	case c.position > head.position:
		return 0, ErrCursorAhead
	case c.position == head.position:
		hash = head.hash
	case c.position > 0:
		hash, err = hashAt(c.position)
	}
	if err == nil && hash != c.hash {
		err = ErrInvalidCursor
	}
	if err != nil {
		return 0, err
	}
	return c.position, nil
}

// The text of a cursor is unpadded base64url of a version byte, the log's ID,
// the position, the hash, and the CRC-32 (IEEE) of all of these, numbers in big
// endian.
const (
	cursorVersion  = 2
	cursorBody     = 1 + 16 + 8 + 8
	cursorByteSize = cursorBody + crc32.Size
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// String returns the cursor's text, which [Cursor.UnmarshalText] parses.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	b := make([]byte, 0, cursorByteSize)
	b = append(b, cursorVersion)
	b = append(b, c.log[:]...)
	b = binary.BigEndian.AppendUint64(b, c.position)
	b = append(b, c.hash[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return cursorEncoding.EncodeToString(b)
}

// MarshalText returns the cursor's text: URL-safe ASCII, at most 50 bytes. The
// error is always nil.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText parses the text of a cursor. If the text is damaged or of
// another version of the format, it leaves *c unchanged and returns
// [ErrInvalidCursor].
func (c *Cursor) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = Cursor{}
		return nil
	}
	b, err := cursorEncoding.DecodeString(string(text))
	body := len(b) - crc32.Size
	if err != nil || body < 1 || crc32.ChecksumIEEE(b[:body]) != binary.BigEndian.Uint32(b[body:]) ||
		len(text) != cursorEncoding.EncodedLen(len(b)) { // the decoder skips line breaks
		return ErrInvalidCursor
	}
	if b[0] != cursorVersion {
		return fmt.Errorf("%w: its text has version %d, not %d", ErrInvalidCursor, b[0], cursorVersion)
	}
	if body != cursorBody {
		return ErrInvalidCursor
	}
	decoded := Cursor{[16]byte(b[1:17]), binary.BigEndian.Uint64(b[17:25]), [8]byte(b[25:])}
	if decoded == (Cursor{}) { // whose text is ""
		return ErrInvalidCursor
	}
	*c = decoded
	return nil
}
