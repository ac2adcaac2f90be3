package causalsqlite

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// LoadHeads returns the heads of an aggregate. See [causal.HeadLoader]. If the
// aggregate has plain events, it takes time linear in its number of events.
func (s *Store) LoadHeads(ctx context.Context, projectUUID, aggregateID string) ([]causal.EventID, error) {
	const op = "load heads"
	project, err := causaladapter.CheckLoadHeads(ctx, projectUUID, aggregateID)
	if err != nil {
		return nil, err
	}
	if err := s.checkOpen(op); err != nil {
		return nil, err
	}
	var ids []causal.EventID
	hasPlain := false
	err = s.read(ctx, op, func(c *sqlite.Conn) error {
		ids, hasPlain = []causal.EventID{}, false
		return query(c, "SELECT event_id FROM heads WHERE aggregate_id = ? AND project = ? AND named = 0 ORDER BY event_id",
			func(s *sqlite.Stmt) {
				s.BindBytes(1, []byte(aggregateID))
				s.BindText(2, project)
			},
			func(s *sqlite.Stmt) (bool, error) {
				ids = append(ids, causal.EventID(s.ColumnText(0)))
				hasPlain = ids[0] == ""
				return !hasPlain, nil
			})
	})
	if err != nil {
		return nil, err
	}
	if !hasPlain {
		return ids, nil
	}
	return causal.LoadHeads(ctx, struct{ causal.EventStore }{s}, project, aggregateID) // which reads the aggregate
}

// MissingParents yields the IDs of missing parents. See [causal.HeadLoader].
func (s *Store) MissingParents(ctx context.Context, projectUUID string) iter.Seq2[causal.EventID, error] {
	project, err := causaladapter.CheckMissingParents(ctx, projectUUID)
	return adapter.EventIDs(err, s.readTexts(ctx, "read missing parents", `SELECT DISTINCT event_id FROM heads h
		WHERE project = CAST(?3 AS TEXT) AND named > 0 AND event_id > CAST(?1 AS TEXT)
			AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = h.event_id)
		ORDER BY event_id LIMIT ?2`, project))
}

// headWriter updates heads while events are stored, in one transaction.
type headWriter struct {
	c     *sqlite.Conn
	plain map[[2]string]bool // aggregates and projects known to have plain events
}

// add adds a stored event.
func (w *headWriter) add(e causal.Event) error {
	at := [2]string{e.AggregateID(), e.ProjectUUID()}
	if !e.IsStamped() {
		return w.setPlain(at)
	}
	hasPlain, named, err := w.look(at, e.ID())
	switch {
	case err != nil:
		return err
	case hasPlain:
		w.know(at)
	case named > e.LamportClock():
		err = w.delete(at, e.ID())
	default:
		err = w.put(at, e.ID(), e.LamportClock(), 0)
	}
	for _, id := range e.Parents() {
		if err == nil {
			err = w.name(at, id, e.LamportClock())
		}
	}
	return err
}

// know records in memory that an aggregate has plain events.
func (w *headWriter) know(at [2]string) {
	if w.plain == nil {
		w.plain = map[[2]string]bool{}
	}
	w.plain[at] = true
}

// setPlain records in the file that an aggregate has plain events.
func (w *headWriter) setPlain(at [2]string) error {
	if w.plain[at] {
		return nil
	}
	w.know(at)
	hasPlain, _, err := w.look(at, "")
	if err != nil || hasPlain {
		return err
	}
	err = query(w.c, "DELETE FROM heads WHERE aggregate_id = ? AND project = ? AND named = 0",
		func(s *sqlite.Stmt) {
			s.BindBytes(1, []byte(at[0]))
			s.BindText(2, at[1])
		}, nil)
	if err == nil {
		err = w.put(at, "", 0, 0)
	}
	return err
}

// look reports whether an aggregate has plain events, and the greatest clock of
// the events naming an event that was not stored.
func (w *headWriter) look(at [2]string, id causal.EventID) (hasPlain bool, named int64, err error) {
	err = query(w.c, "SELECT event_id, named FROM heads WHERE aggregate_id = ? AND project = ? AND event_id IN ('', ?)",
		func(s *sqlite.Stmt) { bindHead(s, at, id) },
		func(s *sqlite.Stmt) (bool, error) {
			if s.ColumnLen(0) == 0 {
				hasPlain = true
			} else {
				named = s.ColumnInt64(1)
			}
			return true, nil
		})
	return hasPlain, named, err
}

// name records that an event with the given clock names a parent.
func (w *headWriter) name(at [2]string, id causal.EventID, clock int64) error {
	err := query(w.c, "DELETE FROM heads WHERE aggregate_id = ? AND project = ? AND event_id = ? AND named = 0 AND clock < ?",
		func(s *sqlite.Stmt) {
			bindHead(s, at, id)
			s.BindInt64(4, clock)
		}, nil)
	if err != nil || w.c.Changes() > 0 {
		return err
	}
	isStored := false
	err = query(w.c, "SELECT 1 FROM events WHERE event_id = ?",
		func(s *sqlite.Stmt) { s.BindText(1, string(id)) },
		func(*sqlite.Stmt) (bool, error) {
			isStored = true
			return false, nil
		})
	if err != nil || isStored {
		return err
	}
	_, named, err := w.look(at, id)
	if err == nil && named < clock {
		err = w.put(at, id, 0, clock)
	}
	return err
}

func (w *headWriter) put(at [2]string, id causal.EventID, clock, named int64) error {
	return query(w.c, "INSERT OR REPLACE INTO heads (aggregate_id, project, event_id, clock, named) VALUES (?, ?, ?, ?, ?)",
		func(s *sqlite.Stmt) {
			bindHead(s, at, id)
			s.BindInt64(4, clock)
			s.BindInt64(5, named)
		}, nil)
}

func (w *headWriter) delete(at [2]string, id causal.EventID) error {
	return query(w.c, "DELETE FROM heads WHERE aggregate_id = ? AND project = ? AND event_id = ?",
		func(s *sqlite.Stmt) { bindHead(s, at, id) }, nil)
}

// bindHead binds the key of a row.
func bindHead(s *sqlite.Stmt, at [2]string, id causal.EventID) {
	s.BindBytes(1, []byte(at[0]))
	s.BindText(2, at[1])
	s.BindText(3, string(id))
}
