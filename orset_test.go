package causal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Histories that OR-Sets get wrong: the events, with the content of the set
// after all of them, in every order.
func TestORSetHistories(t *testing.T) {
	const addX, addY = `{"add":["x"]}`, `{"add":["y"]}`
	removeX := func(observed string) string {
		return `{"remove":[{"element":"x","observed":` + observed + `}]}`
	}
	tests := map[string]struct {
		events []causal.Event
		want   []string
	}{
		"add wins over a concurrent remove": {
			events: []causal.Event{by(t, 1, "alice", 1, addX), by(t, 2, "bob", 2, removeX(`{"alice":1}`)), by(t, 3, "carol", 2, addX)}, want: []string{"x"},
		},
		"remove of one of two concurrent adds": {
			events: []causal.Event{by(t, 1, "alice", 1, addX), by(t, 2, "bob", 1, addX), by(t, 3, "carol", 2, removeX(`{"alice":1}`))}, want: []string{"x"},
		},
		"removes of different views": {
			events: []causal.Event{
				by(t, 1, "alice", 1, addX), by(t, 2, "bob", 1, addX),
				by(t, 3, "carol", 2, removeX(`{"alice":1}`)), by(t, 4, "dave", 2, removeX(`{"bob":1}`)),
			}, want: []string{},
		},
		"removes of different views, then a late add": {
			events: []causal.Event{
				by(t, 1, "alice", 1, addX), by(t, 2, "bob", 1, addX), by(t, 3, "carol", 2, removeX(`{"alice":1}`)),
				by(t, 4, "dave", 2, removeX(`{"alice":1,"bob":1}`)), by(t, 5, "erin", 1, addX),
			}, want: []string{"x"},
		},
		"add again after a remove": {
			events: []causal.Event{by(t, 1, "alice", 1, addX), by(t, 2, "alice", 2, removeX(`{"alice":1}`)), by(t, 3, "alice", 3, addX)}, want: []string{"x"},
		},
		"add and remove in one event": {
			events: []causal.Event{
				by(t, 1, "alice", 1, addX), by(t, 2, "alice", 2, `{"add":["x"],"remove":[{"element":"x","observed":{"alice":1}}]}`),
			}, want: []string{"x"},
		},
		"a remove stands for the earlier adds of the node": {
			events: []causal.Event{by(t, 1, "alice", 1, addX), by(t, 2, "alice", 3, addX), by(t, 3, "bob", 4, removeX(`{"alice":3}`))}, want: []string{},
		},
		"but not for the later ones": {
			events: []causal.Event{by(t, 1, "alice", 1, addX), by(t, 2, "alice", 3, addX), by(t, 3, "bob", 4, removeX(`{"alice":2}`))}, want: []string{"x"},
		},
		"remove of what nobody added": {
			events: []causal.Event{by(t, 1, "alice", 1, addY), by(t, 2, "bob", 9, removeX(`{"zoe":5}`))}, want: []string{"y"},
		},
		"other members": {
			events: []causal.Event{by(t, 0, "alice", 0, `{"state":"done","add":[],"remove":[]}`), by(t, 2, "carol", 0, `{"add":null,"remove":null}`), by(t, 1, "alice", 1, `{"ADD":["x"],"add":["y","y"]}`)},
			want:   []string{"y"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, order := range permutations(test.events) {
				got, err := causal.MergeORSet(order)
				require.NoError(t, err)
				require.Equal(t, test.want, got)
				var s states
				for _, e := range order {
					require.NoError(t, s.set.Apply(e))
				}
				require.Equal(t, test.want, append([]string{}, slices.Collect(s.set.All())...))
				require.Equal(t, len(test.want), s.set.Len())
			}
		})
	}
}

