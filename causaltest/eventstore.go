package causaltest

import (
	"io"
	"slices"
	"testing"

	"github.com/spec-kitty/causal"
)

type (
	eventConfig = Config[causal.EventStore]
	eventCase   = testCase[causal.EventStore]
	eventNeeds  = []need[causal.EventStore]
)

// Needs of cases about event stores.
var (
	needsBatch = needsCapability[causal.BatchSaver, causal.EventStore]
	needsLog   = needsCapability[causal.LogReader, causal.EventStore]
	needsClose = needsCapability[io.Closer, causal.EventStore]
)

// TestEventStore checks an event store and its capabilities.
func TestEventStore(t *testing.T, c Config[causal.EventStore]) {
	run(t, c, slices.Concat(
		orderCases, identityCases, fidelityCases, keyCases, iterationCases, manyCases, logCases, waitCases, headCases, appendCases, findCases, digestCases, contextCases, lifeCases,
		[]eventCase{modelCase, eventCrashCase},
	))
}
