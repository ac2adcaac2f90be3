package causalsqlite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func entry(n int) causal.ErrorEntry {
	return causal.ErrorEntry{
		Timestamp: eventtest.Time.Add(-time.Duration(n) * time.Hour), ActionAttempted: fmt.Sprint("action ", n),
		ErrorMessage: "line 1\nline 2\x00", Agent: "a",
	}
}

func TestErrorLog(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	for _, limit := range []int{0, 1, 3} {
		kept := limit
		if kept == 0 {
			kept = causal.DefaultErrorLimit
		}
		s := openAt(t, path, &causalsqlite.Options{ErrorLimit: limit})
		for n := range kept + 5 {
			require.NoError(t, s.AppendError(ctx, entry(n)))
		}
		for _, ask := range []int{1, kept, kept + 100} {
			entries, err := s.RecentErrors(ctx, ask)
			require.NoError(t, err)
			require.Len(t, entries, min(ask, kept))
			for i, e := range entries {
				want := entry(kept + 4 - i)
				require.True(t, want.Timestamp.Equal(e.Timestamp))
				_, wantOffset := want.Timestamp.Zone()
				_, offset := e.Timestamp.Zone()
				require.Equal(t, wantOffset, offset)
				want.Timestamp = e.Timestamp
				require.Equal(t, want, e)
			}
		}
		require.NoError(t, s.Close())
	}
	s := openAt(t, path, &causalsqlite.Options{ErrorLimit: 3})
	entries, err := s.RecentErrors(ctx, 10)
	require.NoError(t, err)
	require.Len(t, entries, 3, "they survive")
	large := entry(1)
	large.ErrorMessage, large.Agent = strings.Repeat("m", 1<<20), ""
	require.NoError(t, s.AppendError(ctx, large))
	entries, err = s.RecentErrors(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, large.ErrorMessage, entries[0].ErrorMessage)
	require.Empty(t, entries[0].Agent)
}
