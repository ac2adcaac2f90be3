package causal

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A pastSet agrees with a map from lanes to counts, and sets created earlier do
// not change.
func TestPastSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sets, models := []pastSet{nil}, []map[int32]int32{{}}
		pick := func(label string) int { return rapid.IntRange(0, len(sets)-1).Draw(t, label) }
		lanes := rapid.SampledFrom([]int32{0, 1, 15, 16, 17, 255, 256, 300, 511, 512, 1000, 5000})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			i, j := pick("set"), pick("other")
			s, m := sets[i], maps.Clone(models[i])
			if rapid.Bool().Draw(t, "union") {
				s = s.union(sets[j])
				for lane, n := range models[j] {
					m[lane] = max(m[lane], n)
				}
			} else {
				lane := lanes.Draw(t, "lane")
				m[lane] += rapid.Int32Range(1, 3).Draw(t, "more")
				s = s.with(lane, m[lane])
			}
			sets, models = append(sets, s), append(models, m)
		}
		for i, s := range sets {
			require.Equal(t, models[i], maps.Collect(s.all))
			var inOrder []int32
			for lane := range s.all {
				inOrder = append(inOrder, lane)
			}
			require.True(t, slices.IsSorted(inOrder))
			for _, lane := range []int32{0, 1, 2, 15, 16, 17, 255, 256, 300, 511, 512, 1000, 5000, 9000} {
				require.Equal(t, models[i][lane], s.of(lane))
			}
			for j, other := range sets {
				more := map[int32]int32{}
				for lane, n := range models[j] {
					if n > models[i][lane] {
						more[lane] = n
					}
				}
				require.Equal(t, len(more) == 0, s.has(other))
				got := map[int32]int32{}
				require.True(t, s.more(other, func(lane, n int32) bool { got[lane] = n; return true }))
				require.Equal(t, more, got)
				require.Equal(t, len(more) > 0, !s.more(other, func(int32, int32) bool { return false }))
			}
		}
	})
}
