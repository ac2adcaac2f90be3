package causal

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// stamped returns a stamped event of node a after the one with clock previous,
// plain a plain one.
func stamped(previous, clock int64) link {
	return link{Node: "a", Clock: clock, Previous: previous, ID: EventID(fmt.Sprint(previous, "-", clock)), IsStamped: true}
}

func plain(clock int64) link { return link{Node: "a", Clock: clock, ID: EventID(fmt.Sprint(clock))} }

func TestChains(t *testing.T) {
	for name, test := range map[string]struct {
		links []link
		want  int64
		forks []int // the events proving one
	}{
		"nothing":                      {links: nil, want: 0},
		"the first":                    {links: []link{stamped(0, 3)}, want: 3},
		"the second alone":             {links: []link{stamped(3, 5)}, want: 0},
		"a hole":                       {links: []link{stamped(0, 3), stamped(5, 8)}, want: 3},
		"the hole is filled":           {links: []link{stamped(0, 3), stamped(5, 8), stamped(3, 5)}, want: 8},
		"backwards":                    {links: []link{stamped(8, 9), stamped(5, 8), stamped(3, 5), stamped(0, 3)}, want: 9},
		"two holes":                    {links: []link{stamped(8, 9), stamped(3, 5), stamped(5, 8), stamped(0, 3)}, want: 9},
		"plain ones stand for others":  {links: []link{plain(7), plain(3)}, want: 7},
		"an upgraded node":             {links: []link{plain(7), stamped(7, 9)}, want: 9},
		"upgraded, in disorder":        {links: []link{stamped(9, 12), stamped(7, 9), plain(7)}, want: 12},
		"upgraded, an old one late":    {links: []link{plain(7), stamped(7, 9), plain(5)}, want: 9},
		"plain before stamped, late":   {links: []link{stamped(5, 6), plain(4)}, want: 4},
		"a plain event at clock 0":     {links: []link{plain(0)}, want: 0},
		"plain after stamped":          {links: []link{stamped(0, 3), plain(7), plain(8)}, want: 3, forks: []int{1}},
		"plain after stamped, first":   {links: []link{plain(7), stamped(0, 3)}, want: 7, forks: []int{1}},
		"plain before stamped, beyond": {links: []link{stamped(0, 4), plain(1), plain(2)}, want: 4, forks: []int{1}},
		"plain as named, late":         {links: []link{stamped(3, 5), plain(3), plain(1)}, want: 5},
		"plain beyond the lowest":      {links: []link{stamped(5, 6), stamped(1, 5), plain(2)}, want: 6, forks: []int{2}},
		"plain at a stamped one":       {links: []link{stamped(0, 3), plain(3)}, want: 3, forks: []int{1}},
		"one previous clock":           {links: []link{stamped(0, 3), stamped(3, 5), stamped(3, 4), stamped(5, 6)}, want: 6, forks: []int{2}},
		"one clock":                    {links: []link{stamped(0, 3), stamped(3, 5), stamped(2, 5)}, want: 5, forks: []int{2}},
		"one clock, one previous":      {links: []link{stamped(0, 3), stamped(0, 3)}, want: 3, forks: []int{1}},
		"of two that wait":             {links: []link{stamped(3, 5), stamped(3, 6)}, want: 0, forks: []int{1}},
		"what waits, one clock":        {links: []link{stamped(3, 5), stamped(4, 5)}, want: 0, forks: []int{1}},
		"into what waits":              {links: []link{stamped(7, 9), stamped(0, 8)}, want: 9, forks: []int{1}},
		"over all that waits":          {links: []link{stamped(7, 9), stamped(11, 12), stamped(5, 20), stamped(0, 5)}, want: 20, forks: []int{2}},
		"both branches go on": {
			links: []link{stamped(0, 3), stamped(3, 5), stamped(3, 4), stamped(5, 6), stamped(4, 7), stamped(6, 9), stamped(7, 8)},
			want:  9, forks: []int{2},
		},
		"a third branch":   {links: []link{stamped(0, 3), stamped(3, 5), stamped(3, 4), stamped(3, 6)}, want: 6, forks: []int{2, 3}},
		"a branch forks":   {links: []link{stamped(0, 3), stamped(3, 5), stamped(3, 4), stamped(4, 6), stamped(4, 7)}, want: 7, forks: []int{2, 4}},
		"branches meet":    {links: []link{stamped(0, 3), stamped(0, 4), stamped(3, 5), stamped(4, 5)}, want: 5, forks: []int{1}},
		"a branch is late": {links: []link{stamped(0, 1), stamped(2, 3), stamped(1, 4), stamped(1, 2)}, want: 4, forks: []int{2}},
		"a branch in parts": {
			links: []link{stamped(0, 9), stamped(2, 3), stamped(1, 2), stamped(0, 1), stamped(3, 4)}, want: 9, forks: []int{1},
		},
		"a branch that joins itself": {
			links: []link{stamped(0, 9), stamped(0, 2), stamped(5, 6), stamped(2, 5), stamped(6, 8)}, want: 9, forks: []int{1, 2},
		},
		"the end of a hole": {links: []link{stamped(5, 8), stamped(0, 3), stamped(8, 9), stamped(3, 5)}, want: 9},
	} {
		t.Run(name, func(t *testing.T) {
			var c chains
			var forks []int
			for i, l := range test.links {
				if c.add(l) {
					forks = append(forks, i)
				}
			}
			require.Equal(t, test.want, c.seen().At("a"))
			require.Equal(t, test.forks, forks)
		})
	}
}

