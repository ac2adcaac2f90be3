package causalnats

import (
	"cmp"
	"encoding/binary"
	"errors"

	"github.com/spec-kitty/causal"
)

// A record is an entry of the stream of the log: one message or, if it is too
// large, several. It has the saves of one or more callers, each of which is
// stored completely or not at all, by a rule that all replicas apply in the
// same way:
//
//	version  1 byte, 1
//	nonce    16 random bytes: two records that have the same are one that was sent twice
//	witness  the sequence (8 bytes, big endian) and the nonce of the last record that the writer had
//	         applied, zero if it had none
//	saves    up to the end
//
// A save is a byte, 0 without a condition and 1 with one, the condition, the
// number of events, and for each its length and its JSON. A condition is a
// position of the log, 8 bytes of hash, the project, the node, the number of
// aggregates and each of them. Texts are preceded by their length, and numbers
// and lengths are uvarints.
//
// The stored events depend only on the records, and so on the decoding of
// events from JSON and on [causal.Event.Equal]. A change of those needs a new
// version of the record.
const recordVersion = 1

type nonce [16]byte

// mark is the position of a record in the stream, and its nonce.
type mark struct {
	sequence uint64 // of its last message
	nonce    nonce
}

func (m mark) compare(sequence uint64) int { return cmp.Compare(m.sequence, sequence) }

const recordHead = 1 + len(nonce{}) + 8 + len(nonce{})

// save is one caller's save.
type save struct {
	condition *condition // nil if there is none
	events    []causal.Event
}

type condition struct {
	position uint64 // in the log
	hash     [8]byte
	causal.Condition
}

// record is a decoded record.
type record struct {
	mark
	messages uint64 // its number of messages
	witness  mark
	saves    []save
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// encodeHead appends the start of a record.
func encodeHead(b []byte, id nonce, witness mark) []byte {
	b = append(append(b, recordVersion), id[:]...)
	b = binary.BigEndian.AppendUint64(b, witness.sequence)
	return append(b, witness.nonce[:]...)
}

// encodeSave appends a save, given the JSON of its events.
func encodeSave(b []byte, c *condition, data [][]byte) []byte {
	if c == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = append(binary.AppendUvarint(b, c.position), c.hash[:]...)
		b = appendText(appendText(b, c.ProjectUUID), c.NodeID)
		b = binary.AppendUvarint(b, uint64(len(c.Aggregates)))
		for _, id := range c.Aggregates {
			b = appendText(b, id)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(data)))
	for _, d := range data {
		b = append(binary.AppendUvarint(b, uint64(len(d))), d...)
	}
	return b
}

// Reasons why a record cannot be applied. It is never skipped, because replicas
// would then differ permanently.
var (
	errDamaged = errors.New("is damaged")
	errVersion = errors.New("was written by a later version of this package")
)

// decodeRecord decodes a record.
func decodeRecord(b []byte) (record, error) {
	if len(b) > 0 && b[0] > recordVersion {
		return record{}, errVersion
	}
	if len(b) < recordHead || b[0] != recordVersion {
		return record{}, errDamaged
	}
	var r record
	r.nonce = nonce(b[1:17])
	r.witness = mark{binary.BigEndian.Uint64(b[17:25]), nonce(b[25:recordHead])}
	d := decoder{left: b[recordHead:]}
	for len(d.left) > 0 && !d.failed {
		r.saves = append(r.saves, d.save())
	}
	if d.failed || len(r.saves) == 0 {
		return record{}, errDamaged
	}
	return r, nil
}

// decoder decodes values from the start of the remaining bytes, until one
// fails.
type decoder struct {
	left   []byte
	failed bool
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.left)) {
		d.failed, d.left = true, nil
		return nil
	}
	b := d.left[:n]
	d.left = d.left[n:]
	return b
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.left)
	if n <= 0 {
		d.failed, d.left = true, nil
		return 0
	}
	d.left = d.left[n:]
	return v
}

// count reads the number of items that follow, each of at least one byte.
func (d *decoder) count() uint64 {
	n := d.number()
	if n > uint64(len(d.left)) {
		d.failed, d.left = true, nil
		return 0
	}
	return n
}

func (d *decoder) text() string { return string(d.bytes(d.number())) }

func (d *decoder) save() (s save) {
	switch kind := d.number(); kind {
	case 0:
	case 1:
		s.condition = d.condition()
	default:
		d.failed = true
	}
	s.events = make([]causal.Event, d.count())
	for i := range s.events {
		data := d.bytes(d.number())
		if d.failed || s.events[i].UnmarshalJSON(data) != nil {
			d.failed = true
			break
		}
	}
	d.failed = d.failed || len(s.events) == 0
	return s
}

func (d *decoder) condition() *condition {
	c := &condition{position: d.number()}
	copy(c.hash[:], d.bytes(8))
	c.ProjectUUID, c.NodeID = d.text(), d.text()
	for n := d.count(); n > 0 && !d.failed; n-- {
		c.Aggregates = append(c.Aggregates, d.text())
	}
	d.failed = d.failed || c.Validate() != nil
	return c
}
