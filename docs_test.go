package causal_test

import (
	"os"
	"path/filepath"
	"regexp"
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

// Each step in docs/operate.md is tested.
func TestOperateNamesTests(t *testing.T) {
	requireTests(t, "docs/operate.md", "*_test.go", "causalsync/*_test.go", "causalsqlite/*_test.go", "causalpg/*_test.go")
}

// requireTests requires that the tests and examples named on a page exist.
func requireTests(t *testing.T, page string, patterns ...string) {
	t.Helper()
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

// docs/architecture.md describes each file of the stores, and no others. For
// the root, TestFilesFormLayers checks it.
func TestArchitectureNamesTheFilesOfStores(t *testing.T) {
	_, stores, _ := strings.Cut(architecture(t), "## The stores")
	stores, _, _ = strings.Cut(stores, "## What may be touched")
	var files []string
	for _, store := range []string{"causalnats", "causalsqlite", "causalpg"} {
		files = append(files, libraryFiles(t, store)...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return name == "doc.go" })
	require.ElementsMatch(t, slices.Compact(slices.Sorted(slices.Values(files))), fileNames(stores))
}

// The README states the length of this example.
func TestFieldsExampleIsShort(t *testing.T) {
	source, err := os.ReadFile("fields_example_test.go")
	require.NoError(t, err)
	_, body, ok := strings.Cut(string(source), "\nfunc Example_fields() {\n")
	require.True(t, ok)
	require.LessOrEqual(t, strings.Count(body, "\n"), 60)
}
