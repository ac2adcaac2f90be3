package causalpg

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// maxData is the maximum size of JSON in a row. A dump doubles it, and is
// limited to a gigabyte by the server.
const maxData = 500_000_000

// row is the stored form of an event.
type row struct {
	event causal.Event
	data  []byte
}

func (r row) isSame(other row) bool {
	return bytes.Equal(r.data, other.data) || r.event.Equal(other.event)
}

// SaveEvent stores e. See [causal.EventStore].
func (s *Store) SaveEvent(ctx context.Context, e causal.Event) error {
	return s.saveEvents(ctx, "save event", []causal.Event{e})
}

// SaveEvents stores all events or none. See [causal.BatchSaver].
func (s *Store) SaveEvents(ctx context.Context, events []causal.Event) error {
	return s.saveEvents(ctx, "save events", events)
}

func (s *Store) saveEvents(ctx context.Context, op string, events []causal.Event) error {
	if err := causaladapter.CheckSaveEvents(ctx, events); err != nil {
		return err
	}
	if len(events) == 0 {
		return s.checkOpen(op)
	}
	if err := s.begin(op); err != nil {
		return err
	}
	defer s.calls.Done()
	r, err := newRequest(ctx, events)
	if err == nil {
		if conflicts := r.dropRepeated(); len(conflicts) > 0 {
			err = s.refuse(ctx, op, r.rows, conflicts)
		} else {
			err = s.writer.write(r)
		}
	}
	return wrapError(ctx, op, err)
}

func newRequest(ctx context.Context, events []causal.Event) (*request, error) {
	r := &request{ctx: ctx, rows: make([]row, len(events)), result: make(chan error, 1)}
	for i, e := range events {
		data, err := adapter.Encode("event", e, maxData)
		if err != nil {
			return nil, err
		}
		r.rows[i] = row{e, data}
		r.size += len(data)
	}
	return r, nil
}

// dropRepeated leaves one row for each ID, and returns the IDs of rows that
// contradict an earlier one.
func (r *request) dropRepeated() (conflicts []causal.EventID) {
	if len(r.rows) == 1 {
		return nil
	}
	var distinct rowSet
	for _, x := range r.rows {
		if !distinct.add([]row{x}) {
			conflicts = append(conflicts, x.event.ID())
		}
	}
	r.rows = distinct.rows
	return conflicts
}

