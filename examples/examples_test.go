package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each program prints its output.txt.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "./...")
	if isRace() {
		build.Args = slices.Insert(build.Args, 2, "-race")
	}
	text, err := build.CombinedOutput()
	require.NoError(t, err, string(text))

	programs, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, programs)
	for _, program := range programs {
		name := filepath.Dir(program)
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(name, "output.txt"))
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name), arguments(t, name)...)
			cmd.Dir = name
			got, err := cmd.Output()
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

// The first program that people read fits on two screens.
func TestQuickstartIsShort(t *testing.T) {
	source, err := os.ReadFile("quickstart/main.go")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(source), "\n"), 100)
}

// arguments returns the arguments of a program.
func arguments(t *testing.T, name string) []string {
	t.Helper()
	if name != "shared" {
		return nil
	}
	dsn := os.Getenv("CAUSAL_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("CAUSAL_TEST_POSTGRES has no connection string of a PostgreSQL server")
	}
	return []string{dsn}
}

// isRace reports whether this test, and so the programs, are built with the
// race detector.
func isRace() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}
