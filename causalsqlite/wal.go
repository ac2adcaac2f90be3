package causalsqlite

import (
	"errors"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
)

// SQLite's write-ahead log, the file whose name ends in -wal, does not identify
// its database: a log left by a killed process would be applied to a file
// restored in the meantime. So the table meta has a generation, and the
// previous one as its base. The first writer to a log marks it with a new
// generation, whose base is that of the file alone, and does so again whenever
// part of the log has been copied to the file. A file and a log belong together
// exactly if the generation of the file alone is the generation of both
// together, or its base.

// generation is a state of the file, and base the previous one, or "" if there
// was none.
type generation struct{ id, base string }

var (
	errForeignLog = errors.New("the file whose name ends in -wal is from another state of the database; " +
		"if the database was restored, remove that file and the one whose name ends in -shm")
	errForeignJournal = errors.New("the file whose name ends in -journal is from another state of the database; " +
		"if the database was restored, remove that file")
	errNoIndex = errors.New("the file whose name ends in -wal cannot be read without the one that ends in -shm, " +
		"which cannot be created here; open the store in a writable directory, or copy both")
	errNoDatabase = errors.New("the database is missing, but its file whose name ends in -wal is there; " +
		"put the database back, or remove that file")
)

// readGeneration returns the generation seen by a connection.
func readGeneration(c *sqlite.Conn) (g generation, err error) {
	err = query(c, "SELECT name, value FROM meta WHERE name IN ('generation', 'base')", nil,
		func(s *sqlite.Stmt) (bool, error) {
			if value := string(columnBytes(s, 1, nil)); s.ColumnText(0) == "base" {
				g.base = value
			} else {
				g.id = value
			}
			return true, nil
		})
	if err == nil && g.id == "" {
		err = errors.New("the generation of the file is damaged")
	}
	return g, err
}

// setGeneration begins a generation based on base.
func setGeneration(c *sqlite.Conn, base string) error {
	return query(c, `INSERT INTO meta VALUES ('base', ?1), ('generation', randomblob(8))
		ON CONFLICT DO UPDATE SET value = excluded.value`,
		func(s *sqlite.Stmt) { s.BindBytes(1, []byte(base)) }, nil)
}

// openAlone opens a file without the logs next to it, for reading, without
// locks.
func openAlone(path string) (*sqlite.Conn, error) {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") { // C:/...
		name = "/" + name
	}
	uri := url.URL{Scheme: "file", Path: name, RawQuery: "immutable=1"}
	return sqlite.OpenConn(uri.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
}

// readAlone returns the generation of a file without the logs next to it, or
// zero if it is new. It reads only parts of the file that never move, so it
// needs no locks.
func readAlone(path string, newest int) (g generation, err error) {
	c, err := openAlone(path)
	if err == nil {
		g, err = readAndClose(c, newest)
	}
	return g, err
}

// readTogether returns the generation of a file with its write-ahead log. The
// connection does not copy the log to the file when it is closed.
func readTogether(path string, newest int) (g generation, err error) {
	c, err := openConn(path, sqlite.OpenReadOnly)
	if err == nil {
		g, err = readAndClose(c, newest)
	}
	return g, err
}

func readAndClose(c *sqlite.Conn, newest int) (g generation, err error) {
	defer func() { _ = c.Close() }()
	// Otherwise SQLite refuses a file shorter than it claims to be, as during a
	// checkpoint.
	if err := exec(c, "PRAGMA writable_schema = ON"); err != nil {
		return g, err
	}
	version, err := fileVersion(c, newest)
	if err != nil || version == 0 {
		return g, err
	}
	return readGeneration(c)
}

// checkLogs returns an error if a log next to a file does not belong to it,
// before SQLite applies it. It changes nothing. The error is [errChanging] if
// another process is changing the file.
func checkLogs(path string, newest int) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	hasWAL, err := hasContent(path + "-wal")
	if err != nil {
		return err
	}
	hasJournal, err := hasContent(path + "-journal")
	if err != nil || !hasWAL && !hasJournal {
		return err
	}
	if hasMain, err := hasContent(path); err != nil || !hasMain {
		if err == nil && hasWAL {
			err = errNoDatabase // SQLite would delete it
		}
		return err
	}
	main, err := readAlone(path, newest)
	if isCreated := err == nil && main.base != ""; !isCreated && !hasWAL {
		return nil // the file is being created, or its creation was interrupted
	}
	if err != nil || main.id == "" {
		return err
	}
	if !hasJournal {
		together, err := readTogether(path, newest)
		if err != nil {
			return withoutIndex(path, err)
		}
		if main.id == together.id || main.id == together.base {
			return nil
		}
	}
	// Both were read in the same state if the file has not changed and there is
	// still a journal.
	again, err := readAlone(path, newest)
	if err != nil {
		return err
	}
	stillHasJournal, err := hasContent(path + "-journal")
	if err != nil {
		return err
	}
	switch {
	case again != main || stillHasJournal != hasJournal:
		return errChanging
	case hasJournal:
		return errForeignJournal
	default:
		return errForeignLog
	}
}

