package benchmarks

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// mapClock is a vector clock as in most libraries: a map modified in place by
// its owner.
type mapClock map[string]uint64

// compare reports whether c has a smaller and whether it has a greater time
// than d for some node; an absent node has the time 0.
func (c mapClock) compare(d mapClock) (less, greater bool) {
	for node, time := range c {
		less, greater = less || time < d[node], greater || time > d[node]
	}
	for node, time := range d {
		less, greater = less || c[node] < time, greater || c[node] > time
	}
	return less, greater
}

// merge returns the later time of each node.
func (c mapClock) merge(d mapClock) mapClock {
	merged := maps.Clone(c)
	for node, time := range d {
		merged[node] = max(merged[node], time)
	}
	return merged
}

// tick returns the clock of the next event of a node. It copies, because the
// event keeps it.
func (c mapClock) tick(node string) mapClock {
	next := maps.Clone(c)
	next[node]++
	return next
}

// vectorClocks returns two concurrent clocks of n nodes in both forms. They
// differ in the last two nodes, so that both are read to the end.
func vectorClocks(tb testing.TB, n int) (a, b mapClock, v, w causal.VectorClock) {
	a, b = mapClock{}, mapClock{}
	for i := range n {
		node, time := fmt.Sprintf("node-%05d", i), int64(i+5)
		ahead := map[bool]int64{true: 1}
		both := [2]int64{time + ahead[i == n-2], time + ahead[i == n-1]}
		a[node], b[node] = uint64(both[0]), uint64(both[1])
		var err error
		v, err = v.Advance(node, both[0])
		require.NoError(tb, err)
		w, err = w.Advance(node, both[1])
		require.NoError(tb, err)
	}
	return a, b, v, w
}

func BenchmarkVector(b *testing.B) {
	for _, n := range []int{3, 16, 256} {
		x, y, v, w := vectorClocks(b, n)
		node := fmt.Sprintf("node-%05d", n/2)
		run := func(op, lib string, do func() bool) {
			b.Run(fmt.Sprintf("op=%s-%d/lib=%s", op, n, lib), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !do() {
						b.Fatal("a wrong answer")
					}
				}
			})
		}
		run("compare", "causal", func() bool { return v.Compare(w) == causal.OrderConcurrent })
		run("compare", "map", func() bool { less, greater := x.compare(y); return less && greater })
		run("merge", "causal", func() bool { return v.Merge(w).Len() == n })
		run("merge", "map", func() bool { return len(x.merge(y)) == n })
		run("tick", "causal", func() bool { next, err := v.Advance(node, v.At(node)+1); return err == nil && next.Len() == n })
		run("tick", "map", func() bool { return len(x.tick(node)) == n })
	}
}

func TestMapClockIsRight(t *testing.T) {
	x, y, v, w := vectorClocks(t, 16)
	merged := v.Merge(w)
	require.Len(t, x.merge(y), merged.Len())
	for node, time := range merged.All() {
		require.Equal(t, uint64(time), x.merge(y)[node])
	}
	less, greater := x.compare(x.merge(y))
	require.True(t, less)
	require.False(t, greater)
	require.Equal(t, causal.OrderBefore, v.Compare(merged))
}