func TestORSetRefuses(t *testing.T) {
	tests := map[string]string{
		`{"add":"x"}`:                  `member "add" must be an array`,
		`{"add":[1]}`:                  `member "add": an element must be a string`,
		`{"add":["\ud800"]}`:           `member "add": an element must not contain half of a surrogate pair`,
		`{"remove":{}}`:                `member "remove" must be an array`,
		`{"remove":["x"]}`:             `member "remove" has an item that must be a JSON object`,
		`{"remove":[{}]}`:              `member "remove" has an item whose element is missing`,
		`{"remove":[{"e":1}]}`:         `member "remove" has an item that has an unknown member`,
		`{"remove":[{"element":"x"}]}`: `member "remove" has an item whose observed is missing`,
		`{"remove":[{"element":"x","observed":["ID"]}]}`:                `member "remove" has an item whose observed must be a JSON object`,
		`{"remove":[{"element":"x","observed":{}}]}`:                    `removes an element without an add that was observed`,
		`{"remove":[{"element":"x","observed":{"bob":1}}]}`:             `removes an add that is not earlier than lamport_clock`,
		`{"remove":[{"element":"x","observed":{"b":1,"a":1}}]}`:         `member "remove" has an item whose observed must have its nodes in ascending order without duplicates`,
		`{"remove":[{"element":"x","element":"x","observed":{"b":1}}]}`: `member "remove" has an item whose element occurs twice`,
	}
	for payload, fault := range tests {
		e := eventtest.New(t, 1, eventtest.WithPayload(payload))
		_, err := causal.MergeORSet([]causal.Event{e})
		requirePayloadFault(t, err, fault)
		var s causal.ORSet[string]
		requirePayloadFault(t, s.Apply(e), fault)
		require.Zero(t, s, "half of a change")
	}

	// Values without a JSON form.
	e := eventtest.New(t, 1)
	var floats causal.ORSet[float64]
	requirePayloadFault(t, floats.Change(e, causal.ORSetChange[float64]{Add: []float64{1, math.NaN()}}), "adds an element that must not be NaN")
	require.Zero(t, floats.Len())
	requirePayloadFault(t, floats.Change(e, causal.ORSetChange[float64]{Remove: []causal.ORSetRemoval[float64]{
		{Element: math.NaN(), Observed: vector(t, map[string]int64{"a": 1})},
	}}), "removes an element that must not be NaN")
	var texts causal.ORSet[string]
	requirePayloadFault(t, texts.Change(e, causal.ORSetChange[string]{Add: []string{"\xff"}}), "adds an element that must be valid UTF-8")
	start := eventtest.New(t, 1, func(p *causal.EventParams) { p.LamportClock = 0 })
	requirePayloadFault(t, texts.Change(start, causal.ORSetChange[string]{Add: []string{"x"}}),
		"changes a set, for which lamport_clock must be at least 1")
	cause := errors.New("S3CRET")
	_, err := causal.MergeORSetFunc([]causal.Event{e}, func(causal.Event) (c causal.ORSetChange[int], err error) { return c, cause })
	require.ErrorIs(t, err, cause)
	requirePayloadFault(t, err, "was refused by the function that reads it")
	_, err = causal.MergeORSetFunc[int](nil, nil)
	requireFault(t, err, "change must not be nil")
}

type label string

func TestORSetElementTypes(t *testing.T) {
	var floats causal.ORSet[float64]
	require.NoError(t, floats.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"add":[1.5,-0.0,0,1e0]}`))))
	require.Equal(t, []float64{0, 1, 1.5}, slices.Collect(floats.All()))
	require.NoError(t, floats.Change(eventtest.New(t, 2), causal.ORSetChange[float64]{Add: []float64{math.Copysign(0, -1)}}))
	require.Equal(t, 3, floats.Len())
	text, err := json.Marshal(floats)
	require.NoError(t, err)
	require.Contains(t, string(text), `{"element":0,"adds":[{"node_id":"alice","lamport_clock":2,"event_id":"TEST0000000000000000000002","removed_by":null}]}`)
	require.NoError(t, floats.Change(eventtest.New(t, 3), causal.ORSetChange[float64]{Add: []float64{math.Inf(1)}}))
	_, err = floats.MarshalJSON()
	requireFault(t, err, "element cannot be encoded as JSON")

	var labels causal.ORSet[label]
	require.NoError(t, labels.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"add":["a","b"]}`))))
	e := eventtest.New(t, 2, func(p *causal.EventParams) { p.Payload = labels.Removal("a", "zzz") })
	require.Equal(t, `{"remove":[{"element":"a","observed":{"alice":1}}]}`, string(e.Payload()))
	require.NoError(t, labels.Apply(e))
	require.Equal(t, []label{"b"}, slices.Collect(labels.All()))
	requirePayloadFault(t, labels.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"add":["\udfff"]}`))),
		`member "add": an element must not contain half of a surrogate pair`)
	requirePayloadFault(t, labels.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"add":[null]}`))), `member "add": an element must not be null`)
	requirePayloadFault(t, labels.Apply(eventtest.New(t, 1, eventtest.WithPayload(`{"add":[1]}`))), `member "add": an element does not decode into the given type`)
}

