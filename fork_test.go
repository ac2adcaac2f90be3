package causal_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// requireFork requires the error for a clock value used by alice for these
// events.
func requireFork(t require.TestingT, err error, clock int64, events ...int) {
	var fork *causal.ForkError
	require.ErrorAs(t, err, &fork)
	require.ErrorIs(t, err, causal.ErrFork)
	require.Equal(t, "alice", fork.NodeID)
	require.Equal(t, clock, fork.LamportClock)
	var want []causal.EventID
	for _, n := range events {
		want = append(want, eventtest.ID(n))
	}
	require.Equal(t, want, fork.IDs)
}

// Two adds of one element share alice@6, and bob removed the one he had seen. A
// set that mistook one for the other would lose an add.
func TestMergeORSetOfFork(t *testing.T) {
	const add, remove = `{"add":["x"]}`, `{"remove":[{"element":"x","observed":{"alice":6}}]}`
	forked := []causal.Event{by(t, 1, "alice", 6, add), by(t, 2, "bob", 7, remove), by(t, 3, "alice", 6, add)}
	beyond := append(slices.Clone(forked), by(t, 4, "alice", 9, add), by(t, 5, "alice", 6, add))
	for _, events := range permutations(forked) {
		_, err := causal.MergeORSet(events)
		requireFork(t, err, 6, 1, 3)
	}
	for _, events := range permutations(beyond) {
		_, err := causal.MergeORSet(events)
		requireFork(t, err, 6, 1, 3, 5)
	}
	got, err := causal.MergeORSet([]causal.Event{
		by(t, 1, "alice", 6, `{"add":["x","x"]}`), by(t, 2, "bob", 7, remove), by(t, 3, "alice", 6, `{"add":["y"]}`),
		by(t, 4, "alice", 6, `{"remove":[{"element":"z","observed":{"bob":1}}]}`),
	})
	require.NoError(t, err, "each element has one add")
	require.Equal(t, []string{"y"}, got)
	got, err = causal.MergeORSet([]causal.Event{
		by(t, 1, "alice", 6, `{"add":["x","x"]}`), by(t, 3, "alice", 6, `{"add":["y"]}`), by(t, 4, "alice", 9, add), by(t, 5, "alice", 10, `{"add":["y"]}`),
	})
	require.NoError(t, err, "also if there are later ones")
	require.Equal(t, []string{"x", "y"}, got)
}

// A set distinguishes two events with the same dot, even after encoding and
// decoding, and is unchanged when it refuses one.
func TestORSetFork(t *testing.T) {
	add := func(n int) causal.Event { return by(t, n, "alice", 6, `{"add":["w","x"]}`) }
	removed := by(t, 2, "bob", 7, `{"remove":[{"element":"x","observed":{"alice":6}}]}`)
	for name, first := range map[string][]causal.Event{"add": {add(1)}, "add, removed": {add(1), removed}, "removed, add": {removed, add(1)}} {
		var s, other causal.ORSet[string]
		for _, e := range first {
			require.NoError(t, s.Apply(e), name)
		}
		require.NoError(t, s.UnmarshalJSON(must(s.MarshalJSON())))
		require.NoError(t, s.Apply(add(1)), name)
		require.NoError(t, other.Apply(add(3)), name)
		before := string(must(s.MarshalJSON()))
		requireFork(t, s.Apply(by(t, 3, "alice", 6, `{"add":["v","x"]}`)), 6, 1, 3)
		requireFork(t, s.Merge(other), 6, 1, 3)
		requireFork(t, s.MergeDelta(must(other.DeltaSince(causal.VectorClock{}))), 6, 1, 3)
		require.Equal(t, before, string(must(s.MarshalJSON())), name)
		requireFork(t, other.Merge(s), 6, 1, 3)
	}
	var s causal.ORSet[string]
	require.NoError(t, s.Apply(removed))
	require.Contains(t, string(must(s.MarshalJSON())), `"lamport_clock":6,"event_id":null,"removed_by":{`)
	require.NoError(t, s.UnmarshalJSON(must(s.MarshalJSON())))
	require.NoError(t, s.Apply(add(1)), "a removal says nothing about the ID")
}

