package text

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/rawjson"
)

// Summary returns the members of an event's payload in one line, in
// alphabetical order.
func Summary(e causal.Event) string {
	var members []string
	for name, value := range rawjson.Members(string(e.Payload())) {
		members = append(members, Value(json.RawMessage(name))+"="+Value(json.RawMessage(value)))
	}
	slices.Sort(members)
	return strings.Join(members, " ")
}

// Value returns a JSON value in one line, a string without its quotes.
func Value(v json.RawMessage) string {
	if v = bytes.TrimSpace(v); len(v) > 0 && v[0] == '"' {
		if bytes.IndexByte(v, '\\') < 0 {
			return string(v[1 : len(v)-1])
		}
		var s string
		if json.Unmarshal(v, &s) == nil {
			return s
		}
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return string(v)
	}
	return b.String()
}
