package causal_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The result does not depend on whether the store has the capability.
func TestLoadHeads(t *testing.T) {
	ctx := t.Context()
	var mem causal.MemEventStore
	project := eventtest.Params(0).ProjectUUID
	for n, parents := range [][]causal.EventID{{}, {eventtest.ID(0)}, {eventtest.ID(0)}, {eventtest.ID(9)}} {
		require.NoError(t, mem.SaveEvent(ctx, eventtest.New(t, n, func(p *causal.EventParams) {
			p.Parents, p.LamportClock = parents, int64(n+1)
		})))
	}
	aggregate := eventtest.Params(0).AggregateID
	for name, s := range map[string]causal.EventStore{"capable": &mem, "plain": plain{&mem}} {
		t.Run(name, func(t *testing.T) {
			ids, err := causal.LoadHeads(ctx, s, project, aggregate)
			require.NoError(t, err)
			require.Equal(t, []causal.EventID{eventtest.ID(1), eventtest.ID(2), eventtest.ID(3)}, ids)
			ids, err = causal.LoadHeads(ctx, s, "AAAAAAAA-1234-5678-1234-567812345678", aggregate)
			require.NoError(t, err)
			require.Equal(t, []causal.EventID{}, ids)
			ids, err = causal.LoadHeads(ctx, s, project, "none")
			require.NoError(t, err)
			require.Equal(t, []causal.EventID{}, ids)
			_, err = causal.LoadHeads(ctx, s, "project", aggregate)
			requireFault(t, err, "project_uuid must be a UUID with hyphens")
			_, err = causal.LoadHeads(ctx, s, project, "")
			requireFault(t, err, "aggregate_id must not be empty")
			_, err = causal.LoadHeads(nil, s, project, aggregate) //nolint:staticcheck // the nil context is tested
			requireFault(t, err, "ctx must not be nil")
		})
	}
	_, err := causal.LoadHeads(ctx, nil, project, aggregate)
	requireFault(t, err, "store must not be nil")
	for name, s := range map[string]causal.EventStore{"capable": &mem, "plain": plain{&mem}} {
		for id, err := range causal.MissingParents(ctx, s, strings.ToUpper(project)) {
			require.NoError(t, err, name)
			require.Equal(t, eventtest.ID(9), id, name)
		}
		for _, err := range causal.MissingParents(ctx, s, "project") {
			requireFault(t, err, "project_uuid must be a UUID with hyphens")
		}
	}
	for _, err := range causal.MissingParents(ctx, nil, project) {
		requireFault(t, err, "store must not be nil")
	}
}
