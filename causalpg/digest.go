package causalpg

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// The statements for reading keys. $4 to $6 are a filter.
const (
	digestsSQL = `SELECT lamport_clock, digest FROM {s}.digests
		WHERE (lamport_clock, digest) >= ($1, $2) AND (lamport_clock, digest) < ($8, $9) AND position <= $3
			AND ($4::uuid IS NULL OR project = $4) AND tier >= $5 AND $6::bytea IS NULL
		ORDER BY lamport_clock, digest LIMIT $7`
	digestsOfSQL = `SELECT lamport_clock, digest FROM (
			SELECT e.lamport_clock, d.digest FROM {s}.events e JOIN {s}.digests d USING (position)
			WHERE substring(e.aggregate_id FROM 1 FOR 250) = substring($6::bytea FROM 1 FOR 250) AND e.aggregate_id = $6
				AND e.lamport_clock BETWEEN $1 AND $8 AND (e.lamport_clock, d.digest) >= ($1, $2) AND (e.lamport_clock, d.digest) < ($8, $9)
				AND position <= $3 AND ($4::uuid IS NULL OR d.project = $4) AND d.tier >= $5
			ORDER BY e.lamport_clock FETCH FIRST ($7) ROWS WITH TIES
		) AS page ORDER BY lamport_clock, digest`
	digestLogSQL = `SELECT position, lamport_clock, digest FROM {s}.digests
		WHERE position > $1 AND position <= $2 AND ($4::uuid IS NULL OR project = $4) AND tier >= $5 AND $6::bytea IS NULL
		ORDER BY position LIMIT $3`
	digestLogOfSQL = `SELECT position, d.lamport_clock, d.digest FROM {s}.digests d JOIN {s}.events e USING (position)
		WHERE position > $1 AND position <= $2 AND ($4::uuid IS NULL OR d.project = $4) AND d.tier >= $5 AND e.aggregate_id = $6
		ORDER BY position LIMIT $3`
	loadDigestsSQL = `SELECT position, data, n FROM (
			SELECT *, sum(octet_length(data)) OVER (ORDER BY n) - octet_length(data) AS before
			FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS k (clock, digest, n), LATERAL (
				SELECT e.position, e.data FROM {s}.digests d JOIN {s}.events e USING (position)
				WHERE d.lamport_clock = k.clock AND d.digest = k.digest LIMIT 1) AS found
		) AS counted WHERE before < {bytes} ORDER BY n`
	addDigestsSQL = `INSERT INTO {s}.digests (position, lamport_clock, digest, project, tier)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::uuid[], $5::smallint[]) ON CONFLICT (position) DO NOTHING`
)

// ReadDigests yields keys in order. See [causal.DigestReader]. The first call
// stores the keys of all events, about 200 bytes each, and later ones those of
// newly saved events. If keys are missing and the schema is read-only, as on a
// standby, the error matches [errors.ErrUnsupported].
func (s *Store) ReadDigests(ctx context.Context, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	const op = "read digests"
	sql, add := s.sql.digests, adapter.KeyPage.Add
	if f.AggregateID != "" {
		sql, add = s.sql.digestsOf, adapter.KeyPage.AddOfClock
	}
	return adapter.ReadDigests(s.digestSource(ctx, op), f, from, to, upTo, func(p adapter.KeyPage) error {
		return s.read(ctx, op, func(c *pgx.Conn) error {
			p.Reset()
			clock, digest := p.Upper()
			args := append([]any{p.From.Clock, p.From.Digest[:], p.Last}, filterArgs(f)...)
			return queryPage(ctx, c, p.Limit(), sql, append(args, p.Limit()+1, clock, digest), func(rows pgx.Rows) error {
				key, err := scanKey(rows)
				if err == nil {
					add(p, key)
				}
				return err
			})
		})
	})
}

// ReadDigestLog yields keys in arrival order. See [causal.DigestReader]. It
// stores keys as ReadDigests does.
func (s *Store) ReadDigestLog(ctx context.Context, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	const op = "read digest log"
	sql := s.sql.digestLog
	if f.AggregateID != "" {
		sql = s.sql.digestLogOf
	}
	return adapter.ReadDigestLog(s.digestSource(ctx, op), f, after, upTo, func(p *adapter.Page[adapter.KeyEntry], after, last int64) error {
		return s.read(ctx, op, func(c *pgx.Conn) error {
			p.Reset()
			args := append([]any{after, last, p.Limit()}, filterArgs(f)...)
			return queryPage(ctx, c, p.Limit(), sql, args, func(rows pgx.Rows) (err error) {
				var e adapter.KeyEntry
				e.Key, err = scanKey(rows, &e.Position)
				p.Add(e, 0)
				return err
			})
		})
	})
}

