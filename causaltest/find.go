package causaltest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var (
	needsFind       = needsCapability[causal.EventFinder, causal.EventStore]
	needsAggregates = needsCapability[causal.AggregateLister, causal.EventStore]
)

var findCases = []eventCase{
	{
		name:  "find/events",
		claim: "FindEvent returns the event with an ID, in any case, and the zero Event if there is none.",
		needs: eventNeeds{needsFind},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			find := func(s causal.EventStore, id causal.EventID) causal.Event {
				e, err := s.(causal.EventFinder).FindEvent(t.Context(), id)
				require.NoError(t, err)
				return e
			}
			all := events(t, 0, 100, func(p *causal.EventParams) { p.AggregateID = string(p.ID[len(p.ID)-1:]) })
			all = append(all, event(t, 100, func(p *causal.EventParams) { p.ID = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d" }))
			require.True(t, find(s, all[0].ID()).IsZero(), "of an empty store")
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			for _, e := range all {
				requireSame(t, []causal.Event{e}, []causal.Event{find(s, e.ID())})
				for _, id := range []string{strings.ToUpper(string(e.ID())), strings.ToLower(string(e.ID()))} {
					requireSame(t, []causal.Event{e}, []causal.Event{find(s, causal.EventID(id))})
				}
			}
			require.True(t, find(s, eventID(101)).IsZero())
			if c.Peer != nil {
				requireSame(t, all[:1], []causal.Event{find(c.Peer(t, s), all[0].ID())})
			}
		},
	},
	{
		name:  "find/invalid",
		claim: "FindEvent returns a *ValidationError for an invalid event ID.",
		needs: eventNeeds{needsFind},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 1))
			for _, id := range []causal.EventID{"", "A", eventID(1) + "0", "CAUSALTEST%00000000000001%", "\xff"} {
				_, err := s.(causal.EventFinder).FindEvent(t.Context(), id)
				requireInvalid(t, err, "event_id", string(id))
			}
		},
	},
	{
		name:  "find/aggregates",
		claim: "Aggregates yields the ID of each aggregate once, in bytewise order, whatever the IDs and however many.",
		needs: eventNeeds{needsAggregates},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			require.Empty(t, aggregatesOf(t, s))
			var all []causal.Event
			want := map[string]bool{}
			add := func(id string, times int) {
				want[id] = true
				for range times {
					all = append(all, event(t, len(all), in(id)))
				}
			}
			for i, id := range keys(c.Limits) {
				add(id, 1+i%3)
			}
			for i := range shortened(3000) {
				add("many "+string(eventID(i)), 1+i%2)
			}
			require.NoError(t, causal.SaveAll(t.Context(), s, shuffled(all)))
			require.Equal(t, slices.Sorted(maps.Keys(want)), aggregatesOf(t, s))
			if c.Peer != nil {
				require.Equal(t, slices.Sorted(maps.Keys(want)), aggregatesOf(t, c.Peer(t, s)))
			}
		},
	},
	{
		name:  "find/loop",
		claim: "A loop over Aggregates may save, may end at any time, and ends with the error of its context.",
		needs: eventNeeds{needsAggregates},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			var all []causal.Event
			for i := range 2 * c.firstPage() {
				all = append(all, event(t, i, in(string(eventID(i)))))
			}
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			var last error
			for id, err := range s.(causal.AggregateLister).Aggregates(ctx) {
				if last = err; err != nil {
					require.Empty(t, id)
					continue
				}
				within(t, "a save in the loop", func() error { return s.SaveEvent(t.Context(), event(t, 10_000+n)) })
				if n++; n == 3 {
					cancel()
				}
			}
			require.Equal(t, 3, n)
			require.ErrorIs(t, last, context.Canceled)
			for range s.(causal.AggregateLister).Aggregates(t.Context()) {
				break
			}
			within(t, "a save after the loop", func() error { return s.SaveEvent(t.Context(), event(t, 20_000)) })
		},
	},
}

func aggregatesOf(t tester, s causal.EventStore) (ids []string) {
	for id, err := range s.(causal.AggregateLister).Aggregates(t.Context()) {
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}
