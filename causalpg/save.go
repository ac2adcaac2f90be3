package causalpg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spec-kitty/causal"
)

// maxStatementBytes bounds what one statement inserts; a single event may be
// larger.
const maxStatementBytes = 16 << 20

// saveGroup saves the rows of all requests in one transaction, and sends each
// request its result.
func (s *Store) saveGroup(ctx context.Context, group []*request) {
	for len(group) > 0 {
		different, err := s.insert(ctx, together(group))
		var stored map[causal.EventID]row
		if err == nil && len(different) > 0 {
			stored, err = s.lookUp(ctx, different)
		}
		switch {
		case len(group) > 1 && (isRefusal(err) || errors.Is(err, errDamaged)):
			// One request is to blame; alone, each gets what it deserves.
			for i := range group {
				s.saveGroup(ctx, group[i:i+1])
			}
			return
		case err != nil || len(different) == 0:
			for _, r := range group {
				r.finish(err)
			}
			return
		}
		group = settle(group, stored)
	}
}

// together returns the rows of requests that do not contradict each other.
func together(group []*request) []row {
	if len(group) == 1 {
		return group[0].rows
	}
	var all rowSet
	for _, r := range group {
		all.add(r.rows)
	}
	return all.rows
}

// settle drops the rows that are stored in other words, and the requests that are
// in conflict with a stored row. What is left can be saved.
func settle(group []*request, stored map[causal.EventID]row) (left []*request) {
	for _, r := range group {
		var rows []row
		var err error
		for _, x := range r.rows {
			old, ok := stored[x.event.ID()]
			if ok && !old.isSame(x) {
				err = &causal.IDConflictError{ID: x.event.ID()}
				break
			}
			if !ok {
				rows = append(rows, x)
			}
		}
		if err != nil || len(rows) == 0 {
			r.finish(err)
			continue
		}
		r.rows = rows
		left = append(left, r)
	}
	return left
}

// insert stores the rows whose IDs are free, if all others are stored as they are.
// Otherwise it stores nothing and returns the IDs of those that may be different.
func (s *Store) insert(ctx context.Context, rows []row) (different []string, err error) {
	parts := split(rows)
	err = s.retry(ctx, isTransient, func(c *pgx.Conn) (err error) {
		if len(parts) == 1 {
			different, err = s.insertAtOnce(ctx, c, parts[0])
		} else {
			different, err = s.insertInParts(ctx, c, parts)
		}
		return err
	})
	return different, err
}

// split cuts the rows into parts of bounded size.
func split(rows []row) (parts [][]row) {
	start, size := 0, 0
	for i, r := range rows {
		if size += len(r.data); size > maxStatementBytes && i > start {
			parts = append(parts, rows[start:i])
			start, size = i, len(r.data)
		}
	}
	return append(parts, rows[start:])
}

// insertAtOnce does it in one round trip.
func (s *Store) insertAtOnce(ctx context.Context, c *pgx.Conn, rows []row) (different []string, err error) {
	var b pgx.Batch
	for _, sql := range s.sql.begin {
		b.Queue(sql)
	}
	if len(rows) == 1 {
		e := rows[0].event
		b.Queue(s.sql.insertOne, string(e.ID()), e.LamportClock(), []byte(e.AggregateID()), []byte(e.NodeID()), rows[0].data).
			Exec(func(result pgconn.CommandTag) error {
				if result.RowsAffected() == 0 {
					different = []string{string(e.ID())}
				}
				return nil
			})
	} else {
		b.Queue(s.sql.insert, arguments(rows)...).Query(func(rows pgx.Rows) (err error) {
			different, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	}
	b.Queue("COMMIT")
	err = c.SendBatch(ctx, &b).Close() // which sets different
	return different, err
}

// insertInParts holds the lock for several round trips.
func (s *Store) insertInParts(ctx context.Context, c *pgx.Conn, parts [][]row) (different []string, err error) {
	for _, sql := range s.sql.begin {
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	for _, part := range parts {
		rows, err := c.Query(ctx, s.sql.insert, arguments(part)...)
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		different = append(different, found...)
	}
	end := "COMMIT"
	if len(different) > 0 {
		end = "ROLLBACK"
	}
	_, err = c.Exec(ctx, end)
	return different, err
}

// arguments returns the columns of the rows.
func arguments(rows []row) []any {
	n := len(rows)
	ids, clocks := make([]string, n), make([]int64, n)
	aggregates, nodes, data := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, r := range rows {
		ids[i], clocks[i] = string(r.event.ID()), r.event.LamportClock()
		aggregates[i], nodes[i], data[i] = []byte(r.event.AggregateID()), []byte(r.event.NodeID()), r.data
	}
	return []any{ids, clocks, aggregates, nodes, data}
}

// lookUp returns the rows with these IDs, which are stored.
func (s *Store) lookUp(ctx context.Context, ids []string) (stored map[causal.EventID]row, err error) {
	err = s.retry(ctx, isTransient, func(c *pgx.Conn) error {
		stored = make(map[causal.EventID]row, len(ids))
		return query(ctx, c, s.sql.byID, []any{ids}, func(rows pgx.Rows) error {
			position, _, e, err := scanEvent(rows)
			if err != nil {
				return err
			}
			if _, ok := stored[e.ID()]; ok {
				return damaged(position)
			}
			stored[e.ID()] = row{event: e}
			return nil
		})
	})
	if err == nil && len(stored) != len(ids) {
		err = errors.New("the log has lost entries")
	}
	return stored, err
}
