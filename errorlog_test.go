package causal_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestErrorLogVectors(t *testing.T) {
	ctx := t.Context()
	type vector struct {
		Max, N, Limit int
		Want          []string
	}
	for i, v := range readVectors[vector](t, "error_log.jsonl") {
		s, err := causal.NewMemErrorStorage(v.Max)
		require.NoError(t, err)
		log, err := causal.NewErrorLog(s)
		require.NoError(t, err)
		for n := range v.N {
			require.NoError(t, log.Log(ctx, causal.ErrorEntry{ActionAttempted: fmt.Sprint("a", n), ErrorMessage: "m"}))
		}
		recent, err := log.Recent(ctx, v.Limit)
		require.NoError(t, err)
		var got []string
		for _, e := range recent {
			got = append(got, e.ActionAttempted)
		}
		require.Equal(t, v.Want, got, "line %d", i+1)
	}
}

func TestErrorLog(t *testing.T) {
	ctx := t.Context()
	var s causal.MemErrorStorage
	log, err := causal.NewErrorLog(&s)
	require.NoError(t, err)
	recent, err := log.Recent(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, recent)

	before := time.Now().Truncate(time.Microsecond)
	require.NoError(t, log.Log(ctx, causal.ErrorEntry{ActionAttempted: "save", ErrorMessage: "disk full"}))
	full := causal.ErrorEntry{
		Timestamp: eventtest.Time, ActionAttempted: "load", ErrorMessage: "no such file", Resolution: "made one", Agent: "alice",
	}
	require.NoError(t, log.Log(ctx, full))
	recent, err = log.Recent(ctx, math.MaxInt)
	require.NoError(t, err)
	require.Equal(t, full, recent[0], "newest first")
	require.Equal(t, "unknown", recent[1].Agent)
	require.WithinRange(t, recent[1].Timestamp, before, time.Now())
	require.Equal(t, recent[1].Timestamp.Truncate(time.Microsecond), recent[1].Timestamp, "peers keep no more")
	recent[0].Agent = "mallory" // a copy
	recent, err = log.Recent(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []causal.ErrorEntry{full}, recent)

	for range 200 {
		require.NoError(t, log.Log(ctx, full))
	}
	recent, err = log.Recent(ctx, 1000)
	require.NoError(t, err)
	require.Len(t, recent, causal.DefaultErrorLimit, "the zero storage has the default limit")
}

func TestErrorLogRefuses(t *testing.T) {
	ctx := t.Context()
	var s causal.MemErrorStorage
	log, err := causal.NewErrorLog(&s)
	require.NoError(t, err)
	for _, limit := range []int{0, -1, math.MinInt} {
		_, err = log.Recent(ctx, limit)
		requireFault(t, err, "limit must be at least 1")
		_, err = causal.NewMemErrorStorage(limit)
		requireFault(t, err, "limit must be at least 1")
	}
	err = log.Log(ctx, causal.ErrorEntry{Resolution: "\xff"})
	requireFault(t, err, "action_attempted must not be empty; "+
		"error_message must not be empty; resolution must be valid UTF-8")
	recent, err := log.Recent(ctx, 1)
	require.NoError(t, err)
	require.Empty(t, recent)

	_, err = causal.NewErrorLog(nil)
	require.ErrorIs(t, err, causal.ErrValidation)
	var zero causal.ErrorLog
	require.ErrorIs(t, zero.Log(ctx, causal.ErrorEntry{}), causal.ErrValidation)
	_, err = zero.Recent(ctx, 1)
	require.ErrorIs(t, err, causal.ErrValidation)
}

func TestErrorEntryJSON(t *testing.T) {
	e := causal.ErrorEntry{
		Timestamp: eventtest.Time.Add(1500).In(time.FixedZone("", -3600)), ActionAttempted: "say \"hé\"", ErrorMessage: "<no>", Agent: "bob",
	}
	data, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, `{"timestamp":"2026-01-26T09:00:00.0000015-01:00","action_attempted":"say \"hé\"",`+
		`"error_message":"\u003cno\u003e","resolution":"","agent":"bob"}`, string(data))
	var again causal.ErrorEntry
	require.NoError(t, json.Unmarshal(data, &again))
	require.True(t, e.Timestamp.Equal(again.Timestamp))
	again.Timestamp = e.Timestamp
	require.Equal(t, e, again)

	require.NoError(t, json.Unmarshal([]byte(`{"timestamp":"2026-01-26 10:00:00","action_attempted":"a",`+
		`"error_message":"m","other":[{}]}`), &again))
	require.Equal(t, causal.ErrorEntry{Timestamp: eventtest.Time, ActionAttempted: "a", ErrorMessage: "m", Agent: "unknown"}, again)

	_, err = json.Marshal(causal.ErrorEntry{})
	require.ErrorIs(t, err, causal.ErrValidation)
	for text, want := range map[string]string{
		`null`:     "must be a JSON object",
		`{}{}`:     "is not valid JSON, seen at byte 3",
		`{"a":`:    "is not valid JSON, seen at byte 5",
		`{}`:       "timestamp is missing; action_attempted is missing; error_message is missing",
		"\"\xff\"": "must be valid UTF-8",
		`{"timestamp":"x","action_attempted":"","error_message":null,"agent":null,"resolution":5}`: "timestamp must be an RFC 3339 date and time, " +
			"with up to nine decimals; action_attempted must not be empty; error_message must not be null; " +
			"resolution must be a string; agent must not be null",
		`{"timestamp":"2026-01-26","action_attempted":"a","error_message":"m","agent":"a","agent":"b"}`:   "agent occurs twice",
		`{"timestamp":"2026-01-26","action_attempted":"a","error_message":"m","agent":"\udfff"}`:          "agent must not contain half of a surrogate pair",
		`{"timestamp":"0000-01-26","action_attempted":"a","error_message":"m\u0000","Agent":["ignored"]}`: "timestamp must have a year from 1 to 9999",
	} {
		got := e
		err := got.UnmarshalJSON([]byte(text))
		requireFault(t, err, want)
		require.Equal(t, e, got, "the target has changed")
	}
	require.NoError(t, again.UnmarshalJSON([]byte(`{"timestamp":"2026-01-26","action_attempted":"a","error_message":"m","\udfff":`+
		strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`)), "what we do not read cannot hurt")
}
