package causal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// change is a random change of an ORSet, a delta, tags and a value.
type change struct {
	causal.ORSetChange[string]
	Delta int64    `json:"delta"`
	Tags  []string `json:"tags,omitempty"`
	Value string   `json:"value"`
}

// modelChange is the model's own decoding of an event.
type modelChange struct {
	Add    []string
	Remove []struct {
		Element  string
		Observed map[string]int64
	}
	Delta int64
	Tags  []string
	Value *string
}

// requireModel compares the states with the definitions, over the set of
// events.
func requireModel(t require.TestingT, events []causal.Event, s *states) {
	sorted := slices.SortedFunc(slices.Values(events), causal.Compare)
	changes := make([]modelChange, len(sorted))
	sum := new(big.Int)
	grown := map[string]bool{}
	var value *string
	for i, e := range sorted {
		require.NoError(t, e.DecodePayload(&changes[i]))
		sum.Add(sum, big.NewInt(changes[i].Delta))
		for _, tag := range changes[i].Tags {
			grown[tag] = true
		}
		if changes[i].Value != nil {
			value = changes[i].Value
		}
	}
	elements := map[string]bool{}
	for i, e := range sorted {
		for _, element := range changes[i].Add {
			if !isObserved(changes, element, e) {
				elements[element] = true
			}
		}
	}

	require.Equal(t, slices.Sorted(maps.Keys(elements)), slices.Collect(s.set.All()))
	require.Equal(t, len(elements), s.set.Len())
	for element := range elements {
		require.True(t, s.set.Contains(element))
	}
	require.Equal(t, slices.Sorted(maps.Keys(grown)), slices.Collect(s.grown.All()))
	require.Equal(t, len(grown), s.grown.Len())
	total, err := s.counter.Value()
	require.Equal(t, sum.IsInt64(), err == nil)
	if err == nil {
		require.Equal(t, sum.Int64(), total)
	}
	last, ok := s.value.Value()
	require.Equal(t, value != nil, ok)
	if ok {
		require.Equal(t, *value, last)
	}
}

// isObserved reports whether a remove had seen that e adds the element, or a
// later add of it by e's node.
func isObserved(changes []modelChange, element string, e causal.Event) bool {
	return slices.ContainsFunc(changes, func(c modelChange) bool {
		for _, r := range c.Remove {
			if r.Element == element && r.Observed[e.NodeID()] >= e.LamportClock() {
				return true
			}
		}
		return false
	})
}

// replica is a node with states, and the model's knowledge of it.
type replica struct {
	states
	name  string
	group int // of replicas it can reach
	known map[causal.EventID]causal.Event
}

// network is a set of replicas that communicate at random.
type network struct {
	replicas []*replica
	all      []causal.Event
}

func (n *network) pick(t *rapid.T, label string) *replica {
	return n.replicas[rapid.IntRange(0, len(n.replicas)-1).Draw(t, label)]
}

// pickPair returns two replicas that can reach each other.
func (n *network) pickPair(t *rapid.T) (from, to *replica) {
	from, to = n.pick(t, "from"), n.pick(t, "to")
	if from.group != to.group {
		t.Skip("partitioned")
	}
	return from, to
}

func (n *network) emit(t *rapid.T) {
	r := n.pick(t, "emits")
	word := rapid.SampledFrom([]string{"a", "b", "c"})
	c := change{
		Delta: rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64}).Draw(t, "delta"),
		Value: fmt.Sprint(len(n.all)),
	}
	c.Remove = r.set.Removal(rapid.SliceOfN(word, 0, 2).Draw(t, "remove")...).Remove
	c.Add = rapid.SliceOfN(word, 0, 2).Draw(t, "add")
	c.Tags = rapid.SliceOfN(word, 0, 1).Draw(t, "tags")
	clock := int64(0)
	for _, e := range r.known {
		clock = max(clock, e.LamportClock())
	}
	require.LessOrEqual(t, r.set.LamportClock(), clock)
	e, err := causal.NewEvent(causal.EventParams{
		ID: eventtest.ID(len(n.all)), Type: "x", AggregateID: "A", NodeID: r.name, LamportClock: clock + 1,
		Timestamp: eventtest.Time, ProjectUUID: eventtest.ProjectUUID, Payload: c,
	})
	require.NoError(t, err)
	n.all = append(n.all, e)
	r.apply(t, e)
	r.known[e.ID()] = e
}

// send delivers any event, possibly late or repeatedly; never being chosen is a
// loss.
func (n *network) send(t *rapid.T) {
	from, to := n.pickPair(t)
	if len(from.known) == 0 {
		t.Skip("nothing to send")
	}
	e := rapid.SampledFrom(slices.SortedFunc(maps.Values(from.known), causal.Compare)).Draw(t, "event")
	to.apply(t, e)
	to.known[e.ID()] = e
}

func (n *network) mergeStates(t *rapid.T) {
	from, to := n.pickPair(t)
	before := from.json(t)
	to.merge(t, &from.states)
	if from != to {
		maps.Copy(to.known, from.known)
		require.Equal(t, before, from.json(t), "the other side has changed")
	}
}

