package causalpg_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every exported function and type has an Example whose output is checked, and
// every exported method is called in one.
func TestEverythingHasAnExample(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if name == "server_other_test.go" || name == "export_test.go" {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/spec-kitty/causal/causalpg")
	require.NoError(t, err)
	examples, called := map[string]bool{}, map[string]bool{}
	for _, example := range doc.Examples(files...) {
		require.True(t, example.Output != "" || example.EmptyOutput, "Example%s checks no output", example.Name)
		examples[example.Name] = true
		ast.Inspect(example.Code, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				called[s.Sel.Name] = true
			}
			return true
		})
	}
	require.True(t, examples[""], "the package has no Example")
	functions := p.Funcs
	for _, typ := range p.Types {
		require.NotEmpty(t, typ.Doc, typ.Name)
		require.True(t, examples[typ.Name], "no Example%s", typ.Name)
		functions = append(functions, typ.Funcs...)
		for _, m := range typ.Methods {
			require.NotEmpty(t, m.Doc, m.Name)
			require.True(t, called[m.Name], "no Example calls %s.%s", typ.Name, m.Name)
		}
	}
	require.NotEmpty(t, functions)
	for _, f := range functions {
		require.NotEmpty(t, f.Doc, f.Name)
		require.True(t, examples[f.Name], "no Example%s", f.Name)
	}
}
