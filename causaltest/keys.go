package causaltest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var keyCases = []eventCase{
	{
		name:  "keys/aggregates",
		claim: "Every valid UTF-8 text is an aggregate ID, and different IDs are different aggregates.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			var all []causal.Event
			for i, key := range keys(c.Limits) {
				all = append(all, event(t, i, in(key)))
			}
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			requireOrder(t, s, all)
			if c.Reopen != nil {
				requireOrder(t, c.Reopen(t, s), all)
			}
		},
	},
	{
		name:  "keys/nodes",
		claim: "Every valid UTF-8 text is a node ID, and orders events bytewise.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			var all []causal.Event
			for i, key := range keys(c.Limits) {
				all = append(all, event(t, i, on(key, 1)))
			}
			require.NoError(t, causal.SaveAll(t.Context(), s, shuffled(all)))
			requireOrder(t, s, all)
		},
	},
	{
		name:  "keys/events",
		claim: "Event IDs that differ only in case identify one event, and a UUID is an ID, too.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			upper := event(t, 1)
			lower := event(t, 1, func(p *causal.EventParams) { p.ID = causal.EventID(strings.ToLower(string(p.ID))) })
			uuid := event(t, 2, func(p *causal.EventParams) { p.ID = "9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D" })
			saveAll(t, s, lower, upper, uuid, uuid)
			requireAll(t, s, upper, uuid)
		},
	},
}

// keys are IDs likely to be confused, escaped or truncated by adapters.
func keys(limits Limits) []string {
	all := []string{
		"A1", "A10", "A", "a", "a_b+c", "a+b_c", "a_b", "a-b", "a/b", "..", "../A", "é", "e\u0301", "\U0001F600",
		"\x00", "a\x00", "a\x00b", "a ", "a  ", " a", "a\n", "a\r\n", "\t", "ａ", "\u2028", "%61", "a%", "a*", "a>",
		"'; DROP TABLE events; --", `"`, `\`, `\0`, "null", "0", "true", "\ufeff", "\ufffd",
	}
	for c := '!'; c <= '~'; c++ {
		if !strings.ContainsRune(strings.Join(all, "\n"), c) || strings.ContainsRune("_%*?.", c) {
			all = append(all, fmt.Sprintf("key%cend", c))
		}
	}
	size := limits.Text
	if size == 0 {
		size = 5000
	}
	long := strings.Repeat("k", size-1)
	return append(all, long, long+"0", long+"1")
}
