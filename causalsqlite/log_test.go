package causalsqlite_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/eventtest"
)

// The write-ahead log can be emptied inside a loop, because no snapshot is
// open.
func TestRangesDoNotStopCheckpoints(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 10)))
	for name, all := range eventtest.Ranges {
		for range all(ctx, s) {
			require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 10)))
			sql(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
			info, err := os.Stat(path + "-wal")
			require.NoError(t, err)
			require.Zero(t, info.Size(), name)
			break
		}
	}
}
