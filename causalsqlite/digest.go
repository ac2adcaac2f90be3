package causalsqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// ReadDigests yields keys in order. See [causal.DigestReader]. The first call
// stores the keys of all events, about 150 bytes each, and later ones those of
// newly saved events. If keys are missing and the store is read-only, the error
// matches [errors.ErrUnsupported].
func (s *Store) ReadDigests(ctx context.Context, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	const op = "read digests"
	// The index includes seq, so rows outside the read need no access to the
	// table.
	sql, add := `SELECT lamport_clock, digest FROM digests INDEXED BY digests_in_order
		WHERE (lamport_clock, digest) >= (?1, ?2) AND (lamport_clock, digest) < (?8, ?9)
			AND seq <= ?3 AND project BETWEEN ?4 AND ?5 AND tier >= ?6
		ORDER BY lamport_clock, digest`, adapter.KeyPage.Add
	if f.AggregateID != "" {
		sql, add = `SELECT e.lamport_clock, d.digest FROM events e INDEXED BY events_of_aggregate CROSS JOIN digests d ON d.seq = e.seq
		WHERE e.aggregate_id = ?7 AND e.lamport_clock BETWEEN ?1 AND ?8
			AND (e.lamport_clock, d.digest) >= (?1, ?2) AND (e.lamport_clock, d.digest) < (?8, ?9)
			AND e.seq <= ?3 AND d.project BETWEEN ?4 AND ?5 AND d.tier >= ?6
		ORDER BY e.lamport_clock, d.digest`, adapter.KeyPage.AddOfClock
	}
	return adapter.ReadDigests(s.digestSource(ctx, op), f, from, to, upTo, func(p adapter.KeyPage) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error {
			p.Reset()
			return query(c, sql, func(s *sqlite.Stmt) {
				clock, digest := p.Upper()
				s.BindInt64(1, p.From.Clock)
				s.BindBytes(2, p.From.Digest[:])
				s.BindInt64(3, p.Last)
				s.BindInt64(8, clock)
				s.BindBytes(9, digest)
				bindFilter(s, f)
			}, func(s *sqlite.Stmt) (bool, error) { return add(p, columnKey(s, 0)), nil })
		})
	})
}

// ReadDigestLog yields keys in arrival order. See [causal.DigestReader]. It
// stores keys as ReadDigests does.
func (s *Store) ReadDigestLog(ctx context.Context, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	const op = "read digest log"
	sql := `SELECT d.lamport_clock, d.digest, d.seq FROM digests d
		WHERE d.seq > ?1 AND d.seq <= ?3 AND d.project BETWEEN ?4 AND ?5 AND d.tier >= ?6 ORDER BY d.seq`
	if f.AggregateID != "" {
		sql = strings.Replace(sql, "WHERE", "CROSS JOIN events e ON e.seq = d.seq AND e.aggregate_id = ?7 WHERE", 1)
	}
	return adapter.ReadDigestLog(s.digestSource(ctx, op), f, after, upTo, func(p *adapter.Page[adapter.KeyEntry], after, last int64) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error {
			p.Reset()
			return query(c, sql, func(s *sqlite.Stmt) {
				s.BindInt64(1, after)
				s.BindInt64(3, last)
				bindFilter(s, f)
			}, func(s *sqlite.Stmt) (bool, error) {
				p.Add(adapter.KeyEntry{Position: s.ColumnInt64(2), Key: columnKey(s, 0)}, 0)
				return !p.IsFull(), nil
			})
		})
	})
}

// LoadDigests yields the events with these keys. See [causal.DigestReader]. It
// stores keys as ReadDigests does.
func (s *Store) LoadDigests(ctx context.Context, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
	const op = "load digests"
	return adapter.LoadDigests(s.digestSource(ctx, op), keys, func(p *adapter.Page[causal.Event], keys []causal.SyncKey) error {
		return s.read(ctx, op, func(c *sqlite.Conn) error { return fillByDigest(c, p, keys) })
	})
}

func fillByDigest(c *sqlite.Conn, p *adapter.Page[causal.Event], keys []causal.SyncKey) error {
	p.Reset()
	if err := exec(c, "BEGIN"); err != nil { // so as to lock the file only once
		return err
	}
	defer rollback(c)
	rows := newRows()
	defer rows.free()
	missing := error(nil)
	for _, key := range keys {
		before := len(rows.all)
		// SQLite would prepare a join anew for each key.
		err := query(c, "SELECT seq, data FROM events WHERE seq = (SELECT seq FROM digests WHERE lamport_clock = ? AND digest = ?)",
			func(s *sqlite.Stmt) {
				s.BindInt64(1, key.Clock)
				s.BindBytes(2, key.Digest[:])
			}, func(s *sqlite.Stmt) (bool, error) {
				rows.add(s)
				return false, nil
			})
		if err != nil {
			return err
		}
		if len(rows.all) == before {
			missing = adapter.ErrNoDigest
			break
		}
		if rows.isFull(p.Limit()) {
			break
		}
	}
	for row, err := range rows.decode() {
		if err != nil {
			return err
		}
		p.Add(row.event, row.size())
	}
	return missing
}

