package causal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Above 32 events, the covered lanes are marked, and the marks are removed
// afterwards.
func TestHistoryHeadsOfManyAggregates(t *testing.T) {
	var events []causal.Event
	for n := range 100 {
		for i := range 3 { // the first aggregate has later events than the second
			events = append(events, eventtest.New(t, 100*i+n, func(p *causal.EventParams) {
				p.NodeID, p.LamportClock, p.AggregateID = fmt.Sprint("node-", n), int64(100*i+n+1), fmt.Sprint("aggregate-", i%2)
			}))
		}
	}
	requireConflicts(t, must(causal.NewHistory(events)), nil)
}

// The cost of a History grows with its events: users of a server who have not
// read each other, causes, and nodes with nothing new.
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
		"20 readers of each other's past": func(_, i int, p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.PreviousClock, p.AggregateID, p.Parents = "server", int64(i+1), int64(i), "A", []causal.EventID{}
			if i >= 20 {
				p.Parents = append(p.Parents, eventtest.ID(i-20))
			}
		},
		"2 readers of each of 10 documents": func(_, i int, p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.PreviousClock, p.AggregateID = "server", int64(i+1), int64(i), fmt.Sprint("document ", i%10)
			if p.Parents = []causal.EventID{}; i >= 20 {
				p.Parents = append(p.Parents, eventtest.ID(i-20))
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
		take := func(n, times int) time.Duration {
			events := make([]causal.Event, n)
			for i := range events {
				events[i] = eventtest.New(t, i, func(p *causal.EventParams) { event(n, i, p) })
			}
			least := time.Hour
			for range 2 {
				start := time.Now()
				for range times {
					must(causal.NewHistory(events)).Heads()
				}
				least = min(least, time.Since(start))
			}
			return least
		}
		// Both have the same number of events and take a similar time, so a
		// busy machine slows both.
		require.Less(t, float64(take(32_000, 1)), 6*float64(take(1000, 32)), "%s: one history has 32 times the pairs of 32 smaller ones", name)
	}
}

// Events of many nodes in the past of an event do not hide the unread one of
// its aggregate.
func TestHistoryUnreadAmongMany(t *testing.T) {
	const n = 100
	var events []causal.Event
	for i := range 2 * n {
		events = append(events, eventtest.New(t, i, func(p *causal.EventParams) {
			if p.NodeID, p.LamportClock, p.Parents = fmt.Sprint("node-", i), 1, []causal.EventID{}; i >= n {
				p.NodeID, p.AggregateID, p.LamportClock, p.CausationID = "server", "votes", int64(i), eventtest.ID(i-n)
				if i > n {
					p.PreviousClock = int64(i - 1)
				}
			}
		}))
	}
	h := must(causal.NewHistory(events))
	for i := n; i < 2*n; i++ {
		for j := n; j < i; j++ {
			require.Equal(t, causal.OrderConcurrent, relate(t, h, events[i], events[j]))
		}
		require.Equal(t, causal.OrderBefore, relate(t, h, events[i-n], events[i]))
	}
}
