package causal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestHistoryMissing(t *testing.T) {
	stamped := func(n int, node string, previous, clock int64, parents ...int) causal.Event {
		return eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.PreviousClock, p.Parents = node, clock, previous, []causal.EventID{}
			for _, parent := range parents {
				p.Parents = append(p.Parents, eventtest.ID(parent))
			}
		})
	}
	h := must(causal.NewHistory([]causal.Event{
		stamped(1, "bob", 3, 5, 33, 22), stamped(2, "bob", 5, 6), stamped(3, "bob", 8, 9, 1, 33), stamped(4, "alice", 1, 4), eventtest.New(t, 5, func(p *causal.EventParams) { p.NodeID = "carol" }),
	}))
	require.Equal(t, []causal.Gap{
		{NodeID: "alice", After: 0, UpTo: 1, KnownFrom: eventtest.ID(4)},
		{NodeID: "bob", After: 0, UpTo: 3, KnownFrom: eventtest.ID(1)},
		{NodeID: "bob", After: 6, UpTo: 8, KnownFrom: eventtest.ID(3)},
		{Parent: eventtest.ID(22)}, {Parent: eventtest.ID(33)},
	}, h.Missing())
}

// A plain event after a stamped one of its node, and stamped ones covering the
// same clocks.
func TestHistoryForks(t *testing.T) {
	by := func(n int, previous, clock int64) causal.Event {
		return eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock = "alice", clock
			if previous >= 0 {
				p.Parents, p.PreviousClock = []causal.EventID{}, previous
			}
		})
	}
	for name, test := range map[string]struct {
		events []causal.Event
		want   [][3]int // the later clock, and the events
	}{
		"plain events":                    {events: []causal.Event{by(1, -1, 1), by(2, -1, 1), by(3, -1, 2)}},
		"upgraded":                        {events: []causal.Event{by(1, -1, 1), by(2, 1, 2), by(3, 2, 5)}},
		"a hole":                          {events: []causal.Event{by(1, 0, 1), by(2, 3, 4)}},
		"plain after stamped":             {events: []causal.Event{by(1, 0, 1), by(2, -1, 3), by(3, -1, 4)}, want: [][3]int{{3, 1, 2}}},
		"two after one":                   {events: []causal.Event{by(1, 0, 1), by(2, 1, 2), by(3, 1, 3), by(4, 2, 4), by(5, 3, 5)}, want: [][3]int{{3, 2, 3}}},
		"two after one, twice":            {events: []causal.Event{by(1, 0, 1), by(2, 1, 2), by(3, 1, 3), by(4, 3, 4), by(5, 3, 5)}, want: [][3]int{{3, 2, 3}, {5, 4, 5}}},
		"three after one":                 {events: []causal.Event{by(1, 0, 1), by(2, 1, 2), by(3, 1, 3), by(4, 1, 4)}, want: [][3]int{{3, 2, 3}, {4, 2, 4}}},
		"one after an earlier plain one":  {events: []causal.Event{by(1, -1, 3), by(2, -1, 5), by(3, 3, 6)}, want: [][3]int{{6, 2, 3}}},
		"two of its last plain one":       {events: []causal.Event{by(1, -1, 3), by(2, 3, 5), by(3, 3, 6)}, want: [][3]int{{6, 2, 3}}},
		"first, beside plain ones":        {events: []causal.Event{by(1, -1, 4), by(2, 0, 10)}, want: [][3]int{{10, 1, 2}}},
		"plain and stamped at one clock":  {events: []causal.Event{by(1, -1, 5), by(2, 0, 5)}, want: [][3]int{{5, 1, 2}}},
		"stamped and plain at one clock":  {events: []causal.Event{by(1, 0, 5), by(2, -1, 5)}, want: [][3]int{{5, 1, 2}}},
		"two branches, one with holes":    {events: []causal.Event{by(1, 2, 3), by(2, 4, 6), by(3, 1, 8)}, want: [][3]int{{8, 1, 3}}},
		"by ID and by clock":              {events: []causal.Event{by(1, 0, 9), by(2, 0, 8), by(3, 0, 7)}, want: [][3]int{{8, 2, 3}, {9, 1, 3}}},
		"farthest":                        {events: []causal.Event{by(1, 0, 9), by(2, 1, 2), by(3, 5, 6), by(4, 3, 7)}, want: [][3]int{{9, 1, 2}, {9, 1, 3}}},
		"two first":                       {events: []causal.Event{by(1, 0, 1), by(2, 0, 1)}, want: [][3]int{{1, 1, 2}}},
		"a branch whose start is missing": {events: []causal.Event{by(1, 0, 1), by(2, 1, 7), by(3, 4, 6)}, want: [][3]int{{7, 2, 3}}},
	} {
		h := must(causal.NewHistory(test.events))
		var want []causal.ForkError
		for _, f := range test.want {
			want = append(want, causal.ForkError{NodeID: "alice", LamportClock: int64(f[0]), IDs: []causal.EventID{eventtest.ID(f[1]), eventtest.ID(f[2])}})
		}
		require.Equal(t, want, h.Forks(), name)
	}
}

// A fork stays in the history, and wrong states can be avoided by keeping only
// events of the node that follow each other. All nodes keep the same ones.
func TestLeaveOutABranch(t *testing.T) {
	event := func(n int, node string, previous, clock int64, payload string, parents ...int) causal.Event {
		return eventtest.New(t, n, eventtest.WithPayload(payload), func(p *causal.EventParams) {
			p.NodeID, p.PreviousClock, p.LamportClock, p.Parents = node, previous, clock, []causal.EventID{}
			for _, parent := range parents {
				p.Parents = append(p.Parents, eventtest.ID(parent))
			}
		})
	}
	add := func(n int, node string, previous, clock int64, element string, parents ...int) causal.Event {
		return event(n, node, previous, clock, `{"add":["`+element+`"]}`, parents...)
	}
	for name, test := range map[string]struct {
		events []causal.Event
		want   []string
	}{
		"the branches begin here, and are joined": {[]causal.Event{
			add(1, "tablet", 0, 1, "kept"),
			add(2, "tablet", 1, 2, "a", 1), add(3, "tablet", 2, 3, "b", 2), // the original
			add(4, "tablet", 1, 2, "a", 1), add(5, "tablet", 2, 4, "c", 4), // its copy
			add(6, "server", 0, 5, "d", 3, 5),
			add(7, "tablet", 3, 6, "e", 6), // after receiving both
		}, []string{"a", "b", "d", "e", "kept"}},
		// The copy removes its own x. The original's would be removed with it.
		"they begin in another aggregate": {[]causal.Event{
			add(1, "tablet", 2, 3, "x"), add(2, "tablet", 3, 4, "y", 1),
			add(3, "tablet", 2, 4, "x"), event(4, "tablet", 4, 5, `{"remove":[{"element":"x","observed":{"tablet":4}}]}`, 3),
		}, []string{"x", "y"}},
	} {
		unchanged, err := causal.MergeORSet(test.events)
		require.True(t, errors.Is(err, causal.ErrFork) || !slices.Equal(unchanged, test.want), name)

		h := must(causal.NewHistory(test.events))
		last := -1 // the last event kept of the node; indexes are in the order of Compare
		var left []causal.Event
		for i := range h.Len() {
			e := h.At(i)
			if e.NodeID() == "tablet" {
				if last >= 0 && h.Relation(last, i) != causal.OrderBefore {
					continue
				}
				last = i
			}
			left = append(left, e)
		}
		set, err := causal.MergeORSet(left)
		require.NoError(t, err, name)
		require.Equal(t, test.want, set, name)
	}
}
