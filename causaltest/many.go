package causaltest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// many is more than two of the largest pages known to us.
const many = 2500

// manyPlaces are positions among many events where stores have failed.
var manyPlaces = []int{99, 100, 101, 255, 999, 1000, 1001, 1999, 2000, 2001, many - 2}

var manyCases = []eventCase{
	{
		name:  "many/ranges",
		claim: "A range over thousands of events is complete, and so is one that begins in the middle.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := shuffled(events(t, 0, many))
			require.NoError(t, causal.SaveAll(ctx, s, all))
			requireOrder(t, s, all)
			if _, ok := s.(causal.LogReader); !ok {
				return
			}
			cursors := cursorsOf(t, s)
			require.Len(t, cursors, many)
			requireSame(t, all, readLog(t, s, causal.Cursor{}))
			for _, at := range manyPlaces {
				requireSame(t, all[at+1:], readLog(t, s, cursors[at]))
			}
		},
	},
	{
		name:  "many/save",
		claim: "A range yields each event stored when it began once, whatever the loop body saves.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			for name := range sequences(c.Open(t)) {
				s := c.Open(t)
				require.NoError(t, causal.SaveAll(ctx, s, events(t, many, 2*many)))
				next, earlier := many, 0
				for e, err := range sequences(s)[name](ctx) {
					require.NoError(t, err)
					if e.LamportClock() < many { // saved by this loop
						continue
					}
					require.Equal(t, eventID(next), e.ID(), name)
					if next++; next%20 == 0 {
						require.NoError(t, s.SaveEvent(ctx, event(t, earlier)))
						earlier++
					}
				}
				require.Equal(t, 2*many, next, name)
			}
		},
	},
	{
		name:  "many/cancel",
		claim: "A read of thousands of events truncated by its context never looks complete.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			require.NoError(t, causal.SaveAll(t.Context(), s, events(t, 0, many)))
			for name, sequence := range sequences(s) {
				for _, stop := range manyPlaces {
					requireCut(t, name, sequence, stop)
				}
			}
		},
	},
	{
		name:  "many/atomic",
		claim: "A batch of thousands is stored completely or, on error, not at all.",
		needs: eventNeeds{needsBatch},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			taken := event(t, many)
			saveAll(t, s, taken)
			all := events(t, 0, many)
			refused := event(t, many, with(`{}`))
			for _, at := range []int{0, many / 2, many} {
				requireConflict(t, saveBatch(t.Context(), s, slices.Insert(slices.Clone(all), at, refused)...), refused.ID())
				requireAll(t, s, taken)
			}
			require.ErrorIs(t, saveBatch(t.Context(), s, append(all[:many:many], causal.Event{})...), causal.ErrValidation)
			requireAll(t, s, taken)
			require.NoError(t, saveBatch(t.Context(), s, all...))
			requireAll(t, s, append(all, taken)...)
		},
	},
	{
		name:  "many/aggregates",
		claim: "Thousands of aggregates are kept separate.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := make([]causal.Event, many)
			for n := range all {
				all[n] = event(t, n, in(fmt.Sprint("A", n)))
			}
			require.NoError(t, causal.SaveAll(ctx, s, shuffled(all)))
			for _, n := range manyPlaces {
				got, err := s.LoadEvents(ctx, fmt.Sprint("A", n))
				require.NoError(t, err)
				requireSame(t, all[n:n+1], got)
			}
		},
	},
}