func (s *Store) digestSource(ctx context.Context, op string) adapter.DigestSource {
	return adapter.DigestSource{Source: s.source(ctx, op), Prepare: func(upTo int64) error { return s.fillDigests(ctx, op, upTo) }}
}

// bindFilter binds the parameters 4 to 7, the last one only if there is an
// aggregate.
func bindFilter(s *sqlite.Stmt, f causal.Filter) {
	first, last := make([]byte, 16), []byte(strings.Repeat("\xff", 16))
	if f.ProjectUUID != "" {
		first = projectKey(f.ProjectUUID)
		last = first
	}
	s.BindBytes(4, first)
	s.BindBytes(5, last)
	s.BindInt64(6, int64(f.MinTier))
	if f.AggregateID != "" {
		s.BindBytes(7, []byte(f.AggregateID))
	}
}

// projectKey returns the 16 bytes of a valid UUID.
func projectKey(uuid string) []byte {
	key, _ := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	return key
}

// columnKey returns the key in a column and the next one. The schema checks its
// length.
func columnKey(s *sqlite.Stmt, column int) (key causal.SyncKey) {
	key.Clock = s.ColumnInt64(column)
	s.ColumnBytes(column+1, key.Digest[:])
	return key
}

// digestRow is the stored form of a key.
type digestRow struct {
	seq     int64
	key     causal.SyncKey
	project []byte
	tier    int
}

// fillDigests stores the missing keys of the entries up to a position.
func (s *Store) fillDigests(ctx context.Context, op string, upTo int64) error {
	for {
		if err := causaladapter.CheckContext(ctx); err != nil {
			return err
		}
		var last int64
		var rows []digestRow
		err := s.read(ctx, op, func(c *sqlite.Conn) (err error) {
			if last, err = lastDigest(c); err == nil && last < upTo {
				rows, err = makeDigests(c, last)
			}
			return err
		})
		if err != nil || last >= upTo {
			return err
		}
		err = s.write(ctx, op, 200*len(rows), func(c *sqlite.Conn) (dirty bool, err error) { return insertDigests(c, last, rows) })
		if cannotWrite(err) {
			return &causal.StorageError{Op: op, Err: adapter.CannotWrite(err)}
		}
		if err != nil {
			return err
		}
	}
}

// cannotWrite reports whether the file is readable but not writable. Errors of
// the writer no longer have a code.
func cannotWrite(err error) bool {
	return errors.Is(err, errReadOnly) || err != nil && !errors.Is(err, causal.ErrOutcomeUnknown) &&
		(strings.Contains(err.Error(), "database or disk is full") || strings.Contains(err.Error(), "readonly database"))
}

// lastDigest returns the position of the last entry with a stored key, or 0 if
// there is none.
func lastDigest(c *sqlite.Conn) (int64, error) { return queryInt(c, "SELECT max(seq) FROM digests") }

// makeDigests computes the keys of the entries after a position, at most a
// batch of them.
func makeDigests(c *sqlite.Conn, after int64) ([]digestRow, error) {
	rows := newRows()
	defer rows.free()
	err := query(c, "SELECT seq, data FROM events WHERE seq > ? ORDER BY seq",
		func(s *sqlite.Stmt) { s.BindInt64(1, after) },
		func(s *sqlite.Stmt) (bool, error) {
			rows.add(s)
			return !rows.isFull(adapter.DigestBatch), nil
		})
	if err != nil {
		return nil, err
	}
	var made []digestRow
	for row, err := range rows.decode() {
		if after++; err == nil && row.position != after {
			err = adapter.Missing(after)
		}
		if err != nil {
			return nil, err
		}
		made = append(made, digestRow{seq: row.position, project: projectKey(row.event.ProjectUUID()), tier: row.event.DataTier()})
		made[len(made)-1].key.Clock = row.event.LamportClock()
	}
	inParallel(len(made), func(from, to int) {
		for i := from; i < to; i++ {
			made[i].key.Digest = rows.all[i].event.Digest()
		}
	})
	return made, nil
}

// insertDigests stores keys following the last one, unless another process has
// stored more by now.
func insertDigests(c *sqlite.Conn, last int64, rows []digestRow) (dirty bool, err error) {
	if now, err := lastDigest(c); err != nil || now != last {
		return false, err
	}
	for _, r := range rows {
		err := query(c, "INSERT INTO digests (seq, lamport_clock, digest, project, tier) VALUES (?, ?, ?, ?, ?)", func(s *sqlite.Stmt) {
			s.BindInt64(1, r.seq)
			s.BindInt64(2, r.key.Clock)
			s.BindBytes(3, r.key.Digest[:])
			s.BindBytes(4, r.project)
			s.BindInt64(5, int64(r.tier))
		}, nil)
		if err != nil {
			return true, err
		}
	}
	return false, nil
}
