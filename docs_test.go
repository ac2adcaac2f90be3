package causal_test

import (
	"encoding/xml"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
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

// docs/from-python.md has every public name of the Python package, 0.4.0.
func TestFromPythonHasEveryName(t *testing.T) {
	text, err := os.ReadFile("docs/from-python.md")
	require.NoError(t, err)
	ported := strings.Fields(`
		Event ErrorEntry ConflictResolution SpecKittyEventsError StorageError ValidationError CyclicDependencyError
		EventStore ClockStorage ErrorStorage InMemoryEventStore InMemoryClockStorage InMemoryErrorStorage LamportClock
		is_concurrent total_order_key topological_sort merge_gset merge_counter state_machine_merge ErrorLog`)
	notPorted := strings.Fields(`
		GatePayloadBase GatePassedPayload GateFailedPayload UnknownConclusionError map_check_run_conclusion
		SCHEMA_VERSION MISSION_STARTED MISSION_COMPLETED MISSION_CANCELLED PHASE_ENTERED REVIEW_ROLLBACK MISSION_EVENT_TYPES
		TERMINAL_MISSION_STATUSES MissionStatus MissionStartedPayload MissionCompletedPayload MissionCancelledPayload
		PhaseEnteredPayload ReviewRollbackPayload LifecycleAnomaly ReducedMissionState reduce_lifecycle_events
		Lane ExecutionMode RepoEvidence VerificationEntry ReviewVerdict DoneEvidence ForceMetadata StatusTransitionPayload
		TransitionError TransitionValidationResult normalize_lane validate_transition TERMINAL_LANES LANE_ALIASES
		WP_STATUS_CHANGED status_event_sort_key dedup_events reduce_status_events WPState TransitionAnomaly ReducedStatus`)
	require.Len(t, ported, 21)
	require.Len(t, notPorted, 43)
	_, names, _ := strings.Cut(string(text), "## Names")
	names, missing, _ := strings.Cut(names, "### What is not ported")
	missing, _, _ = strings.Cut(missing, "## Differences")
	for _, name := range ported {
		require.Regexp(t, "`"+name+"[`(.]", names)
	}
	for _, name := range notPorted {
		require.Contains(t, missing, "`"+name+"`")
	}
}

// requireRepository skips a test of all modules in a copy of this one alone,
// such as a module cache.
func requireRepository(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("causalnats/go.mod"); err != nil {
		t.Skip("the other modules are missing")
	}
}

// Each step in docs/operate.md is tested.
func TestOperateNamesTests(t *testing.T) {
	requireTests(t, "docs/operate.md", "*_test.go", "causalsync/*_test.go", "causalsqlite/*_test.go", "causalpg/*_test.go")
}

// requireTests requires that the tests and examples named on a page exist.
func requireTests(t *testing.T, page string, patterns ...string) {
	t.Helper()
	requireRepository(t)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var tests strings.Builder
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			source, err := os.ReadFile(path)
			require.NoError(t, err)
			tests.Write(source)
		}
	}
	names := regexp.MustCompile(`\b(Test|Example)\w+`).FindAllString(string(text), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		require.True(t, strings.Contains(tests.String(), "\nfunc "+name+"("), name)
	}
}

// The statements of docs/nats.md about failures are tested.
func TestNATSPageNamesTests(t *testing.T) { requireTests(t, "docs/nats.md", "causalnats/*_test.go") }

func TestReleasePageNamesTests(t *testing.T) { requireTests(t, "docs/release.md", "release/*_test.go") }

// docs/architecture.md describes each file of the stores, and no others. For
// the root, TestFilesFormLayers checks it.
func TestArchitectureNamesTheFilesOfStores(t *testing.T) {
	requireRepository(t)
	_, stores, _ := strings.Cut(architecture(t), "## The stores")
	stores, _, _ = strings.Cut(stores, "## What may be touched")
	var files []string
	for _, store := range []string{"causalnats", "causalsqlite", "causalpg"} {
		files = append(files, libraryFiles(t, store)...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return name == "doc.go" })
	require.ElementsMatch(t, slices.Compact(slices.Sorted(slices.Values(files))), fileNames(stores))
}

