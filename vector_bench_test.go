package causal_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/spec-kitty/causal"
)

// compareMaps is the naive comparison of maps, in which 0 equals absence.
func compareMaps(a, b map[string]uint64) (less, greater bool) {
	for node, time := range a {
		less, greater = less || time < b[node], greater || time > b[node]
	}
	for node, time := range b {
		less, greater = less || a[node] < time, greater || a[node] > time
	}
	return less, greater
}

func BenchmarkVectorClock(b *testing.B) {
	for _, n := range []int{3, 16, 256} {
		// Equal except for the last two nodes, so that both are read to the
		// end.
		x, y := map[string]uint64{}, map[string]uint64{}
		for i := range n {
			x[fmt.Sprintf("node-%05d", i)], y[fmt.Sprintf("node-%05d", i)] = uint64(i+5), uint64(i+5)
		}
		x[fmt.Sprintf("node-%05d", n-2)]++
		y[fmt.Sprintf("node-%05d", n-1)]++
		clock := func(m map[string]uint64) causal.VectorClock {
			times := map[string]int64{}
			for node, time := range m {
				times[node] = int64(time)
			}
			return vector(b, times)
		}
		v, w := clock(x), clock(y)
		b.Run(fmt.Sprintf("compare/causal/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v.Compare(w) != causal.OrderConcurrent {
					b.Fatal("wrong")
				}
			}
		})
		b.Run(fmt.Sprintf("compare/naive/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if less, greater := compareMaps(x, y); !less || !greater {
					b.Fatal("wrong")
				}
			}
		})
		b.Run(fmt.Sprintf("merge/causal/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v.Merge(w).Len() != n {
					b.Fatal("wrong")
				}
			}
		})
		b.Run(fmt.Sprintf("merge/naive/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				merged := maps.Clone(x)
				for node, time := range y {
					merged[node] = max(merged[node], time)
				}
				if len(merged) != n {
					b.Fatal("wrong")
				}
			}
		})
	}
}
