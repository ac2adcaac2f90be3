package causal_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// eventWeight returns the size of an event emitted by a node in a project with
// the given number of nodes, on an aggregate with the given number of heads.
func eventWeight(t *testing.T, nodes, heads int, vectorClocks bool) int {
	var s causal.MemStore
	ids := 0
	n := openNode(t, "node-0000000", &s, func(o *causal.NodeOptions) {
		o.VectorClocks = vectorClocks
		o.Now = func() time.Time { return eventtest.Time.Add(123456 * time.Microsecond) }
		o.NewID = func() causal.EventID { ids++; return eventtest.ID(100_000 + ids) }
	})
	events := make([]causal.Event, nodes-1)
	for i := range events {
		events[i] = from(t, i, fmt.Sprintf("node-%07d", i+1), 0, int64(100_000+i), func(p *causal.EventParams) {
			p.AggregateID = "document-1"
			if i >= heads {
				p.AggregateID = fmt.Sprint("other-", i)
			}
		})
	}
	receive(t, n, events...)
	e := emit(t, n, causal.EventParams{Type: "TitleChanged", AggregateID: "document-1", Payload: map[string]string{"value": "A new title"}})
	require.Len(t, e.Parents(), min(heads, nodes-1))
	return len(must(e.MarshalJSON()))
}

// The table in docs/concepts.md has the results of this test.
func TestEventWeights(t *testing.T) {
	var table strings.Builder
	table.WriteString("| nodes | parents, 1 head | parents, up to 10 heads of other nodes | full vector clock, 1 head |\n|---|---|---|---|\n")
	for _, nodes := range []int{2, 10, 100, 1000, 5000} {
		fmt.Fprintf(&table, "| %d | %d | %d | %d |\n", nodes,
			eventWeight(t, nodes, 1, false), eventWeight(t, nodes, 10, false), eventWeight(t, nodes, 1, true))
	}
	text, err := os.ReadFile("docs/concepts.md")
	require.NoError(t, err)
	require.Contains(t, string(text), table.String())
}