// refuse returns the error for the rows of a batch that contains conflicts. It
// adds conflicts with stored rows.
func (s *Store) refuse(ctx context.Context, op string, rows []row, conflicts []causal.EventID) error {
	given := make(map[causal.EventID]causal.Event, len(rows))
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = string(r.event.ID())
		given[r.event.ID()] = r.event
	}
	var found []causal.EventID
	err := s.read(ctx, op, func(c *pgx.Conn) error {
		found = slices.Clone(conflicts)
		return queryEvents(ctx, c, s.sql.byID, []any{ids}, func(_ int64, e causal.Event, _ int) error {
			if !given[e.ID()].Equal(e) {
				found = append(found, e.ID())
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return causaladapter.IDConflict(found)
}

// maxAtOnce is the number of bytes of events sent in one round trip, under the
// lock.
const maxAtOnce = 256 << 10

// saveAll saves the rows of all requests in one transaction, and finishes each
// request.
func (s *Store) saveAll(ctx context.Context, requests []*request) { s.saveGroup(ctx, requests, false) }

// saveGroup is saveAll for requests that may already be stored if isUnknown is
// set: once the outcome of one attempt is unknown, so is that of all later
// ones.
func (s *Store) saveGroup(ctx context.Context, requests []*request, isUnknown bool) {
	for len(requests) > 0 {
		different, isLost, err := s.insert(ctx, uniqueRows(requests))
		isUnknown = isUnknown || isLost
		var stored map[causal.EventID]row
		if err == nil && len(different) > 0 {
			stored, err = s.lookUp(ctx, different)
		}
		switch {
		case len(requests) > 1 && (isRefusal(err) || errors.Is(err, adapter.ErrDamaged)):
			// One request is to blame. Saved alone, each gets its own result.
			for i := range requests {
				s.saveGroup(ctx, requests[i:i+1], isUnknown)
			}
			return
		case err != nil || len(different) == 0:
			if err == nil {
				s.announce()
			} else if isUnknown {
				err = adapter.OutcomeUnknown(err)
			}
			for _, r := range requests {
				r.finish(err)
			}
			return
		}
		requests = dropStored(requests, stored)
	}
}

// uniqueRows returns the rows of requests without contradictions.
func uniqueRows(requests []*request) []row {
	if len(requests) == 1 {
		return requests[0].rows
	}
	var all rowSet
	for _, r := range requests {
		all.add(r.rows)
	}
	return all.rows
}

// dropStored drops rows that are already stored, perhaps with other text, and
// finishes the requests without remaining rows or in conflict with a stored
// row. The remaining ones can be saved.
func dropStored(requests []*request, stored map[causal.EventID]row) (left []*request) {
	for _, r := range requests {
		if err := r.dropStored(stored); err != nil || len(r.rows) == 0 {
			r.finish(err)
			continue
		}
		left = append(left, r)
	}
	return left
}

// dropStored drops rows that are already stored, or returns the error for those
// in conflict with a stored row.
func (r *request) dropStored(stored map[causal.EventID]row) error {
	var rows []row
	var conflicts []causal.EventID
	for _, x := range r.rows {
		if old, ok := stored[x.event.ID()]; !ok {
			rows = append(rows, x)
		} else if !old.isSame(x) {
			conflicts = append(conflicts, x.event.ID())
		}
	}
	if err := causaladapter.IDConflict(conflicts); err != nil {
		return err
	}
	r.rows = rows
	return nil
}

// insert stores the rows with new IDs, provided all others are stored
// unchanged. Otherwise it stores nothing and returns the IDs of rows that may
// be different. isLost reports that the outcome of an attempt is unknown.
func (s *Store) insert(ctx context.Context, rows []row) (different []string, isLost bool, err error) {
	err = s.retry(ctx, isTransient, func(c *pgx.Conn) (err error) {
		defer func() { isLost = isLost || err != nil && c.IsClosed() }()
		if len(rows) == 1 && len(rows[0].data) <= maxAtOnce {
			different, err = s.insertOne(ctx, c, rows[0])
			return err
		}
		return s.insertRows(ctx, c, rows, s.sql.insert, s.sql.insertGiven, nil, func(r pgx.Rows) (err error) {
			different, err = pgx.CollectRows(r, pgx.RowTo[string])
			return err
		})
	})
	return different, isLost, err
}

// insertOne is insert for a single row that is not large.
func (s *Store) insertOne(ctx context.Context, c *pgx.Conn, r row) (different []string, err error) {
	err = transact(ctx, c, func(b *pgx.Batch) {
		s.queueLock(b)
		b.Queue(s.sql.insertOne, append([]any{string(r.event.ID())}, r.columns()...)...).
			Exec(func(result pgconn.CommandTag) error {
				if result.RowsAffected() == 0 {
					different = []string{string(r.event.ID())}
				}
				return nil
			})
	})
	return different, err
}

func (s *Store) queueLock(b *pgx.Batch) {
	for _, sql := range s.sql.lock {
		b.Queue(sql)
	}
}

// insertRows runs a statement for rows under the lock, and reads its result.
// The statement takes the rows as its last parameters, in one round trip, or
// from a table.
func (s *Store) insertRows(
	ctx context.Context, c *pgx.Conn, rows []row, sql, sqlGiven string, args []any, read func(pgx.Rows) error,
) error {
	size := 0
	for _, r := range rows {
		size += len(r.data)
	}
	if size <= maxAtOnce {
		return transact(ctx, c, func(b *pgx.Batch) {
			s.queueLock(b)
			b.Queue(sql, append(args[:len(args):len(args)], arguments(rows)...)...).Query(read)
		})
	}
	// Take the lock after sending, so that a client that stops while sending
	// does not block the others.
	if err := sendRows(ctx, c, rows); err != nil {
		return err
	}
	var b pgx.Batch
	s.queueLock(&b)
	b.Queue(sqlGiven, args...).Query(read)
	b.Queue("COMMIT")
	return c.SendBatch(ctx, &b).Close()
}

// sendRows begins a transaction, and sends the rows into a temporary table.
func sendRows(ctx context.Context, c *pgx.Conn, rows []row) error {
	var begin pgx.Batch
	for _, sql := range []string{beginWrite, createGiven} {
		begin.Queue(sql)
	}
	if err := c.SendBatch(ctx, &begin).Close(); err != nil {
		return err
	}
	columns := []string{"n", "event_id", "lamport_clock", "aggregate_id", "node_id", "data", "project", "parents"}
	_, err := c.CopyFrom(ctx, pgx.Identifier{"causal_given"}, columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		return append([]any{int64(i), string(rows[i].event.ID())}, rows[i].columns()...), nil
	}))
	return err
}

// columns returns the columns after the ID.
func (r row) columns() []any {
	e := r.event
	return []any{e.LamportClock(), []byte(e.AggregateID()), []byte(e.NodeID()), r.data, e.ProjectUUID(), r.parents()}
}

// parents returns the IDs of the parents separated by commas, or nil if the
// event is plain.
func (r row) parents() *string {
	if !r.event.IsStamped() {
		return nil
	}
	var ids []string
	for _, id := range r.event.Parents() {
		ids = append(ids, string(id))
	}
	text := strings.Join(ids, ",")
	return &text
}

// arguments returns the columns of the rows.
func arguments(rows []row) []any {
	n := len(rows)
	ids, clocks, projects, parents := make([]string, n), make([]int64, n), make([]string, n), make([]*string, n)
	aggregates, nodes, data := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, r := range rows {
		ids[i], clocks[i], projects[i], parents[i] = string(r.event.ID()), r.event.LamportClock(), r.event.ProjectUUID(), r.parents()
		aggregates[i], nodes[i], data[i] = []byte(r.event.AggregateID()), []byte(r.event.NodeID()), r.data
	}
	return []any{ids, clocks, aggregates, nodes, data, projects, parents}
}

// lookUp returns the stored rows with these IDs.
func (s *Store) lookUp(ctx context.Context, ids []string) (stored map[causal.EventID]row, err error) {
	err = s.retry(ctx, isTransient, func(c *pgx.Conn) error {
		stored = make(map[causal.EventID]row, len(ids))
		return queryEvents(ctx, c, s.sql.byID, []any{ids}, func(position int64, e causal.Event, _ int) error {
			if _, ok := stored[e.ID()]; ok {
				return adapter.Damaged(position)
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

// rowSet is a set of rows with different IDs. The zero value is empty.
type rowSet struct {
	rows []row
	byID map[causal.EventID]row
}

// add adds the rows with new IDs. It reports false if different content has one
// of the IDs, after adding the rows before that one.
func (s *rowSet) add(rows []row) bool {
	if s.byID == nil {
		s.byID = make(map[causal.EventID]row, len(rows))
	}
	for _, r := range rows {
		id := r.event.ID()
		if old, ok := s.byID[id]; !ok {
			s.byID[id] = r
			s.rows = append(s.rows, r)
		} else if !old.isSame(r) {
			return false
		}
	}
	return true
}
