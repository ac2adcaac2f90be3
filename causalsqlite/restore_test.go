package causalsqlite_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// copyFile copies a file that no store has open.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// A reader is after event 4. The file goes back to event 2, as from a backup that was
// made while it was closed: its cursor is beyond the end, and once the log has grown past
// it again, of other entries.
func TestCursorAfterRestore(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 3)))
	kept, err := s.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	copyFile(t, path, path+".backup")
	s = openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 3, 5)))
	lost, err := s.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	copyFile(t, path+".backup", path)

	s = openAt(t, path, nil)
	adaptertest.RequireNoCursor(t, s, lost, causal.ErrCursorAhead)
	for n := 5; n < 8; n++ {
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
		if n > 5 {
			adaptertest.RequireNoCursor(t, s, lost, causal.ErrInvalidCursor)
		}
	}
	adaptertest.RequireCursor(t, s, kept, 5, 6, 7) // what was in the backup stays where it was
}

// Two copies of one file grow apart: a cursor of one is not one of the other, but for what
// they share.
func TestCursorsOfCopies(t *testing.T) {
	ctx := t.Context()
	paths := []string{testPath(t), testPath(t)}
	s := openAt(t, paths[0], nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 3)))
	require.NoError(t, s.Close())
	copyFile(t, paths[0], paths[1])
	a, b := openAt(t, paths[0], nil), openAt(t, paths[1], nil)
	shared, err := b.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, a.SaveEvents(ctx, []causal.Event{eventtest.New(t, 3), eventtest.New(t, 5)}))
	require.NoError(t, b.SaveEvents(ctx, []causal.Event{eventtest.New(t, 4), eventtest.New(t, 5)}))
	own, err := a.Head(ctx)
	require.NoError(t, err)
	adaptertest.RequireNoCursor(t, b, own, causal.ErrInvalidCursor)
	adaptertest.RequireCursor(t, a, shared, 3, 5)
	adaptertest.RequireCursor(t, b, shared, 4, 5)
}
