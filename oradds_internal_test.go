package causal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unique"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// An ORSet with one element, with few adds or many, agrees with a map of its
// adds, even after encoding and decoding, or merging into a new one.
func TestORSetOfManyNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.SampledFrom([]int{3, maxScan, maxScan + 1, 3 * maxScan}).Draw(t, "nodes")
		model := map[unique.Handle[string]]orAdd{}
		var s ORSet[string]
		for range rapid.IntRange(0, 6*maxScan).Draw(t, "steps") {
			if rapid.IntRange(0, 40).Draw(t, "step") > 0 {
				a := drawOrAdd(t, nodes)
				s.join("x", a)
				model[a.add.node] = model[a.add.node].join(a)
			} else {
				gone := func(a orAdd) bool { return a.isRemoved() && a.add.time%2 == 0 }
				s.drop(func(_ string, a orAdd) bool { return gone(a) })
				maps.DeleteFunc(model, func(_ unique.Handle[string], a orAdd) bool { return gone(a) })
			}
			requireOrAdds(t, model, s)
		}
		text, err := s.MarshalJSON()
		require.NoError(t, err)
		var read, merged, asked ORSet[string]
		require.NoError(t, read.UnmarshalJSON(text))
		requireOrAdds(t, model, read)
		require.NoError(t, merged.Merge(s))
		requireOrAdds(t, model, merged)
		d, err := s.DeltaSince(VectorClock{})
		require.NoError(t, err)
		require.NoError(t, asked.MergeDelta(d))
		requireOrAdds(t, model, asked)
	})
}

// drawOrAdd draws an add of one of the nodes, removed or not.
func drawOrAdd(t *rapid.T, nodes int) orAdd {
	node := unique.Make(fmt.Sprint(rapid.IntRange(1, nodes).Draw(t, "node")))
	time := rapid.Int64Range(1, 4).Draw(t, "time")
	a := orAdd{add: origin{dot{node, time}, EventID(fmt.Sprintf("TEST%018s%04d", node.Value(), time))}}
	if rapid.IntRange(0, 9).Draw(t, "removed") > 0 {
		a.removed = origin{dot{unique.Make("zoe"), rapid.Int64Range(5, 6).Draw(t, "removal")}, EventID(strings.Repeat("R", 26))}
		if rapid.Bool().Draw(t, "only named") {
			a.add.id = ""
		}
	}
	return a
}

// requireOrAdds requires that the adds of the set's one element agree with the
// model.
func requireOrAdds(t *rapid.T, model map[unique.Handle[string]]orAdd, s ORSet[string]) {
	adds, live := s.elements["x"], 0
	require.Len(t, adds.all, len(model))
	require.Equal(t, len(model) > maxScan, adds.index != nil)
	for node, want := range model {
		require.Equal(t, want, adds.all[adds.find(want)], node.Value())
		if !want.isRemoved() {
			live++
		}
	}
	if adds.index != nil {
		require.Equal(t, live, adds.index.live)
	}
	require.Equal(t, live > 0, s.Len() == 1)
	require.Equal(t, live > 0, slices.Contains(s.sorted(), "x"))
	require.Negative(t, adds.find(orAdd{add: origin{dot: dot{unique.Make("unknown"), 1}}}))
}
