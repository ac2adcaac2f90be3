package causalnats_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// A log that was lost is made anew of all replicas that there are: what any process has seen comes back. This is the
// procedure of docs/nats.md, "When the log was lost".
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
	// 2. A log under another name.
	o = provision(t, nc, causalnats.Options{Replicas: 1})
	restored := openWithFile(t, nc, o, newPath(t))
	// 3. What each of the old replicas has.
	for _, path := range []string{first, second} {
		require.NoError(t, causal.SaveAll(ctx, restored, eventtest.LoadAll(t, openFile(t, path))))
	}
	want := append(eventtest.NewRange(t, 0, 10), eventtest.NewRange(t, 20, 26)...)
	require.Equal(t, want, eventtest.LoadAll(t, restored))
	// 4. Readers begin again: cursors of the old log are refused.
	for _, err := range restored.ReadLog(ctx, cursor) {
		require.ErrorIs(t, err, causal.ErrInvalidCursor)
	}
}
