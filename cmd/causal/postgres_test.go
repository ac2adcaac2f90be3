package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
)

// address returns the address of the server of the tests.
func address(t *testing.T) string {
	settings := os.Getenv("CAUSAL_TEST_POSTGRES")
	if settings == "" {
		t.Skip("CAUSAL_TEST_POSTGRES has no connection string of a PostgreSQL server")
	}
	if strings.Contains(settings, "://") {
		return settings
	}
	query := url.Values{}
	for setting := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(setting, "=")
		query.Set(name, value)
	}
	return "postgres://?" + query.Encode()
}

// A database is read and written like a file.
func TestDatabase(t *testing.T) {
	dsn, schema := address(t), "causal_command_test"
	code, _, stderr := runWith(t, nil, "log", "--schema", "causal_command_nothing", dsn)
	require.Equal(t, exitFailed, code)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)

	require.NoError(t, causalpg.Migrate(t.Context(), dsn, &causalpg.Options{Schema: schema}))
	lines := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(lines, demo.Lines(demo.Events(demo.Options{Events: 100, Seed: 1})), 0o600))
	code, stdout, stderr := runWith(t, nil, "import", "--schema", schema, dsn, lines)
	require.Zero(t, code, stderr)
	require.Regexp(t, "^(100 saved, 0|0 saved, 100) known, 0 refused", stdout) // from an earlier run
	_, fromFile, _ := runWith(t, nil, "log", lines)
	code, fromDatabase, stderr := runWith(t, nil, "log", "--schema", schema, dsn)
	require.Zero(t, code, stderr)
	require.Equal(t, fromFile, fromDatabase)

	store := filepath.Join(t.TempDir(), "store.db")
	code, _, stderr = runWith(t, nil, "import", "--create", "--type", "CommentAdded", store, lines)
	require.Zero(t, code, stderr)
	code, stdout, stderr = runWith(t, nil, "sync", "--schema", schema, store, dsn)
	require.Zero(t, code, stderr)
	require.Regexp(t, "^[0-9]+ received, [0-9]+ sent, 0 refused", stdout)
	url := serve(t, nil, dsn, "--read-only", "--schema", schema)
	other := importDemo(t, demo.Options{Events: 5, Seed: 9})
	code, stdout, _ = runWith(t, nil, "sync", other, url)
	require.Equal(t, exitFindings, code)
	require.Regexp(t, "^[0-9]+ received, 0 sent, 5 refused", stdout)
	code, stdout, stderr = runWith(t, nil, "check", "--schema", schema, dsn)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "no damage found")
	code, _, stderr = runWith(t, nil, "backup", dsn, filepath.Join(t.TempDir(), "copy"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "pg_dump")
}
