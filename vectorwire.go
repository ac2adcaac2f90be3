package causal

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// MarshalJSON writes the clock as an object of integers by node, in ascending
// bytewise order of the nodes. The error is a [*ValidationError] for more than
// 65,536 nodes.
func (v VectorClock) MarshalJSON() ([]byte, error) {
	if len(v.entries) > maxVectorNodes {
		return nil, invalid(vectorField, reasonVectorSize)
	}
	return v.appendJSON(nil), nil
}

func (v VectorClock) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, e := range v.entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(rawjson.AppendString(b, e.node), ':')
		b = strconv.AppendInt(b, e.time, 10)
	}
	return append(b, '}')
}

// UnmarshalJSON reads what MarshalJSON writes. It leaves *v as it was if there is
// an error, which is a [*ValidationError]: there is one form of each clock, so
// nodes out of order or given twice, and times that are not positive integers,
// are refused. The caller keeps data.
func (v *VectorClock) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	decoded, reason := parseVectorClock(text)
	if reason != "" {
		return invalid(vectorField, reason)
	}
	*v = decoded
	return nil
}

// parseVectorClock reads the valid JSON text of a vector clock, or says what is
// wrong with it.
func parseVectorClock(text string) (v VectorClock, reason string) {
	if text[0] != '{' {
		return v, reasonNotObject
	}
	var entries []vectorEntry
	for rawNode, value := range rawjson.Members(text) {
		node, ok := rawjson.Unquote(rawNode)
		if !ok {
			return v, reasonSurrogate
		}
		time, reason := integerMember(value)
		if reason != "" {
			return v, "has a time that " + reason
		}
		if entries, reason = appendVectorEntry(entries, strings.Clone(node), time); reason != "" {
			return v, reason
		}
	}
	return VectorClock{entries}, ""
}

// appendVectorEntry appends an entry that comes from outside, or says why it
// cannot follow the others.
func appendVectorEntry(entries []vectorEntry, node string, time int64) ([]vectorEntry, string) {
	switch reason := checkVectorEntry(node, time); {
	case reason != "":
		return nil, reason
	case time == 0:
		return nil, "must not have the time 0"
	case len(entries) > 0 && entries[len(entries)-1].node >= node:
		return nil, "must have its nodes in ascending order, each once"
	case len(entries) == maxVectorNodes:
		return nil, reasonVectorSize
	}
	return append(entries, vectorEntry{node, time}), ""
}

// The binary form is a version byte, the number of entries, and for each entry
// the length of the node, the node and the time. Numbers are unsigned varints in
// their shortest form (encoding/binary).
const (
	vectorVersion     = 1
	vectorEntryBytes  = 3 // at least: two varints and a node of one byte
	reasonVectorBytes = "is not the binary form of a vector clock"
)

// MarshalBinary writes the clock in a compact binary form. The error is a
// [*ValidationError] for more than 65,536 nodes.
func (v VectorClock) MarshalBinary() ([]byte, error) {
	if len(v.entries) > maxVectorNodes {
		return nil, invalid(vectorField, reasonVectorSize)
	}
	size := 1 + binary.MaxVarintLen64
	for _, e := range v.entries {
		size += len(e.node) + 2*binary.MaxVarintLen64
	}
	b := append(make([]byte, 0, size), vectorVersion)
	b = binary.AppendUvarint(b, uint64(len(v.entries)))
	for _, e := range v.entries {
		b = binary.AppendUvarint(b, uint64(len(e.node)))
		b = append(b, e.node...)
		b = binary.AppendUvarint(b, uint64(e.time))
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary writes. It leaves *v as it was if there
// is an error, which is a [*ValidationError]: data that ends early or goes on
// behind the clock, a count that the data cannot hold, numbers that are not in
// their shortest form, and what UnmarshalJSON refuses. The caller keeps data.
func (v *VectorClock) UnmarshalBinary(data []byte) error {
	decoded, reason := parseVectorBytes(data)
	if reason != "" {
		return invalid(vectorField, reason)
	}
	*v = decoded
	return nil
}

func parseVectorBytes(data []byte) (v VectorClock, reason string) {
	if len(data) == 0 || data[0] != vectorVersion {
		return v, reasonVectorBytes
	}
	count, rest, ok := cutUvarint(data[1:])
	if !ok || count > uint64(len(rest)/vectorEntryBytes) {
		return v, reasonVectorBytes
	}
	var entries []vectorEntry
	for range count {
		var length, time uint64
		if length, rest, ok = cutUvarint(rest); !ok || length > uint64(len(rest)) {
			return v, reasonVectorBytes
		}
		node := string(rest[:length])
		if time, rest, ok = cutUvarint(rest[length:]); !ok || time > math.MaxInt64 {
			return v, reasonVectorBytes
		}
		if entries, reason = appendVectorEntry(entries, node, int64(time)); reason != "" {
			return v, reason
		}
	}
	if len(rest) > 0 {
		return v, reasonVectorBytes
	}
	return VectorClock{entries}, ""
}

// cutUvarint reads a varint in its shortest form from the front of data.
func cutUvarint(data []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || size > 1 && data[size-1] == 0 {
		return 0, nil, false
	}
	return n, data[size:], true
}
