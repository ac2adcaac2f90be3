package causalsqlite

import (
	"errors"
	"fmt"
	"strconv"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks the files of this package: "caus" in ASCII.
const applicationID = 0x63617573

// firstVersion is the first schema version that this package reads.
const firstVersion = 2

// migrations[n] migrates a file from schema version n to n+1; PRAGMA
// user_version holds the version. Released ones never change.
//
// Rows of events are never changed or deleted, and seq numbers the log from 1
// without gaps; hash is the hash in the entry's cursor. IDs are BLOB because
// they may contain NUL, and are compared bytewise. Beside the columns needed by
// queries, a row has the event's JSON as one text, which keeps every member and
// every digit, and is read faster than fourteen columns.
var migrations = []string{"", `
CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('log_id', randomblob(16)), ('generation', randomblob(8));

CREATE TABLE events (
	seq           INTEGER PRIMARY KEY CHECK (seq > 0),
	hash          BLOB NOT NULL CHECK (length(hash) = 8),
	event_id      TEXT NOT NULL UNIQUE,
	aggregate_id  BLOB NOT NULL,
	lamport_clock INTEGER NOT NULL CHECK (lamport_clock >= 0),
	node_id       BLOB NOT NULL,
	data          TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_aggregate ON events (aggregate_id, lamport_clock, node_id, event_id);
CREATE INDEX events_in_order ON events (lamport_clock, node_id, event_id);
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

-- The heads of an aggregate in a project while all its events are stamped: those that none
-- names as a parent whose clock is greater. named is 0 for them, and otherwise they are not stored, and
-- it is the greatest clock of those that name them. If there is a plain event, there is a row with the
-- ID '' in place of the heads, and what is named may be stored meanwhile.
CREATE TABLE heads (
	aggregate_id BLOB NOT NULL,
	project      TEXT NOT NULL,
	event_id     TEXT NOT NULL,
	clock        INTEGER NOT NULL,
	named        INTEGER NOT NULL,
	PRIMARY KEY (aggregate_id, project, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX heads_named ON heads (project, event_id) WHERE named > 0;

-- The keys of causal.DigestReader, of the entries up to the last one that is here: they are made when somebody
-- asks for them. project is the UUID's 16 bytes.
CREATE TABLE digests (
	seq           INTEGER PRIMARY KEY,
	lamport_clock INTEGER NOT NULL,
	digest        BLOB NOT NULL CHECK (length(digest) = 32),
	project       BLOB NOT NULL CHECK (length(project) = 16),
	tier          INTEGER NOT NULL
) STRICT;
CREATE INDEX digests_in_order ON digests (lamport_clock, digest, project, tier);

CREATE TABLE clocks (
	node_id BLOB NOT NULL PRIMARY KEY,
	value   INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
	revision INTEGER PRIMARY KEY AUTOINCREMENT,
	name     BLOB NOT NULL UNIQUE,
	cursor   TEXT NOT NULL,
	state    BLOB NOT NULL
) STRICT;

CREATE TABLE rejected (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	key      BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
	size     INTEGER NOT NULL,
	source   BLOB NOT NULL,
	event_id TEXT NOT NULL,
	reason   BLOB NOT NULL,
	time     TEXT NOT NULL,
	count    INTEGER NOT NULL,
	data     BLOB NOT NULL
) STRICT;
CREATE TABLE rejected_total (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	count INTEGER NOT NULL,
	bytes INTEGER NOT NULL
) STRICT;
INSERT INTO rejected_total VALUES (1, 0, 0);
CREATE TRIGGER rejected_added AFTER INSERT ON rejected
BEGIN UPDATE rejected_total SET count = count + 1, bytes = bytes + new.size; END;
CREATE TRIGGER rejected_changed AFTER UPDATE OF size ON rejected
BEGIN UPDATE rejected_total SET bytes = bytes + new.size - old.size; END;
CREATE TRIGGER rejected_deleted AFTER DELETE ON rejected
BEGIN UPDATE rejected_total SET count = count - 1, bytes = bytes - old.size; END;

CREATE TABLE errors (
	id    INTEGER PRIMARY KEY,
	entry TEXT NOT NULL
) STRICT;
`}

// fileVersion returns the schema version of the file, or 0 if it is empty. It
// returns an error for a file of another application or of a later version of
// this package. The caller must have begun a transaction, so that the parts
// belong together.
func fileVersion(c *sqlite.Conn, newest int) (int, error) {
	var values [3]int64
	for i, sql := range []string{
		"PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema",
	} {
		var err error
		if values[i], err = queryInt(c, sql); err != nil {
			return 0, err
		}
	}
	application, version, objects := values[0], values[1], values[2]
	switch {
	case values == [3]int64{}:
		return 0, nil
	case application != applicationID || version < 1 || objects == 0:
		return 0, errors.New("the file is the database of another application")
	case version < firstVersion:
		return 0, errors.New("the file was made by an unreleased version of this package")
	case version > int64(newest):
		return 0, fmt.Errorf("the file has schema version %d, and this package supports versions up to %d", version, newest)
	}
	return int(version), nil
}

// prepare sets up the connection and the schema. It writes nothing before it is
// certain that the file belongs to this package.
func prepare(c *sqlite.Conn, path string, mode Synchronous, migrations []string) error {
	if err := exec(c, "BEGIN"); err != nil {
		return err
	}
	version, err := fileVersion(c, len(migrations))
	if endErr := exec(c, "COMMIT"); err == nil {
		err = endErr
	}
	if err != nil {
		return err
	}
	if err := configure(c, mode); err != nil {
		return err
	}
	if version < len(migrations) {
		// Migrate a new file before it has a write-ahead log, so that its
		// initial content is in the file itself, and a copy of the file alone
		// belongs to this log, too.
		if err := migrate(c, path, migrations); err != nil {
			return err
		}
	}
	return useWAL(c)
}

// migrate migrates the file to the newest version in one transaction.
func migrate(c *sqlite.Conn, path string, migrations []string) error {
	return transact(c, func() error {
		// Another process may have been faster.
		version, err := fileVersion(c, len(migrations))
		if err != nil {
			return err
		}
		if version > 0 {
			if err := renew(c, path); err != nil {
				return err
			}
		}
		for _, script := range migrations[version:] {
			if err := sqlitex.ExecScript(c, script); err != nil {
				return err
			}
		}
		if err := exec(c, "PRAGMA application_id = "+strconv.Itoa(applicationID)); err != nil {
			return err
		}
		return exec(c, "PRAGMA user_version = "+strconv.Itoa(len(migrations)))
	})
}

// readLogID returns the random ID assigned to the file when it was created.
func readLogID(c *sqlite.Conn) (id [16]byte, err error) {
	n := 0
	err = query(c, "SELECT value FROM meta WHERE name = 'log_id'", nil, func(s *sqlite.Stmt) (bool, error) {
		n = s.ColumnLen(0)
		s.ColumnBytes(0, id[:])
		return false, nil
	})
	if err == nil && n != len(id) {
		err = errors.New("the ID of the log is damaged")
	}
	return id, err
}