// The number of known branches is limited; an event that continues no known
// branch is reported.
func TestChainsOfManyBranches(t *testing.T) {
	var c chains
	c.add(stamped(0, 1))
	for clock := int64(2); clock < 200; clock++ {
		require.Equal(t, clock > 2, c.add(stamped(1, clock)))
	}
	require.Len(t, c.nodes["a"].Branches, maxBranches)
	require.False(t, c.add(stamped(199, 300)))
	require.True(t, c.add(stamped(3, 301)))
}

// Two installations emitting alternately under one ID are one fork, even if
// their clocks are the same.
func TestChainsInLockstep(t *testing.T) {
	var c chains
	forks := 0
	count := func(l link) {
		if c.add(l) {
			forks++
		}
	}
	for clock := range int64(200) {
		count(stamped(clock, clock+1))
		count(stamped(clock, clock+1))
	}
	require.Equal(t, 1, forks)
	require.Len(t, c.nodes["a"].Branches, 2)
}

// chainModel computes the content of chains by definition: everything reachable
// from the beginning is seen, and the missing clocks are those named and not
// covered.
func chainModel(links []link) (seen int64, holes []stretch) {
	for changed := true; changed; {
		changed = false
		for _, l := range links {
			if l.Previous <= seen && l.Clock > seen {
				seen, changed = l.Clock, true
			}
		}
	}
	for _, l := range links {
		isCovered := l.Previous <= seen
		for _, o := range links {
			isCovered = isCovered || o.Previous < l.Previous && l.Previous <= o.Clock
		}
		if !isCovered {
			holes = append(holes, stretch{Previous: l.Previous})
		}
	}
	return seen, holes
}

// Events of some branches arrive in any order, and the chains may be stored in
// between: the events seen and missing follow from the definition, and a fork
// is reported exactly if two events cover the same clock.
func TestChainsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []link
		for range rapid.IntRange(1, 3).Draw(t, "branches") {
			var previous int64
			if len(all) > 0 {
				previous = rapid.SampledFrom(all).Draw(t, "branch").Clock
			}
			for range rapid.IntRange(1, 6).Draw(t, "events") {
				clock := previous + rapid.Int64Range(1, 3).Draw(t, "step")
				all = append(all, stamped(previous, clock))
				previous = clock
			}
		}
		all = rapid.Permutation(all).Draw(t, "order")
		all = all[:rapid.IntRange(0, len(all)).Draw(t, "received")]
		isForked := false
		for i, l := range all {
			for _, o := range all[:i] {
				isForked = isForked || l.Previous < o.Clock && o.Previous < l.Clock
			}
		}
		var c chains
		reported := false
		for i, l := range all {
			reported = c.add(l) || reported
			if i%5 == 4 {
				text, err := c.marshal()
				require.NoError(t, err)
				before := c.seen()
				c = chains{}
				require.NoError(t, c.unmarshal(text))
				require.Equal(t, OrderSame, before.Compare(c.seen()))
			}
		}
		require.Equal(t, isForked, reported)
		seen, holes := chainModel(all)
		require.Equal(t, seen, c.seen().At("a"))
		var missing []int64
		if node := c.nodes["a"]; node != nil {
			for _, s := range node.Waiting {
				missing = append(missing, s.Previous)
			}
			require.True(t, node.isOrdered())
		}
		want := map[int64]bool{}
		for _, s := range holes {
			want[s.Previous] = true
		}
		require.Len(t, missing, len(want))
		for _, clock := range missing {
			require.True(t, want[clock])
		}
	})
}

func TestChainsRefuseOtherText(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"a":null}`, `{"":{"Seen":1}}`, `{"a":{"Seen":-1}}`, `{"a":{"Seen":5,"Waiting":[{"Previous":5,"Clock":6}]}}`,
		`{"a":{"Waiting":[{"Previous":5,"Clock":5}]}}`, `{"a":{"Waiting":[{"Previous":5,"Clock":7},{"Previous":6,"Clock":9}]}}`,
	} {
		var c chains
		require.Error(t, c.unmarshal([]byte(text)), text)
	}
}
