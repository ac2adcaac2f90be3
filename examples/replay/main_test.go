package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// replayed runs the program.
func replayed(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return out.String(), err.String(), status
}

const sampleFaults = `testdata/sample.jsonl:6: causal: validation failed: event_id must be 26 ASCII letters or digits, or a UUID with hyphens; event_type is missing; ` +
	`aggregate_id is missing; timestamp is missing; node_id is missing; lamport_clock is missing; project_uuid is missing; correlation_id is missing
testdata/sample.jsonl:7: causal: event ID already has different content: 01HZXW5B2Q3R4S5T6V7W8X9Y03
testdata/sample.jsonl:10: causal: validation failed: is not valid JSON, seen at byte 2
`

func TestText(t *testing.T) {
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	stdout, stderr, status := replayed(t, "", "testdata/sample.jsonl")
	require.Equal(t, string(want), stdout)
	require.Equal(t, sampleFaults, stderr)
	require.Equal(t, 1, status)
}

func TestJSON(t *testing.T) {
	stdout, stderr, status := replayed(t, "", "-json", "testdata/sample.jsonl", "testdata/loop.jsonl")
	require.Equal(t, 1, status)
	var r result
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Equal(t, totals{Lines: 11, Events: 7, Repeated: 1, Refused: 3, Conflicts: 2, Resolved: 1}, r.Totals)
	require.Len(t, r.Aggregates, 3)
	require.EqualValues(t, "01HZXW5B2Q3R4S5T6V7W8X9Y03", r.Aggregates[0].Conflicts[0].Winner)
	require.Contains(t, stdout, `"build_id": "b-7"`, "unknown members are there")
	require.Equal(t, strings.Join(r.Faults, "\n")+"\n", stderr)
	require.Equal(t, "WP003: causal: causation cycle of 2 events: 01HZXW5B2Q3R4S5T6V7W8X9Y06, 01HZXW5B2Q3R4S5T6V7W8X9Y07; shown by clock", r.Faults[3])
}

func TestFlags(t *testing.T) {
	event := `{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y0%","event_type":"t","aggregate_id":"a","timestamp":"2026-01-26","node_id":"n%",` +
		`"lamport_clock":1,"project_uuid":"12345678-1234-5678-1234-567812345678","correlation_id":"01HZXW5B2Q3R4S5T6V7W8X9Y00",` +
		`"payload":{"lane":"low%"}}` + "\n"
	input := strings.ReplaceAll(event, "%", "1") + strings.ReplaceAll(event, "%", "2")
	stdout, stderr, status := replayed(t, input, "-key", "lane", "-priority", "low1=1,low2=2")
	require.Empty(t, stderr)
	require.Zero(t, status)
	require.Contains(t, stdout, `conflict of 2 events at 1: state "low2" (priority 2) from node "n2" wins over 1 other event`)

	stdout, stderr, status = replayed(t, "")
	require.Empty(t, stderr)
	require.Zero(t, status)
	require.Equal(t, "0 lines: 0 events, 0 repeated, 0 refused; 0 conflicts in 0 aggregates, 0 resolved\n", stdout)

	_, _, status = replayed(t, "", "-help")
	require.Zero(t, status)
	for _, args := range [][]string{{"-no-such"}, {"-priority", ""}, {"-priority", "a=x"}, {"-priority", "a=1,a=2"}} {
		_, stderr, status = replayed(t, "", args...)
		require.Equal(t, 2, status)
		require.NotEmpty(t, stderr)
	}
	for _, name := range []string{"no such file", "testdata"} {
		_, stderr, status = replayed(t, "", name)
		require.Equal(t, 1, status)
		require.Contains(t, stderr, name)
	}
}