// withoutIndex translates an error opening a write-ahead log. A process closing
// the file removes its index first, and then the log.
func withoutIndex(path string, err error) error {
	if sqlite.ErrCode(err).ToPrimary() != sqlite.ResultCantOpen {
		return err
	}
	time.Sleep(10 * time.Millisecond)
	hasWAL, walErr := hasContent(path + "-wal")
	hasIndex, indexErr := hasContent(path + "-shm")
	switch {
	case walErr != nil || indexErr != nil:
		return err
	case hasWAL && !hasIndex:
		return errNoIndex
	}
	return errChanging
}

// hasContent reports whether there is a nonempty file.
func hasContent(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// mark begins a generation in the write-ahead log.
func mark(c *sqlite.Conn, path string) error {
	return transact(c, func() error { return renew(c, path) })
}

// renew is mark within a transaction.
func renew(c *sqlite.Conn, path string) error {
	g, err := readGeneration(c)
	if err != nil {
		return err
	}
	main, err := readAlone(path, math.MaxInt)
	switch {
	case err != nil:
		return err
	case main.id == g.base: // the log is marked, and no part of it is in the file
		// With a second mark, a checkpoint up to the first one would copy it to
		// the file.
		return nil
	case main.id == g.id:
		return setGeneration(c, main.id)
	default: // someone has overwritten the file
		return errForeignLog
	}
}

// checkpointPages is the growth of the write-ahead log, in pages, between two
// checkpoints, each of which flushes the disk twice.
const checkpointPages = 2000

const pageSize = 4096 // in bytes

// tend is called after each commit, with the number of bytes. It marks the
// write-ahead log if the commit began it, and copies it to the file if it has
// grown. If that fails, it is retried after a later commit, or before the next
// one; nothing is lost.
func (w *writer) tend(written int) {
	if w.log.id() != w.marked && w.mark() != nil {
		return
	}
	if w.written += written + 8*pageSize; w.written < checkpointPages*pageSize/4 { // an estimate
		return
	}
	w.written = 0
	pages, err := loggedPages(w.conn)
	if err != nil {
		return
	}
	if pages < w.pages { // another process has copied it
		w.pages = 0
	}
	if pages-w.pages >= checkpointPages && w.endLog() == nil {
		w.pages, _ = loggedPages(w.conn)
	}
}

// endLog copies the write-ahead log to the file, as far as readers permit. If
// it could copy all, the next log begins. Other writing processes wait, or
// there would always be more.
func (w *writer) endLog() error {
	if err := w.mark(); err != nil { // even if the file is another one now
		return err
	}
	if err := exec(w.conn, "PRAGMA wal_checkpoint(RESTART)"); err != nil {
		return err
	}
	return w.mark()
}

// mark marks the write-ahead log, no matter who began it.
func (w *writer) mark() error {
	err := mark(w.conn, w.files[0].path)
	if w.marked = (logID{}); err == nil {
		w.marked = w.log.id()
	}
	return err
}

// loggedPages returns the number of pages in the write-ahead log.
func loggedPages(c *sqlite.Conn) (n int64, err error) {
	err = query(c, "PRAGMA wal_checkpoint(NOOP)", nil, func(s *sqlite.Stmt) (bool, error) {
		n = s.ColumnInt64(1)
		return false, nil
	})
	return n, err
}

// logFile is the file of the write-ahead log. SQLite overwrites each log with
// the next.
type logFile struct{ file *os.File }

// logID distinguishes a write-ahead log from the previous one: the salts in
// bytes 16 to 23 of its header; see
// https://sqlite.org/fileformat2.html#walformat. It is zero if there is none.
type logID [8]byte

func (f logFile) id() (id logID) {
	_, _ = f.file.ReadAt(id[:], 16) // an unreadable log counts as another log
	return id
}