// LoadDigests yields the events with these keys. See [causal.DigestReader]. It
// stores keys as ReadDigests does.
func (s *Store) LoadDigests(ctx context.Context, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
	const op = "load digests"
	return adapter.LoadDigests(s.digestSource(ctx, op), keys, func(p *adapter.Page[causal.Event], keys []causal.SyncKey) error {
		keys = keys[:min(len(keys), p.Limit())]
		clocks, digests := make([]int64, len(keys)), make([][]byte, len(keys))
		for i := range keys {
			clocks[i], digests[i] = keys[i].Clock, keys[i].Digest[:]
		}
		return s.read(ctx, op, func(c *pgx.Conn) error {
			p.Reset()
			found := 0
			var n int
			err := queryEventPage(ctx, c, len(keys), s.sql.loadDigests, []any{clocks, digests}, func(_ int64, e causal.Event, size int) error {
				if found++; n != found {
					return adapter.ErrNoDigest
				}
				p.Add(e, size)
				return nil
			}, &n)
			if err == nil && found < len(keys) && !p.IsFull() {
				err = adapter.ErrNoDigest
			}
			return err
		})
	})
}

func (s *Store) digestSource(ctx context.Context, op string) adapter.DigestSource {
	return adapter.DigestSource{Source: s.source(ctx, op), Prepare: func(upTo int64) error { return s.fillDigests(ctx, op, upTo) }}
}

// filterArgs returns the parameters 4 to 6.
func filterArgs(f causal.Filter) []any {
	args := []any{nil, f.MinTier, nil}
	if f.ProjectUUID != "" {
		args[0] = f.ProjectUUID
	}
	if f.AggregateID != "" {
		args[2] = []byte(f.AggregateID)
	}
	return args
}

// scanKey scans the columns in before and a key, whose length the schema
// checks.
func scanKey(rows pgx.Rows, before ...any) (key causal.SyncKey, err error) {
	var digest pgtype.DriverBytes
	if err := rows.Scan(append(before, &key.Clock, &digest)...); err != nil {
		return key, err
	}
	copy(key.Digest[:], digest)
	return key, nil
}

// cannotWrite has the codes for a read-only session, a full disk, and a role
// without the privilege.
var cannotWrite = []string{"25006", "53100", "42501"}

// fillDigests stores the missing keys of the entries up to a position. Several
// processes may do so concurrently.
func (s *Store) fillDigests(ctx context.Context, op string, upTo int64) error {
	for {
		if err := causaladapter.CheckContext(ctx); err != nil {
			return err
		}
		var last int64
		var args []any
		err := s.read(ctx, op, func(c *pgx.Conn) (err error) {
			if last, err = queryInt(ctx, c, s.sql.lastDigest); err == nil && last < upTo {
				args, err = s.makeDigests(ctx, c, last, upTo)
			}
			return err
		})
		if err != nil || last >= upTo {
			return err
		}
		err = s.read(ctx, op, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, s.sql.addDigests, args...)
			var server *pgconn.PgError
			if errors.As(err, &server) && slices.Contains(cannotWrite, server.Code) {
				err = &causal.StorageError{Op: op, Err: adapter.CannotWrite(errors.New(errorText(err)))}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
}

// makeDigests computes the keys of the entries after a position and up to
// another, at most a page of them.
func (s *Store) makeDigests(ctx context.Context, c *pgx.Conn, after, upTo int64) ([]any, error) {
	var positions, clocks []int64
	var digests [][]byte
	var projects []string
	var tiers []int16
	var hash pgtype.DriverBytes
	err := queryEventPage(ctx, c, int(upTo-after), s.sql.arrival[adapter.CountOfSizes-1], []any{after, int64(1) << 62}, func(position int64, e causal.Event, _ int) error {
		if after++; position != after {
			return adapter.Missing(after)
		}
		digest := e.Digest()
		positions, clocks, digests = append(positions, position), append(clocks, e.LamportClock()), append(digests, digest[:])
		projects, tiers = append(projects, e.ProjectUUID()), append(tiers, int16(e.DataTier()))
		return nil
	}, &hash)
	return []any{positions, clocks, digests, projects, tiers}, err
}
