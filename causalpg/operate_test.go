package causalpg_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The statements of docs/operate.md about dumps, restores and damage.

// requireReadsOnly requires that a store reads n events, and that all writes
// fail without effect.
func requireReadsOnly(t *testing.T, s *causalpg.Store, n int) {
	t.Helper()
	require.Len(t, eventtest.LoadAll(t, s), n)
	for call, f := range adaptertest.Calls {
		err := f(t.Context(), s, eventtest.New(t, 10_000))
		if adaptertest.Writes[call] {
			eventtest.RequireStorageError(t, err)
			require.NotErrorIs(t, err, causal.ErrOutcomeUnknown, call)
		} else {
			require.NoError(t, err, call)
		}
	}
	require.Len(t, eventtest.LoadAll(t, s), n)
}

// startStandby starts a server that follows another one.
func startStandby(t *testing.T, primary *server) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "causalpg")
	require.NoError(t, err)
	s := &server{bin: primary.bin, dir: dir}
	t.Cleanup(s.remove)
	s.port, err = freePort()
	require.NoError(t, err)
	require.NoError(t, giveAway(dir))
	cmd := exec.Command(filepath.Join(s.bin, "pg_basebackup"), "--dbname", primary.dsn(), "--pgdata", s.data(),
		"--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	cmd.Dir, cmd.SysProcAttr = dir, otherUser()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, s.start())
	t.Cleanup(func() { s.stop(context.Background()) })
	return s
}

// A lagging standby does not know the cursors of the primary yet. Once it has
// caught up they are valid, even for a reader waiting there.
func TestStandby(t *testing.T) {
	ctx := t.Context()
	t.Parallel() // it mostly waits
	primary := startServer(t, "fsync=off")
	o := &causalpg.Options{Schema: "standby"}
	migrate(t, primary.dsn(), o.Schema)
	s := openAt(t, primary.dsn(), o)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5)))
	start, err := s.Head(ctx)
	require.NoError(t, err)
	follower := startStandby(t, primary)
	r := openAt(t, follower.dsn(), o)
	requireReadsOnly(t, r, 5)

	control := connect(t, follower.dsn())
	_, err = control.Exec(ctx, "SELECT pg_wal_replay_pause()")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var state string
		return control.QueryRow(ctx, "SELECT pg_get_wal_replay_pause_state()").Scan(&state) == nil && state == "paused"
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 5, 8)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	adaptertest.RequireNoCursor(t, r, head, causal.ErrCursorAhead)
	require.ErrorIs(t, r.WaitLog(ctx, head), causal.ErrCursorAhead)

	woken := make(chan causal.EventID, 1)
	go func() {
		for entry := range causal.Follow(ctx, r, start) {
			woken <- entry.Event.ID()
			return
		}
	}()
	_, err = control.Exec(ctx, "SELECT pg_wal_replay_resume()")
	require.NoError(t, err)
	select {
	case id := <-woken:
		require.Equal(t, eventtest.ID(5), id)
	case <-time.After(15 * time.Second):
		require.Fail(t, "the reader was not woken")
	}
	require.Eventually(t, func() bool {
		_, err := adaptertest.ReadAfter(ctx, r, head)
		require.True(t, err == nil || errors.Is(err, causal.ErrCursorAhead), err)
		return err == nil
	}, 15*time.Second, 5*time.Millisecond)
	adaptertest.RequireCursor(t, r, start, 5, 6, 7)
}

// A read-only role is sufficient for a Store that only reads.
func TestReadOnlyRole(t *testing.T) {
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 5)))
	pool := newPoolOf(t, schema, "GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {r}")
	r, err := causalpg.New(t.Context(), pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	requireReadsOnly(t, r, 5)
	require.NoError(t, r.Close())
}

// A renamed schema is the same log under another name.
func TestRenamedSchema(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 5)))
	head, err := s.Head(ctx)
	require.NoError(t, err)
	renamed := schema + "2"
	c := connect(t, testDSN)
	execute(t, c, schema, "ALTER SCHEMA {s} RENAME TO "+quoted(renamed))
	t.Cleanup(func() { execute(t, c, renamed, "ALTER SCHEMA {s} RENAME TO "+quoted(schema)) })
	for _, err := range []error{s.SaveEvent(ctx, eventtest.New(t, 5)), second(s.Head(ctx))} {
		eventtest.RequireStorageError(t, err)
		require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
	}
	moved := openIn(t, renamed)
	require.NoError(t, moved.SaveEvent(ctx, eventtest.New(t, 5)))
	adaptertest.RequireCursor(t, moved, head, 5)
}

// A copied database has the same log until the two diverge.
func TestCopiedDatabase(t *testing.T) {
	ctx := t.Context()
	t.Parallel()
	server := startServer(t, "fsync=off")
	o := &causalpg.Options{Schema: "copied"}
	migrate(t, server.dsn(), o.Schema)
	s := openAt(t, server.dsn(), o)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 1, 3)))
	shared, err := s.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close()) // a database in use cannot be copied
	other := strings.Replace(server.dsn(), "/postgres?", "/template1?", 1)
	_, err = connect(t, other).Exec(ctx, "CREATE DATABASE copy TEMPLATE postgres")
	require.NoError(t, err)
	s = openAt(t, server.dsn(), o)
	c := openAt(t, strings.Replace(server.dsn(), "/postgres?", "/copy?", 1), o)
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 3, 5)))
	own, err := s.Head(ctx)
	require.NoError(t, err)
	adaptertest.RequireNoCursor(t, c, own, causal.ErrCursorAhead)
	require.NoError(t, c.SaveEvents(ctx, eventtest.NewRange(t, 5, 8)))
	adaptertest.RequireNoCursor(t, c, own, causal.ErrInvalidCursor)
	adaptertest.RequireCursor(t, s, shared, 3, 4)
	adaptertest.RequireCursor(t, c, shared, 5, 6, 7)
}
