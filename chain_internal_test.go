package causal

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// chainEvent makes an event of a chain; a plain one if previous is negative.
func chainEvent(t require.TestingT, node string, previous, clock int64) Event {
	p := EventParams{
		Type: "T", AggregateID: "A", NodeID: node, LamportClock: clock, ProjectUUID: "12345678-1234-5678-1234-567812345678",
	}
	if previous >= 0 {
		p.Parents, p.PreviousClock = []EventID{}, previous
	}
	e, err := NewEvent(p)
	require.NoError(t, err)
	return e
}

func seenOf(events ...Event) VectorClock {
	var c chains
	for _, e := range events {
		c.add(e)
	}
	return c.seen()
}

func TestChains(t *testing.T) {
	stamped := func(previous, clock int64) Event { return chainEvent(t, "a", previous, clock) }
	plain := func(clock int64) Event { return chainEvent(t, "a", -1, clock) }
	for name, test := range map[string]struct {
		events []Event
		want   int64
	}{
		"nothing":                     {nil, 0},
		"the first":                   {[]Event{stamped(0, 3)}, 3},
		"the second alone":            {[]Event{stamped(3, 5)}, 0},
		"a hole":                      {[]Event{stamped(0, 3), stamped(5, 8)}, 3},
		"the hole is filled":          {[]Event{stamped(0, 3), stamped(5, 8), stamped(3, 5)}, 8},
		"backwards":                   {[]Event{stamped(8, 9), stamped(5, 8), stamped(3, 5), stamped(0, 3)}, 9},
		"plain ones stand for others": {[]Event{plain(7), plain(3)}, 7},
		"an upgraded node":            {[]Event{plain(7), stamped(7, 9)}, 9},
		"upgraded, in disorder":       {[]Event{stamped(9, 12), stamped(7, 9), plain(7)}, 12},
		"plain after stamped":         {[]Event{stamped(0, 3), plain(7)}, 3},
		"plain before stamped, late":  {[]Event{stamped(5, 6), plain(4)}, 4},
		"a fork":                      {[]Event{stamped(0, 3), stamped(3, 5), stamped(3, 4), stamped(5, 6)}, 6},
		"a plain event at clock 0":    {[]Event{plain(0)}, 0},
	} {
		require.Equal(t, test.want, seenOf(test.events...).At("a"), name)
	}
}

// What is seen of nodes that stamp are just the events before the first that is missing,
// in whatever order they come, and also if the chains are stored in between.
func TestChainsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]int64{}
		var stored []Event
		for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
			node, clock, isWhole := fmt.Sprintf("node%d", i), int64(0), true
			plain := rapid.IntRange(0, 3).Draw(t, "plain")
			for n := range rapid.IntRange(0, 12).Draw(t, "events") {
				previous := clock
				clock += rapid.Int64Range(1, 5).Draw(t, "step")
				e := chainEvent(t, node, previous, clock)
				if n < plain {
					e = chainEvent(t, node, -1, clock)
				}
				if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
					isWhole = isWhole && n < plain-1 // the last plain one is named
					continue
				}
				stored = append(stored, e)
				if isWhole {
					want[node] = clock
				}
			}
		}
		rand.Shuffle(len(stored), func(i, j int) { stored[i], stored[j] = stored[j], stored[i] })
		expected, err := NewVectorClock(want)
		require.NoError(t, err)
		var c chains
		for i, e := range stored {
			c.add(e)
			if i%5 == 4 {
				text, err := c.marshal()
				require.NoError(t, err)
				before := c.seen()
				c = chains{}
				require.NoError(t, c.unmarshal(text))
				require.Equal(t, OrderSame, before.Compare(c.seen()))
			}
		}
		require.Equal(t, OrderSame, expected.Compare(c.seen()), "%v, want %v", c.seen(), expected)
	})
}

func TestChainsRefuseOtherText(t *testing.T) {
	for _, text := range []string{``, `[]`, `{"a":null}`, `{"":{"Seen":1}}`, `{"a":{"Seen":-1}}`} {
		var c chains
		require.Error(t, c.unmarshal([]byte(text)), text)
	}
}
