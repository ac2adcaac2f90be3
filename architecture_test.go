package causal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// noImports replaces every imported package by an empty one. The use of one
// file of this package by another does not depend on them.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// architecture returns the architecture document.
func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	return string(text)
}

// fileNames returns the names of Go files in a text, in order.
func fileNames(text string) []string {
	return regexp.MustCompile(`\b[a-z0-9]+(_[a-z0-9]+)*\.go\b`).FindAllString(text, -1)
}

// libraryFiles returns the Go files of a directory except tests.
func libraryFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range paths {
		if name := filepath.Base(path); !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}

// The files of this package form layers: each uses only those listed before it
// in the table of docs/architecture.md, which is complete.
func TestFilesFormLayers(t *testing.T) {
	_, table, _ := strings.Cut(architecture(t), "| layer | files |")
	table, _, _ = strings.Cut(table, "## The stores")
	order := fileNames(table)
	names := libraryFiles(t, ".")
	require.ElementsMatch(t, names, order)

	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, 0)
		require.NoError(t, err)
		files = append(files, f)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}} // the empty packages have no members
	p, _ := config.Check("causal", fset, files, &info)

	uses := map[string]map[string]bool{}
	for identifier, object := range info.Uses {
		if object.Pkg() == p {
			from, to := fset.Position(identifier.Pos()).Filename, fset.Position(object.Pos()).Filename
			if uses[from] == nil {
				uses[from] = map[string]bool{}
			}
			uses[from][to] = true
		}
	}
	require.True(t, uses["merge.go"]["orset.go"], "the check sees functions")
	require.True(t, uses["pastfinder.go"]["dedupe.go"], "the check sees methods")
	for i, name := range order {
		for other := range uses[name] {
			require.LessOrEqual(t, slices.Index(order, other), i, "%s uses %s, which stands after it", name, other)
		}
	}
}
