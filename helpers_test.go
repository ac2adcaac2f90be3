package causal_test

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

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

// requireNearlyLinear requires that 64 times the input takes less than 1024
// times as long; quadratic growth would take 4096 times. It compares the
// minimum of several runs, leaving room for a small run on an idle machine and
// a large one on a busy machine, and has three attempts.
func requireNearlyLinear(t *testing.T, small, large func()) {
	t.Helper()
	least := func(f func(), runs int) time.Duration {
		best := time.Duration(math.MaxInt64)
		for range runs {
			start := time.Now()
			f()
			best = min(best, time.Since(start))
		}
		return best
	}
	for attempt := 1; ; attempt++ {
		a, b := least(small, 9), least(large, 3)
		if b < 1024*a {
			return
		}
		require.Less(t, attempt, 3, "64 times the input took %.1f times the time: %v, then %v", float64(b)/float64(a), a, b)
	}
}

// requireFault requires a *ValidationError with this text, possibly after an
// event ID.
func requireFault(t require.TestingT, err error, want string, args ...any) {
	var invalid *causal.ValidationError
	require.ErrorAs(t, err, &invalid, args...)
	text := strings.TrimPrefix(err.Error(), "causal: validation failed: ")
	require.NotEqual(t, err.Error(), text, args...)
	if invalid.EventID != "" {
		named := "event " + string(invalid.EventID) + ": "
		require.True(t, strings.HasPrefix(text, named), text)
		text = strings.TrimPrefix(text, named)
	}
	require.Equal(t, want, text, args...)
}
