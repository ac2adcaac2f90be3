package benchmarks

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// growthEvents returns n events in order, 100 of each aggregate, half of them
// caused by their predecessor.
func growthEvents(tb testing.TB, n int) []causal.Event {
	random := rand.New(rand.NewPCG(1, 2))
	events := make([]causal.Event, n)
	var cause causal.EventID
	for i := range events {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "Counted", AggregateID: fmt.Sprintf("WP%07d", i%(n/small)), NodeID: fmt.Sprintf("node-%d", random.IntN(nodes)),
			LamportClock: int64(i + 1), CausationID: cause, ProjectUUID: projectUUID, Timestamp: testTime,
			Payload: map[string]any{"delta": i % 7, "tags": []string{fmt.Sprintf("tag-%d", i%50)}},
		})
		require.NoError(tb, err)
		events[i] = e
		if cause = ""; random.IntN(2) == 0 {
			cause = e.ID()
		}
	}
	return events
}

// BenchmarkGrowth shows the cost of an event as their number grows.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{1000, 10_000, 100_000, 1_000_000}
	if testing.Short() {
		sizes = sizes[:3]
	}
	for _, n := range sizes {
		inOrder := growthEvents(b, n)
		shuffled := slices.Clone(inOrder)
		rand.New(rand.NewPCG(3, 4)).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		// run measures do, which handles count events, and reports the time for
		// each.
		run := func(op string, count int, do func() error) {
			b.Run(fmt.Sprintf("op=%s/n=%d", op, n), func(b *testing.B) {
				for b.Loop() {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/event")
			})
		}
		save := func(events []causal.Event) (causalStore, error) {
			s := &causal.MemEventStore{}
			for _, e := range events {
				if err := s.SaveEvent(ctx, e); err != nil {
					return causalStore{}, err
				}
			}
			return causalStore{s, nil}, nil
		}
		run("save", n, func() error { _, err := save(inOrder); return err })
		run("save-shuffled", n, func() error { // with the first read, which sorts
			s, err := save(shuffled)
			if err == nil {
				_, err = s.all()
			}
			return err
		})
		full, err := save(inOrder)
		require.NoError(b, err)
		run("load", small, func() error {
			events, err := full.LoadEvents(ctx, "WP0000007")
			if err == nil && len(events) != small {
				err = fmt.Errorf("%d events", len(events))
			}
			return err
		})
		run("range", n, func() error { _, err := full.all(); return err })
		run("merge-counter-in-order", n, func() error { _, err := causal.MergeCounter(inOrder); return err })
		run("merge-counter", n, func() error { _, err := causal.MergeCounter(shuffled); return err })
		run("merge-orset", n, func() error { _, err := causal.MergeORSet(shuffled); return err })
		scratch := make([]causal.Event, n)
		run("sort", n, func() error {
			copy(scratch, shuffled)
			slices.SortFunc(scratch, causal.Compare)
			return nil
		})
		run("topological-sort", n, func() error { _, err := causal.TopologicalSort(shuffled); return err })
	}
}