// The example that shows all merges is short enough to read.
func TestFieldsExampleIsShort(t *testing.T) {
	source, err := os.ReadFile("fields_example_test.go")
	require.NoError(t, err)
	_, body, ok := strings.Cut(string(source), "\nfunc Example_fields() {\n")
	require.True(t, ok)
	require.LessOrEqual(t, strings.Count(body, "\n"), 60)
}

// sourceFiles returns the paths of all files of the repository with one of
// these extensions.
func sourceFiles(t *testing.T, extensions ...string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || name == "vendor" || path != "." && (name[0] == '.' || name[0] == '_')):
			return filepath.SkipDir
		case !d.IsDir() && slices.Contains(extensions, filepath.Ext(path)):
			paths = append(paths, path)
		}
		return nil
	}))
	require.NotEmpty(t, paths)
	return paths
}

// unidiomatic are phrases to avoid in comments and documents, with what to
// write instead.
var unidiomatic = map[*regexp.Regexp]string{
	regexp.MustCompile(`is an? \[\*[\w.]*Error\]`):                                          "returns a [*Error] if",
	regexp.MustCompile(`\bbehind (the|its|a) (cursor|entry|event|batch|head|end|position)`): "after",
	regexp.MustCompile(`(?i)\bfor ever\b`):                                                  "forever, permanently",
	regexp.MustCompile(`(?i)\bin proportion to\b`):                                          "linear in",
	regexp.MustCompile(`\bcontext that (has ended|ends)\b`):                                 "ctx is done",
	regexp.MustCompile(`\b(Whoever|Who) [a-z]+s\b`):                                         "you; a caller that",
	regexp.MustCompile(`\b(stays|is|leaves \S+) as it was\b`):                               "unchanged",
	regexp.MustCompile(`\bgo(es)? on\b`):                                                    "continue, resume",
	regexp.MustCompile(`(?i)\bmeanwhile\b`):                                                 "concurrently, in between",
	regexp.MustCompile(`(?i)\b(that is none|is no text)\b`):                                 "is not one, is not UTF-8",
}

func TestDocumentsAreIdiomatic(t *testing.T) {
	for _, path := range sourceFiles(t, ".md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		requireIdiomatic(t, path, string(text))
	}
}

func requireIdiomatic(t *testing.T, name, text string) {
	t.Helper()
	for phrase, instead := range unidiomatic {
		if found := phrase.FindString(strings.Join(strings.Fields(text), " ")); found != "" {
			t.Errorf("%s: %q: write %q", name, found, instead)
		}
	}
}

// Comments are idiomatic and wrapped at 80 columns, except for code and for
// words that are longer.
func TestCommentsAreIdiomatic(t *testing.T) {
	const columns = 80
	for _, path := range sourceFiles(t, ".go") {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		lines := strings.Split(string(source), "\n")
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, source, parser.ParseComments)
		require.NoError(t, err)
		for _, group := range f.Comments {
			text := group.Text()
			if strings.HasPrefix(text, "Output:") {
				continue
			}
			requireIdiomatic(t, fset.Position(group.Pos()).String(), text)
			for _, comment := range group.List {
				line := lines[fset.Position(comment.Pos()).Line-1]
				words, isWhole := strings.CutPrefix(strings.TrimSpace(line), "// ")
				if width := len([]rune(strings.ReplaceAll(line, "\t", "    "))); isWhole && strings.Contains(words, " ") && width > columns {
					t.Errorf("%s: the line has %d columns", fset.Position(comment.Pos()), width)
				}
			}
		}
	}
}