// The metadata of a removed element does not grow with repetition, and
// disappears once all nodes know of the removal.
func TestORSetHeap(t *testing.T) {
	const elements = 1000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var s causal.ORSet[string]
	clock := int64(0)
	emit := func(c causal.ORSetChange[string]) {
		clock++
		e := eventtest.New(t, int(clock), func(p *causal.EventParams) { p.Payload = c })
		require.NoError(t, s.Apply(e))
	}
	round := func() {
		var all []string
		for i := range elements {
			all = append(all, fmt.Sprint("element ", i))
		}
		emit(causal.ORSetChange[string]{Add: all})
		require.Equal(t, elements, s.Len())
		emit(s.Removal(all...))
		require.Zero(t, s.Len())
	}
	round()
	before := heap()
	for range 100 {
		round()
	}
	require.Less(t, heap(), before+elements*10, "less than 10 bytes for 100 repetitions of an element")

	seen := vector(t, map[string]int64{"alice": clock})
	require.ErrorIs(t, s.Compact(seen), causal.ErrGap)
	s.MarkSeen(seen)
	require.NoError(t, s.Compact(seen))
	require.Equal(t, fmt.Sprintf(`{"elements":[],"seen":{"alice":%d},"stable":{"alice":%d}}`, clock, clock), string(must(s.MarshalJSON())))
	runtime.KeepAlive(s)
}

// The cost of an element grows with the number of nodes that added it, and not
// with its square.
func TestORSetCostOfManyNodes(t *testing.T) {
	removeAll := func(n int) causal.Event {
		observed := map[string]int64{}
		for i := range n {
			observed[fmt.Sprint(i)] = 1
		}
		removal := causal.ORSetRemoval[string]{Element: "x", Observed: vector(t, observed)}
		return by(t, 1, "zoe", 2, string(must(json.Marshal(causal.ORSetChange[string]{Remove: []causal.ORSetRemoval[string]{removal}}))))
	}
	costs := map[string]func(n int) func(){
		"one event removes all": func(n int) func() {
			e := removeAll(n)
			return func() { must(causal.MergeORSet([]causal.Event{e})) }
		},
		"each node adds": func(n int) func() {
			var events []causal.Event
			for i := range n {
				events = append(events, by(t, i, fmt.Sprint(i), 1, `{"add":["x"]}`))
			}
			return func() { must(causal.MergeORSet(events)) }
		},
		"merge of a set that may have dropped": func(n int) func() {
			e := removeAll(n)
			return func() {
				var s, compacted causal.ORSet[string]
				require.NoError(t, s.Apply(e))
				compacted.MarkSeen(vector(t, map[string]int64{"0": 1}))
				require.NoError(t, compacted.Compact(compacted.Seen()))
				require.NoError(t, compacted.Apply(e))
				require.NoError(t, s.Merge(compacted))
				require.Zero(t, s.Len())
			}
		},
	}
	for name, cost := range costs {
		t.Run(name, func(t *testing.T) { requireNearlyLinear(t, cost(1_000), cost(64_000)) })
	}
}

// After Compact, removed elements stay removed, even when merging a replica
// without the remove.
func TestORSetCompact(t *testing.T) {
	add := by(t, 1, "alice", 1, `{"add":["x"]}`)
	remove := by(t, 2, "bob", 2, `{"remove":[{"element":"x","observed":{"alice":1}}]}`)
	var s, behind causal.ORSet[string]
	require.NoError(t, behind.Apply(add))
	require.NoError(t, s.Apply(remove))
	s.MarkSeen(vector(t, map[string]int64{"bob": 2}))
	require.NoError(t, s.Compact(s.Seen()))
	require.NoError(t, s.Apply(add), "not within the cut: it may still come")
	require.Zero(t, s.Len())
	s.MarkSeen(vector(t, map[string]int64{"alice": 1}))
	require.NoError(t, s.Compact(s.Seen()))
	require.Equal(t, `{"elements":[],"seen":{"alice":1,"bob":2},"stable":{"alice":1,"bob":2}}`, string(must(s.MarshalJSON())))
	for _, e := range []causal.Event{add, remove, by(t, 3, "carol", 3, `{"remove":[{"element":"x","observed":{"alice":1}}]}`)} {
		require.NoError(t, s.Apply(e))
	}
	require.NoError(t, s.Merge(behind))
	require.Zero(t, s.Len())
	require.Equal(t, `{"elements":[],"seen":{"alice":1,"bob":2},"stable":{"alice":1,"bob":2}}`, string(must(s.MarshalJSON())))
	require.NoError(t, behind.Merge(s))
	require.Zero(t, behind.Len())
	require.NoError(t, s.Apply(by(t, 4, "alice", 5, `{"add":["x"]}`)))
	require.True(t, s.Contains("x"))
	require.Equal(t, int64(5), s.LamportClock())
}

