package causal_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parsePackage reads all files of this package, with its tests.
func parsePackage(t *testing.T) (*doc.Package, []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/spec-kitty/causal")
	require.NoError(t, err)
	return p, files
}

// Every exported function and type has an Example whose output is checked, and
// every exported method is called in one.
func TestEverythingHasAnExample(t *testing.T) {
	p, files := parsePackage(t)
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
			require.NotEmpty(t, m.Doc, "%s.%s", typ.Name, m.Name)
			// Found by errors.Is and errors.Unwrap, or by encoding/json.
			implicit := map[string]bool{"Is": true, "Unwrap": true, "Error": true}
			require.True(t, called[m.Name] || implicit[m.Name] || examples[typ.Name+"_"+m.Name],
				"no Example calls %s.%s", typ.Name, m.Name)
		}
	}
	for _, f := range functions {
		require.NotEmpty(t, f.Doc, f.Name)
		require.True(t, examples[f.Name], "no Example%s", f.Name)
	}
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
