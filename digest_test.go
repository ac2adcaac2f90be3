package causal_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// digestEvent has every member, and an unknown one.
const digestEvent = `{"event_id":"01JD0000000000000000000001","event_type":"T","aggregate_id":"a","payload":{"n":1},` +
	`"timestamp":"2026-01-01T00:00:00Z","node_id":"n","lamport_clock":5,"causation_id":null,` +
	`"project_uuid":"12345678-1234-5678-1234-567812345678","project_slug":null,"correlation_id":"01JD0000000000000000000001",` +
	`"schema_version":"1.0.0","data_tier":0,"parents":[],"previous_clock":0,"vector_clock":{},"x":1}`

// Events have the same digest exactly if they are equal.
func TestDigestAgreesWithEqual(t *testing.T) {
	spellings := []string{digestEvent}
	for _, change := range [][]string{
		{`"payload":{"n":1}`, `"payload":{"n":1.0}`, `"payload":{ "n" : 10e-1 }`, `"payload":{"n":2,"n":1}`, `"payload":{"n":2}`, `"payload":{"n":-1}`,
			`"payload":{"n":"1"}`, `"payload":{"n":0}`, `"payload":{"n":-0.0}`, `"payload":{"n":0e99999999999999999999}`, `"payload":{"n":1e99999999999999999999}`,
			`"payload":{"n":10E99999999999999999998}`, `"payload":{"n":1e-99999999999999999999}`, `"payload":{}`, `"payload":{"n":null}`, `"payload":{"n":true}`,
			`"payload":{"n":false}`, `"payload":{"n":[]}`, `"payload":{"n":{}}`, `"payload":{"n":[1,[2]]}`, `"payload":{"n":[[1],2]}`, `"payload":{"n":[1,2]}`,
			`"payload":{"n":"\ud83d"}`, `"payload":{"n":"\uD83D"}`, `"payload":{"n":"\ufffd"}`, `"payload":{"n":"�"}`, `"payload":{"a":1,"n":2}`,
			`"payload":{"n":2,"a":1}`, `"payload":{"\u006e":1}`, `"payload":{"n":"a","b":"c"}`, `"payload":{"n":"ab","c":""}`},
		{`"x":1`, `"x":1.0`, `"x":{"a":2,"a":1}`, `"x":{"a":1}`, `"x":null`, `"y":1`, `"x":1,"y":2`, `"y":2,"x":1`},
		{`"timestamp":"2026-01-01T00:00:00Z"`, `"timestamp":"2026-01-01T01:00:00+01:00"`, `"timestamp":"2026-01-01T00:00:00.000001Z"`, `"timestamp":"1900-01-01T00:00:00Z"`},
		{`"event_id":"01JD0000000000000000000001"`, `"event_id":"01jd0000000000000000000001"`, `"event_id":"01JD0000000000000000000002"`},
		{`"event_type":"T"`, `"event_type":"\u0054"`, `"event_type":"t"`, `"event_type":"Ta"`},
		{`"aggregate_id":"a"`, `"aggregate_id":"b"`},
		{`"node_id":"n"`, `"node_id":"m"`},
		{`"lamport_clock":5`, `"lamport_clock":6`},
		{`"causation_id":null`, `"causation_id":"01JD0000000000000000000009"`},
		{`"project_uuid":"12345678-1234-5678-1234-567812345678"`, `"project_uuid":"12345678-1234-5678-1234-567812345679"`},
		{`"project_slug":null`, `"project_slug":""`, `"project_slug":"s"`},
		{`"correlation_id":"01JD0000000000000000000001"`, `"correlation_id":"01JD0000000000000000000007"`},
		{`"schema_version":"1.0.0"`, `"schema_version":"1.0.1"`},
		{`"data_tier":0`, `"data_tier":1`},
		{`"parents":[],"previous_clock":0`, `"previous_clock":0,"parents":[]`, `"parents":["01JD0000000000000000000003"],"previous_clock":0`,
			`"parents":[],"previous_clock":4`, `"z":1`},
		{`"vector_clock":{}`, `"vector_clock":{"n":5}`, `"vector_clock":{ "m":2, "n":5}`, `"vector_clock":{"m":2,"n":5}`, `"vector_clock":{"m":3,"n":5}`},
	} {
		require.Equal(t, 1, strings.Count(digestEvent, change[0]), change[0])
		for _, other := range change[1:] {
			spellings = append(spellings, strings.Replace(digestEvent, change[0], other, 1))
		}
	}
	events := make([]causal.Event, len(spellings))
	for i, text := range spellings {
		events[i] = decode(t, text)
	}
	same := 0
	for i, e := range events {
		for j, f := range events {
			require.Equal(t, e.Equal(f), e.Digest() == f.Digest(), "%s\n%s", spellings[i], spellings[j])
			if i != j && e.Equal(f) {
				same++
			}
		}
	}
	require.Greater(t, same, 30)
	require.Equal(t, [32]byte{}, causal.Event{}.Digest())
	require.NotEqual(t, [32]byte{}, eventtest.New(t, 1).Digest())
}

// The digests that other languages and later versions must compute.
func TestDigestVectors(t *testing.T) {
	file, err := os.Open("testdata/digests.jsonl")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		var v struct {
			Digest string          `json:"digest"`
			Event  json.RawMessage `json:"event"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		digest := decode(t, string(v.Event)).Digest()
		require.Equal(t, v.Digest, hex.EncodeToString(digest[:]), "line %d", count+1)
	}
	require.Greater(t, count, 20)
}

func BenchmarkDigest(b *testing.B) {
	for _, fields := range []int{1, 8, 64} {
		var payload strings.Builder
		for i := range fields {
			fmt.Fprintf(&payload, `,"field%d":{"text":"some value of a field","n":%d}`, i, i)
		}
		e := eventtest.New(b, 1, eventtest.WithPayload("{"+payload.String()[1:]+"}"))
		b.Run(fmt.Sprintf("fields=%d", fields), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Digest()
			}
		})
	}
}
