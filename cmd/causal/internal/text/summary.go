package text

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spec-kitty/causal"
)

// Summary returns the members of an event's payload in one line, in the order of their names.
func Summary(e causal.Event) string {
	var payload map[string]json.RawMessage
	if json.Unmarshal(e.Payload(), &payload) != nil {
		return string(e.Payload())
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(payload)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=" + Value(payload[name]))
	}
	return b.String()
}

// Value returns a JSON value in one line, a string without its quotes.
func Value(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil && !bytes.Equal(v, []byte("null")) {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return string(v)
	}
	return b.String()
}
