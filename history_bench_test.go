package causal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// benchmarkHistory returns events of nodes that read each other's with various
// delays, in the given number of aggregates.
func benchmarkHistory(b *testing.B, count, nodes, aggregates int) []causal.Event {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	type state struct {
		clock, previous int64
		read            int     // the number of events read
		heads           [][]int // of the aggregates
	}
	states := make([]state, nodes)
	for i := range states {
		states[i].heads = make([][]int, aggregates)
	}
	events, parents, aggregateOf := make([]causal.Event, count), make([][]int, count), make([]int, count)
	for i := range count {
		at := random.IntN(nodes)
		n := &states[at]
		if random.IntN(5) == 0 {
			for ; n.read < i; n.read++ {
				heads := &n.heads[aggregateOf[n.read]]
				*heads = append(slices.DeleteFunc(*heads, func(k int) bool { return k == n.read || slices.Contains(parents[n.read], k) }), n.read)
				n.clock = max(n.clock, events[n.read].LamportClock())
			}
		}
		aggregateOf[i] = random.IntN(aggregates)
		heads := &n.heads[aggregateOf[i]]
		n.clock++
		events[i] = eventtest.New(b, i, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.PreviousClock = fmt.Sprint("node-", at), n.clock, n.previous
			p.AggregateID, p.Parents = fmt.Sprint("aggregate-", aggregateOf[i]), []causal.EventID{}
			for _, k := range *heads {
				p.Parents = append(p.Parents, events[k].ID())
			}
		})
		parents[i], *heads, n.previous = slices.Clone(*heads), []int{i}, n.clock
	}
	random.Shuffle(count, func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// NewHistory, compared with what every reader of a set of events does anyway;
// and with the first query, for which the relation is computed. The limit of
// the first is three times as long.
func BenchmarkNewHistory(b *testing.B) {
	for _, nodes := range []int{10, 300} {
		events := benchmarkHistory(b, 100_000, nodes, 1000)
		b.Run(fmt.Sprintf("sort/nodes=%d", nodes), func(b *testing.B) {
			sorted := make([]causal.Event, len(events))
			for b.Loop() {
				copy(sorted, events)
				slices.SortFunc(sorted, causal.Compare)
			}
		})
		b.Run(fmt.Sprintf("history/nodes=%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := causal.NewHistory(events)
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("asked/nodes=%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(causal.NewHistory(events)).Relation(0, 1)
			}
		})
	}
}

// Queries of a History. The limit for Heads is 0.2 us an event.
func BenchmarkHistory(b *testing.B) {
	one := must(causal.NewHistory(benchmarkHistory(b, 10_000, 10, 1)))
	all := must(causal.NewHistory(benchmarkHistory(b, 10_000, 10, 1000)))
	perEvent := func(b *testing.B, h *causal.History) {
		b.Helper()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(h.Len()), "ns/event")
	}
	b.Run("Heads/aggregates=1", func(b *testing.B) {
		for b.Loop() {
			require.NotEmpty(b, one.Heads())
		}
		perEvent(b, one)
	})
	b.Run("Heads/aggregates=1000", func(b *testing.B) {
		for b.Loop() {
			require.NotEmpty(b, all.Heads())
		}
		perEvent(b, all)
	})
	b.Run("Parents", func(b *testing.B) {
		for b.Loop() {
			for i := range all.Len() {
				all.Parents(i)
			}
		}
		perEvent(b, all)
	})
	b.Run("Relation", func(b *testing.B) {
		for b.Loop() {
			for i := range all.Len() {
				all.Relation(i, all.Len()-1-i)
			}
		}
		perEvent(b, all)
	})
}
