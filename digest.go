package causal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// digestVersion is the start of the hashed text. A change of the form needs a
// new version.
const digestVersion = "causal digest 1\n"

// Digest returns the SHA-256 of the event's content in a canonical form,
// specified in docs/wire-format.md. Barring collisions of SHA-256, two events
// have the same digest if and only if they are [Event.Equal], however their
// JSON is spelled. The digest is not stored with the event but computed by each
// call. The digest of the zero Event is all zeros.
func (e Event) Digest() [sha256.Size]byte {
	if e.p == nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(e.p.appendCanonical(make([]byte, 0, 512+len(e.p.payload))))
}

func (d *event) appendCanonical(b []byte) []byte {
	b = append(b, digestVersion...)
	for _, text := range []string{
		string(d.ID), d.Type, d.AggregateID, d.NodeID, string(d.CausationID), d.ProjectUUID, string(d.CorrelationID), d.SchemaVersion,
	} {
		b = rawjson.AppendText(b, text)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(d.LamportClock))
	b = binary.BigEndian.AppendUint64(b, uint64(d.Timestamp.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(d.Timestamp.Nanosecond()))
	b = append(b, byte(d.DataTier))
	if b = append(b, 0); d.hasSlug {
		b[len(b)-1] = 1
		b = rawjson.AppendText(b, d.ProjectSlug)
	}
	if b = append(b, 0); d.Parents != nil {
		b[len(b)-1] = 1
		b = binary.AppendUvarint(b, uint64(len(d.Parents)))
		for _, id := range d.Parents {
			b = rawjson.AppendText(b, string(id))
		}
		b = binary.BigEndian.AppendUint64(b, uint64(d.PreviousClock))
	}
	b = binary.AppendUvarint(b, uint64(d.VectorClock.Len()))
	for node, time := range d.VectorClock.All() {
		b = binary.BigEndian.AppendUint64(rawjson.AppendText(b, node), uint64(time))
	}
	b = rawjson.AppendCanonical(b, d.payload)
	return rawjson.AppendCanonical(b, asObject(d.extra))
}
