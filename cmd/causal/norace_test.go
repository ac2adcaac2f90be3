//go:build !race

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
)

// TestScripts runs the command like its users, more than a hundred times, which
// takes minutes with the race detector; the other tests call it with the
// detector. Each script has these files of events in addition to its own.
func TestScripts(t *testing.T) {
	files := map[string][]byte{
		"team.jsonl":  demo.Lines(demo.Events(demo.Options{Events: 200, Seed: 1, HasFaults: true})),
		"plain.jsonl": demo.Lines(demo.Events(demo.Options{Events: 60, Seed: 2, IsPlain: true})),
		"wide.jsonl":  demo.Lines(demo.Events(demo.Options{Events: 400, Seed: 3, Nodes: 100, Aggregates: 1})),
		"one.jsonl":   demo.Lines(demo.Events(demo.Options{Events: 1, Seed: 4})),
		"empty.jsonl": {},
		"binary":      {0, 1, 2},
		"later.db":    changed(t, 60, 99), // the version of the schema
		"other.db":    changed(t, 68, 1),  // the ID of the application
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir) // of git
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			for name, data := range files {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
		},
	})
}

// changed returns the file of a store with one byte of its header changed
// (https://sqlite.org/fileformat.html, section 1.3).
func changed(t *testing.T, at int, value byte) []byte {
	path := filepath.Join(t.TempDir(), "store.db")
	store, err := causalsqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[at] = value
	return data
}

// exits runs a command and requires its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		if got := exit.ExitCode(); got != want {
			ts.Fatalf("exit code %d, want %d", got, want)
		}
	case err != nil:
		ts.Fatalf("%v", err)
	case want != 0:
		ts.Fatalf("exit code 0, want %d", want)
	}
}
