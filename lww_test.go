package causal_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Ties are broken by clock, then node, then event.
func TestLWWOrder(t *testing.T) {
	at := func(n int, node string, clock int64) causal.Event {
		return eventtest.New(t, n, eventtest.WithPayload(`{"value":`+string(rune('0'+n))+`}`), func(p *causal.EventParams) {
			p.NodeID, p.LamportClock = node, clock
		})
	}
	ascending := []causal.Event{at(6, "z", 0), at(5, "a", 1), at(2, "b", 1), at(4, "b", 1), at(1, "a", 9)}
	for i := range ascending {
		for _, events := range permutations(ascending[:i+1]) {
			value, ok, err := causal.MergeLWW[int](events)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, ascending[i].ID(), eventtest.ID(value))
			var r causal.LWWRegister[int]
			for _, e := range events {
				require.NoError(t, r.Apply(e))
			}
			require.Equal(t, ascending[i].ID(), r.EventID())
			require.Equal(t, ascending[i].NodeID(), r.NodeID())
			require.Equal(t, ascending[i].LamportClock(), r.LamportClock())
		}
	}
}

type instant struct{ at time.Time }

func (i instant) Equal(j instant) bool { return i.at.Equal(j.at) }

// One event with two values is an error in either order, and has no effect.
func TestLWWRegisterConflict(t *testing.T) {
	e := eventtest.New(t, 1)
	other := eventtest.New(t, 1, func(p *causal.EventParams) { p.LamportClock = 9 })
	conflict := func(err error) {
		var c *causal.IDConflictError
		require.ErrorAs(t, err, &c)
		require.Equal(t, []causal.EventID{e.ID()}, c.IDs)
	}
	var a, b causal.LWWRegister[string]
	require.NoError(t, a.Set(e, "a"))
	require.NoError(t, b.Set(e, "b"))
	conflict(a.Merge(b))
	conflict(b.Merge(a))
	conflict(a.Set(other, "a"))
	value, _ := a.Value()
	require.Equal(t, "a", value)
	require.Equal(t, int64(1), a.LamportClock())
	require.NoError(t, a.Set(e, "a"))
	require.NoError(t, a.Merge(a))

	var slice causal.LWWRegister[[]int]
	require.NoError(t, slice.Set(e, []int{1}))
	require.NoError(t, slice.Set(e, []int{1}))
	conflict(slice.Set(e, []int{2}))
	var float causal.LWWRegister[float64]
	require.NoError(t, float.Set(e, math.NaN()))
	require.NoError(t, float.Merge(float), "NaN is equal to itself here")
	conflict(float.Set(e, 1))
	var moment causal.LWWRegister[instant]
	require.NoError(t, moment.Set(e, instant{eventtest.Time}))
	require.NoError(t, moment.Set(e, instant{eventtest.Time.In(time.FixedZone("", 3600))}))
	conflict(moment.Set(e, instant{eventtest.Time.Add(1)}))
}

func TestLWWRegisterZero(t *testing.T) {
	var zero, r causal.LWWRegister[int]
	requireFault(t, r.Apply(causal.Event{}), "event must not be the zero Event")
	requireFault(t, r.Set(causal.Event{}, 1), "event must not be the zero Event")
	require.NoError(t, r.Merge(zero))
	require.Zero(t, r)
	_, ok := r.Value()
	require.False(t, ok)
	require.NoError(t, r.Set(eventtest.New(t, 0), 0)) // the clock 0
	written := r
	require.NoError(t, r.Merge(zero))
	require.Equal(t, written, r, "nothing written loses to all")
	require.NoError(t, zero.Merge(r))
	_, ok = zero.Value()
	require.True(t, ok)
}

