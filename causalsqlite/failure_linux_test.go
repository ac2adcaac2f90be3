package causalsqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalsqlite"

	"github.com/spec-kitty/causal/internal/eventtest"
)

// mount mounts a small file system until the end of the test.
func mount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, file systems cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

// The disk is full, then has room again.
func TestFullDisk(t *testing.T) {
	dir := mount(t)
	s := openAt(t, filepath.Join(dir, "events.db"), nil)
	saved := fill(t, s, true) // in the commit
	require.Positive(t, saved)
	require.Len(t, eventtest.LoadAll(t, s), saved, "what was stored stays readable")
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m"))
	requireWorks(t, s, saved)
	require.NoError(t, s.Close())
}

// On a read-only file system, writes fail and cause no harm.
func TestReadOnlyDirectory(t *testing.T) {
	ctx := t.Context()
	dir := mount(t)
	path := filepath.Join(dir, "events.db")
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5)))
	require.NoError(t, s.Close())
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err := causalsqlite.Open(ctx, path, nil)
	eventtest.RequireStorageError(t, err)
	_, err = causalsqlite.Open(ctx, filepath.Join(dir, "new.db"), nil)
	eventtest.RequireStorageError(t, err)
	require.ErrorIs(t, err, syscall.EROFS)
	s = openAt(t, path, readOnly)
	require.Len(t, eventtest.LoadAll(t, s), 5)
	require.NoError(t, s.Close())
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, ""))
	s = openAt(t, path, nil)
	require.Len(t, eventtest.LoadAll(t, s), 5)
	require.NoError(t, s.Close())
}

// The files of a killed process are read with their write-ahead log if its
// index is there, too; otherwise it is an error.
func TestReadOnlyDirectoryWithLog(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5)))
	for _, ends := range [][]string{{"", "-wal", "-shm"}, {"", "-wal"}} {
		dir := mount(t)
		for _, end := range ends {
			require.NoError(t, exec.Command("cp", path+end, dir+"/copy.db"+end).Run())
		}
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		c, err := causalsqlite.Open(ctx, filepath.Join(dir, "copy.db"), readOnly)
		if len(ends) == 2 {
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, "cannot be read without the one that ends in -shm")
			continue
		}
		require.NoError(t, err)
		require.Len(t, eventtest.LoadAll(t, c), 5)
		require.NoError(t, c.Close())
	}
}

// makeReadOnly removes write access to a file, even for root.
func makeReadOnly(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.Chmod(path, 0o400))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	require.NoError(t, f.Close())
	require.NoError(t, syscall.Mount(path, path, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(path, 0)) })
	require.NoError(t, syscall.Mount("", path, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
}

// A read-only file can be read, and refuses writes.
func TestReadOnlyFile(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5)))
	require.NoError(t, s.Close())
	makeReadOnly(t, path)
	s = openAt(t, path, nil)
	require.Len(t, eventtest.LoadAll(t, s), 5)
	eventtest.RequireStorageError(t, s.SaveEvent(ctx, eventtest.New(t, 9)))
	_, err := s.AdvanceClock(ctx, "alice", 0, 1)
	eventtest.RequireStorageError(t, err)
	require.Len(t, eventtest.LoadAll(t, s), 5)
	require.NoError(t, s.Close())
}

// A backup to a full disk leaves nothing.
func TestBackupToFullDisk(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5000)))
	dir := mount(t)
	err := s.Backup(ctx, filepath.Join(dir, "backup.db"))
	eventtest.RequireStorageError(t, err)
	requireOnly(t, dir)
}
