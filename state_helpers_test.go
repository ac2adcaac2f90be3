package causal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// states has one of each state type, fed with the same events.
type states struct {
	set     causal.ORSet[string]
	grown   causal.GSet[string]
	counter causal.PNCounter
	value   causal.LWWRegister[string]
}

func (s *states) apply(t require.TestingT, e causal.Event) {
	require.NoError(t, s.set.Apply(e))
	require.NoError(t, s.grown.Apply(e))
	require.NoError(t, s.counter.Apply(e))
	require.NoError(t, s.value.Apply(e))
}

func (s *states) merge(t require.TestingT, other *states) {
	require.NoError(t, s.set.Merge(other.set))
	s.grown.Merge(other.grown)
	require.NoError(t, s.counter.Merge(other.counter))
	require.NoError(t, s.value.Merge(other.value))
}

func (s *states) markSeen(v causal.VectorClock) {
	s.set.MarkSeen(v)
	s.grown.MarkSeen(v)
	s.counter.MarkSeen(v)
}

// json returns the canonical JSON of all four.
func (s *states) json(t require.TestingT) string {
	var all []string
	for _, state := range []json.Marshaler{s.set, s.grown, s.counter, s.value} {
		text, err := state.MarshalJSON()
		require.NoError(t, err)
		all = append(all, string(text))
	}
	return strings.Join(all, "\n")
}

// reload replaces the states by their decoded JSON.
func (s *states) reload(t require.TestingT) {
	before := s.json(t)
	var read states
	for i, into := range []json.Unmarshaler{&read.set, &read.grown, &read.counter, &read.value} {
		require.NoError(t, into.UnmarshalJSON([]byte(strings.Split(before, "\n")[i])))
	}
	require.Equal(t, before, read.json(t))
	*s = read
}

// by returns the n-th event of a test, of this node at this clock.
func by(t testing.TB, n int, node string, clock int64, payload string) causal.Event {
	t.Helper()
	return eventtest.New(t, n, eventtest.WithPayload(payload), func(p *causal.EventParams) { p.NodeID, p.LamportClock = node, clock })
}

// sixEvents are two adds, two removes of different views of them, a new add,
// and a remove of that one alone.
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
