package causalpg

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// LoadHeads returns the heads of an aggregate. See [causal.HeadLoader]. If the
// aggregate has plain events, it takes time linear in its number of events.
func (s *Store) LoadHeads(ctx context.Context, projectUUID, aggregateID string) ([]causal.EventID, error) {
	project, err := causaladapter.CheckLoadHeads(ctx, projectUUID, aggregateID)
	if err != nil {
		return nil, err
	}
	var ids []causal.EventID
	err = s.read(ctx, "load heads", func(c *pgx.Conn) error {
		ids = []causal.EventID{}
		return query(ctx, c, s.sql.heads, []any{keyOf(aggregateID), project}, func(rows pgx.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, causal.EventID(id))
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 || ids[0] != "" {
		return ids, nil
	}
	return causal.LoadHeads(ctx, struct{ causal.EventStore }{s}, project, aggregateID) // which reads the aggregate
}

// MissingParents yields the IDs of missing parents. See [causal.HeadLoader].
func (s *Store) MissingParents(ctx context.Context, projectUUID string) iter.Seq2[causal.EventID, error] {
	project, err := causaladapter.CheckMissingParents(ctx, projectUUID)
	return adapter.EventIDs(err, s.readTexts(ctx, "read missing parents", s.sql.missingParents, project))
}
