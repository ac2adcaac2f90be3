package causal_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// by makes the n-th event of a test, of this node at this clock.
func by(t testing.TB, n int, node string, clock int64, payload string) causal.Event {
	t.Helper()
	return eventtest.New(t, n, eventtest.WithPayload(payload), func(p *causal.EventParams) { p.NodeID, p.LamportClock = node, clock })
}

// sixEvents are two adds, two removes of different views of them, a new add, and a
// remove of that one alone.
func sixEvents(t testing.TB) []causal.Event {
	t.Helper()
	return []causal.Event{
		by(t, 1, "alice", 1, `{"add":["x","y"],"tags":["x"],"delta":9223372036854775807,"value":"1"}`),
		by(t, 2, "bob", 2, `{"add":["x"],"tags":["y"],"delta":9223372036854775807,"value":"2"}`),
		by(t, 3, "carol", 3, `{"remove":[{"element":"x","observed":{"alice":1}}],"delta":-9223372036854775808}`),
		by(t, 4, "dave", 3, `{"remove":[{"element":"x","observed":{"alice":1,"bob":2}}],"add":["z"],"tags":["x"],"value":"4"}`),
		by(t, 5, "alice", 4, `{"add":["x"],"delta":-9223372036854775808,"tags":["z","x"]}`),
		by(t, 6, "bob", 5, `{"remove":[{"element":"x","observed":{"alice":4}},{"element":"z","observed":{"dave":3}}],"add":["z"],"value":"6"}`),
	}
}

// Every order of up to six events, with repetitions, gives one answer, in the
// merges and in the states, however the events are spread over replicas.
func TestEveryOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for count := range 7 {
		events := sixEvents(t)[:count]
		var want states
		for _, e := range events {
			want.apply(t, e)
		}
		requireModel(t, events, &want)
		wantJSON := want.json(t)
		for _, order := range permutations(events) {
			for range count {
				order = slices.Insert(order, random.IntN(len(order)), events[random.IntN(count)])
			}
			var one, other, both states
			for i, e := range order {
				both.apply(t, e)
				[]*states{&one, &other}[i%2].apply(t, e)
			}
			require.Equal(t, wantJSON, both.json(t))
			one.merge(t, &other)
			require.Equal(t, wantJSON, one.json(t))
			one.merge(t, &one) // itself
			require.Equal(t, wantJSON, one.json(t))
			requireMerges(t, order, &want)
		}
	}
}

// requireMerges checks that the merges of the events answer what the states do.
func requireMerges(t *testing.T, events []causal.Event, want *states) {
	t.Helper()
	elements, err := causal.MergeORSet(events)
	require.NoError(t, err)
	require.ElementsMatch(t, slices.Collect(want.set.All()), elements)
	require.True(t, slices.IsSorted(elements))
	tags, err := causal.MergeGSet(events)
	require.NoError(t, err)
	require.ElementsMatch(t, slices.Collect(want.grown.All()), tags)
	sum, errSum := causal.MergeCounter(events)
	wantSum, wantErr := want.counter.Value()
	require.Equal(t, wantSum, sum)
	require.Equal(t, wantErr, errSum)
	value, ok, err := causal.MergeLWW[string](events)
	require.NoError(t, err)
	wantValue, wantOK := want.value.Value()
	require.Equal(t, wantOK, ok)
	require.Equal(t, wantValue, value)
}

// What one replica does after a merge is not seen by the other.
func TestMergeSharesNothing(t *testing.T) {
	events := sixEvents(t)
	var a, b states
	for _, e := range events[:3] {
		a.apply(t, e)
	}
	before := a.json(t)
	b.merge(t, &a)
	require.Equal(t, before, b.json(t))
	seen := vector(t, map[string]int64{"alice": 9, "bob": 9, "carol": 9, "dave": 9})
	for _, e := range events[3:] {
		b.apply(t, e)
	}
	b.markSeen(seen)
	require.NoError(t, b.set.Compact(seen))
	require.NoError(t, b.counter.Compact(seen))
	require.Equal(t, before, a.json(t))
	after := b.json(t)
	a.apply(t, by(t, 9, "erin", 10, `{"add":["x","w"],"tags":["w"],"delta":1,"value":"9"}`))
	require.Equal(t, after, b.json(t))
}

func TestZeroStates(t *testing.T) {
	var s, zero states
	const empty = `{"elements":[],"seen":{},"stable":{}}
{"elements":[],"seen":{}}
{"totals":[],"events":[],"seen":{}}
{}`
	require.Equal(t, empty, s.json(t))
	s.apply(t, eventtest.New(t, 1))
	s.merge(t, &zero)
	require.NoError(t, s.set.Compact(causal.VectorClock{}))
	require.NoError(t, s.counter.Compact(causal.VectorClock{}))
	require.Equal(t, empty, s.json(t))
	require.False(t, s.set.Contains("x"))
	require.False(t, s.grown.Contains(""))
	require.Zero(t, s.set.Len()+s.grown.Len())
	require.Zero(t, s.set.LamportClock())
	require.Empty(t, slices.Collect(s.set.All()))
	require.Empty(t, s.set.Removal("x").Remove)
	sum, err := s.counter.Value()
	require.NoError(t, err)
	require.Zero(t, sum)
	s.reload(t)
	const fault = "causal: validation failed: event must not be the zero Event"
	require.EqualError(t, s.set.Apply(causal.Event{}), fault)
	require.EqualError(t, s.set.Change(causal.Event{}, causal.ORSetChange[string]{}), fault)
	require.EqualError(t, s.grown.Apply(causal.Event{}), fault)
	require.EqualError(t, s.grown.Add(causal.Event{}), fault)
	require.EqualError(t, s.counter.Apply(causal.Event{}), fault)
	require.EqualError(t, s.counter.Add(causal.Event{}, 1), fault)
	for range s.set.All() { // a loop that ends early must not panic
		break
	}
}
