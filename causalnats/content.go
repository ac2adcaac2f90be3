package causalnats

import (
	"encoding/binary"
	"encoding/json"
)

// The content of a checkpoint or a rejected event is the length of its JSON as
// a uvarint, the JSON, and data of any form. Empty content means that it was
// deleted.

func encodeContent(v any, data []byte) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(append(binary.AppendUvarint(nil, uint64(len(text))), text...), data...), nil
}

func decodeContent(v value, into any) (data []byte, err error) {
	n, size := binary.Uvarint(v.content)
	if size <= 0 || n > uint64(len(v.content)-size) || json.Unmarshal(v.content[size:size+int(n)], into) != nil {
		return nil, errStateDamaged(v.sequence)
	}
	return v.content[size+int(n):], nil
}