// mergeDeltas sends the part missing from the receiver, or from another
// replica.
func (n *network) mergeDeltas(t *rapid.T) {
	from, to := n.pickPair(t)
	since := n.pick(t, "since").set.Seen()
	before := to.json(t)
	order := since.Compare(to.set.Seen())
	gap := order == causal.OrderAfter || order == causal.OrderConcurrent
	setDelta, err := from.set.DeltaSince(since)
	if err != nil {
		require.ErrorIs(t, err, causal.ErrGap)
		return
	}
	errs := []error{
		to.set.MergeDelta(resend(t, setDelta)), to.grown.MergeDelta(resend(t, must(from.grown.DeltaSince(since)))),
		to.counter.MergeDelta(resend(t, must(from.counter.DeltaSince(since)))),
	}
	for _, err := range errs {
		if gap {
			require.ErrorIs(t, err, causal.ErrGap)
			require.Equal(t, before, to.json(t))
		} else {
			require.NoError(t, err)
		}
	}
	if !gap {
		require.NoError(t, to.value.Merge(from.value))
		maps.Copy(to.known, from.known)
	}
}

// resend returns a delta after encoding and decoding.
func resend[S any](t require.TestingT, d causal.Delta[S]) (sent causal.Delta[S]) {
	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &sent))
	require.Equal(t, d.Since().String(), sent.Since().String())
	return sent
}

func (n *network) markSeen(t *rapid.T) { n.mark(t, n.pick(t, "marks")) }

// mark marks the events known without gaps.
func (n *network) mark(t *rapid.T, r *replica) {
	missing := map[string]bool{}
	times := map[string]int64{}
	for _, e := range n.all { // ascending for each node
		if _, ok := r.known[e.ID()]; !ok {
			missing[e.NodeID()] = true
		} else if !missing[e.NodeID()] {
			times[e.NodeID()] = e.LamportClock()
		}
	}
	v, err := causal.NewVectorClock(times)
	require.NoError(t, err)
	r.markSeen(v)
}

// settle brings all replicas to one state.
func (n *network) settle(t *rapid.T) {
	for range 2 {
		for _, to := range n.replicas {
			for _, from := range n.replicas {
				to.merge(t, &from.states)
				maps.Copy(to.known, from.known)
			}
			n.mark(t, to)
		}
	}
}

func (n *network) compact(t *rapid.T) {
	r := n.pick(t, "compacts")
	var seen []causal.VectorClock
	for _, other := range n.replicas {
		seen = append(seen, other.set.Seen())
	}
	if rapid.Bool().Draw(t, "all") {
		require.NoError(t, r.set.Compact(causal.StableCut(seen...)))
	}
	cut := rapid.SampledFrom(seen).Draw(t, "cut")
	order := cut.Compare(r.counter.Seen())
	err := r.counter.Compact(cut)
	if order == causal.OrderAfter || order == causal.OrderConcurrent {
		require.ErrorIs(t, err, causal.ErrGap)
	} else {
		require.NoError(t, err)
	}
}

func (n *network) join(t *rapid.T) {
	if len(n.replicas) == 5 {
		t.Skip("enough replicas")
	}
	n.replicas = append(n.replicas, newReplica(len(n.replicas)))
	late, other := n.replicas[len(n.replicas)-1], n.pick(t, "joins at")
	if rapid.Bool().Draw(t, "with a state") {
		late.merge(t, &other.states)
		maps.Copy(late.known, other.known)
	}
}

func newReplica(i int) *replica {
	return &replica{name: fmt.Sprintf("node%d", 9-i), known: map[causal.EventID]causal.Event{}}
}

func (n *network) check(t *rapid.T) {
	for _, r := range n.replicas {
		requireModel(t, slices.Collect(maps.Values(r.known)), &r.states)
	}
}

// Replicas exchange events, states and deltas in any order, lose and repeat
// them, are partitioned, join late and compact. They always agree with the
// definition for the events they know, and finally are equal byte for byte.
func TestStatesStateMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &network{replicas: []*replica{newReplica(0), newReplica(1), newReplica(2)}}
		t.Repeat(map[string]func(*rapid.T){
			"emit": n.emit, "emit more": n.emit, "send": n.send, "send more": n.send, "mark seen": n.markSeen,
			"merge states": n.mergeStates, "merge deltas": n.mergeDeltas, "compact": n.compact, "compact more": n.compact,
			"settle": n.settle, "join": n.join,
			"partition": func(t *rapid.T) { n.pick(t, "moves").group = rapid.IntRange(0, 1).Draw(t, "group") },
			"reload":    func(t *rapid.T) { n.pick(t, "restarts").reload(t) },
			"":          n.check,
		})
		n.settle(t)
		n.check(t)
		for _, r := range n.replicas {
			require.Equal(t, n.replicas[0].json(t), r.json(t))
		}
	})
}
