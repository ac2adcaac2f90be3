package causal_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Append and SaveEventsIf have no fallback for a store that cannot check and
// save atomically.
func TestAppendIsNotMadeUp(t *testing.T) {
	ctx := t.Context()
	var mem causal.MemEventStore
	condition := causal.Condition{ProjectUUID: eventtest.Params(0).ProjectUUID, NodeID: "alice"}
	_, err := causal.Append(ctx, plain{&mem}, nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	eventtest.RequireStorageError(t, err)
	_, err = causal.SaveEventsIf(ctx, plain{&mem}, causal.Cursor{}, condition, eventtest.NewRange(t, 0, 1))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.Empty(t, eventtest.LoadAll(t, &mem))
	_, err = causal.Append(ctx, nil, nil)
	requireFault(t, err, "store must not be nil")
	_, err = causal.SaveEventsIf(ctx, nil, causal.Cursor{}, condition, nil)
	requireFault(t, err, "store must not be nil")

	a, err := causal.SaveEventsIf(ctx, &mem, causal.Cursor{}, condition, eventtest.NewRange(t, 0, 2))
	require.NoError(t, err)
	b, err := causal.Append(ctx, &mem, eventtest.NewRange(t, 1, 3))
	require.NoError(t, err)
	require.Equal(t, a.After, b.Before)
	require.Equal(t, []bool{false, true}, b.New)
}

func TestConditions(t *testing.T) {
	project := eventtest.Params(0).ProjectUUID
	for want, c := range map[string]causal.Condition{
		"aggregates must not be empty if there is no node_id":           {ProjectUUID: project},
		"project_uuid must be a UUID with hyphens":                      {Aggregates: []string{"a"}},
		"aggregates must have items that are not empty and valid UTF-8": {ProjectUUID: project, Aggregates: []string{"a", ""}},
		"node_id must be valid UTF-8":                                   {ProjectUUID: project, NodeID: "\xff"},
	} {
		requireFault(t, c.Validate(), want)
	}
	require.False(t, causal.Condition{}.Matches(causal.Event{}))
	require.False(t, causal.Condition{ProjectUUID: project}.Matches(eventtest.New(t, 1)))
	require.True(t, causal.Condition{}.Matches(eventtest.New(t, 1)))
	require.NoError(t, causal.Condition{}.Validate())
}
