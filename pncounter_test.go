package causal_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// requireCount requires the value, also in the JSON form.
func requireCount(t require.TestingT, want int64, c *causal.PNCounter) {
	got, err := c.Value()
	require.NoError(t, err)
	require.Equal(t, want, got)
	var again causal.PNCounter
	require.NoError(t, json.Unmarshal(must(json.Marshal(c)), &again))
	got, err = again.Value()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestPNCounterOverflow(t *testing.T) {
	var c causal.PNCounter
	for i, delta := range []int64{math.MaxInt64, math.MaxInt64, math.MinInt64, math.MinInt64, 7} {
		require.NoError(t, c.Add(eventtest.New(t, i+1), delta))
	}
	requireCount(t, 5, &c)
	c.MarkSeen(vector(t, map[string]int64{"alice": 5}))
	require.NoError(t, c.Compact(vector(t, map[string]int64{"alice": 2})))
	require.Contains(t, string(must(json.Marshal(c))), `"total":18446744073709551614,"digest":"69b711f85b31b74c"}`)
	requireCount(t, 5, &c)
	require.NoError(t, c.Compact(c.Seen()))
	requireCount(t, 5, &c)
	require.Equal(t, `{"totals":[{"node_id":"alice","lamport_clock":5,"total":5,"digest":"d8bd4756cf6d0559"}],"events":[],"seen":{"alice":5}}`, string(must(json.Marshal(c))))

	require.NoError(t, c.Add(eventtest.New(t, 6), math.MaxInt64))
	_, err := c.Value()
	requireFault(t, err, "payload has deltas whose total does not fit in 64 bits")
	require.NoError(t, c.Add(eventtest.New(t, 7), -5))
	requireCount(t, math.MaxInt64, &c)
	require.NoError(t, c.Add(eventtest.New(t, 8), math.MinInt64))
	require.NoError(t, c.Add(eventtest.New(t, 9), math.MinInt64))
	require.NoError(t, c.Add(eventtest.New(t, 10), math.MinInt64))
	c.MarkSeen(vector(t, map[string]int64{"alice": 10}))
	require.NoError(t, c.Compact(c.Seen()))
	require.Contains(t, string(must(json.Marshal(c))), `"total":-18446744073709551617,"digest":"e0d3e3694f94ddaf"}`)
	require.NoError(t, c.Add(eventtest.New(t, 11), math.MaxInt64))
	require.NoError(t, c.Add(eventtest.New(t, 12), math.MaxInt64))
	requireCount(t, -3, &c)
}

func TestPNCounterOnce(t *testing.T) {
	e := by(t, 1, "alice", 3, `{"delta":5}`)
	var c causal.PNCounter
	require.NoError(t, c.Apply(e))
	require.NoError(t, c.Add(e, 5))
	for _, other := range []error{
		c.Add(e, 6), c.Apply(by(t, 1, "bob", 3, `{"delta":5}`)), c.Apply(by(t, 1, "alice", 4, `{"delta":5}`)),
	} {
		var conflict *causal.IDConflictError
		require.ErrorAs(t, other, &conflict)
		require.Equal(t, []causal.EventID{e.ID()}, conflict.IDs)
	}
	requirePayloadFault(t, c.Apply(by(t, 1, "alice", 3, `{"delta":"5"}`)), `member "delta" must be an integer`)
	requireCount(t, 5, &c)

	var other causal.PNCounter
	require.NoError(t, other.Add(by(t, 2, "bob", 1, `{}`), 1))
	require.NoError(t, other.Add(e, 6))
	want := []causal.EventID{e.ID()}
	for i := range 5 {
		want = append(want, eventtest.ID(10+i))
		require.NoError(t, c.Add(eventtest.New(t, 10+i), 1))
		require.NoError(t, other.Add(eventtest.New(t, 10+i), 2))
	}
	var conflict *causal.IDConflictError
	require.ErrorAs(t, c.Merge(other), &conflict)
	require.Equal(t, want, conflict.IDs)
	requireCount(t, 10, &c)

	// Within a total, an event is not counted again; beyond it, it is.
	c.MarkSeen(vector(t, map[string]int64{"alice": 3}))
	require.NoError(t, c.Compact(c.Seen()))
	require.NoError(t, c.Apply(e))
	require.NoError(t, c.Apply(by(t, 2, "alice", 4, `{"delta":1}`)))
	requireCount(t, 11, &c)
	require.ErrorIs(t, c.Compact(vector(t, map[string]int64{"alice": 4})), causal.ErrGap)

	// Events at the clock 0 are kept, because no vector clock covers them.
	require.NoError(t, c.Apply(by(t, 3, "alice", 0, `{"delta":10}`)))
	require.NoError(t, c.Apply(by(t, 4, "alice", 0, `{"delta":10}`)))
	require.NoError(t, c.Compact(c.Seen()))
	requireCount(t, 31, &c)
}

// Two different totals over the same events: one was compacted before all
// events had arrived.
func TestPNCounterContradiction(t *testing.T) {
	var a, b causal.PNCounter
	cut := vector(t, map[string]int64{"alice": 2})
	require.NoError(t, a.Apply(by(t, 1, "alice", 1, `{"delta":5}`)))
	require.NoError(t, a.Apply(by(t, 2, "alice", 2, `{"delta":5}`)))
	require.NoError(t, b.Apply(by(t, 2, "alice", 2, `{"delta":5}`)))
	for _, c := range []*causal.PNCounter{&a, &b} {
		c.MarkSeen(cut) // not true of b
		require.NoError(t, c.Compact(cut))
	}
	require.ErrorIs(t, a.Merge(b), causal.ErrFork)
	require.ErrorIs(t, b.Merge(a), causal.ErrFork)
	requireCount(t, 10, &a)
	requireCount(t, 5, &b)
}

func TestPNCounterJSON(t *testing.T) {
	var c causal.PNCounter
	require.NoError(t, c.Apply(by(t, 1, "alice", 1, `{"delta":5}`)))
	totals := func(totals string) string { return `{"totals":[` + totals + `],"events":[],"seen":{}}` }
	events := func(events string) string {
		return `{"totals":[{"node_id":"b","lamport_clock":3,"total":0,"digest":"00000000000000ff"}],"events":[` + events + `],"seen":{}}`
	}
	event := func(n int, node, clock string) string {
		return `{"event_id":"` + string(eventtest.ID(n)) + `","node_id":"` + node + `","lamport_clock":` + clock + `,"delta":1}`
	}
	for text, reason := range map[string]string{
		`{}`: "totals is missing",
		totals(`{"node_id":"a","lamport_clock":0,"total":1,"digest":"00000000000000ff"}`):                                                                         "totals has an item whose lamport_clock must be at least 1",
		totals(`{"node_id":"a","lamport_clock":1,"total":1.0,"digest":"00000000000000ff"}`):                                                                       "totals has an item whose total must be an integer without fraction or exponent",
		totals(`{"node_id":"a","lamport_clock":1,"total":158456325028528675187087900672,"digest":"00000000000000ff"}`):                                            "totals has an item whose total does not fit in 96 bits", // 2^97
		totals(`{"node_id":"a","lamport_clock":1,"total":0,"digest":"00000000000000ff"},{"node_id":"a","lamport_clock":2,"total":0,"digest":"00000000000000ff"}`): "totals has an item whose node_id must be in ascending order without duplicates",
		totals(`{"node_id":"a","lamport_clock":1,"total":0}`):                                                                                                     "totals has an item whose digest is missing",
		totals(`{"node_id":"a","lamport_clock":1,"total":0,"digest":1}`):                                                                                          "totals has an item whose digest must be a string",
		totals(`{"node_id":"a","lamport_clock":1,"total":0,"digest":"ff"}`):                                                                                       "totals has an item whose digest must be 16 hexadecimal digits in lower case",
		totals(`{"node_id":"a","lamport_clock":1,"total":0,"digest":"00000000000000FF"}`):                                                                         "totals has an item whose digest must be 16 hexadecimal digits in lower case",
		totals(`{"node_id":"a","lamport_clock":1,"total":0,"digest":"0000000000000000ff"}`):                                                                       "totals has an item whose digest must be 16 hexadecimal digits in lower case",
		events(event(1, "b", "3")):                                                                                      "events must not be in the totals",
		events(event(1, "b", "4") + "," + event(1, "b", "5")):                                                           "events has an item whose event_id must be in ascending order without duplicates",
		events(event(2, "c", "4") + "," + event(1, "c", "4")):                                                           "events has an item whose event_id must be in ascending order without duplicates",
		events(`{"event_id":"x","node_id":"b","lamport_clock":3,"delta":1}`):                                            "events has an item whose event_id must be 26 ASCII letters or digits, or a UUID with hyphens",
		events(`{"event_id":"TEST0000000000000000000007","node_id":"b","lamport_clock":3,"delta":9223372036854775808}`): "events has an item whose delta does not fit in 64 bits",
	} {
		requireFault(t, c.UnmarshalJSON([]byte(text)), reason, text)
		requireCount(t, 5, &c)
	}
	require.NoError(t, c.UnmarshalJSON([]byte(totals(`{"node_id":"a","lamport_clock":1,"total":-79228162514264337593543950335,"digest":"00000000000000ff"}`)))) // 1 - 2^96
	require.NoError(t, c.UnmarshalJSON([]byte(events(event(1, "b", "0")))))
	requireCount(t, 1, &c)
}

// A total has at most 96 bits. Refusing more must not cost more than reading
// them.
func TestPNCounterRefusesLongTotalsInLinearTime(t *testing.T) {
	refuse := func(digits int) func() {
		text := []byte(`{"totals":[{"node_id":"a","lamport_clock":1,"total":` + strings.Repeat("9", digits) + `,"digest":"00000000000000ff"}],"events":[],"seen":{}}`)
		return func() {
			var c causal.PNCounter
			require.ErrorContains(t, c.UnmarshalJSON(text), "total does not fit in 96 bits")
		}
	}
	requireNearlyLinear(t, refuse(25_000), refuse(1_600_000))
}

// After Compact the counter ignores events covered by the cut, even of a node
// without events.
func TestPNCounterCompactCoversNodesWithoutEvents(t *testing.T) {
	var c causal.PNCounter
	cut := vector(t, map[string]int64{"alice": 5})
	c.MarkSeen(cut)
	require.NoError(t, c.Compact(cut))
	requireCount(t, 0, &c)
	require.NoError(t, c.Apply(by(t, 1, "alice", 3, `{"delta":5}`)))
	requireCount(t, 0, &c)
	require.NoError(t, c.Apply(by(t, 2, "alice", 6, `{"delta":5}`)))
	requireCount(t, 5, &c)
}

// A total at the end of the range can be decoded, and one beyond is not
// encoded.
func TestPNCounterDoesNotWriteTotalsBeyondTheRange(t *testing.T) {
	for _, delta := range []string{"1", "-1"} {
		var c causal.PNCounter
		largest := strings.TrimSuffix(delta, "1") + "79228162514264337593543950335" // 2^96 - 1
		require.NoError(t, c.UnmarshalJSON([]byte(`{"totals":[{"node_id":"a","lamport_clock":1,"total":`+largest+`,"digest":"00000000000000ff"}],"events":[],"seen":{"a":2}}`)))
		require.Contains(t, string(must(c.MarshalJSON())), largest)
		require.NoError(t, c.Apply(by(t, 1, "a", 2, `{"delta":`+delta+`}`)))
		require.NoError(t, c.Compact(c.Seen()))
		_, err := c.MarshalJSON()
		requireFault(t, err, "totals has a total that does not fit in 96 bits")
	}
}

// Totals are compared in all their bits.
func TestPNCounterComparesWholeTotals(t *testing.T) {
	read := func(total string) (c causal.PNCounter) {
		require.NoError(t, c.UnmarshalJSON([]byte(`{"totals":[{"node_id":"alice","lamport_clock":1,"total":`+total+`,"digest":"00000000000000ff"}],"events":[],"seen":{}}`)))
		return c
	}
	for _, other := range []string{"18446744073709551617", "2", "-18446744073709551615"} { // 2^64+1, 2, 1-2^64
		a, b := read("1"), read(other)
		require.ErrorIs(t, a.Merge(b), causal.ErrFork, other)
		require.ErrorIs(t, b.Merge(a), causal.ErrFork, other)
	}
	a, b := read("1"), read("1")
	require.NoError(t, a.Merge(b))
}

// A cut covers an event at its own time, and none after it.
func TestPNCounterCompactsUpToTheCut(t *testing.T) {
	var c causal.PNCounter
	for clock := range int64(4) {
		require.NoError(t, c.Apply(by(t, int(clock), "alice", clock+1, `{"delta":1}`)))
	}
	c.MarkSeen(vector(t, map[string]int64{"alice": 4}))
	require.NoError(t, c.Compact(vector(t, map[string]int64{"alice": 2})))
	require.Contains(t, string(must(c.MarshalJSON())), `"lamport_clock":2,"total":2,`)
	require.NoError(t, c.Compact(vector(t, map[string]int64{"alice": 1})), "which changes nothing")
	require.Contains(t, string(must(c.MarshalJSON())), `"lamport_clock":2,"total":2,`)
	requireCount(t, 4, &c)
}
