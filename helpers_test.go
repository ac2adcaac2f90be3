package causal_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

const projectUUID = "12345678-1234-5678-1234-567812345678"

var testTime = time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC)

// testID returns a valid event ID that depends on n alone and grows with it.
func testID(n int) causal.EventID { return causal.EventID(fmt.Sprintf("TEST%022d", n)) }

// params returns valid parameters of the n-th event of a test.
func params(n int) causal.EventParams {
	return causal.EventParams{
		ID: testID(n), Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice",
		LamportClock: int64(n), Timestamp: testTime, ProjectUUID: projectUUID,
	}
}

// newEvent returns the n-th event of a test, changed by the options.
func newEvent(t testing.TB, n int, change ...func(*causal.EventParams)) causal.Event {
	t.Helper()
	p := params(n)
	for _, c := range change {
		c(&p)
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	return e
}

// with returns a change of the payload to the given JSON text.
func with(payload string) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.Payload = json.RawMessage(payload) }
}

// chain returns n events, each caused by the one before it, with the given
// clocks.
func chain(t testing.TB, n int, clock func(i int) int64) []causal.Event {
	t.Helper()
	events := make([]causal.Event, n)
	for i := range events {
		events[i] = newEvent(t, i, func(p *causal.EventParams) {
			p.LamportClock = clock(i)
			if i > 0 {
				p.CausationID = testID(i - 1)
			}
		})
	}
	return events
}

// ids returns the IDs of the events.
func ids(events []causal.Event) []causal.EventID {
	out := make([]causal.EventID, len(events))
	for i, e := range events {
		out[i] = e.ID()
	}
	return out
}

// requireEqualEvents compares by Event.Equal.
func requireEqualEvents(t require.TestingT, want, got []causal.Event) {
	require.Equal(t, ids(want), ids(got))
	for i := range want {
		require.True(t, want[i].Equal(got[i]), "event %d differs", i)
	}
}

// readVectors decodes each line of a file in testdata.
func readVectors[T any](t testing.TB, name string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer f.Close()
	var vectors []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v), "%s:%d", name, len(vectors)+1)
		vectors = append(vectors, v)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, vectors)
	return vectors
}

// permutations returns every order of the events.
func permutations(events []causal.Event) [][]causal.Event {
	if len(events) == 0 {
		return [][]causal.Event{nil}
	}
	var all [][]causal.Event
	for i, first := range events {
		rest := slices.Concat(events[:i], events[i+1:])
		for _, p := range permutations(rest) {
			all = append(all, append([]causal.Event{first}, p...))
		}
	}
	return all
}
