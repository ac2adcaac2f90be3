package causalpg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// copyLog copies the log of a schema to a new one, like a dump loaded there.
func copyLog(t *testing.T, from string) (to string) {
	t.Helper()
	to = newSchema(t)
	c := connect(t, testDSN)
	for _, sql := range []string{
		"UPDATE {s}.meta SET log_id = (SELECT log_id FROM " + quoted(from) + ".meta)",
		"INSERT INTO {s}.events SELECT * FROM " + quoted(from) + ".events",
	} {
		execute(t, c, to, sql)
	}
	return to
}

// A reader is after event 4. The log goes back to event 2, so its cursor is
// beyond the end, and belongs to other entries once the log has grown past it
// again.
func TestCursorAfterRestore(t *testing.T) {
	ctx := t.Context()
	live := newSchema(t)
	s := openIn(t, live)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 3)))
	kept, err := s.Head(ctx)
	require.NoError(t, err)
	restored := openIn(t, copyLog(t, live))
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 3, 5)))
	lost, err := s.Head(ctx)
	require.NoError(t, err)

	adaptertest.RequireNoCursor(t, restored, lost, causal.ErrCursorAhead)
	for n := 5; n < 8; n++ {
		require.NoError(t, restored.SaveEvent(ctx, eventtest.New(t, n)))
		if n > 5 {
			adaptertest.RequireNoCursor(t, restored, lost, causal.ErrInvalidCursor)
			require.ErrorIs(t, restored.WaitLog(ctx, lost), causal.ErrInvalidCursor)
		}
	}
	adaptertest.RequireCursor(t, restored, kept, 5, 6, 7) // entries in the backup stay where they were
	adaptertest.RequireCursor(t, s, kept, 3, 4)
}

// The schema is replaced under an open store, whose cursors are then those of
// the new log.
func TestSchemaReplacedWhileOpen(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 41)))
	var old causal.Cursor
	var last error
	n := 0
	for entry, err := range s.ReadLog(ctx, causal.Cursor{}) {
		if last = err; err != nil {
			continue
		}
		if old, n = entry.Cursor, n+1; n == 1 {
			execute(t, connect(t, testDSN), schema, "DROP SCHEMA {s} CASCADE")
			require.NoError(t, causalpg.Migrate(ctx, testDSN, &causalpg.Options{Schema: schema}))
			require.NoError(t, openIn(t, schema).SaveEvents(ctx, eventtest.NewRange(t, 101, 151)))
		}
	}
	require.ErrorIs(t, last, causal.ErrInvalidCursor, "a loop over the log that was there")
	require.Equal(t, adapter.FirstPage, n, "goes no further than the page that it has")
	adaptertest.RequireNoCursor(t, s, old, causal.ErrInvalidCursor)
	head, err := s.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 200)))
	adaptertest.RequireCursor(t, openIn(t, schema), head, 200)
}
