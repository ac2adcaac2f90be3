// Package doctest checks that the documentation of a package is complete and
// has examples.
package doctest

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"
)

// parse parses the package in the working directory, with its tests, as it is
// built here.
func parse(t *testing.T, importPath string) (*doc.Package, []*doc.Example) {
	t.Helper()
	dir, err := build.ImportDir(".", 0)
	require.NoError(t, err)
	fset := token.NewFileSet()
	var library, tests []*ast.File
	for i, names := range [][]string{dir.GoFiles, dir.XTestGoFiles} {
		for _, name := range names {
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			require.NoError(t, err)
			if i == 0 {
				library = append(library, f)
			} else {
				tests = append(tests, f)
			}
		}
	}
	p, err := doc.NewFromFiles(fset, library, importPath)
	require.NoError(t, err)
	return p, doc.Examples(tests...)
}

// RequireExamples requires that every Example of the package in the working
// directory checks its output, and runs as it stands on pkg.go.dev, without
// other files. unplayable lists the exceptions, which must exist.
func RequireExamples(t *testing.T, importPath string, unplayable ...string) {
	t.Helper()
	_, examples := parse(t, importPath)
	require.NotEmpty(t, examples)
	allowed := map[string]bool{}
	for _, name := range unplayable {
		allowed[name] = true
	}
	for _, example := range examples {
		require.True(t, example.Output != "" || example.EmptyOutput, "Example%s checks no output", example.Name)
		require.Equal(t, allowed[example.Name], example.Play == nil, "whether Example%s needs another file", example.Name)
		delete(allowed, example.Name)
	}
	require.Empty(t, allowed, "examples that do not exist")
}

// RequireComplete requires a comment and an Example for every exported function
// and type of the package in the working directory, and a comment and a call in
// an Example for every exported method.
func RequireComplete(t *testing.T, importPath string) {
	t.Helper()
	p, all := parse(t, importPath)
	examples, called := map[string]bool{}, map[string]bool{}
	for _, example := range all {
		examples[example.Name] = true
		ast.Inspect(example.Code, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				called[s.Sel.Name] = true
			}
			return true
		})
	}
	require.True(t, examples[""], "the package has no Example")
	// Found by errors.Is and errors.Unwrap, or by fmt.
	implicit := map[string]bool{"Is": true, "Unwrap": true, "Error": true}
	functions := p.Funcs
	for _, typ := range p.Types {
		require.NotEmpty(t, typ.Doc, typ.Name)
		require.True(t, examples[typ.Name], "no Example%s", typ.Name)
		functions = append(functions, typ.Funcs...)
		for _, m := range typ.Methods {
			require.NotEmpty(t, m.Doc, "%s.%s", typ.Name, m.Name)
			require.True(t, called[m.Name] || implicit[m.Name] || examples[typ.Name+"_"+m.Name],
				"no Example calls %s.%s", typ.Name, m.Name)
		}
	}
	require.NotEmpty(t, functions)
	for _, f := range functions {
		require.NotEmpty(t, f.Doc, f.Name)
		require.True(t, examples[f.Name], "no Example%s", f.Name)
	}
}
