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

// SQLite's log of writes, the file whose name ends in -wal, does not say of which file it
// is: one that a killed process has left would be applied to a file that was restored
// meanwhile. So the table meta has a generation, and the one before it, its base. Who
// begins a log marks it: it begins a generation, whose base is that of the file alone; and
// again whenever a part of the log has been copied to the file. A file and a log belong
// together exactly if the file alone has the generation of both together, or its base.

// generation is a state of the file, and base the one before it, "" if there was none.
type generation struct{ id, base string }

var (
	errForeignLog = errors.New("the file whose name ends in -wal is of another state of the database; " +
		"if the database was restored, remove that file and the one whose name ends in -shm")
	errForeignJournal = errors.New("the file whose name ends in -journal is of another state of the database; " +
		"if the database was restored, remove that file")
	errNoIndex = errors.New("the file whose name ends in -wal cannot be read without the one that ends in -shm, " +
		"which cannot be made here; open the store where it can, or copy both")
	errNoDatabase = errors.New("there is no database, but its file whose name ends in -wal; " +
		"put the database back, or remove that file")
)

// readGeneration returns the generation that a connection sees.
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

// setGeneration begins a generation after a base.
func setGeneration(c *sqlite.Conn, base string) error {
	return query(c, `INSERT INTO meta VALUES ('base', ?1), ('generation', randomblob(8))
		ON CONFLICT DO UPDATE SET value = excluded.value`,
		func(s *sqlite.Stmt) { s.BindBytes(1, []byte(base)) }, nil)
}

// openAlone opens a file without the logs beside it, for reading, without locks.
func openAlone(path string) (*sqlite.Conn, error) {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") { // C:/...
		name = "/" + name
	}
	uri := url.URL{Scheme: "file", Path: name, RawQuery: "immutable=1"}
	return sqlite.OpenConn(uri.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
}

// readAlone returns the generation of a file without the logs beside it, zero if it is new.
// What it reads never moves in the file, so it needs no locks.
func readAlone(path string, newest int) (g generation, err error) {
	c, err := openAlone(path)
	if err == nil {
		g, err = readAndClose(c, newest)
	}
	return g, err
}

// readTogether returns the generation of a file with its log of writes. The connection is
// one that does not copy the log to the file when it is closed.
func readTogether(path string, newest int) (g generation, err error) {
	c, err := openConn(path, sqlite.OpenReadOnly)
	if err == nil {
		g, err = readAndClose(c, newest)
	}
	return g, err
}

func readAndClose(c *sqlite.Conn, newest int) (g generation, err error) {
	defer func() { _ = c.Close() }()
	// Otherwise SQLite refuses a file that is shorter than it says, as during a checkpoint.
	if err := exec(c, "PRAGMA writable_schema = ON"); err != nil {
		return g, err
	}
	version, err := fileVersion(c, newest)
	if err != nil || version == 0 {
		return g, err
	}
	return readGeneration(c)
}

// checkLogs returns an error if a log beside a file is not of the file, before SQLite
// applies it. It changes nothing. The error is [errChanging] if another process does
// meanwhile.
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
		return nil // the journal is that of its creation, which was interrupted or is under way
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
	// Both were read of one state if the file has not changed and there is still a journal.
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

// withoutIndex returns what an error means if a log of writes could not be opened. Who
// closes the file removes its index first, and then the log.
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

// hasContent reports whether there is a file that is not empty.
func hasContent(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// mark begins a generation in the log of writes.
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
	case main.id == g.base: // The log is marked, and nothing of that is in the file.
		// With a second mark, a checkpoint up to the first one would take it there.
		return nil
	case main.id == g.id:
		return setGeneration(c, main.id)
	default: // somebody has written over the file
		return errForeignLog
	}
}

// checkpointPages is how many pages the log of writes grows by between two checkpoints, each of which flushes the disk twice.
const checkpointPages = 2000

const pageSize = 4096 // in bytes

// tend is called after each commit of so many bytes. It marks the log of writes if that has
// begun with it, and copies it to the file if it has grown. What fails is done after a
// later commit, or before the next one; nothing is lost by it.
func (w *writer) tend(written int) {
	if w.log.id() != w.marked && w.mark() != nil {
		return
	}
	if w.written += written + 8*pageSize; w.written < checkpointPages*pageSize/4 { // a guess
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

// endLog copies as much of the log of writes to the file as no reader is in the way of. If
// that was all, the next log begins. Other processes that write wait, or there would
// always be more.
func (w *writer) endLog() error {
	if err := w.mark(); err != nil { // also if the file is another one now
		return err
	}
	if err := exec(w.conn, "PRAGMA wal_checkpoint(RESTART)"); err != nil {
		return err
	}
	return w.mark()
}

// mark marks the log of writes, whoever has begun it.
func (w *writer) mark() error {
	err := mark(w.conn, w.files[0].path)
	if w.marked = (logID{}); err == nil {
		w.marked = w.log.id()
	}
	return err
}

// loggedPages returns how many pages are in the log of writes.
func loggedPages(c *sqlite.Conn) (n int64, err error) {
	err = query(c, "PRAGMA wal_checkpoint(NOOP)", nil, func(s *sqlite.Stmt) (bool, error) {
		n = s.ColumnInt64(1)
		return false, nil
	})
	return n, err
}

// logFile is the file of the log of writes. SQLite writes each new log over the one before.
type logFile struct{ file *os.File }

// logID tells a log of writes from the one before it: the salts of its header, in bytes 16
// to 23; see https://sqlite.org/fileformat2.html#walformat. It is zero if there is none.
type logID [8]byte

func (f logFile) id() (id logID) {
	_, _ = f.file.ReadAt(id[:], 16) // what cannot be read is another log
	return id
}
