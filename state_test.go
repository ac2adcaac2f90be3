package causal_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Every order of up to six events, with duplicates, gives one result, in the
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

// requireMerges requires that the merges of the events agree with the states.
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

// Changes of one replica after a merge do not affect the other.
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

const emptyStates = `{"elements":[],"seen":{},"stable":{}}
{"elements":[],"seen":{}}
{"totals":[],"events":[],"seen":{}}
{}`

// Events without content leave the zero values unchanged.
func TestZeroStatesStayEmpty(t *testing.T) {
	for name, change := range map[string]func(s *states){
		"nothing":          func(*states) {},
		"an empty payload": func(s *states) { s.apply(t, eventtest.New(t, 1)) },
		"a merge":          func(s *states) { s.merge(t, &states{}) },
		"JSON":             func(s *states) { s.reload(t) },
		"compaction": func(s *states) {
			require.NoError(t, s.set.Compact(causal.VectorClock{}))
			require.NoError(t, s.counter.Compact(causal.VectorClock{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s states
			change(&s)
			require.Equal(t, emptyStates, s.json(t))
		})
	}
}

func TestZeroSets(t *testing.T) {
	var s states
	require.False(t, s.set.Contains("x"))
	require.False(t, s.grown.Contains(""))
	require.Zero(t, s.set.Len())
	require.Zero(t, s.grown.Len())
	require.Zero(t, s.set.LamportClock())
	require.Empty(t, slices.Collect(s.set.All()))
	require.Empty(t, s.set.Removal("x").Remove)
}

func TestZeroCounter(t *testing.T) {
	sum, err := causal.PNCounter{}.Value()
	require.NoError(t, err)
	require.Zero(t, sum)
}

func TestStatesRefuseTheZeroEvent(t *testing.T) {
	var s states
	for name, err := range map[string]error{
		"ORSet.Apply":       s.set.Apply(causal.Event{}),
		"ORSet.Change":      s.set.Change(causal.Event{}, causal.ORSetChange[string]{}),
		"GSet.Apply":        s.grown.Apply(causal.Event{}),
		"GSet.Add":          s.grown.Add(causal.Event{}),
		"PNCounter.Apply":   s.counter.Apply(causal.Event{}),
		"PNCounter.Add":     s.counter.Add(causal.Event{}, 1),
		"LWWRegister.Apply": s.value.Apply(causal.Event{}),
		"LWWRegister.Set":   s.value.Set(causal.Event{}, "a"),
	} {
		requireFault(t, err, "event must not be the zero Event", name)
	}
	require.Equal(t, emptyStates, s.json(t))
}

// A state outlives the events it applied, and keeps none of their text.
func TestStatesKeepNoText(t *testing.T) {
	const events, padding = 20, 1 << 20
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, apply := range map[string]func(s *states, e causal.Event) error{
		"ORSet":       func(s *states, e causal.Event) error { return s.set.Apply(e) },
		"GSet":        func(s *states, e causal.Event) error { return s.grown.Apply(e) },
		"PNCounter":   func(s *states, e causal.Event) error { return s.counter.Apply(e) },
		"LWWRegister": func(s *states, e causal.Event) error { return s.value.Apply(e) },
	} {
		t.Run(name, func(t *testing.T) {
			all := make([]states, events)
			before := heap()
			for n := range all {
				payload := fmt.Sprintf(`{"add":["x%d"],"tags":["x%d"],"delta":1,"value":"x","padding":%q}`, n, n, strings.Repeat("x", padding))
				e := decode(t, wire(map[string]string{"payload": payload})) // IDs, nodes and elements share one text
				require.NoError(t, apply(&all[n], e))
			}
			require.Less(t, heap()-before, int64(events*padding/4))
			runtime.KeepAlive(all)
		})
	}
}

// States and deltas that have seen more nodes than a reader accepts are not
// encoded.
func TestStatesDoNotWriteTooManyNodes(t *testing.T) {
	nodes := func(prefix string, n int) causal.VectorClock {
		times := map[string]int64{}
		for i := range n {
			times[fmt.Sprint(prefix, i)] = 1
		}
		return vector(t, times)
	}
	half, rest, one := nodes("a", 1<<15), nodes("b", 1<<15), nodes("c", 1)
	var s states
	s.markSeen(half)
	s.markSeen(rest) // the maximum
	s.reload(t)
	require.NoError(t, s.set.Compact(s.set.Seen()))
	compacted := s.set
	s.markSeen(one)
	delta := must(s.grown.DeltaSince(s.grown.Seen()))
	require.NoError(t, compacted.Compact(causal.VectorClock{}))
	for name, state := range map[string]json.Marshaler{"ORSet": s.set, "GSet": s.grown, "PNCounter": s.counter} {
		_, err := state.MarshalJSON()
		requireFault(t, err, "seen must not have more than 65536 nodes", name)
	}
	_, err := delta.MarshalJSON()
	require.ErrorIs(t, err, causal.ErrValidation)
	_, err = must(causal.GSet[string]{}.DeltaSince(s.grown.Seen())).MarshalJSON()
	requireFault(t, err, "since must not have more than 65536 nodes")
}

// A merge includes the vector clock of the other, whether it is a complete
// state or a delta.
func TestMergesTakeOverWhatWasSeen(t *testing.T) {
	a, b := vector(t, map[string]int64{"alice": 3}), vector(t, map[string]int64{"bob": 4})
	both := a.Merge(b).String()
	var from, merged, asked states
	from.markSeen(b)
	merged.markSeen(a)
	asked.markSeen(a)
	merged.merge(t, &from)
	require.NoError(t, asked.set.MergeDelta(must(from.set.DeltaSince(causal.VectorClock{}))))
	require.NoError(t, asked.grown.MergeDelta(must(from.grown.DeltaSince(causal.VectorClock{}))))
	require.NoError(t, asked.counter.MergeDelta(must(from.counter.DeltaSince(causal.VectorClock{}))))
	for name, s := range map[string]*states{"states": &merged, "deltas": &asked} {
		for _, seen := range []causal.VectorClock{s.set.Seen(), s.grown.Seen(), s.counter.Seen()} {
			require.Equal(t, both, seen.String(), name)
		}
	}
}

// A delta since a vector clock not covered by the replica's is a gap, even if
// neither covers the other.
func TestDeltasWithGaps(t *testing.T) {
	var from, to states
	from.markSeen(vector(t, map[string]int64{"alice": 3, "bob": 4}))
	to.markSeen(vector(t, map[string]int64{"bob": 4, "carol": 1}))
	for name, times := range map[string]map[string]int64{
		"concurrent": {"alice": 3, "bob": 4}, "later": {"bob": 5, "carol": 1}, "another node": {"alice": 1},
	} {
		since := vector(t, times)
		var gap *causal.GapError
		for _, err := range []error{
			to.set.MergeDelta(must(from.set.DeltaSince(since))), to.grown.MergeDelta(must(from.grown.DeltaSince(since))),
			to.counter.MergeDelta(must(from.counter.DeltaSince(since))), to.set.Compact(since), to.counter.Compact(since),
		} {
			require.ErrorAs(t, err, &gap, name)
			require.Equal(t, since.String(), gap.Needed.String(), name)
			require.Equal(t, `{"bob":4,"carol":1}`, gap.Seen.String(), name)
		}
	}
}
