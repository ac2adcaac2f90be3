package causalpg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestDigests(t *testing.T) {
	schema := newSchema(t)
	handles := []adapter.Store{openIn(t, schema), openIn(t, schema)}
	c := connect(t, testDSN)
	adaptertest.TestDigests(t, handles, func() (count int) {
		require.NoError(t, c.QueryRow(t.Context(), "SELECT count(*) FROM "+quoted(schema, "digests")).Scan(&count))
		return count
	})
}

// A read-only session, such as any on a standby, has the keys stored earlier,
// and reports if some are missing.
func TestDigestsReadOnly(t *testing.T) {
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 10)))
	standby := openAt(t, withSetting("default_transaction_read_only", "on"), &causalpg.Options{Schema: schema})
	adaptertest.RequireNoDigests(t, standby)
	keys := adaptertest.MakeDigests(t, s)
	require.Equal(t, keys, adaptertest.MakeDigests(t, standby))
	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 10)))
	adaptertest.RequireNoDigests(t, standby)
}

// A page is read through an index, even while the tables have no statistics, as
// after the first events were stored. Otherwise the planner would read and sort
// all remaining rows for each page.
func TestPagesWithoutStatistics(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	c := connect(t, testDSN)
	for _, table := range []string{"events", "digests"} {
		execute(t, c, schema, "ALTER TABLE {s}."+table+" SET (autovacuum_enabled = off)")
	}
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5000)))
	adaptertest.MakeDigests(t, s)
	plans, err := s.ExplainPages(ctx, c)
	require.NoError(t, err)
	for name, plan := range plans {
		require.NotContains(t, plan, "Bitmap", name)
		require.NotContains(t, plan, "Seq Scan", name)
		require.NotContains(t, plan, "Hash Join", name)
		require.Contains(t, plan, "Index", name)
	}
}
