package causal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/oklog/ulid/v2"
)

// EventIDFor returns the event ID for a key, which is the same on every node and in
// every process: the event of a webhook or a command that is delivered to a node twice is
// then one event. namespace tells apart keys of different origin.
//
// The ID is the same everywhere, and the event is not: it has its node and clock. If two
// nodes make events of one key before they have exchanged them, each rejects that of the
// other for ever, and lacks it. So one node alone makes the events of a key, or the node ID
// is in the namespace, and whoever reads drops what comes twice. The ID is the ULID text of the first 128 bits of a SHA-256 hash; docs/wire-format.md has the
// exact input. EventIDFor returns a [*ValidationError] if namespace or key is empty or
// not valid UTF-8.
func EventIDFor(namespace, key string) (EventID, error) {
	for _, text := range []struct{ field, value string }{{"namespace", namespace}, {"key", key}} {
		if err := checkText(text.field, text.value); err != nil {
			return "", err
		}
	}
	input := binary.AppendUvarint([]byte("causal event id 1\n"), uint64(len(namespace)))
	sum := sha256.Sum256(append(append(input, namespace...), key...))
	return EventID(ulid.ULID(sum[:16]).String()), nil
}

// ParseEventID returns the event ID that a text is, in its canonical case. It returns a
// [*ValidationError] if the text is none.
func ParseEventID(text string) (EventID, error) {
	id, ok := EventID(text).canonical()
	if !ok {
		return "", invalid("event_id", reasonEventID)
	}
	return id, nil
}
