package causal_test

import (
	"testing"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// BenchmarkEmit emits into stores in memory of up to 10,000 events, compared
// with creating the same events.
func BenchmarkEmit(b *testing.B) {
	b.Run("emit", func(b *testing.B) {
		b.ReportAllocs()
		var n *causal.Node
		for i := 0; b.Loop(); i++ {
			if i%10_000 == 0 {
				n = openNode(b, "alice", &causal.MemStore{})
			}
			if _, err := n.Emit(b.Context(), eventtest.BenchParams(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new event", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			p := eventtest.BenchParams(i)
			p.NodeID, p.ProjectUUID, p.LamportClock, p.Parents = "alice", eventtest.ProjectUUID, int64(i+1), []causal.EventID{}
			if _, err := causal.NewEvent(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
