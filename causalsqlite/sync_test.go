package causalsqlite_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/causalsync"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

var networkEvents = flag.Int("network-events", 500, "events that the nodes of TestNetwork emit")

// TestNetwork runs a network on files for each 500 events. See
// [adaptertest.TestSyncNetwork].
func TestNetwork(t *testing.T) {
	for seed := range uint64(*networkEvents / 500) {
		dir := t.TempDir()
		adaptertest.TestSyncNetwork(t, seed, 500, func(i int) causal.Store {
			return openAt(t, filepath.Join(dir, fmt.Sprint(i, ".db")), &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
		})
	}
}

// A read-only file gives its events, even if their keys were never stored.
func TestSyncFromReadOnly(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	require.NoError(t, openAt(t, path, nil).SaveEvents(ctx, eventtest.NewRange(t, 0, 300)))
	copied := openNew(t)
	backup, err := causalsync.New(openAt(t, path, &causalsqlite.Options{ReadOnly: true}), nil)
	require.NoError(t, err)
	r, err := causalsync.New(copied, nil)
	require.NoError(t, err)
	report, err := r.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return backup.Answer(ctx, "", causal.Filter{}, request)
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 300, report.Received)
	require.NoError(t, copied.SaveEvent(ctx, eventtest.New(t, 300)))
	report, err = r.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return backup.Answer(ctx, "", causal.Filter{}, request)
	}, nil)
	require.NoError(t, err)
	require.Len(t, report.Refused, 1)
	require.ErrorIs(t, report.Refused[0].Err, causalsync.ErrNotAllowed)

	// In the other direction, it refuses events, and none counts as received.
	report, err = backup.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return r.Answer(ctx, "", causal.Filter{}, request)
	}, nil)
	require.NoError(t, err)
	require.Zero(t, report.Received)
	require.Len(t, report.Refused, 1)
	require.ErrorIs(t, report.Refused[0].Err, errors.ErrUnsupported)
}
