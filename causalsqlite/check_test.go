package causalsqlite_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestCheck(t *testing.T) {
	adaptertest.TestCheck(t, openNew(t))
	require.ErrorIs(t, (&causalsqlite.Store{}).Check(t.Context(), nil), causal.ErrClosed)
}

// Check finds damage that reads may miss.
func TestCheckFindsDamage(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct{ damage, want string }{
		"content":           {damage: `UPDATE events SET data = '{"secret":1}' WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another ID":        {damage: `UPDATE events SET event_id = 'TEST0000000000000000000099' WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another hash":      {damage: `UPDATE events SET hash = zeroblob(8) WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another aggregate": {damage: `UPDATE events SET aggregate_id = x'41' WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another clock":     {damage: `UPDATE events SET lamport_clock = 99 WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another node":      {damage: `UPDATE events SET node_id = x'41' WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another event": {
			damage: `UPDATE events SET data = (SELECT data FROM events WHERE seq = 4) WHERE seq = 3`, want: "entry 3 of the log is damaged",
		},
		"another digest":  {damage: `UPDATE digests SET digest = zeroblob(32) WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another key":     {damage: `UPDATE digests SET lamport_clock = 99 WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another project": {damage: `UPDATE digests SET project = zeroblob(16) WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"another tier":    {damage: `UPDATE digests SET tier = 4 WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"digests beyond":  {damage: `INSERT INTO digests VALUES (7, 1, zeroblob(32), zeroblob(16), 0)`, want: "beyond the end"},
		"no digest":       {damage: `DELETE FROM digests WHERE seq = 3`, want: "entry 3 of the log is damaged"},
		"a hole":          {damage: `DROP TRIGGER events_are_kept; DELETE FROM events WHERE seq = 3`, want: "entry 3 of the log is missing"},
		"position 0":      {damage: `PRAGMA ignore_check_constraints = ON; UPDATE events SET seq = 0 WHERE seq = 5`, want: "CHECK constraint failed"},
		"the start":       {damage: `DROP TRIGGER events_are_kept; DELETE FROM events WHERE seq = 1`, want: "entry 1 of the log is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := testPath(t)
			s := openAt(t, path, nil)
			require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 6)))
			adaptertest.MakeDigests(t, s)
			require.NoError(t, s.Check(ctx, nil))
			require.NoError(t, s.Close())
			sql(t, path, "DROP TRIGGER events_never_change; "+test.damage)
			err := openAt(t, path, nil).Check(ctx, nil)
			eventtest.RequireStorageError(t, err)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// A page of an index is damaged: a read through it lacks events without an
// error, and Check finds it.
func TestCheckFindsDamagedPages(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 301)))
	require.NoError(t, s.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	found := 0
	for page := 1; page < len(data)/4096; page++ {
		damaged := append([]byte(nil), data...)
		copy(damaged[page*4096+1000:], make([]byte, 200))
		copied := testPath(t)
		require.NoError(t, os.WriteFile(copied, damaged, 0o600))
		s, err := causalsqlite.Open(ctx, copied, nil)
		if err != nil {
			found++
			continue
		}
		if err := s.Check(ctx, nil); err != nil {
			eventtest.RequireStorageError(t, err)
			found++
		}
		_ = s.Close()
	}
	require.Greater(t, found, len(data)/4096/2, "some pages are empty where they were damaged")
}