func TestLWWRegisterJSON(t *testing.T) {
	var r causal.LWWRegister[string]
	require.Equal(t, "{}", string(must(json.Marshal(r))))
	require.NoError(t, r.Set(eventtest.New(t, 7), "a<b"))
	const text = `{"value":"a\u003cb","lamport_clock":7,"node_id":"alice","event_id":"TEST0000000000000000000007"}`
	require.Equal(t, text, string(must(json.Marshal(r))))
	var again causal.LWWRegister[string]
	require.NoError(t, json.Unmarshal([]byte(text), &again))
	require.Equal(t, r, again)
	require.NoError(t, json.Unmarshal([]byte(" { } "), &again))
	require.Zero(t, again)

	refused := map[string]string{
		`null`: "must be a JSON object", `[]`: "must be a JSON object", `{`: "is not valid JSON, seen at byte 1",
		`{"value":1,"lamport_clock":7,"node_id":"a","event_id":"TEST0000000000000000000007"}`:        "value does not decode into the given type",
		`{"value":"\udc00","lamport_clock":7,"node_id":"a","event_id":"TEST0000000000000000000007"}`: "value must not contain half of a surrogate pair",
		`{"value":"a","lamport_clock":-1,"node_id":"a","event_id":"TEST0000000000000000000007"}`:     "lamport_clock must not be negative",
		`{"value":"a","lamport_clock":1.0,"node_id":"a","event_id":"TEST0000000000000000000007"}`:    "lamport_clock must be an integer without fraction or exponent",
		`{"value":"a","lamport_clock":1,"node_id":"","event_id":"TEST0000000000000000000007"}`:       "node_id must not be empty",
		`{"value":"a","lamport_clock":1,"node_id":"a","event_id":""}`:                                "event_id must be 26 ASCII letters or digits, or a UUID with hyphens",
		`{"value":"a","lamport_clock":1,"node_id":"a","event_id":"TEST"}`:                            "event_id must be 26 ASCII letters or digits, or a UUID with hyphens",
		`{"value":"a","lamport_clock":1,"node_id":"a"}`:                                              "event_id is missing",
		`{"value":"a","value":"a"}`: "value occurs twice",
		`{"value":"a","lamport_clock":1,"node_id":"a","event_id":"TEST0000000000000000000007","S3CRET":"xxx"}`: "has an unknown member",
	}
	for text, reason := range refused {
		again = r
		err := again.UnmarshalJSON([]byte(text))
		requireFault(t, err, reason, text)
		require.Equal(t, r, again, text)
	}

	require.NoError(t, again.Set(eventtest.New(t, 8), "\xff"))
	_, err := again.MarshalJSON()
	requireFault(t, err, "value has a string that is not valid UTF-8")
	var f causal.LWWRegister[float64]
	require.NoError(t, f.Set(eventtest.New(t, 8), math.Inf(1)))
	_, err = f.MarshalJSON()
	requireFault(t, err, "value cannot be encoded as JSON")
	var raw causal.LWWRegister[json.RawMessage]
	require.NoError(t, raw.Set(eventtest.New(t, 8), json.RawMessage(`"\ufffd"`)))
	require.Contains(t, string(must(json.Marshal(raw))), `"\ufffd"`)
}

// A register decodes everything it encodes, and does not encode what it cannot
// decode.
func TestLWWRegisterWritesWhatItReads(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for _, test := range []struct {
		name, value, fault string
	}{
		{name: "character", value: `"\ufffd"`},
		{name: "surrogate pair", value: `"\ud83d\ude00"`},
		{name: "digits", value: `9007199254740993.10`},
		{name: "1000 levels", value: deep(1000)},
		{name: "not UTF-8", value: "\"\xff\"", fault: "value must be valid UTF-8"},
		{name: "half a surrogate pair", value: `"\ud800"`, fault: "value must not contain half of a surrogate pair"},
		{name: "1001 levels", value: deep(1001), fault: "value is nested too deeply"},
		{name: "not JSON", value: `{`, fault: "value cannot be encoded as JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r, back causal.LWWRegister[json.RawMessage]
			require.NoError(t, r.Set(eventtest.New(t, 1), json.RawMessage(test.value)))
			text, err := r.MarshalJSON()
			if test.fault != "" {
				requireFault(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			require.NoError(t, back.UnmarshalJSON(text))
			value, _ := back.Value()
			require.Equal(t, test.value, string(value))
		})
	}
}

// 2^53 + 1 is not a float64. An untyped number keeps its digits, and two
// spellings of one number are no conflict.
func TestLWWRegisterOfAnyKeepsDigits(t *testing.T) {
	var r, back causal.LWWRegister[any]
	require.NoError(t, r.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"value":{"n":[9007199254740993,1.50]}}`))))
	text := must(r.MarshalJSON())
	require.Contains(t, string(text), `{"value":{"n":[9007199254740993,1.50]}`)
	require.NoError(t, back.UnmarshalJSON(text))
	require.Equal(t, string(text), string(must(back.MarshalJSON())))
	require.NoError(t, back.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"value":{"n":[9007199254740993.0,15e-1]}}`))))
	require.ErrorIs(t, back.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"value":{"n":[9007199254740992,1.50]}}`))), causal.ErrIDConflict)
}
