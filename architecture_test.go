package causal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// noImports gives every imported package an empty stand-in: what files of this
// package use of each other does not depend on the others.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// The files of this package form layers: if one uses another, the other does not
// use it in turn, directly or through others.
func TestFilesFormLayers(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(fset, name, nil, 0)
			require.NoError(t, err)
			files = append(files, f)
		}
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}} // stand-ins have no members
	p, _ := config.Check("causal", fset, files, &info)

	uses := map[string]map[string]bool{}
	for identifier, object := range info.Uses {
		if object.Pkg() == p {
			from, to := fset.Position(identifier.Pos()).Filename, fset.Position(object.Pos()).Filename
			if uses[from] == nil {
				uses[from] = map[string]bool{}
			}
			uses[from][to] = from != to
		}
	}
	require.True(t, uses["merge.go"]["orset.go"], "the check sees calls")
	require.True(t, uses["memstore.go"]["dedupe.go"], "the check sees methods")

	done := map[string]bool{}
	var visit func(path []string, name string)
	visit = func(path []string, name string) {
		if i := slices.Index(path, name); i >= 0 {
			t.Errorf("files that use each other: %s", strings.Join(append(path[i:], name), " -> "))
			return
		}
		if done[name] {
			return
		}
		for other, is := range uses[name] {
			if is {
				visit(append(slices.Clone(path), name), other)
			}
		}
		done[name] = true
	}
	for _, name := range names {
		visit(nil, name)
	}
}