// Only a set that knows that it was another event can miss one dropped by
// another set.
func TestORSetForkBehindCompaction(t *testing.T) {
	seen := vector(t, map[string]int64{"alice": 6, "bob": 7})
	var compacted, behind causal.ORSet[string]
	require.NoError(t, compacted.Apply(by(t, 1, "alice", 6, `{"add":["x"]}`)))
	compacted.MarkSeen(seen)
	require.NoError(t, compacted.Compact(seen))
	require.NoError(t, behind.Apply(by(t, 3, "alice", 6, `{"add":["y"]}`)))
	before := string(must(behind.MarshalJSON())) + string(must(compacted.MarshalJSON()))
	requireFork(t, behind.Merge(compacted), 6, 1, 3)
	requireFork(t, compacted.Merge(behind), 6, 1, 3)
	requireFork(t, compacted.MergeDelta(must(behind.DeltaSince(causal.VectorClock{}))), 6, 1, 3)
	require.Equal(t, before, string(must(behind.MarshalJSON()))+string(must(compacted.MarshalJSON())))
	require.NoError(t, behind.Compact(causal.VectorClock{}))
	behind.MarkSeen(seen)
	require.NoError(t, behind.Compact(seen))
	requireFork(t, behind.Merge(compacted), 6, 1, 3)
	requireFork(t, compacted.Merge(behind), 6, 1, 3)

	// The other event was removed and dropped, so a set that has seen that
	// lacks nothing.
	require.NoError(t, compacted.UnmarshalJSON([]byte(`{"elements":[],"seen":{"alice":6,"bob":7},"stable":{"alice":6,"bob":7}}`)))
	requireFork(t, behind.Merge(compacted), 6, 3)
	requireFork(t, compacted.Merge(behind), 6, 3)
	var stale causal.ORSet[string] // has not seen it, and may have to drop its add
	require.NoError(t, stale.Apply(by(t, 3, "alice", 6, `{"add":["y"]}`)))
	require.NoError(t, stale.Merge(compacted))
	require.Zero(t, stale.Len())
}

// A fork within the other set does not affect a merge that does not touch it.
func TestORSetMergeOfUnrelatedFork(t *testing.T) {
	seen := vector(t, map[string]int64{"alice": 2, "bob": 7})
	var s, other causal.ORSet[string]
	require.NoError(t, s.Apply(by(t, 1, "alice", 2, `{"add":["z"]}`)))
	for _, e := range []causal.Event{
		by(t, 1, "alice", 2, `{"add":["z"]}`), by(t, 2, "bob", 7, `{"remove":[{"element":"z","observed":{"alice":2}}]}`),
		by(t, 11, "carol", 9, `{"add":["x"]}`), by(t, 12, "carol", 9, `{"add":["y"]}`),
	} {
		require.NoError(t, other.Apply(e))
	}
	other.MarkSeen(seen)
	require.NoError(t, other.Compact(seen))
	require.NoError(t, s.Merge(other))
	require.Equal(t, []string{"x", "y"}, slices.Collect(s.All()))
}

