package causalpg_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestCheck(t *testing.T) {
	s := openNew(t)
	adaptertest.TestCheck(t, s)
	require.ErrorIs(t, (&causalpg.Store{}).Check(t.Context(), nil), causal.ErrClosed)
}

// Check finds damage that reads may miss.
func TestCheckFindsDamage(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct{ damage, want string }{
		"content":           {`UPDATE {s}.events SET data = '{"secret":1}' WHERE position = 3`, "entry 3 of the log is damaged"},
		"another ID":        {"UPDATE {s}.events SET event_id = 'TEST0000000000000000000099' WHERE position = 3", "entry 3 of the log is damaged"},
		"another hash":      {"UPDATE {s}.events SET hash = '12345678' WHERE position = 3", "entry 3 of the log is damaged"},
		"another aggregate": {"UPDATE {s}.events SET aggregate_id = 'A' WHERE position = 3", "entry 3 of the log is damaged"},
		"another clock":     {"UPDATE {s}.events SET lamport_clock = 99 WHERE position = 3", "entry 3 of the log is damaged"},
		"another node":      {"UPDATE {s}.events SET node_id = 'A' WHERE position = 3", "entry 3 of the log is damaged"},
		"another event":     {"UPDATE {s}.events SET data = (SELECT data FROM {s}.events WHERE position = 4) WHERE position = 3", "entry 3 of the log is damaged"},
		"another digest":    {"UPDATE {s}.digests SET digest = sha256('') WHERE position = 3", "entry 3 of the log is damaged"},
		"another key":       {"UPDATE {s}.digests SET lamport_clock = 99 WHERE position = 3", "entry 3 of the log is damaged"},
		"another project":   {"UPDATE {s}.digests SET project = gen_random_uuid() WHERE position = 3", "entry 3 of the log is damaged"},
		"another tier":      {"UPDATE {s}.digests SET tier = 4 WHERE position = 3", "entry 3 of the log is damaged"},
		"digests beyond":    {"INSERT INTO {s}.digests VALUES (7, 1, sha256(''), gen_random_uuid(), 0)", "beyond the end"},
		"no digest":         {"DELETE FROM {s}.digests WHERE position = 3", "entry 3 of the log is damaged"},
		"a hole":            {"DELETE FROM {s}.events WHERE position = 3", "entry 3 of the log is missing"},
		"the start":         {"DELETE FROM {s}.events WHERE position = 1", "entry 1 of the log is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			schema := newSchema(t)
			s := openIn(t, schema)
			require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 6)))
			adaptertest.MakeDigests(t, s)
			require.NoError(t, s.Check(ctx, nil))
			edit(t, schema, test.damage)
			err := s.Check(ctx, nil)
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// There is no position below that of the first entry.
func TestPositionsArePositive(t *testing.T) {
	schema := newSchema(t)
	require.NoError(t, openIn(t, schema).SaveEvent(t.Context(), eventtest.New(t, 1)))
	c := connect(t, testDSN)
	execute(t, c, schema, "ALTER TABLE {s}.events DISABLE TRIGGER USER")
	_, err := c.Exec(t.Context(), causalpg.InSchema(schema, "UPDATE {s}.events SET position = 0"))
	require.ErrorContains(t, err, "violates check constraint")
}

// pg_amcheck finds an index with missing rows.
func TestAmcheck(t *testing.T) {
	ctx := t.Context()
	t.Parallel()
	server := startServer(t, "fsync=off")
	o := &causalpg.Options{Schema: "checked"}
	migrate(t, server.dsn(), o.Schema)
	s := openAt(t, server.dsn(), o)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 100)))
	check := func() (string, error) {
		out, err := exec.CommandContext(ctx, filepath.Join(server.bin, "pg_amcheck"), "--install-missing", "--heapallindexed",
			"--schema", o.Schema, server.dsn()).CombinedOutput()
		return string(out), err
	}
	out, err := check()
	require.NoError(t, err, out)
	c := connect(t, server.dsn())
	execute(t, c, o.Schema, "UPDATE pg_index SET indisready = false WHERE indexrelid = '{s}.events_of_aggregate'::regclass")
	require.NoError(t, s.SaveEvent(context.WithoutCancel(ctx), eventtest.New(t, 100)))
	execute(t, c, o.Schema, "UPDATE pg_index SET indisready = true WHERE indexrelid = '{s}.events_of_aggregate'::regclass")
	require.NoError(t, s.Check(ctx, nil), "the log is as it must be")
	out, err = check()
	require.Error(t, err)
	require.Contains(t, out, "events_of_aggregate")
}
