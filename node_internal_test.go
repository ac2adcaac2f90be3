package causal

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The number of known heads is limited, and counted correctly.
func TestHeadCache(t *testing.T) {
	var c headCache
	count := func() (n int) {
		for _, h := range c.byAggregate {
			n += len(h.now) + 1
		}
		return n
	}
	for i := range 3000 {
		c.add(fmt.Sprint(i), make([]EventID, 99))
	}
	require.Equal(t, 300_000, c.count)
	c.trim()
	require.LessOrEqual(t, c.count, maxCachedHeads)
	require.Greater(t, c.count, maxCachedHeads/2)
	require.Equal(t, count(), c.count)
	for id, h := range c.byAggregate {
		h.after = make([]EventID, 5)
		c.advance(id, h)
		c.advance("another", &aggregateHeads{after: make([]EventID, 7)})
		require.Equal(t, count(), c.count)
		c.drop(id, "none")
		require.Equal(t, count(), c.count)
		break
	}
}