// Two sets that know different removes of one add drop it together.
func TestORSetCompactConverges(t *testing.T) {
	add := by(t, 1, "alice", 1, `{"add":["x"]}`)
	first := by(t, 2, "bob", 2, `{"remove":[{"element":"x","observed":{"alice":1}}]}`)
	second := by(t, 3, "carol", 3, `{"remove":[{"element":"x","observed":{"alice":1}}]}`)
	seen := vector(t, map[string]int64{"alice": 1, "carol": 3})
	var one, both causal.ORSet[string]
	for _, s := range []*causal.ORSet[string]{&one, &both} {
		require.NoError(t, s.Apply(add))
		require.NoError(t, s.Apply(second))
		s.MarkSeen(seen)
	}
	require.NoError(t, both.Apply(first)) // not yet seen by all
	require.NoError(t, one.Compact(seen))
	require.NoError(t, both.Compact(seen))
	require.Contains(t, string(must(both.MarshalJSON())), `"removed_by":{"node_id":"bob","lamport_clock":2,"event_id":"TEST0000000000000000000002"}`)
	require.NoError(t, both.Merge(one))
	require.Equal(t, string(must(one.MarshalJSON())), string(must(both.MarshalJSON())))
}

func TestORSetJSON(t *testing.T) {
	var s causal.ORSet[string]
	for _, e := range sixEvents(t) {
		require.NoError(t, s.Apply(e))
	}
	s.MarkSeen(vector(t, map[string]int64{"alice": 4, "bob": 2}))
	const text = `{"elements":[` +
		`{"element":"x","adds":[{"node_id":"alice","lamport_clock":4,"event_id":"TEST0000000000000000000005","removed_by":{"node_id":"bob","lamport_clock":5,"event_id":"TEST0000000000000000000006"}},` +
		`{"node_id":"bob","lamport_clock":2,"event_id":"TEST0000000000000000000002","removed_by":{"node_id":"dave","lamport_clock":3,"event_id":"TEST0000000000000000000004"}}]},` +
		`{"element":"y","adds":[{"node_id":"alice","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":null}]},` +
		`{"element":"z","adds":[{"node_id":"bob","lamport_clock":5,"event_id":"TEST0000000000000000000006","removed_by":null},` +
		`{"node_id":"dave","lamport_clock":3,"event_id":"TEST0000000000000000000004","removed_by":{"node_id":"bob","lamport_clock":5,"event_id":"TEST0000000000000000000006"}}]}` +
		`],"seen":{"alice":4,"bob":2},"stable":{}}`
	require.Equal(t, text, string(must(json.Marshal(s))))
	var again causal.ORSet[string]
	require.NoError(t, json.Unmarshal([]byte(text), &again))
	require.Equal(t, text, string(must(json.Marshal(again))))
	require.Equal(t, 2, again.Len())

	add := func(adds string) string {
		return `{"elements":[{"element":"x","adds":[` + adds + `]}],"seen":{},"stable":{}}`
	}
	refused := map[string]string{
		`[]`: "must be a JSON object", `{"elements":[]`: "is not valid JSON, seen at byte 14",
		`{"elements":{},"seen":{},"stable":{}}`:                "elements must be an array",
		`{"elements":[],"seen":{}}`:                            "stable is missing",
		`{"elements":[],"seen":{},"stable":{"a":1}}`:           "stable must be within seen",
		`{"elements":[],"seen":{"a":0},"stable":{}}`:           "seen must not have the time 0",
		`{"elements":[],"seen":{},"stable":{},"S3CRET":1}`:     "has an unknown member",
		`{"elements":[],"elements":[],"seen":{},"stable":{}}`:  "elements occurs twice",
		`{"elements":[{"element":"x"}],"seen":{},"stable":{}}`: "elements has an item whose adds is missing",
		add(``):     "elements has an item whose adds must not be empty",
		add(`null`): "elements has an item whose adds has an item that must be a JSON object",
		add(`{"node_id":"a","lamport_clock":0,"event_id":"TEST0000000000000000000001","removed_by":null}`):                                                                                             "elements has an item whose adds has an item whose lamport_clock must be at least 1",
		add(`{"node_id":"","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":null}`):                                                                                              "elements has an item whose adds has an item whose node_id must not be empty",
		add(`{"node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":{}}`):                                                                                               "elements has an item whose adds has an item whose removed_by is an event whose node_id is missing",
		add(`{"node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":1}`):                                                                                                "elements has an item whose adds has an item whose removed_by is an event that must be a JSON object",
		add(`{"node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":{"node_id":"b","lamport_clock":0,"event_id":"TEST0000000000000000000001"}}`):                        "elements has an item whose adds has an item whose removed_by is an event whose lamport_clock must be at least 1",
		add(`{"node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":{"node_id":"b","lamport_clock":1,"event_id":"TEST0000000000000000000001"}}`):                        "elements has an item whose adds has an item whose removed_by must be later than the add",
		add(`{"node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":null},{"node_id":"a","lamport_clock":2,"event_id":"TEST0000000000000000000001","removed_by":null}`): "elements has an item whose adds has an item whose node_id must be in ascending order without duplicates",
		add(`{"node_id":"a","lamport_clock":1,"event_id":null,"removed_by":null}`):                                                                                                                     "elements has an item whose adds has an item whose event_id must not be null for an add that is not removed",
		add(`{"node_id":"a","lamport_clock":1,"event_id":"test0000000000000000000001","removed_by":null}`):                                                                                             "elements has an item whose adds has an item whose event_id must be in its canonical case",
		add(`{"node_id":"a","lamport_clock":1,"removed_by":null}`):                                                                                                                                     "elements has an item whose adds has an item whose event_id is missing",
		`{"elements":[{"element":1,"adds":[]}],"seen":{},"stable":{}}`:                                                                                                                                 "elements has an item whose element must be a string",
		`{"elements":[` + item("b") + `,` + item("a") + `],"seen":{},"stable":{}}`:                                                                                                                     "elements has an item whose element must be in ascending order without duplicates",
		`{"elements":[` + item("b") + `,` + item("b") + `],"seen":{},"stable":{}}`:                                                                                                                     "elements has an item whose element must be in ascending order without duplicates",
	}
	for text, reason := range refused {
		err := again.UnmarshalJSON([]byte(text))
		requireFault(t, err, reason, text)
		require.Equal(t, 2, again.Len(), "a failed decode changed the target")
	}
}

