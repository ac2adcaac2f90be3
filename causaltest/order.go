package causaltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var orderCases = []eventCase{
	{
		name:  "order/ties",
		claim: "LoadEvents and AllEvents are in the order of Compare: by clock, then node, then ID, the last two bytewise.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := tiedEvents(t)
			saveAll(t, s, shuffled(all)...)
			requireOrder(t, s, all)
			if c.Peer != nil {
				requireOrder(t, c.Peer(t, s), all)
			}
			if c.Reopen != nil {
				requireOrder(t, c.Reopen(t, s), all)
			}
		},
	},
	{
		name:  "order/arrival",
		claim: "The order of the events does not depend on the order of saves.",
		run: func(t *testing.T, c eventConfig) {
			all := tiedEvents(t)
			for range 2 {
				s := c.Open(t)
				require.NoError(t, causal.SaveAll(t.Context(), s, shuffled(all)))
				requireOrder(t, s, all)
			}
		},
	},
	{
		name:  "order/late",
		claim: "An event stored by SaveEvent is visible to every later read, even if it sorts before events already read.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			var saved []causal.Event
			for _, n := range []int{50, 60, 40, 45, 70, 0, 41, 65} {
				e := event(t, n)
				saveAll(t, s, e)
				saved = append(saved, e)
				requireOrder(t, s, saved)
			}
		},
	},
	{
		name:  "order/reverse",
		claim: "LoadEvents returns all events of an aggregate, and AllEvents yields all, however many there are.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, shortened(10_000))
			for batch := range slices.Chunk(reversed(all), 2500) {
				require.NoError(t, causal.SaveAll(ctx, s, batch))
			}
			got, err := s.LoadEvents(ctx, "A")
			require.NoError(t, err)
			requireSame(t, all, got)
			requireAll(t, s, all...)
		},
	},
	{
		name:  "order/none",
		claim: "LoadEvents of an unknown aggregate returns no events and no error, and AllEvents of an empty store yields none.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			requireAll(t, s)
			saveAll(t, s, event(t, 1))
			got, err := s.LoadEvents(ctx, "unknown")
			require.NoError(t, err)
			require.Empty(t, got)
			for _, aggregateID := range []string{"", "\xff"} {
				_, err = s.LoadEvents(ctx, aggregateID)
				requireInvalid(t, err, "aggregate_id")
			}
		},
	},
}

// tiedEvents are events in two aggregates that differ only in the last
// criterion.
func tiedEvents(t tester) []causal.Event {
	nodes := []string{"node-10", "node-2", "Node-1", "é", "\U00010000", "\uFFFD", "a", "ab", "a b", "a\x00", "_", "~"}
	clocks := []int64{0, 1, 9, 10, 1 << 53, 1<<53 + 1, math.MaxInt64}
	var all []causal.Event
	for _, clock := range clocks {
		for i, node := range nodes {
			all = append(all, event(t, len(all), on(node, clock), in(fmt.Sprint("A", i%2))))
		}
	}
	for n := range 10 { // same node and clock: the IDs decide
		all = append(all, event(t, 1000+(n*7)%10, on("same", 5), in("A0")))
	}
	return all
}

// requireOrder requires these events from both kinds of reads.
func requireOrder(t tester, s causal.EventStore, all []causal.Event) {
	requireAll(t, s, all...)
	byAggregate := map[string][]causal.Event{}
	for _, e := range inOrder(all) {
		byAggregate[e.AggregateID()] = append(byAggregate[e.AggregateID()], e)
	}
	for aggregateID, want := range byAggregate {
		got, err := s.LoadEvents(t.Context(), aggregateID)
		require.NoError(t, err)
		requireSame(t, want, got)
	}
}

// shuffled returns the events in random order.
func shuffled[T any](all []T) []T {
	out := slices.Clone(all)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func reversed(all []causal.Event) []causal.Event {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out
}
