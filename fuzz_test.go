package causal_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// hostileEvents are seeds for every known trap.
func hostileEvents() []string {
	seeds := []string{
		"", "null", "{}", "[]", wire(nil), wire(nil) + wire(nil), " " + wire(nil) + "\n",
		"\ufeff" + wire(nil),
		strings.Replace(wire(nil), "{", `{"event_id":1,`, 1),
		strings.ReplaceAll(wire(nil), "_", `\u005f`),
	}
	for _, payload := range []string{
		`{"n":9007199254740993,"f":1e400,"z":-0.0}`, `{"u":"\u0000\ud83d\ude00\ud800"}`, `{"a":1,"a":2}`, `{"\u0061":1,"a":[]}`,
		`{"tags":["a","\ud800"],"delta":1e18,"state":null,"status":"x"}`, `{"delta":-922337203685477580800e-2}`,
		strings.Repeat(`{"a":`, 1001) + "1" + strings.Repeat("}", 1001), "{\"a\":\"\xff\"}", `{ }`, `{"}":"{","\\":"\""}`,
	} {
		seeds = append(seeds, wire(map[string]string{"payload": payload}))
	}
	for _, timestamp := range []string{
		"2026-01-26", "2026-01-26 10:00:00", "2026-01-26T10:00:00.123456789+23:59", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59Z",
		"2026-01-26T10:00:00,5Z", "2026-01-26T10:00:00+24:00",
	} {
		seeds = append(seeds, wire(map[string]string{"timestamp": `"` + timestamp + `"`}))
	}
	for member, value := range map[string]string{
		"lamport_clock": "9223372036854775807", "data_tier": "1.0", "project_slug": `"\ud800"`, "causation_id": `""`,
		"project_uuid": `"{12345678-1234-5678-1234-567812345678}"`, "build_id": `{"a":[1,{"b":null}]}`, "vector_clock": `{"alice":5,"bob":4}`, "schema_version": `"1.0.0 "`,
	} {
		seeds = append(seeds, wire(map[string]string{member: value}))
	}
	for _, parents := range []string{`[]`, `["TEST0000000000000000000001","9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"]`, `["test0000000000000000000001"]`} {
		seeds = append(seeds, wire(map[string]string{"parents": parents, "previous_clock": "4"}))
	}
	return seeds
}

func FuzzEvent(f *testing.F) {
	for _, seed := range hostileEvents() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := eventtest.New(t, 1)
		e := before
		if err := e.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, causal.ErrValidation)
			require.True(t, e.Equal(before), "a failed decode changed the target")
			return
		}
		require.True(t, json.Valid(data))
		text, err := e.MarshalJSON()
		require.NoError(t, err)
		var again causal.Event
		require.NoError(t, again.UnmarshalJSON(text))
		require.True(t, e.Equal(again))
		textAgain, err := again.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(text), string(textAgain), "the encoding is not canonical")
		checkPayload(t, e)
		for _, merge := range merges { // must not panic
			_, _ = merge([]causal.Event{e, again})
		}
	})
}

// checkPayload compares our decoding of a payload with that of encoding/json.
func checkPayload(t *testing.T, e causal.Event) {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, e.DecodePayload(&members))
	for name, want := range members {
		if strings.ContainsRune(name, utf8.RuneError) {
			continue // may be half of a surrogate pair, which encoding/json replaces
		}
		got, ok := e.PayloadField(name)
		require.True(t, ok, "%q", name)
		require.Equal(t, string(want), string(got))
	}
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, e.Payload()))
	respelt := string(must(e.MarshalJSON()))
	respelt = strings.Replace(respelt, `"payload":`+string(e.Payload()), `"payload": `+compact.String(), 1)
	var again causal.Event
	require.NoError(t, again.UnmarshalJSON([]byte(respelt)))
	require.True(t, e.Equal(again), "white space makes a difference")
}

