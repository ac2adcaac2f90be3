package causal_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/doctest"
)

func TestExamples(t *testing.T) {
	const path = "github.com/spec-kitty/causal"
	doctest.RequireExamples(t, path)
	doctest.RequireComplete(t, path)
}

// The quick start of the README is the Example of the package, word for word.
func TestReadmeQuickStart(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, body, ok := strings.Cut(string(source), "func Example() {\n")
	require.True(t, ok)
	body, _, ok = strings.Cut(body, "\n}\n")
	require.True(t, ok)
	body = strings.ReplaceAll("\n"+body, "\n\t", "\n")
	require.Contains(t, string(readme), "```go"+body+"\n```\n")
	for _, command := range []string{"go run ./examples/quickstart", "go test work"} {
		require.Contains(t, string(readme), command)
	}
}

// docs/architecture.md says of every file of the stores what it holds, and names no
// other. Of the root, TestFilesFormLayers checks it.
func TestArchitectureNamesTheFilesOfStores(t *testing.T) {
	_, stores, _ := strings.Cut(architecture(t), "## The stores")
	stores, _, _ = strings.Cut(stores, "## What may be touched")
	var files []string
	for _, store := range []string{"causalsqlite", "causalpg"} {
		files = append(files, libraryFiles(t, store)...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return name == "doc.go" })
	require.ElementsMatch(t, slices.Compact(slices.Sorted(slices.Values(files))), fileNames(stores))
}