// A delta omits events seen by the other side, identified by node and clock.
func TestDeltaSinceRefusesForks(t *testing.T) {
	within, beyond := vector(t, map[string]int64{"alice": 6, "bob": 1}), vector(t, map[string]int64{"alice": 5, "bob": 9})
	var forked, removals states
	forked.apply(t, by(t, 1, "alice", 6, `{"add":["x"],"tags":["x"],"delta":1}`))
	forked.apply(t, by(t, 3, "alice", 6, `{"add":["y"],"tags":["y"],"delta":1}`))
	removals.apply(t, by(t, 1, "alice", 6, `{"remove":[{"element":"x","observed":{"bob":1}}],"tags":["x"],"delta":1}`))
	removals.apply(t, by(t, 3, "alice", 6, `{"remove":[{"element":"y","observed":{"bob":1}}],"tags":["y"],"delta":1}`))
	for name, s := range map[string]*states{"adds": &forked, "removals": &removals} {
		s.reload(t)
		_, errSet := s.set.DeltaSince(within)
		_, errGrown := s.grown.DeltaSince(within)
		_, errCounter := s.counter.DeltaSince(within)
		for _, err := range []error{errSet, errGrown, errCounter} {
			requireFork(t, err, 6, 1, 3)
		}
		setDelta, errSet := s.set.DeltaSince(beyond)
		grownDelta, errGrown := s.grown.DeltaSince(beyond)
		counterDelta, errCounter := s.counter.DeltaSince(beyond)
		var to states
		to.markSeen(beyond)
		for _, err := range []error{
			errSet, errGrown, errCounter, to.set.MergeDelta(setDelta), to.grown.MergeDelta(grownDelta), to.counter.MergeDelta(counterDelta),
		} {
			require.NoError(t, err, name)
		}
		require.Equal(t, 2, to.grown.Len(), "both branches are sent")
		requireCount(t, 2, &to.counter)
	}
}

// The total of one branch does not swallow the events of another.
func TestPNCounterFork(t *testing.T) {
	seen := vector(t, map[string]int64{"alice": 1})
	counter := func(n int, delta string, compact bool) *causal.PNCounter {
		var c causal.PNCounter
		require.NoError(t, c.Apply(by(t, n, "alice", 1, `{"delta":`+delta+`}`)))
		c.MarkSeen(seen)
		if compact {
			require.NoError(t, c.Compact(seen))
		}
		require.NoError(t, json.Unmarshal(must(json.Marshal(c)), &c))
		return &c
	}
	for _, other := range []string{"100", "1"} { // even if the sums are the same
		total, single := counter(1, "1", true), counter(2, other, false)
		before := string(must(single.MarshalJSON())) + string(must(total.MarshalJSON()))
		requireFork(t, single.Merge(*total), 1)
		requireFork(t, total.Merge(*single), 1)
		requireFork(t, total.Merge(*counter(2, other, true)), 1)
		requireFork(t, single.MergeDelta(must(total.DeltaSince(causal.VectorClock{}))), 1)
		require.Equal(t, before, string(must(single.MarshalJSON()))+string(must(total.MarshalJSON())))
	}
	both := counter(1, "1", false)
	require.NoError(t, both.Merge(*counter(2, "100", false)), "events go by their IDs")
	requireCount(t, 101, both)
	compacted := counter(1, "1", false)
	require.NoError(t, compacted.Merge(*both))
	require.NoError(t, compacted.Compact(seen))
	require.NoError(t, both.Merge(*compacted), "a total of both branches")
	requireCount(t, 101, both)
	requireFork(t, compacted.Merge(*counter(2, "100", true)), 1)

	var applied, added causal.PNCounter // an event without a delta makes no difference
	none := by(t, 1, "alice", 1, `{}`)
	require.NoError(t, applied.Apply(none))
	require.NoError(t, added.Add(none, 0))
	for _, c := range []*causal.PNCounter{&applied, &added} {
		c.MarkSeen(seen)
	}
	require.NoError(t, added.Compact(seen))
	require.NoError(t, applied.Merge(added))

	var unmarked causal.PNCounter // may lack any event, but not both of these
	for n := range 2 {
		require.NoError(t, unmarked.Apply(by(t, n+1, "alice", 1, `{"delta":5}`)))
	}
	requireFork(t, unmarked.Merge(*counter(1, "5", true)), 1, 1, 2)
}

