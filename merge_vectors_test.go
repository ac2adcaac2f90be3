package causal_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// jsonTags returns tags of any type, as JSON text in which 1, 1.0 and true are
// the same element, as in Python.
func jsonTags(e causal.Event) ([]string, error) {
	var p struct{ Tags []any }
	if err := e.DecodePayload(&p); err != nil {
		return nil, err
	}
	var tags []string
	for _, tag := range p.Tags {
		switch tag {
		case true:
			tag = 1
		case false:
			tag = 0
		}
		text, err := json.Marshal(tag)
		if err != nil {
			return nil, err
		}
		tags = append(tags, string(text))
	}
	return tags, nil
}

func TestGSetVectors(t *testing.T) {
	type vector struct {
		Events []causal.Event
		Want   []string
	}
	plain := 0
	for i, v := range readVectors[vector](t, "gset.jsonl") {
		var want []string // as encoded by jsonTags
		onlyStrings := true
		for _, text := range v.Want {
			onlyStrings = onlyStrings && text[0] == '"'
			raw := fmt.Sprintf(`{"tags":[%s]}`, text)
			tags, err := jsonTags(eventtest.New(t, 0, eventtest.WithPayload(raw)))
			require.NoError(t, err)
			want = append(want, tags...)
		}
		got, err := causal.MergeGSetFunc(v.Events, jsonTags)
		require.NoError(t, err, "line %d", i+1)
		require.ElementsMatch(t, want, got, "line %d", i+1)

		tags, err := causal.MergeGSet(v.Events)
		if !onlyStrings { // the difference: our default form accepts only strings
			require.ErrorIs(t, err, causal.ErrValidation, "line %d", i+1)
			continue
		}
		plain++
		require.NoError(t, err, "line %d", i+1)
		require.True(t, slices.IsSorted(tags))
		for j, tag := range want {
			require.NoError(t, json.Unmarshal([]byte(tag), &want[j]))
		}
		require.ElementsMatch(t, want, tags, "line %d", i+1)
	}
	require.Positive(t, plain)
}

func TestCounterVectors(t *testing.T) {
	type vector struct {
		Events []causal.Event
		Want   int64
	}
	for i, v := range readVectors[vector](t, "counter.jsonl") {
		got, err := causal.MergeCounter(v.Events)
		require.NoError(t, err, "line %d", i+1)
		require.Equal(t, v.Want, got, "line %d", i+1)
	}
}

func TestStateMachineVectors(t *testing.T) {
	type vector struct {
		Events      []causal.Event
		Priority    map[string]int
		StateKey    string `json:"state_key"`
		OK          bool
		Winner      causal.EventID
		Manual      bool
		Conflicting []causal.EventID
	}
	refused, sameNode := 0, 0
	for i, v := range readVectors[vector](t, "state_machine.jsonl") {
		got, err := causal.MergeStateMachine(v.Events, causal.StateMachine{Priority: v.Priority, Key: v.StateKey})
		if !v.OK {
			refused++
			require.ErrorIs(t, err, causal.ErrValidation, "line %d", i+1)
			continue
		}
		require.NoError(t, err, "line %d", i+1)
		require.Equal(t, v.Manual, got.RequiresManualReview, "line %d", i+1)
		require.ElementsMatch(t, v.Conflicting, eventtest.IDs(got.ConflictingEvents), "line %d", i+1)
		require.True(t, slices.IsSortedFunc(got.ConflictingEvents, causal.Compare))
		if got.MergedEvent.ID() != v.Winner {
			// The difference: two events of one node with the same priority.
			// The reference takes the first one in the input, we the one with
			// the lesser ID.
			sameNode++
			at := slices.Index(eventtest.IDs(v.Events), v.Winner)
			require.Equal(t, v.Events[at].NodeID(), got.MergedEvent.NodeID(), "line %d", i+1)
			require.Less(t, got.MergedEvent.ID(), v.Winner, "line %d", i+1)
		}
	}
	require.Positive(t, refused)
	require.LessOrEqual(t, sameNode, 12)
}
