package causal_test

import (
	"cmp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestConcurrentVectors(t *testing.T) {
	type vector struct {
		A, B       causal.Event
		Concurrent bool
		Cmp        int
	}
	for i, v := range readVectors[vector](t, "concurrent.jsonl") {
		require.Equal(t, v.Concurrent, causal.IsConcurrent(v.A, v.B), "line %d", i+1)
		require.Equal(t, v.Concurrent, causal.IsConcurrent(v.B, v.A), "line %d", i+1)
		want := v.Cmp
		if want == 0 { // the third key is not in Python
			want = cmp.Compare(v.A.ID(), v.B.ID())
		}
		require.Equal(t, want, causal.Compare(v.A, v.B), "line %d", i+1)
		require.Equal(t, -want, causal.Compare(v.B, v.A), "line %d", i+1)
	}
}

func TestCompareKeys(t *testing.T) {
	set := func(clock int64, node string) func(*causal.EventParams) {
		return func(p *causal.EventParams) { p.LamportClock, p.NodeID = clock, node }
	}
	ascending := []causal.Event{
		{},
		eventtest.New(t, 9, set(0, "alice")),
		eventtest.New(t, 8, set(1, "Alice")), // bytewise: upper case first
		eventtest.New(t, 7, set(1, "alice")),
		eventtest.New(t, 6, set(1, "alice2")),
		eventtest.New(t, 4, set(1, "é")),
		eventtest.New(t, 5, set(1, "é")),
		eventtest.New(t, 1, set(10, "a")),
	}
	for i, a := range ascending {
		for j, b := range ascending {
			require.Equal(t, cmp.Compare(i, j), causal.Compare(a, b), "%d and %d", i, j)
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := eventGen(t, "a"), eventGen(t, "b"), eventGen(t, "c")
		require.Equal(t, causal.Compare(a, b), -causal.Compare(b, a))
		require.Equal(t, a.Equal(b), causal.Compare(a, b) == 0)
		if causal.Compare(a, b) <= 0 && causal.Compare(b, c) <= 0 {
			require.LessOrEqual(t, causal.Compare(a, c), 0)
		}
		require.Equal(t, causal.IsConcurrent(a, b), causal.IsConcurrent(b, a))
	})
}
