package causal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

// vector returns a vector clock that must be valid.
func vector(t testing.TB, times map[string]int64) causal.VectorClock {
	t.Helper()
	v, err := causal.NewVectorClock(times)
	require.NoError(t, err)
	return v
}

// vectorGen generates clocks with few nodes and times, so that all orders
// occur.
func vectorGen(t *rapid.T, label string) causal.VectorClock {
	times := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "ab", "é"}), rapid.Int64Range(0, 3)).Draw(t, label)
	v, err := causal.NewVectorClock(times)
	require.NoError(t, err)
	return v
}

// sameVectors compares the entries.
func sameVectors(a, b causal.VectorClock) bool {
	return maps.Equal(maps.Collect(a.All()), maps.Collect(b.All()))
}

// referenceCompare is the definition, using maps.
func referenceCompare(a, b causal.VectorClock) causal.Order {
	less, greater := false, false
	for node := range maps.Keys(maps.Collect(a.Merge(b).All())) {
		less, greater = less || a.At(node) < b.At(node), greater || a.At(node) > b.At(node)
	}
	return map[[2]bool]causal.Order{
		{false, false}: causal.OrderSame, {true, false}: causal.OrderBefore, {false, true}: causal.OrderAfter, {true, true}: causal.OrderConcurrent,
	}[[2]bool{less, greater}]
}

func TestVectorClock(t *testing.T) {
	times := map[string]int64{"bob": 5, "alice": 2, "zero": 0, "": 1}
	_, err := causal.NewVectorClock(times)
	requireFault(t, err, "vector_clock must have nodes that are not empty and valid UTF-8")
	delete(times, "")
	v := vector(t, times)
	times["alice"] = 99 // a copy
	require.Equal(t, 2, v.Len())
	require.Equal(t, `{"alice":2,"bob":5}`, v.String())
	require.Equal(t, []int64{2, 5, 0, 0}, []int64{v.At("alice"), v.At("bob"), v.At("zero"), v.At("")})
	var zero causal.VectorClock
	require.True(t, zero.IsZero())
	require.False(t, v.IsZero())
	require.Equal(t, "{}", zero.String())
	for range v.All() {
		break
	}
	for _, bad := range []map[string]int64{{"\xff": 1}, {"a": -1}, {"a": math.MinInt64}} {
		_, err := causal.NewVectorClock(bad)
		require.ErrorIs(t, err, causal.ErrValidation)
	}
	many := map[string]int64{}
	for i := range 65_537 {
		many[fmt.Sprint(i)] = 1
	}
	_, err = causal.NewVectorClock(many)
	requireFault(t, err, "vector_clock must not have more than 65536 nodes")
	delete(many, "0")
	full := vector(t, many)
	_, err = json.Marshal(full)
	require.NoError(t, err)
	over, err := full.Advance("one more", 1)
	require.NoError(t, err)
	_, err = over.MarshalJSON()
	require.ErrorIs(t, err, causal.ErrValidation)
}

func TestVectorClockWith(t *testing.T) {
	var v causal.VectorClock
	for _, step := range []struct {
		node string
		time int64
		want string
	}{
		{node: "b", time: 3, want: `{"b":3}`},
		{node: "a", time: 1, want: `{"a":1,"b":3}`},
		{node: "c", time: math.MaxInt64, want: `{"a":1,"b":3,"c":9223372036854775807}`},
		{node: "b", time: 2, want: `{"a":1,"b":3,"c":9223372036854775807}`},
		{node: "d", want: `{"a":1,"b":3,"c":9223372036854775807}`},
		{node: "b", time: 4, want: `{"a":1,"b":4,"c":9223372036854775807}`},
	} {
		before, text := v, v.String()
		var err error
		v, err = v.Advance(step.node, step.time)
		require.NoError(t, err)
		require.Equal(t, step.want, v.String())
		require.Equal(t, text, before.String(), "the old value has changed")
	}
	for _, bad := range []struct {
		node string
		time int64
	}{{node: "", time: 1}, {node: "\xff", time: 1}, {node: "a", time: -1}} {
		_, err := v.Advance(bad.node, bad.time)
		require.ErrorIs(t, err, causal.ErrValidation)
	}
}

func TestVectorClockOrderLaws(t *testing.T) {
	seen := map[causal.Order]bool{}
	flipped := map[causal.Order]causal.Order{
		causal.OrderSame: causal.OrderSame, causal.OrderBefore: causal.OrderAfter, causal.OrderAfter: causal.OrderBefore, causal.OrderConcurrent: causal.OrderConcurrent,
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := vectorGen(t, "a"), vectorGen(t, "b"), vectorGen(t, "c")
		ab, bc := a.Compare(b), b.Compare(c)
		seen[ab] = true
		require.Equal(t, referenceCompare(a, b), ab)
		require.Equal(t, flipped[ab], b.Compare(a))
		require.Equal(t, sameVectors(a, b), ab == causal.OrderSame)
		require.Equal(t, causal.OrderSame, a.Compare(a)) //nolint:gocritic // the law is about one value
		if ab == causal.OrderBefore && bc == causal.OrderBefore {
			require.Equal(t, causal.OrderBefore, a.Compare(c))
		}
	})
	if !testing.Short() { // a fifth of the checks
		require.Len(t, seen, 4, "not all orders occurred")
	}
}

