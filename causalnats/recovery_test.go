package causalnats_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/causalsync"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// A lost log is rebuilt from all existing replicas, so that everything seen by
// any process comes back. This is the procedure of docs/nats.md, "When the log
// was lost".
func TestRecovery(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	first, second := newPath(t), newPath(t)
	s := openWithFile(t, nc, o, first)
	saveRange(t, s, 0, 5)
	goBack(t, c, func() { saveRange(t, s, 5, 10) })
	other := openWithFile(t, connect(t, c.urls()), o, second)
	saveRange(t, other, 20, 26)
	requireLost(t, s)
	cursor, err := other.Head(ctx)
	require.NoError(t, err)

	// 1. All writers stop.
	require.NoError(t, s.Close())
	require.NoError(t, other.Close())
	// 2. Create a log under another name.
	o = provision(t, nc, causalnats.Options{Replicas: 1})
	restored := openWithFile(t, nc, o, newPath(t))
	// 3. Collect the events of each old replica.
	into, err := causalsync.New(restored, nil)
	require.NoError(t, err)
	for i, path := range []string{first, second} {
		old, err := causalsync.New(openFile(t, path), nil)
		require.NoError(t, err)
		report, err := into.Sync(ctx, func(ctx context.Context, m []byte) ([]byte, error) {
			return old.Answer(ctx, "", causal.Filter{}, m)
		}, nil)
		require.NoError(t, err)
		require.Equal(t, []int{10, 6}[i], report.Received)
		require.Empty(t, report.Refused)
	}
	want := append(eventtest.NewRange(t, 0, 10), eventtest.NewRange(t, 20, 26)...)
	require.Equal(t, want, eventtest.LoadAll(t, restored))
	// 4. Readers start over: cursors of the old log are refused.
	for _, err := range restored.ReadLog(ctx, cursor) {
		require.ErrorIs(t, err, causal.ErrInvalidCursor)
	}
}
