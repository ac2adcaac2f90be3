package causalsqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// requireOnly requires that a directory has exactly these files.
func requireOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.ElementsMatch(t, want, names)
}

// A backup made while others write is the log up to some moment, with clocks
// and errors, and begins its own timeline.
func TestBackup(t *testing.T) {
	ctx := t.Context()
	s := openAt(t, testPath(t), nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 2000)))
	require.NoError(t, s.SaveClock(ctx, "alice", 7))
	require.NoError(t, s.AppendError(ctx, eventtest.NewEntry(1)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	ended, stop := context.WithCancel(ctx)
	written := make(chan int)
	go func() {
		n := 2000
		for s.SaveEvent(ended, eventtest.New(t, n)) == nil {
			n++
		}
		written <- n
	}()
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	require.NoError(t, s.Backup(ctx, path))
	stop()
	last := <-written
	requireOnly(t, dir, "backup.db")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	copied := filepath.Join(dir, "copy.db")
	copyFile(t, path, copied)
	logs := map[[16]byte]bool{head.LogID(): true}
	for _, path := range []string{path, copied} {
		b := openAt(t, path, nil)
		events := eventtest.LoadAll(t, b)
		require.GreaterOrEqual(t, len(events), 2000)
		require.LessOrEqual(t, len(events), last+1)
		for n, e := range events {
			require.Equal(t, eventtest.ID(n), e.ID())
		}
		value, err := b.LoadClock(ctx, "alice")
		require.NoError(t, err)
		require.EqualValues(t, 7, value)
		entries, err := b.RecentErrors(ctx, 5)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		own, err := b.Head(ctx)
		require.NoError(t, err)
		require.False(t, logs[own.LogID()], "each begins a timeline of its own")
		logs[own.LogID()] = true
		adaptertest.RequireNoCursor(t, b, head, causal.ErrInvalidCursor)
		require.NoError(t, b.SaveEvent(ctx, eventtest.New(t, 100_000)))
		require.NoError(t, b.Close())
		b = openAt(t, path, nil)
		adaptertest.RequireCursor(t, b, own, 100_000) // the ID does not change
	}
	adaptertest.RequireCursor(t, s, head, numbers(2000, len(eventtest.LoadAll(t, s)))...)
}

// numbers returns from..to-1.
func numbers(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// A backup of a backup works, and a backup of an empty store is empty.
func TestBackupOfBackup(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	require.NoError(t, openNew(t).Backup(ctx, first))
	b := openAt(t, first, nil)
	require.Empty(t, eventtest.LoadAll(t, b))
	start, err := b.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, b.Backup(ctx, second))
	c := openAt(t, second, nil)
	adaptertest.RequireNoCursor(t, c, start, causal.ErrInvalidCursor)
}

// A failed backup leaves no file, and existing files unchanged.
func TestBackupRefuses(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 3000)))
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	write(t, taken, "text")
	err := s.Backup(ctx, taken)
	eventtest.RequireStorageError(t, err)
	require.ErrorIs(t, err, os.ErrExist)
	text, err := os.ReadFile(taken)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	adaptertest.RequireField(t, s.Backup(ctx, ""), "path", "must not be empty")
	err = s.Backup(ctx, filepath.Join(dir, "none", "backup"))
	eventtest.RequireStorageError(t, err)
	require.ErrorIs(t, err, os.ErrNotExist)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, s.Backup(cancelled, filepath.Join(dir, "cancelled")), context.Canceled)
	cut, times := filepath.Join(dir, "cut"), 2
	for err = s.Backup(endsAfter(ctx, times), cut); err != nil; err = s.Backup(endsAfter(ctx, times), cut) {
		require.ErrorIs(t, err, context.Canceled)
		requireOnly(t, dir, "taken")
		times++
	}
	require.Greater(t, times, 3, "it was cut between two pages")
	require.NoError(t, os.Remove(cut))
	requireOnly(t, dir, "taken")
	require.Len(t, eventtest.LoadAll(t, s), 3000, "the connection works again")
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Backup(ctx, filepath.Join(dir, "closed")), causal.ErrClosed)
	require.ErrorIs(t, (&causalsqlite.Store{}).Backup(ctx, filepath.Join(dir, "zero")), causal.ErrClosed)
	requireOnly(t, dir, "taken")
}

// endsAfter returns a context that is done after being asked the given number
// of times.
func endsAfter(ctx context.Context, times int) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	return &countedContext{ctx, cancel, times}
}

type countedContext struct {
	context.Context
	cancel context.CancelFunc
	left   int
}

func (c *countedContext) Err() error {
	if c.left--; c.left <= 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// Several processes open a backup for the first time together: its log gets one
// new ID.
func TestBackupOpenedTogether(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	makeStore(t, path)
	s := openAt(t, path, nil)
	for range 20 {
		backup := testPath(t)
		require.NoError(t, s.Backup(ctx, backup))
		heads := make([]causal.Cursor, 3)
		var all sync.WaitGroup
		for i := range heads {
			all.Go(func() {
				b, err := causalsqlite.Open(ctx, backup, nil)
				if err == nil {
					heads[i], err = b.Head(ctx)
					err = errors.Join(err, b.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, heads[0], heads[1])
		require.Equal(t, heads[0], heads[2])
	}
}

// The checkpoints of the log disappear with its new ID, even when opened
// read-only, so that everything since the backup is done again. Those of other
// logs remain.
func TestBackupOfCheckpoints(t *testing.T) {
	ctx := t.Context()
	s := openAt(t, testPath(t), nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	other, err := openAt(t, testPath(t), nil).Head(ctx)
	require.NoError(t, err)
	saved := map[string]causal.Checkpoint{}
	for name, c := range map[string]causal.Cursor{"own": head, "none": {}, "other": other} {
		point := causal.Checkpoint{Cursor: c, State: []byte(name)}
		point.Revision, err = s.SaveCheckpoint(ctx, name, point)
		require.NoError(t, err)
		saved[name] = point
	}
	backup := testPath(t)
	require.NoError(t, s.Backup(ctx, backup))
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 5)))
	for _, o := range []*causalsqlite.Options{readOnly, nil, readOnly} {
		b := openAt(t, backup, o)
		for name, want := range saved {
			got, err := b.LoadCheckpoint(ctx, name)
			require.NoError(t, err)
			if name == "own" {
				adaptertest.RequireNoCursor(t, b, want.Cursor, causal.ErrInvalidCursor)
				now, err := b.Head(ctx)
				require.NoError(t, err)
				require.Equal(t, now, got.Cursor)
				got.Cursor = want.Cursor
			}
			require.Equal(t, want, got)
		}
		require.NoError(t, b.Close())
	}
}
