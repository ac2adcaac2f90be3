package causal_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// How much of true concurrency do equal Lamport clocks show? Nodes emit events
// about one aggregate, and from time to time receive all events of another.
// Relation is checked for every pair, and IsConcurrent wherever it is true,
// against the events each node had actually received.
func TestRecall(t *testing.T) {
	const events = 300
	for _, nodes := range []int{2, 3, 5, 10} {
		for _, syncs := range []int{1, 5, 20} { // events of a node between two exchanges, on average
			t.Run(fmt.Sprintf("nodes=%d,events=%d", nodes, syncs), func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(nodes), uint64(syncs)))
				history, received := exchange(t, random, nodes, syncs, events)
				h := must(causal.NewHistory(history))
				concurrent, found := 0, 0
				for j, b := range history {
					for i, a := range history[:j] {
						want := causal.OrderConcurrent // b came later, so a cannot have seen it
						if received[j][i] {
							want = causal.OrderBefore
						}
						require.Equal(t, want, relate(t, h, a, b))
						if causal.IsConcurrent(a, b) {
							require.Equal(t, causal.OrderConcurrent, want)
							found++
						}
						if want == causal.OrderConcurrent {
							concurrent++
						}
					}
				}
				require.NotZero(t, concurrent)
				recall := 100 * float64(found) / float64(concurrent)
				t.Logf("%.1f %% of %d pairs", recall, concurrent)
				require.Greater(t, recall, 0.75, "the comment on IsConcurrent says 0.8 to 8.1")
				require.Less(t, recall, 8.15)
			})
		}
	}
}

// exchange runs the nodes until they have emitted the given number of events,
// and returns the events with those that their nodes had received before.
func exchange(t *testing.T, random *rand.Rand, nodes, syncs, events int) (history []causal.Event, received [][]bool) {
	t.Helper()
	clocks, seen, known := make([]*causal.LamportClock, nodes), make([]causal.VectorClock, nodes), make([][]bool, nodes)
	for i := range clocks {
		var err error
		clocks[i], err = causal.NewLamportClock(t.Context(), fmt.Sprint("node-", i), &causal.MemClockStorage{}, nil)
		require.NoError(t, err)
		known[i] = make([]bool, events)
	}
	for len(history) < events {
		to := random.IntN(nodes)
		if random.IntN(syncs+1) == 0 {
			from := random.IntN(nodes)
			for i, e := range history {
				if known[from][i] && !known[to][i] {
					_, err := clocks[to].Update(t.Context(), e.LamportClock())
					require.NoError(t, err)
					seen[to] = seen[to].Merge(e.VectorClock())
					known[to][i] = true
				}
			}
			continue
		}
		received = append(received, append([]bool{}, known[to]...))
		known[to][len(history)] = true
		value, err := clocks[to].Tick(t.Context())
		require.NoError(t, err)
		seen[to], err = seen[to].Advance(clocks[to].NodeID(), value)
		require.NoError(t, err)
		history = append(history, eventtest.New(t, len(history), func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.VectorClock = clocks[to].NodeID(), value, seen[to]
		}))
	}
	return history, received
}
