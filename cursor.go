package causal

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// Cursor is a position in the arrival order of one log: an opaque value that can
// be compared with == and stored as text. It survives the reopening of the log.
// The zero Cursor is the start of every log; its text is "".
//
// A damaged cursor is rejected with [ErrInvalidCursor]. It is never mistaken for
// the start of the log or for another position.
type Cursor struct {
	log      [16]byte
	position uint64
}

// NewCursor returns the cursor of a position in the log with this ID. It is for
// adapters: a log has a random ID that stays with its data, and its n-th entry
// has position n, counted from 1. Position 0 is the start of that log.
func NewCursor(log [16]byte, position uint64) Cursor { return Cursor{log, position} }

// PositionIn returns the cursor's position in the log with this ID, whose latest
// entry has position head. It is for adapters. The position of the zero Cursor is
// 0. PositionIn returns [ErrInvalidCursor] if the cursor belongs to another log
// or lies beyond head.
func (c Cursor) PositionIn(log [16]byte, head uint64) (uint64, error) {
	if c == (Cursor{}) {
		return 0, nil
	}
	if c.log != log || c.position > head {
		return 0, ErrInvalidCursor
	}
	return c.position, nil
}

// The text of a cursor is base64url without padding of: a version byte, the
// log's ID, the position, and the CRC-32 of all that (IEEE, big endian both).
const (
	cursorVersion  = 1
	cursorBody     = 1 + 16 + 8
	cursorByteSize = cursorBody + 4
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// String returns the cursor's text, which [Cursor.UnmarshalText] reads.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	b := make([]byte, 0, cursorByteSize)
	b = append(b, cursorVersion)
	b = append(b, c.log[:]...)
	b = binary.BigEndian.AppendUint64(b, c.position)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return cursorEncoding.EncodeToString(b)
}

// MarshalText returns the cursor's text: URL-safe ASCII, at most 39 bytes. The
// error is always nil.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text of a cursor. If the text is damaged, it leaves *c
// unchanged and returns [ErrInvalidCursor].
func (c *Cursor) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = Cursor{}
		return nil
	}
	if len(text) != cursorEncoding.EncodedLen(cursorByteSize) {
		return ErrInvalidCursor
	}
	b, err := cursorEncoding.DecodeString(string(text))
	if err != nil || len(b) != cursorByteSize || b[0] != cursorVersion ||
		crc32.ChecksumIEEE(b[:cursorBody]) != binary.BigEndian.Uint32(b[cursorBody:]) {
		return ErrInvalidCursor
	}
	decoded := Cursor{[16]byte(b[1:17]), binary.BigEndian.Uint64(b[17:])}
	if decoded == (Cursor{}) { // has a text of its own, ""
		return ErrInvalidCursor
	}
	*c = decoded
	return nil
}
