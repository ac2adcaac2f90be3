package causal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Of more than 32 events the lanes are marked that they cover, and the marks are taken back.
func TestHistoryHeadsOfManyAggregates(t *testing.T) {
	var events []causal.Event
	for n := range 300 { // the first aggregate has later events than the other one
		for i := range 3 {
			events = append(events, eventtest.New(t, 300*i+n, func(p *causal.EventParams) {
				p.NodeID, p.AggregateID = fmt.Sprint("node-", (n+97*i)%300), fmt.Sprint("aggregate-", i%2)
				p.LamportClock, p.PreviousClock, p.Parents = int64(1000*i+n+1), 0, []causal.EventID{}
				if n >= 50 {
					p.Parents = []causal.EventID{eventtest.ID(300*i + n - 50)}
				}
				if i > 0 {
					p.PreviousClock = int64(1000*(i-1) + (n+97)%300 + 1)
				}
			}))
		}
	}
	requireConflicts(t, must(causal.NewHistory(events)), nil)
}

// What a History takes grows with its events: users of a server who have not read each other, causes, and
// nodes of which nothing is new.
func TestHistoryGrowth(t *testing.T) {
	for name, event := range map[string]func(n, i int, p *causal.EventParams){
		"readers of one version": func(_, i int, p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.PreviousClock, p.Parents = "server", int64(i+1), int64(i), []causal.EventID{}
			if p.AggregateID = "A"; i > 0 {
				p.Parents = append(p.Parents, eventtest.ID(0))
			}
			if i%2 == 1 {
				p.AggregateID, p.Parents = "B", []causal.EventID{}
			}
			if i%2 == 1 && i > 1 {
				p.Parents = append(p.Parents, eventtest.ID(i-2))
			}
		},
		"causes of many nodes": func(n, i int, p *causal.EventParams) {
			if p.NodeID, p.LamportClock, p.Parents = fmt.Sprint("node-", i), 1, []causal.EventID{}; i >= n/2 {
				p.NodeID, p.AggregateID, p.LamportClock, p.CausationID = "server", "A", int64(i), eventtest.ID(i-n/2)
				if i > n/2 {
					p.PreviousClock = int64(i - 1)
				}
			}
		},
		"lanes in descending order": func(n, i int, p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.Parents = fmt.Sprint("node-", i%(n/2)), 1, []causal.EventID{}
			if i >= n/2 {
				p.AggregateID, p.LamportClock, p.PreviousClock = "A", int64(2*n-i), 1
			}
		},
	} {
		take := func(n int) time.Duration {
			events := make([]causal.Event, n)
			for i := range events {
				events[i] = eventtest.New(t, i, func(p *causal.EventParams) { event(n, i, p) })
			}
			least := time.Hour
			for range 3 {
				h, start := must(causal.NewHistory(events)), time.Now()
				h.Heads()
				least = min(least, time.Since(start))
			}
			return least
		}
		require.Less(t, float64(take(16_000)), 30*float64(take(2000)), "%s: 8 times the events, which are 64 times the pairs", name)
	}
}
