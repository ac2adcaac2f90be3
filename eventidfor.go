package causal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/oklog/ulid/v2"
)

// EventIDFor derives an event ID from a key, the same on every node and in
// every process. If a webhook or command is delivered twice to a node, both
// deliveries yield the same event. namespace distinguishes keys of different
// origin, and of different projects if they share a store.
//
// Only the ID is the same everywhere; the event also has a node and a clock. If
// two nodes create different events for one key before exchanging them, each
// permanently rejects the other's event. So let one node alone create the
// events of a key, or include the node ID in namespace and have readers drop
// duplicates. The ID is the ULID text of the first 128 bits of a SHA-256 hash,
// whose exact input is in docs/wire-format.md. EventIDFor returns a
// [*ValidationError] if namespace or key is empty or not valid UTF-8.
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

// ParseEventID parses text as an event ID and returns it in its canonical case.
// It returns a [*ValidationError] if text is not an event ID.
func ParseEventID(text string) (EventID, error) {
	id, ok := EventID(text).canonical()
	if !ok {
		return "", invalid("event_id", reasonEventID)
	}
	return id, nil
}
