package causal_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

func TestGSet(t *testing.T) {
	var s causal.GSet[float64]
	e := by(t, 1, "bob", 5, `{"tags":[2,-0.0,1e0]}`)
	require.NoError(t, s.Apply(e))
	require.NoError(t, s.Add(e, math.Copysign(0, -1), 2))
	require.Equal(t, []float64{0, 1, 2}, slices.Collect(s.All()))
	requirePayloadFault(t, s.Add(e, 7, math.NaN()), "has an element that must not be NaN")
	requirePayloadFault(t, s.Apply(by(t, 1, "bob", 5, `{"tags":[8,"x"]}`)), `member "tags": an element does not decode into the given type`)
	require.Equal(t, 3, s.Len(), "half of an event")
	require.NoError(t, s.Add(by(t, 2, "carol", 5, `{}`), 2)) // a later node
	require.NoError(t, s.Add(by(t, 3, "alice", 5, `{}`), 1)) // an earlier node
	require.NoError(t, s.Add(by(t, 4, "zoe", 4, `{}`), 0))   // an earlier clock
	require.Equal(t, `{"elements":[{"element":0,"node_id":"zoe","lamport_clock":4,"event_id":"TEST0000000000000000000004"},`+
		`{"element":1,"node_id":"alice","lamport_clock":5,"event_id":"TEST0000000000000000000003"},{"element":2,"node_id":"bob","lamport_clock":5,"event_id":"TEST0000000000000000000001"}],"seen":{}}`,
		string(must(json.Marshal(s))))
	require.NoError(t, s.Add(e, math.Inf(-1)))
	_, err := s.MarshalJSON()
	requireFault(t, err, "element cannot be encoded as JSON")
	_, err = json.Marshal(must(s.DeltaSince(causal.VectorClock{})))
	require.ErrorIs(t, err, causal.ErrValidation)
}

func TestGSetJSON(t *testing.T) {
	var s causal.GSet[string]
	require.NoError(t, s.Apply(by(t, 1, "a", 0, `{"tags":["x"]}`))) // the clock 0
	refused := map[string]string{
		`null`:                        "must be a JSON object",
		`{"elements":null,"seen":{}}`: "elements must be an array",
		`{"elements":[1],"seen":{}}`:  "elements has an item that must be a JSON object",
		`{"elements":[],"seen":[]}`:   "seen must be a JSON object",
		`{"elements":[{}],"seen":{}}`: "elements has an item whose element is missing",
		`{"seen":{}}`:                 "elements is missing",
		`{"elements":[],"\ud800":{}}`: "has an unknown member",
		`{"elements":[{"element":"\ud800","node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001"}],"seen":{}}`:                                                                                    "elements has an item whose element must not contain half of a surrogate pair",
		`{"elements":[{"element":"x","node_id":"a","lamport_clock":-1}],"seen":{}}`:                                                                                                                                "elements has an item whose lamport_clock must not be negative",
		`{"elements":[{"element":"x","node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001"},{"element":"x","node_id":"b","lamport_clock":1,"event_id":"TEST0000000000000000000001"}],"seen":{}}`: "elements has an item whose element must be in ascending order without duplicates",
	}
	for text, reason := range refused {
		t.Run(text, func(t *testing.T) {
			requireFault(t, s.UnmarshalJSON([]byte(text)), reason, text)
			require.Equal(t, 1, s.Len(), "a failed decode changed the target")
		})
	}
	var again causal.GSet[string]
	require.NoError(t, json.Unmarshal(must(json.Marshal(s)), &again))
	require.Equal(t, s, again)
}

// A delta has everything beyond the clock, for which no event is too late, and
// a gap is an error without effect.
func TestDelta(t *testing.T) {
	var s, replica causal.GSet[string]
	require.NoError(t, s.Apply(by(t, 1, "a", 0, `{"tags":["at zero"]}`)))
	require.NoError(t, s.Apply(by(t, 2, "a", 1, `{"tags":["x"]}`)))
	require.NoError(t, s.Apply(by(t, 3, "b", 7, `{"tags":["x","y"]}`)))
	since := vector(t, map[string]int64{"a": 1})
	d := must(s.DeltaSince(since))
	require.Equal(t, since, d.Since())
	require.Contains(t, string(must(json.Marshal(d))), `"part":{"elements":[{"element":"at zero","node_id":"a","lamport_clock":0,"event_id":"TEST0000000000000000000001"},{"element":"y",`)
	var gap *causal.GapError
	require.ErrorAs(t, replica.MergeDelta(d), &gap)
	require.Equal(t, since, gap.Needed)
	require.True(t, gap.Seen.IsZero())
	require.Zero(t, replica.Len())
	require.NoError(t, replica.Apply(by(t, 2, "a", 1, `{"tags":["x"]}`)))
	replica.MarkSeen(since)
	require.NoError(t, replica.MergeDelta(d))
	require.NoError(t, replica.MergeDelta(d), "again")
	require.Equal(t, slices.Collect(s.All()), slices.Collect(replica.All()))
	require.Equal(t, since, replica.Seen(), "s has marked nothing as seen")

	var zero causal.Delta[causal.PNCounter]
	require.Equal(t, `{"since":{},"part":{"totals":[],"events":[],"seen":{}}}`, string(must(json.Marshal(zero))))
	for text, reason := range map[string]string{
		`[]`:                       "must be a JSON object",
		`{`:                        "is not valid JSON, seen at byte 1",
		`{"since":{}}`:             "part is missing",
		`{"since":{"a":0}}`:        "since must not have the time 0",
		`{"since":{},"part":{}}`:   "part is not a state of this type",
		`{"since":{},"part":null}`: "part is not a state of this type",
	} {
		var again causal.Delta[causal.PNCounter]
		requireFault(t, again.UnmarshalJSON([]byte(text)), reason, text)
		require.Zero(t, again)
	}
}
