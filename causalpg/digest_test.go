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

// A session that can only read, as all are on a standby, has the keys that were stored before, and says so
// if some were not.
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
