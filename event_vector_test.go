package causal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

func TestEventVectorClock(t *testing.T) {
	stamped := func(times map[string]int64) func(*causal.EventParams) {
		return func(p *causal.EventParams) { p.NodeID, p.LamportClock, p.VectorClock = "alice", 5, vector(t, times) }
	}
	e := newEvent(t, 1, stamped(map[string]int64{"alice": 5, "bob": 4}))
	text := string(must(e.MarshalJSON()))
	require.Contains(t, text, `,"data_tier":0,"vector_clock":{"alice":5,"bob":4}}`)
	require.True(t, e.Equal(decode(t, text)))
	require.Equal(t, `{"alice":5,"bob":4}`, decode(t, text).VectorClock().String())
	plain := newEvent(t, 1, stamped(nil))
	require.NotContains(t, string(must(plain.MarshalJSON())), "vector_clock", "absent when empty")
	require.False(t, e.Equal(plain))
	require.True(t, plain.VectorClock().IsZero())
	require.True(t, decode(t, wire(map[string]string{"vector_clock": "{}"})).Equal(decode(t, wire(nil))))

	for name, times := range map[string]map[string]int64{
		"must have lamport_clock as the time of node_id":             {"alice": 4, "bob": 4},
		"must have earlier times than lamport_clock for other nodes": {"alice": 5, "bob": 5},
	} {
		p := params(1)
		stamped(times)(&p)
		_, err := causal.NewEvent(p)
		require.EqualError(t, err, "causal: validation failed: vector_clock "+name)
	}
	for value, want := range map[string]string{
		`null`:                  "must be a JSON object",
		`{"alice":4}`:           "must have lamport_clock as the time of node_id",
		`{"bob":1}`:             "must have lamport_clock as the time of node_id",
		`{"alice":5,"bob":6}`:   "must have earlier times than lamport_clock for other nodes",
		`{"bob":1,"alice":5}`:   "must have its nodes in ascending order, each once",
		`{"alice":5,"bob":0}`:   "must not have the time 0",
		`{"alice":5,"bob":1.5}`: "has a time that must be an integer without fraction or exponent",
	} {
		var e causal.Event
		err := e.UnmarshalJSON([]byte(wire(map[string]string{"vector_clock": value})))
		require.EqualError(t, err, "causal: validation failed: vector_clock "+want)
	}
}