func FuzzErrorEntry(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"timestamp":"2026-01-26T10:00:00Z","action_attempted":"a","error_message":"m"}`,
		`{"timestamp":"2026-01-26","action_attempted":"a\u0000","error_message":"\ud800","resolution":null,"agent":""}`,
		`{"timestamp":"2026-01-26 10:00:00.5-23:59","action_attempted":"a","error_message":"m","resolution":"r","agent":"b","x":[{}]}`,
		`{"timestamp":1,"timestamp":2}`, "{\"agent\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := causal.ErrorEntry{Agent: "before"}
		e := before
		if err := e.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, causal.ErrValidation)
			require.Equal(t, before, e, "a failed decode changed the target")
			return
		}
		text, err := e.MarshalJSON()
		require.NoError(t, err)
		var again causal.ErrorEntry
		require.NoError(t, again.UnmarshalJSON(text))
		require.True(t, e.Timestamp.Equal(again.Timestamp))
		again.Timestamp = e.Timestamp
		require.Equal(t, e, again)
	})
}

// state has the methods of all state types.
type state interface {
	json.Marshaler
	json.Unmarshaler
}

func FuzzState(f *testing.F) {
	var s states
	for _, e := range sixEvents(f) {
		s.apply(f, e)
	}
	s.markSeen(vector(f, map[string]int64{"alice": 1, "bob": 2, "carol": 3, "dave": 3}))
	require.NoError(f, s.counter.Compact(s.counter.Seen()))
	require.NoError(f, s.set.Compact(s.set.Seen()))
	delta, err := s.set.DeltaSince(s.set.Seen())
	require.NoError(f, err)
	for _, seed := range []json.Marshaler{s.set, s.grown, s.counter, s.value, delta} {
		f.Add(must(seed.MarshalJSON()))
	}
	f.Add([]byte("{}"))
	f.Add([]byte(`{"elements":[{"element":"\ud83d\ude00","node_id":"a","lamport_clock":0,"event_id":"TEST0000000000000000000001"}],"seen":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var numbers causal.ORSet[float64]
		var into states
		var delta causal.Delta[causal.ORSet[string]]
		for _, s := range []state{&into.set, &into.grown, &into.counter, &into.value, &delta, &numbers} {
			before := string(must(s.MarshalJSON()))
			if err := s.UnmarshalJSON(data); err != nil {
				require.ErrorIs(t, err, causal.ErrValidation)
				require.Equal(t, before, string(must(s.MarshalJSON())), "a failed decode changed the target")
				continue
			}
			text := must(s.MarshalJSON())
			require.NoError(t, s.UnmarshalJSON(text))
			require.Equal(t, string(text), string(must(s.MarshalJSON())), "the encoding is not canonical")
		}
		all := into.json(t)
		into.merge(t, &into) // must not change or panic
		require.Equal(t, all, into.json(t))
		_ = into.set.MergeDelta(delta)
	})
}

func FuzzCursor(f *testing.F) {
	for _, c := range []causal.Cursor{{}, causal.NewCursor([16]byte{1}, 0, [8]byte{}), causal.NewCursor([16]byte{2}, 1<<63, [8]byte{1, 2})} {
		f.Add([]byte(c.String()))
	}
	f.Add([]byte("AQECAwAAAAAAAAAAAAAAAAAAAAAAAAAAB4frEK="))
	f.Add(bytes.Repeat([]byte("\n"), 50))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := causal.NewCursor([16]byte{9}, 9, [8]byte{9})
		c := before
		if err := c.UnmarshalText(text); err != nil {
			require.ErrorIs(t, err, causal.ErrInvalidCursor)
			require.Equal(t, before, c)
			return
		}
		require.Equal(t, string(text), c.String(), "a cursor has one text")
	})
}

// Any input is stored, known or rejected and kept unchanged, and the node
// continues.
func FuzzReceiveJSON(f *testing.F) {
	for _, seed := range hostileEvents() {
		f.Add([]byte(seed), []byte(wire(nil)))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var s causal.MemStore
		n, err := causal.OpenNode(t.Context(), "alice", &s, nodeOptions())
		require.NoError(t, err)
		texts := [][]byte{a, b, a}
		r, err := n.ReceiveJSON(t.Context(), slices.Values(texts), nil)
		require.NoError(t, err)
		require.Equal(t, len(texts), r.Saved+r.Known+len(r.Rejected))
		for _, rejected := range r.Rejected {
			require.True(t, slices.ContainsFunc(texts, func(text []byte) bool { return bytes.Equal(text, rejected.Data) }))
			require.NotEmpty(t, rejected.Reason)
		}
		events := eventtest.LoadAll(t, &s)
		require.Len(t, events, r.Saved)
		e, err := n.Emit(t.Context(), note("A"))
		if err != nil { // an event of the node itself that waits for another one
			require.ErrorIs(t, err, causal.ErrGap)
			return
		}
		for _, other := range events {
			require.Greater(t, e.LamportClock(), other.LamportClock())
		}
	})
}
