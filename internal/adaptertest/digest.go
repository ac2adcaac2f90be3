package adaptertest

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// MakeDigests makes a store compute the keys of all of its events, and returns
// them in order.
func MakeDigests(t testing.TB, s adapter.Store) []causal.SyncKey {
	t.Helper()
	keys, err := readDigests(t, s)
	require.NoError(t, err)
	return keys
}

func readDigests(t testing.TB, s adapter.Store) (keys []causal.SyncKey, err error) {
	head, err := s.Head(t.Context())
	require.NoError(t, err)
	for key, err := range s.ReadDigests(t.Context(), causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}, head) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// TestDigests tests that keys are stored on demand, by all handles on the data
// of an empty store at a time, and not by saves. stored returns the number of
// stored keys.
func TestDigests(t *testing.T, handles []adapter.Store, stored func() int) {
	ctx := t.Context()
	const count = 2*adapter.DigestBatch + 500
	require.NoError(t, handles[0].SaveEvents(ctx, eventtest.NewRange(t, 0, count)))
	require.Zero(t, stored(), "nobody has asked")
	var reading sync.WaitGroup
	all := make([][]causal.SyncKey, 3*len(handles))
	errs := make([]error, len(all))
	for i := range all {
		reading.Go(func() { all[i], errs[i] = readDigests(t, handles[i%len(handles)]) })
	}
	reading.Wait()
	require.NoError(t, errors.Join(errs...))
	for _, keys := range all {
		require.Len(t, keys, count)
		require.Equal(t, all[0], keys)
	}
	require.Equal(t, count, stored())
	require.NoError(t, handles[0].SaveEvent(ctx, eventtest.New(t, count)))
	require.Equal(t, count, stored(), "a save makes none")
	for e, err := range handles[0].LoadDigests(ctx, []causal.SyncKey{eventtest.New(t, count).SyncKey()}) {
		require.NoError(t, err)
		require.Equal(t, eventtest.New(t, count).ID(), e.ID())
	}
	require.Equal(t, count+1, stored())
}

// RequireNoDigests requires that a store reports that keys cannot be stored,
// and otherwise works.
func RequireNoDigests(t *testing.T, s adapter.Store) {
	t.Helper()
	_, err := readDigests(t, s)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	eventtest.RequireStorageError(t, err)
	_, err = causal.LoadAll(t.Context(), s)
	require.NoError(t, err)
}