func item(element string) string {
	return `{"element":"` + element + `","adds":[{"node_id":"a","lamport_clock":1,"event_id":"TEST0000000000000000000001","removed_by":null}]}`
}

// The clock of a set is the latest of its adds, removals and vector clocks.
func TestORSetLamportClock(t *testing.T) {
	for name, test := range map[string]struct {
		events []causal.Event
		seen   map[string]int64
		want   int64
	}{
		"empty":     {},
		"an add":    {events: []causal.Event{by(t, 1, "alice", 4, `{"add":["x"]}`)}, want: 4},
		"a removal": {events: []causal.Event{by(t, 1, "alice", 9, `{"remove":[{"element":"x","observed":{"bob":2}}]}`)}, want: 9},
		"seen":      {events: []causal.Event{by(t, 1, "alice", 4, `{"add":["x"]}`)}, seen: map[string]int64{"alice": 4, "bob": 7, "zoe": 5}, want: 7},
	} {
		var s causal.ORSet[string]
		for _, e := range test.events {
			require.NoError(t, s.Apply(e))
		}
		s.MarkSeen(vector(t, test.seen))
		require.Equal(t, test.want, s.LamportClock(), name)
	}
}

// Cuts add up: events covered by one of them are still ignored after the next.
func TestORSetCutsAddUp(t *testing.T) {
	var s causal.ORSet[string]
	s.MarkSeen(vector(t, map[string]int64{"alice": 3, "bob": 4}))
	require.NoError(t, s.Compact(vector(t, map[string]int64{"alice": 3})))
	require.NoError(t, s.Compact(vector(t, map[string]int64{"bob": 4})))
	require.NoError(t, s.Compact(vector(t, map[string]int64{"alice": 1})))
	require.Equal(t, `{"elements":[],"seen":{"alice":3,"bob":4},"stable":{"alice":3,"bob":4}}`, string(must(s.MarshalJSON())))
	require.NoError(t, s.Apply(by(t, 1, "alice", 3, `{"add":["x"]}`)))
	require.Zero(t, s.Len())
}
