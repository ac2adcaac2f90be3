package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// command matches an example in docs/inspect.md: a command and its output.
var command = regexp.MustCompile("(?s)```\n\\$ causal ([^\n]*)\n(.*?)```")

// runOn runs the command on the events shown on the page.
func runOn(t *testing.T, args ...string) string {
	var out, stderr bytes.Buffer
	run(t.Context(), args, &system{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &stderr, Getenv: func(string) string { return "" }, Now: time.Now, Terminal: terminal})
	require.Empty(t, stderr.String())
	return out.String()
}

// The examples in docs/inspect.md are the output of the command; -update writes
// them.
func TestPageShowsOutput(t *testing.T) {
	path := "../../docs/inspect.md"
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, command.FindAll(page, -1), 3)
	t.Chdir("testdata")
	now := command.ReplaceAllFunc(page, func(example []byte) []byte {
		line := string(command.FindSubmatch(example)[1])
		return []byte("```\n$ causal " + line + "\n" + runOn(t, strings.Fields(line)...) + "```")
	})
	requireFile(t, filepath.Join("..", path), now)
}

// The pictures are those drawn by causal graph.
func TestPicturesAreCurrent(t *testing.T) {
	t.Chdir("testdata")
	requireFile(t, "../../../docs/inspect/conflict.svg", []byte(runOn(t, "graph", "--svg", "-a", "WP001", "team.jsonl")))
	requireFile(t, "../../../docs/inspect/team.svg", []byte(runOn(t, "graph", "--svg", "--since", "2026-11-23 08:50", "--until", "2026-11-23 09:30", "team.jsonl")))
}

// The page lists the members of objects written by --json.
func TestPageNamesMembers(t *testing.T) {
	page, err := os.ReadFile("../../docs/inspect.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(page), "## For programs")
	for _, object := range []any{eventObject{}, shownObject{}, conflictObject{}, branchObject{}, findingObject{}, importObject{}, syncObject{}, checkObject{}, statObject{}, nodeObject{}} {
		for field := range reflect.TypeOf(object).Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "kind" {
				require.Regexp(t, "[ `]"+name+"[,;. `\n]", table, "%T", object)
			}
		}
	}
}

func requireFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "go test -update writes it")
}
