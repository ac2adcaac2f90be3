package adaptertest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// BenchmarkSaveIf saves batches with SaveEvents, with Append, and with a
// condition that holds.
func BenchmarkSaveIf(b *testing.B, open func(b *testing.B) adapter.Store) {
	for _, size := range []int{1, 100} {
		for _, way := range []string{"save", "append", "save if"} {
			b.Run(fmt.Sprintf("batch=%d/%s", size, way), func(b *testing.B) {
				ctx, s := b.Context(), open(b)
				head, err := s.Head(ctx)
				require.NoError(b, err)
				condition := causal.Condition{ProjectUUID: eventtest.Params(0).ProjectUUID, Aggregates: []string{eventtest.Params(0).AggregateID}}
				for n := 0; b.Loop(); n += size {
					events := make([]causal.Event, size)
					for i := range events {
						events[i] = eventtest.NewBench(b, n+i)
					}
					var a causal.Appended
					switch way {
					case "save":
						err = s.SaveEvents(ctx, events)
					case "append":
						_, err = s.Append(ctx, events)
					case "save if":
						a, err = s.SaveEventsIf(ctx, head, condition, events)
						head = a.After
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