// Few clauses begin with "that". In the standard library, 0.5 per cent of the
// words of net/netip are; here, 0.8 at most.
func TestFewThatClauses(t *testing.T) {
	requireRepository(t)
	for _, path := range []string{
		".", "./causaladapter", "./causalsync", "./causaltest", "./causalnats", "./causalpg", "./causalsqlite",
	} {
		text, err := exec.CommandContext(t.Context(), "go", "doc", "-all", path).CombinedOutput()
		require.NoError(t, err, "%s: %s", path, text)
		words := regexp.MustCompile(`[A-Za-z']+`).FindAllString(string(text), -1)
		that := 0
		for _, word := range words {
			if strings.EqualFold(word, "that") {
				that++
			}
		}
		require.Greater(t, len(words), 500, path)
		require.LessOrEqual(t, that*1000, 8*len(words), "%s: %d of %d words are \"that\"", path, that, len(words))
	}
}

// docs/architecture.md gives a reason for each exported name, and names no
// other.
func TestExportedNamesHaveReasons(t *testing.T) {
	_, table, ok := strings.Cut(architecture(t), "## Exported names")
	require.True(t, ok)
	var listed, exported []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\| (\\S.*) \\|$").FindAllStringSubmatch(table, -1) {
		for _, name := range strings.Split(row[1], ", ") {
			listed = append(listed, strings.Trim(name, "`"))
		}
	}
	for _, name := range libraryFiles(t, ".") {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					exported = append(exported, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						exported = append(exported, s.Name.Name)
					case *ast.ValueSpec:
						for _, n := range s.Names {
							exported = append(exported, n.Name)
						}
					}
				}
			}
		}
	}
	exported = slices.DeleteFunc(exported, func(name string) bool { return !ast.IsExported(name) })
	require.ElementsMatch(t, exported, listed)
}

// The picture of two nodes in the README shows the stores of the package
// Example, before and after the sync.
func TestPictureOfNodes(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "(docs/nodes.svg)")
	data, err := os.ReadFile("docs/nodes.svg")
	require.NoError(t, err)
	var picture struct {
		Stores []struct {
			Node  string `xml:"id,attr"`
			Texts []struct {
				Y    int    `xml:"y,attr"`
				Text string `xml:",chardata"`
			} `xml:"text"`
		} `xml:"g"`
	}
	require.NoError(t, xml.Unmarshal(data, &picture))
	require.Len(t, picture.Stores, 2)

	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	emitted := map[string]causal.Event{}
	stores := map[string]*causal.MemStore{"alice": {}, "bob": {}}
	for _, emit := range regexp.MustCompile(`(\w+)\.Emit\(ctx, change\("(\w+)"\)\)`).FindAllStringSubmatch(string(source), -1) {
		node, state := emit[1], emit[2]
		emitted[node], err = openNode(t, node, stores[node]).Emit(t.Context(), note("task-1", func(p *causal.EventParams) {
			p.Payload = map[string]string{"state": state}
		}))
		require.NoError(t, err)
	}
	require.Len(t, emitted, 2)
	for _, store := range picture.Stores {
		other, ok := map[string]string{"alice": "bob", "bob": "alice"}[store.Node]
		require.True(t, ok, store.Node)
		require.NoError(t, stores[store.Node].SaveEvent(t.Context(), emitted[other]))
		events := []causal.Event{emitted[store.Node]}
		for _, entry := range readLog(t, stores[store.Node], causal.Cursor{}) {
			events = append(events, entry.Event)
		}
		require.Len(t, store.Texts, len(events))
		for i, e := range events {
			state, _ := e.PayloadField("state")
			require.Equal(t, fmt.Sprintf("%s %d %s", e.NodeID(), e.LamportClock(), strings.Trim(string(state), `"`)), store.Texts[i].Text)
			require.True(t, i == 0 || store.Texts[i-1].Y < store.Texts[i].Y, "from top to bottom")
		}
	}
}
