package causalsqlite_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// copyFile copies a file not opened by any store.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// A reader is after event 4. The file goes back to event 2, as from a backup
// made while it was closed, so its cursor is beyond the end, and belongs to
// other entries once the log has grown past it again.
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
	adaptertest.RequireCursor(t, s, kept, 5, 6, 7) // entries in the backup stay where they were
}

// Two copies of one file diverge: a cursor of one is not valid in the other,
// except for common entries.
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

// The files of an open store are replaced or removed. Acknowledged writes must
// be in the file that others find, so nothing is acknowledged until the files
// are back.
func TestFileReplacedWhileOpen(t *testing.T) {
	ctx := t.Context()
	ends := []string{"", "-wal", "-shm"}
	for name, test := range map[string]struct {
		hide, back func(t *testing.T, path string)
		readers    bool // notice it, too
	}{
		"renamed, another in its place": {
			hide: func(t *testing.T, path string) {
				for _, end := range ends {
					require.NoError(t, os.Rename(path+end, path+".old"+end))
				}
				require.NoError(t, openAt(t, path, nil).SaveEvents(ctx, eventtest.NewRange(t, 11, 13)))
			},
			readers: true,
		},
		"renamed and back": {
			hide: func(t *testing.T, path string) {
				for _, end := range ends {
					require.NoError(t, os.Rename(path+end, path+".old"+end))
				}
			},
			back: func(t *testing.T, path string) {
				for _, end := range ends {
					require.NoError(t, os.Rename(path+".old"+end, path+end))
				}
			},
			readers: true,
		},
		"removed": {
			hide: func(t *testing.T, path string) {
				for _, end := range ends {
					require.NoError(t, os.Remove(path+end))
				}
			},
			readers: true,
		},
		"the log of writes removed": {hide: func(t *testing.T, path string) { require.NoError(t, os.Remove(path+"-wal")) }},
		"its index removed":         {hide: func(t *testing.T, path string) { require.NoError(t, os.Remove(path+"-shm")) }},
	} {
		t.Run(name, func(t *testing.T) {
			path := testPath(t)
			s, err := causalsqlite.Open(ctx, path, nil)
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 3)))
			require.Len(t, eventtest.LoadAll(t, s), 2)
			test.hide(t, path)
			for call, f := range adaptertest.Calls {
				err := f(ctx, s, eventtest.New(t, 3))
				if adaptertest.Writes[call] || test.readers && call != "SaveEvents of nothing" {
					eventtest.RequireStorageError(t, err)
					require.ErrorContains(t, err, "removed or replaced", call)
					require.Equal(t, !test.readers, errors.Is(err, causal.ErrOutcomeUnknown), call)
				}
			}
			if test.back != nil {
				test.back(t, path)
				require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 4)))
				require.Equal(t, []causal.EventID{eventtest.ID(1), eventtest.ID(2), eventtest.ID(4)}, eventtest.IDs(eventtest.LoadAll(t, s)))
				require.NoError(t, s.Close())
				require.Len(t, eventtest.LoadAll(t, openAt(t, path, nil)), 3)
			}
		})
	}
}

// A link pointing to another file is another file.
func TestLinkRepointedWhileOpen(t *testing.T) {
	ctx := t.Context()
	a, b, link := testPath(t), testPath(t), testPath(t)
	require.NoError(t, openAt(t, b, nil).SaveEvent(ctx, eventtest.New(t, 11)))
	require.NoError(t, openAt(t, a, nil).SaveEvent(ctx, eventtest.New(t, 1)))
	require.NoError(t, os.Symlink(a, link))
	s := openAt(t, link, nil)
	require.Len(t, eventtest.LoadAll(t, s), 1)
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(b, link))
	eventtest.RequireStorageError(t, s.SaveEvent(ctx, eventtest.New(t, 2)))
	_, err := s.LoadEvents(ctx, "WP001")
	eventtest.RequireStorageError(t, err)
	require.Len(t, eventtest.LoadAll(t, openAt(t, a, nil)), 1, "nothing was written there")
}

// The old store closes without affecting the one that replaced it.
func TestReplacedStoreCloses(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s, err := causalsqlite.Open(ctx, path, nil)
	require.NoError(t, err)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	for _, end := range []string{"", "-wal", "-shm"} {
		require.NoError(t, os.Rename(path+end, path+".old"+end))
	}
	other := openAt(t, path, nil)
	require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 2)))
	require.NoError(t, s.Close())
	require.NoError(t, other.SaveEvent(ctx, eventtest.New(t, 3)))
	require.FileExists(t, path+"-wal")
	require.Len(t, eventtest.LoadAll(t, openAt(t, path, nil)), 2)
	require.Len(t, eventtest.LoadAll(t, openAt(t, path+".old", nil)), 1)
}

// Two clocks of one node, on files of the same name: no value is issued twice.
func TestClocksOfRemovedFile(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s, err := causalsqlite.Open(ctx, path, nil)
	require.NoError(t, err)
	defer s.Close()
	first, err := causal.NewLamportClock(ctx, "alice", s, nil)
	require.NoError(t, err)
	_, err = first.Tick(ctx)
	require.NoError(t, err)
	for _, end := range []string{"", "-wal", "-shm"} {
		require.NoError(t, os.Remove(path+end))
	}
	second, err := causal.NewLamportClock(ctx, "alice", openAt(t, path, nil), nil)
	require.NoError(t, err)
	_, err = second.Tick(ctx)
	require.NoError(t, err)
	_, err = first.Tick(ctx)
	eventtest.RequireStorageError(t, err)
}

// The file alone is copied while a store has it open: an earlier state of the
// same log.
func TestCopyWhileOpen(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	start, err := s.Head(ctx)
	require.NoError(t, err)
	require.NotEqual(t, causal.Cursor{}, start)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 51)))
	require.NoError(t, exec.Command("cp", path, path+".copy").Run()) // by another process, because this one would drop its locks
	c := openAt(t, path+".copy", nil)
	got, err := adaptertest.ReadAfter(ctx, c, start)
	require.NoError(t, err)
	require.LessOrEqual(t, len(got), 50)
}

// A name too long for the files next to it leaves no file.
func TestLongName(t *testing.T) {
	for _, length := range []int{247, 248, 252, 255, 256} { // "-journal" has 8, and a name 255
		path := filepath.Join(t.TempDir(), strings.Repeat("x", length))
		s, err := causalsqlite.Open(t.Context(), path, nil)
		if length <= 247 {
			require.NoError(t, err)
			require.NoError(t, s.Close())
			continue
		}
		eventtest.RequireStorageError(t, err)
		require.ErrorIs(t, err, syscall.ENAMETOOLONG)
		require.NoFileExists(t, path)
	}
}

func TestMustExist(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	o := &causalsqlite.Options{MustExist: true}
	_, err := causalsqlite.Open(ctx, path, o)
	eventtest.RequireStorageError(t, err)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, path)
	require.NoError(t, openAt(t, path, nil).SaveEvent(ctx, eventtest.New(t, 1)))
	require.Len(t, eventtest.LoadAll(t, openAt(t, path, o)), 1)
}
