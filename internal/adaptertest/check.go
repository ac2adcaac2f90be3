package adaptertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// TestCheck tests the check of an empty store, which it closes.
func TestCheck(t *testing.T, s interface {
	adapter.Store
	Check(ctx context.Context, progress func(checked, total uint64)) error
},
) {
	ctx := t.Context()
	var reports [][2]uint64
	progress := func(checked, total uint64) { reports = append(reports, [2]uint64{checked, total}) }
	require.NoError(t, s.Check(ctx, progress))
	require.Equal(t, [][2]uint64{{0, 0}}, reports)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 2500)))
	reports = nil
	require.NoError(t, s.Check(ctx, progress))
	require.Equal(t, [][2]uint64{{0, 2500}, {1000, 2500}, {2000, 2500}, {2500, 2500}}, reports)
	require.NoError(t, s.Check(ctx, nil))

	ended, cancel := context.WithCancel(ctx)
	require.ErrorIs(t, s.Check(ended, func(checked, _ uint64) {
		if checked == 1000 {
			cancel()
		}
	}), context.Canceled)
	require.ErrorIs(t, s.Check(ended, nil), context.Canceled)
	require.NoError(t, s.Check(ctx, nil), "the connection works again")
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Check(ctx, nil), causal.ErrClosed)
}
