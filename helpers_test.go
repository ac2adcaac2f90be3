package causal_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

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
