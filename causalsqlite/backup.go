package causalsqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal/causaladapter"
)

// backupPages is the number of pages copied before checking the context again.
const backupPages = 256

// Backup copies the store, as of some moment during the call, to a new file
// readable only by its owner. It does not block other goroutines and processes,
// but uses one of [Options].Readers. The file appears once it is complete and
// on disk; if Backup fails, it leaves none.
//
// The copy is marked: when [Open] first opens it, or a copy of it, the log gets
// a new ID, so that no reader mistakes entries saved after a restore for the
// lost ones. Its log refuses cursors of the original. Until then, for those who
// open it with [Options].ReadOnly, its log has an ID assigned by Backup.
//
// Backup returns a [*causal.ValidationError] if path is empty, and a
// [*causal.StorageError] matching [os.ErrExist] if the file exists. Any other
// failure except the error of ctx is a StorageError, too.
func (s *Store) Backup(ctx context.Context, path string) error {
	const op = "back up"
	if err := s.check(ctx, op); err != nil {
		return err
	}
	if path == "" {
		return causaladapter.Invalid("path", "must not be empty")
	}
	return wrapError(op, s.backup(ctx, op, path))
}

func (s *Store) backup(ctx context.Context, op, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	partial, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		for _, end := range []string{"", "-journal", "-wal", "-shm"} { // remaining ones
			_ = os.Remove(partial.Name() + end)
		}
	}()
	if err := partial.Close(); err != nil {
		return err
	}
	err = s.read(ctx, op, func(c *sqlite.Conn) error { return copyTo(ctx, c, partial.Name()) })
	if err != nil {
		return err
	}
	if err := os.Link(partial.Name(), path); err != nil { // which does not replace a file
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// copyTo copies the database of a connection to an empty file, and marks the
// copy.
func copyTo(ctx context.Context, c *sqlite.Conn, path string) (err error) {
	to, err := openConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := to.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := copyPages(ctx, c, to); err != nil {
		return err
	}
	for _, sql := range []string{
		"PRAGMA fullfsync = ON",
		"PRAGMA checkpoint_fullfsync = ON",
		"PRAGMA synchronous = FULL",
		"INSERT INTO meta VALUES ('is_backup', x'01') ON CONFLICT DO NOTHING",
	} {
		if err := exec(to, sql); err != nil {
			return err
		}
	}
	if err := newTimeline(to); err != nil { // for read-only use
		return err
	}
	if err := setGeneration(to, "backup"); err != nil { // for which there is no write-ahead log
		return err
	}
	// The copy has a write-ahead log, like the file. Its content is moved into
	// the copy.
	isBusy, err := queryInt(to, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && isBusy != 0 {
		err = errors.New("the copy is not complete")
	}
	return err
}

// copyPages copies all pages as of one moment.
func copyPages(ctx context.Context, from, to *sqlite.Conn) (err error) {
	b, err := sqlite.NewBackup(to, "main", from, "main")
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := b.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := exec(from, "BEGIN"); err != nil {
		return err
	}
	defer func() { _ = exec(from, "ROLLBACK") }()
	if _, err := queryInt(from, "SELECT count(*) FROM meta"); err != nil { // the moment
		return err
	}
	for more := true; more; {
		if err := causaladapter.CheckContext(ctx); err != nil {
			return err
		}
		if more, err = b.Step(backupPages); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes a new name of a file in the directory survive a loss of power.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = dir.Sync() // not supported by all systems
	return dir.Close()
}

// beginTimeline assigns a new ID to the log of a backup.
func beginTimeline(c *sqlite.Conn) error {
	if n, err := queryInt(c, isBackup); err != nil || n == 0 {
		return err
	}
	return transact(c, func() error {
		n, err := queryInt(c, isBackup)
		if err != nil || n == 0 { // another process was faster
			return err
		}
		if err := newTimeline(c); err != nil {
			return err
		}
		return exec(c, "DELETE FROM meta WHERE name = 'is_backup'")
	})
}

const isBackup = "SELECT count(*) FROM meta WHERE name = 'is_backup'"

// newTimeline assigns a new ID to the log, and moves checkpoints to it, so that
// everything done since the backup is done again.
func newTimeline(c *sqlite.Conn) error {
	from, err := readLogID(c)
	if err == nil {
		err = exec(c, "UPDATE meta SET value = randomblob(16) WHERE name = 'log_id'")
	}
	if err != nil {
		return err
	}
	to, err := readLogID(c)
	if err != nil {
		return err
	}
	return moveCheckpoints(c, from, to)
}