// Merge and StableCut are the least upper and the greatest lower bound.
func TestVectorClockLattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := vectorGen(t, "a"), vectorGen(t, "b"), vectorGen(t, "c")
		merge, cut := causal.VectorClock.Merge, func(x, y causal.VectorClock) causal.VectorClock { return causal.StableCut(x, y) }
		for _, join := range []func(x, y causal.VectorClock) causal.VectorClock{merge, cut} {
			require.True(t, sameVectors(join(a, b), join(b, a)))
			require.True(t, sameVectors(join(join(a, b), c), join(a, join(b, c))))
			require.True(t, sameVectors(join(a, a), a))
		}
		require.True(t, sameVectors(merge(a, cut(a, b)), a))
		require.True(t, sameVectors(cut(a, merge(a, b)), a))
		require.True(t, sameVectors(causal.StableCut(a, b, c), cut(a, cut(b, c))))
		for node := range merge(a, b).All() {
			require.Equal(t, max(a.At(node), b.At(node)), merge(a, b).At(node))
			require.Equal(t, min(a.At(node), b.At(node)), cut(a, b).At(node))
		}
	})
	require.True(t, causal.StableCut().IsZero())
}

func TestVectorClockWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, err := causal.NewVectorClock(rapid.MapOf(rapid.StringN(1, 5, -1), rapid.Int64Range(1, math.MaxInt64)).Draw(t, "times"))
		require.NoError(t, err)
		text, err := json.Marshal(v)
		require.NoError(t, err)
		var decoded causal.VectorClock
		require.NoError(t, json.Unmarshal(text, &decoded))
		require.True(t, sameVectors(v, decoded))
		cut := rapid.IntRange(0, len(text)-1).Draw(t, "cut")
		require.ErrorIs(t, decoded.UnmarshalJSON(text[:cut]), causal.ErrValidation, "truncated")
		require.ErrorIs(t, decoded.UnmarshalJSON(append(text, '}')), causal.ErrValidation, "trailing")
		require.True(t, sameVectors(v, decoded), "the target has changed")
	})
}

func TestVectorClockRefusesWire(t *testing.T) {
	good := vector(t, map[string]int64{"x": 7})
	for text, want := range map[string]string{
		`null`:                      "must be a JSON object",
		`[]`:                        "must be a JSON object",
		`{"b":1,"a":1}`:             "must have its nodes in ascending order without duplicates",
		`{"a":1,"a":1}`:             "must have its nodes in ascending order without duplicates",
		`{"a":1,"\u0061":2}`:        "must have its nodes in ascending order without duplicates",
		`{"a":0}`:                   "must not have the time 0",
		`{"a":-1}`:                  "must not have negative times",
		`{"a":1.0}`:                 "has a time that must be an integer without fraction or exponent",
		`{"a":"1"}`:                 "has a time that must be an integer without fraction or exponent",
		`{"a":null}`:                "has a time that must not be null",
		`{"a":9223372036854775808}`: "has a time that does not fit in 64 bits",
		`{"":1}`:                    "must have nodes that are not empty and valid UTF-8",
		`{"\ud800":1}`:              "must not contain half of a surrogate pair",
	} {
		v := good
		requireFault(t, v.UnmarshalJSON([]byte(text)), "vector_clock "+want)
		require.True(t, sameVectors(good, v))
	}
	v := good
	require.ErrorIs(t, v.UnmarshalJSON([]byte(`{"a":1`)), causal.ErrValidation)

	var tooMany strings.Builder
	for i := range 65_537 {
		fmt.Fprintf(&tooMany, `,"%05d":1`, i)
	}
	requireFault(t, v.UnmarshalJSON([]byte("{"+tooMany.String()[1:]+"}")), "vector_clock must not have more than 65536 nodes")
}

func TestVectorClockCompareAllocatesNothing(t *testing.T) {
	a, b := vector(t, map[string]int64{"a": 1, "b": 2, "d": 3}), vector(t, map[string]int64{"a": 1, "c": 2, "d": 3})
	require.Zero(t, testing.AllocsPerRun(100, func() { a.Compare(b) }))
}

func FuzzVectorClock(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":9223372036854775807}`, `{"b":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"\ud800":1}`} {
		f.Add([]byte(seed), []byte(`{"a":2}`))
	}
	f.Fuzz(func(t *testing.T, data, other []byte) {
		var v, w causal.VectorClock
		if err := v.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, causal.ErrValidation)
			require.True(t, v.IsZero(), "a failed decode changed the target")
		}
		text, err := v.MarshalJSON()
		require.NoError(t, err)
		var again causal.VectorClock
		require.NoError(t, again.UnmarshalJSON(text))
		require.Equal(t, causal.OrderSame, v.Compare(again))
		if w.UnmarshalJSON(other) == nil {
			require.Equal(t, referenceCompare(v, w), v.Compare(w))
		}
	})
}
