package view_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

// A view of many aggregates takes time for their events, not for all events for
// each.
func TestGrowth(t *testing.T) {
	for name, show := range map[string]func(v *view.View, aggregates [][]int){
		"parents of each aggregate": func(v *view.View, aggregates [][]int) {
			for _, events := range aggregates {
				v.Parents(events)
			}
		},
		"parents of all": func(v *view.View, _ [][]int) { v.Parents(v.Select(func(causal.Event) bool { return true })) },
		"parents of a half": func(v *view.View, _ [][]int) {
			v.Parents(v.Select(func(e causal.Event) bool { return e.Type() != "WPStatusChanged" }))
		},
		"conflicts": func(v *view.View, _ [][]int) { v.Conflicts(func(causal.Event) bool { return true }) },
		"findings":  func(v *view.View, _ [][]int) { v.Findings(nil, time.Now()) },
	} {
		take := func(n, times int) time.Duration {
			v := newView(t, demo.Events(demo.Options{Events: n, Seed: 1}))
			of := map[string][]int{}
			for i := range v.Len() {
				at := v.At(i).AggregateID()
				of[at] = append(of[at], i)
			}
			var aggregates [][]int
			for _, events := range of {
				aggregates = append(aggregates, events)
			}
			start := time.Now()
			for range times {
				show(v, aggregates)
			}
			return time.Since(start)
		}
		// Both have the same number of events and take a similar time, so a
		// busy machine slows both, and one undisturbed measurement is enough.
		isLinear := false
		for range 5 {
			isLinear = isLinear || take(16_000, 1) < 6*take(500, 32)
		}
		require.True(t, isLinear, "%s: one view has 32 times the pairs of 32 smaller ones", name)
	}
}