// Two counters that have seen a node up to the same time, compacted or not,
// have the right sum after a merge, or report a fork.
func TestPNCounterForkLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type replica struct {
			counter causal.PNCounter
			sum     map[int]int64
		}
		last := rapid.Int64Range(1, 4).Draw(t, "last")
		draw := func(name string) *replica {
			r := &replica{sum: map[int]int64{}}
			for clock := int64(1); clock <= last; clock++ {
				for _, branch := range rapid.SampledFrom([][]int{{0}, {0}, {1}, {0, 1}}).Draw(t, name+" branch") {
					n := 10*int(clock) + branch
					r.sum[n] = int64(n % 3)
					e := eventtest.New(t, n, func(p *causal.EventParams) { p.LamportClock = clock })
					require.NoError(t, r.counter.Add(e, r.sum[n]))
				}
			}
			r.counter.MarkSeen(must(causal.NewVectorClock(map[string]int64{"alice": last})))
			if cut := rapid.Int64Range(0, last).Draw(t, name+" cut"); cut > 0 {
				require.NoError(t, r.counter.Compact(must(causal.NewVectorClock(map[string]int64{"alice": cut}))))
			}
			return r
		}
		a, b := draw("a"), draw("b")
		want := int64(0)
		for n, delta := range a.sum {
			b.sum[n] = delta
		}
		for _, delta := range b.sum {
			want += delta
		}
		if err := a.counter.Merge(b.counter); err != nil {
			require.ErrorIs(t, err, causal.ErrFork)
			require.Equal(t, err, b.counter.Merge(a.counter), "both sides refuse")
			return
		}
		requireCount(t, want, &a.counter)
		require.NoError(t, b.counter.Merge(a.counter))
		requireCount(t, want, &b.counter)
	})
}

// If several values were used twice, the error is about the first.
func TestForkErrorIsAboutTheFirst(t *testing.T) {
	var s causal.GSet[string]
	for n, clock := range []int64{6, 6, 3, 3, 9, 9} {
		require.NoError(t, s.Apply(by(t, n, "alice", clock, fmt.Sprintf(`{"tags":["%d"]}`, n))))
	}
	for range 10 {
		_, err := s.DeltaSince(vector(t, map[string]int64{"alice": 9}))
		requireFork(t, err, 3, 2, 3)
	}
}

// The ID of an add known only from a removal is unknown, so it is not another
// event.
func TestORSetNamedAddIsNoFork(t *testing.T) {
	var s, other causal.ORSet[string]
	require.NoError(t, s.Apply(by(t, 1, "alice", 6, `{"add":["y"]}`)))
	require.NoError(t, other.Apply(by(t, 2, "bob", 9, `{"remove":[{"element":"w","observed":{"alice":6}}]}`)))
	seen := vector(t, map[string]int64{"alice": 6})
	other.MarkSeen(seen)
	require.NoError(t, other.Compact(seen))
	require.NoError(t, s.Merge(other))
	require.Zero(t, s.Len(), "y was removed and dropped there")
}

// Events at the clock 0 are in no total.
func TestPNCounterAtZeroIsNoFork(t *testing.T) {
	counter := func(compact bool) *causal.PNCounter {
		var c causal.PNCounter
		for clock := range int64(3) {
			require.NoError(t, c.Apply(by(t, int(clock), "alice", clock, `{"delta":1}`)))
		}
		c.MarkSeen(vector(t, map[string]int64{"alice": 2}))
		if compact {
			require.NoError(t, c.Compact(c.Seen()))
		}
		return &c
	}
	c := counter(false)
	require.NoError(t, c.Merge(*counter(true)))
	requireCount(t, 3, c)
}

// A delta leaves events out that its sender has seen, and the receiver has in a
// total.
func TestPNCounterDeltaToATotalIsNoFork(t *testing.T) {
	var from, to causal.PNCounter
	for clock := range int64(3) {
		require.NoError(t, from.Apply(by(t, int(clock), "alice", clock+1, `{"delta":1}`)))
	}
	from.MarkSeen(vector(t, map[string]int64{"alice": 3}))
	for clock := range int64(2) {
		require.NoError(t, to.Apply(by(t, int(clock), "alice", clock+1, `{"delta":1}`)))
	}
	to.MarkSeen(vector(t, map[string]int64{"alice": 2}))
	require.NoError(t, to.Compact(to.Seen()))
	require.NoError(t, to.MergeDelta(must(from.DeltaSince(to.Seen()))))
	requireCount(t, 3, &to)
}
