package causal_test

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestMergeGSet(t *testing.T) {
	tests := []struct {
		payload, fault string
		want           []string
	}{
		{payload: `{}`, want: []string{}},
		{payload: `{"tags":[]}`, want: []string{}},
		{payload: `{"tags":[ "b" , "a\u0061","aa","" ]}`, want: []string{"", "aa", "b"}},
		{payload: `{"tags":["é","z","Z"]}`, want: []string{"Z", "z", "é"}},
		{payload: `{"tags":["a"],"tags":["b"]}`, want: []string{"b"}},
		{payload: `{"tags":null}`, want: []string{}},
		{payload: `{"tags":["a"],"tags":null}`, want: []string{}},
		{payload: `{"tags":"a"}`, fault: `member "tags" must be an array`},
		{payload: `{"tags":{}}`, fault: `member "tags" must be an array`},
		{payload: `{"tags":["a",1]}`, fault: `member "tags": an element must be a string`},
		{payload: `{"tags":["a",null]}`, fault: `member "tags": an element must not be null`},
		{payload: `{"tags":[["a"]]}`, fault: `member "tags": an element must be a string`},
		{payload: `{"tags":["\ud800"]}`, fault: `member "tags": an element must not contain half of a surrogate pair`},
	}
	for _, test := range tests {
		t.Run(test.payload, func(t *testing.T) {
			got, err := causal.MergeGSet([]causal.Event{eventtest.New(t, 1, eventtest.WithPayload(test.payload))})
			if test.fault != "" {
				requirePayloadFault(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	none, err := causal.MergeGSet(nil)
	require.NoError(t, err)
	require.Equal(t, []string{}, none)
}

// requirePayloadFault requires an error about the payload of the first test
// event.
func requirePayloadFault(t *testing.T, err error, reason string) {
	t.Helper()
	var ve *causal.ValidationError
	require.ErrorAs(t, err, &ve)
	require.Equal(t, eventtest.ID(1), ve.EventID)
	require.Equal(t, []causal.FieldError{{Field: "payload", Reason: reason}}, ve.Fields)
}

// floats returns a function that returns these elements for every event.
func floats(elements ...float64) func(causal.Event) ([]float64, error) {
	return func(causal.Event) ([]float64, error) { return elements, nil }
}

func TestMergeGSetFuncSortsFloats(t *testing.T) {
	negativeZero := math.Copysign(0, -1)
	events := []causal.Event{eventtest.New(t, 1), eventtest.New(t, 2)}
	got, err := causal.MergeGSetFunc(events, floats(negativeZero, 1, math.Inf(-1), 1, 0))
	require.NoError(t, err)
	require.Equal(t, []float64{math.Inf(-1), 0, 1}, got)
	require.False(t, math.Signbit(got[1]), "the two zeros are one element")
}

func TestMergeGSetFuncRefusesElements(t *testing.T) {
	events := []causal.Event{eventtest.New(t, 1)}
	_, err := causal.MergeGSetFunc(events, floats(1, math.NaN()))
	requirePayloadFault(t, err, "has an element that must not be NaN")
	type tag string
	_, err = causal.MergeGSetFunc(events, func(causal.Event) ([]tag, error) { return []tag{"\xff"}, nil })
	requirePayloadFault(t, err, "has an element that must be valid UTF-8")
}

func TestMergeGSetFuncReturnsTheErrorOfTheFunction(t *testing.T) {
	boom := errors.New("boom")
	_, err := causal.MergeGSetFunc([]causal.Event{eventtest.New(t, 1)}, func(causal.Event) ([]float64, error) {
		return []float64{math.NaN()}, boom
	})
	require.ErrorIs(t, err, boom)
}

func TestMergeCounter(t *testing.T) {
	tests := []struct {
		payload, fault string
		want           int64
	}{
		{payload: `{}`},
		{payload: `{"delta":5}`, want: 5},
		{payload: `{"delta":-9223372036854775808}`, want: math.MinInt64},
		{payload: `{"delta":9223372036854775807}`, want: math.MaxInt64},
		{payload: `{"delta":5.0}`, want: 5},
		{payload: `{"delta":-0}`},
		{payload: `{"delta":-0.0e5}`},
		{payload: `{"delta":1.5e1}`, want: 15},
		{payload: `{"delta":9.223372036854775807e18}`, want: math.MaxInt64},
		{payload: `{"delta":-922337203685477580800e-2}`, want: math.MinInt64},
		{payload: `{"delta":9223372036854775808}`, fault: `member "delta" does not fit in 64 bits`},
		{payload: `{"delta":1e19}`, fault: `member "delta" does not fit in 64 bits`},
		{payload: `{"delta":123456789012345678901234567890}`, fault: `member "delta" does not fit in 64 bits`},
		{payload: `{"delta":1e99999999999}`, fault: `member "delta" does not fit in 64 bits`},
		{payload: `{"delta":1e2000000000}`, fault: `member "delta" does not fit in 64 bits`},
		{payload: `{"delta":0.5}`, fault: `member "delta" must be an integer`},
		{payload: `{"delta":1e-1}`, fault: `member "delta" must be an integer`},
		{payload: `{"delta":1e-99999999999}`, fault: `member "delta" must be an integer`},
		{payload: `{"delta":null}`, want: 0},
		{payload: `{"delta":"5"}`, fault: `member "delta" must be an integer`},
		{payload: `{"delta":true}`, fault: `member "delta" must be an integer`},
		{payload: `{"delta":[5]}`, fault: `member "delta" must be an integer`},
	}
	for _, test := range tests {
		t.Run(test.payload, func(t *testing.T) {
			got, err := causal.MergeCounter([]causal.Event{eventtest.New(t, 1, eventtest.WithPayload(test.payload))})
			if test.fault != "" {
				requirePayloadFault(t, err, test.fault)
				return
			}
			require.NoError(t, err, test.payload)
			require.Equal(t, test.want, got, test.payload)
		})
	}
	none, err := causal.MergeCounter(nil)
	require.NoError(t, err)
	require.Zero(t, none)
}

func deltas(t testing.TB, values ...int64) []causal.Event {
	t.Helper()
	var events []causal.Event
	for i, v := range values {
		events = append(events, eventtest.New(t, i+1, eventtest.WithPayload(`{"delta":`+strconv.FormatInt(v, 10)+`}`)))
	}
	return events
}

func TestMergeCounterOverflow(t *testing.T) {
	sum, err := causal.MergeCounter(deltas(t, math.MaxInt64, math.MaxInt64, math.MinInt64, math.MinInt64, 7))
	require.NoError(t, err, "only the total counts")
	require.Equal(t, int64(5), sum)
	for _, values := range [][]int64{
		{math.MaxInt64, 1}, {1, math.MaxInt64}, {math.MinInt64, -1}, {math.MinInt64, math.MinInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MinInt64},
	} {
		_, err := causal.MergeCounter(deltas(t, values...))
		requireFault(t, err, "payload has deltas whose total does not fit in 64 bits")
	}
}

// All merges in one form, returning the result or an error.
var merges = map[string]func([]causal.Event) (any, error){
	"gset":    func(events []causal.Event) (any, error) { return causal.MergeGSet(events) },
	"counter": func(events []causal.Event) (any, error) { return causal.MergeCounter(events) },
	"state": func(events []causal.Event) (any, error) {
		r, err := causal.MergeStateMachine(events, causal.StateMachine{Priority: map[string]int{"a": 1, "b": 2, "b2": 2}})
		return []any{r.MergedEvent.ID(), r.ResolutionNote, eventtest.IDs(r.ConflictingEvents)}, err
	},
	"orset": func(events []causal.Event) (any, error) { return causal.MergeORSet(events) },
	"lww": func(events []causal.Event) (any, error) {
		value, ok, err := causal.MergeLWW[string](events)
		return []any{value, ok}, err
	},
}

func TestMergesRefuseBadSets(t *testing.T) {
	same := func(p *causal.EventParams) { p.LamportClock = 1 }
	good := func(n int) causal.Event { return eventtest.New(t, n, same, eventtest.WithPayload(`{"state":"a"}`)) }
	other := func(n int) causal.Event { return eventtest.New(t, n, same, eventtest.WithPayload(`{"state":"b"}`)) }
	for name, merge := range merges {
		t.Run(name, func(t *testing.T) {
			_, err := merge([]causal.Event{good(1), {}, good(2), other(2)})
			requireFault(t, err, "event must not be the zero Event")
			for _, events := range [][]causal.Event{
				{good(3), good(2), good(1), other(2), other(3), other(2)}, {other(3), other(2), good(1), good(3), good(2)},
			} {
				_, err = merge(events)
				var conflict *causal.IDConflictError
				require.ErrorAs(t, err, &conflict)
				require.Equal(t, []causal.EventID{eventtest.ID(2), eventtest.ID(3)}, conflict.IDs)
			}
		})
	}
}

// The error is that of the least event, wherever it is; for the last writer,
// that of the last.
func TestMergeErrorsDoNotDependOnOrder(t *testing.T) {
	bad := `{"delta":"x","tags":1,"state":1,"value":1,"add":1}`
	events := []causal.Event{eventtest.New(t, 3, eventtest.WithPayload(bad)), eventtest.New(t, 1, eventtest.WithPayload(bad)), eventtest.New(t, 2, eventtest.WithPayload(`{"state":"a"}`))}
	for name, merge := range merges {
		for range 3 {
			events = append(events[1:], events[0])
			_, err := merge(events)
			var ve *causal.ValidationError
			require.ErrorAs(t, err, &ve, name)
			require.Equal(t, map[bool]causal.EventID{false: eventtest.ID(1), true: eventtest.ID(3)}[name == "lww"], ve.EventID, name)
		}
	}
}

func TestMergeFuncs(t *testing.T) {
	events := []causal.Event{eventtest.New(t, 2), eventtest.New(t, 1)}
	cause := errors.New("S3CRET")
	_, errSet := causal.MergeGSetFunc(events, func(causal.Event) ([]int, error) { return nil, cause })
	_, errCounter := causal.MergeCounterFunc(events, func(causal.Event) (int64, error) { return 0, cause })
	_, errState := causal.MergeStateMachineFunc(events[1:], nil, func(causal.Event) (string, error) { return "", cause })
	for _, err := range []error{errSet, errCounter, errState} {
		require.ErrorIs(t, err, cause)
		require.NotContains(t, err.Error(), "S3CRET")
		requirePayloadFault(t, err, "was refused by the function that reads it")
	}
	_, err := causal.MergeGSetFunc[int](events, nil)
	requireFault(t, err, "elements must not be nil")
	_, err = causal.MergeCounterFunc(events, nil)
	requireFault(t, err, "delta must not be nil")
	_, err = causal.MergeStateMachineFunc(events, nil, nil)
	requireFault(t, err, "state must not be nil")

	sum, err := causal.MergeCounterFunc(append(events, events...), func(causal.Event) (int64, error) { return 1, nil })
	require.NoError(t, err)
	require.Equal(t, int64(2), sum)
}

func TestMergeStateMachine(t *testing.T) {
	priority := map[string]int{"done": 4, "closed": 4, "review": 3, "": 1, "low": -5}
	at := func(n int, nodeID, payload string) causal.Event {
		return eventtest.New(t, n, eventtest.WithPayload(payload), func(p *causal.EventParams) { p.NodeID, p.LamportClock = nodeID, 5 })
	}
	tests := map[string]struct {
		events []causal.Event
		key    string
		winner int
		note   string
		fault  string
	}{
		"one": {
			events: []causal.Event{at(1, "a", `{"state":"low"}`)}, winner: 1,
			note: `state "low" (priority -5) from node "a" stands: no other event is in conflict with it`,
		},
		"highest": {
			events: []causal.Event{at(1, "a", `{"state":"review"}`), at(2, "b", `{"state":"done"}`), at(3, "c", `{"state":"low"}`)}, winner: 2,
			note: `state "done" (priority 4) from node "b" wins over 2 other events: its priority is the highest`,
		},
		"tie by node": {
			events: []causal.Event{at(1, "b", `{"state":"done"}`), at(2, "a", `{"state":"closed"}`), at(3, "0", `{"state":"low"}`)}, winner: 2,
			note: `state "closed" (priority 4) from node "a" wins over 2 other events: of 2 with the highest priority it is the first by node ID and event ID`,
		},
		"tie by ID": {
			events: []causal.Event{at(2, "a", `{"state":"done"}`), at(1, "a", `{"state":"closed"}`)}, winner: 1,
			note: `state "closed" (priority 4) from node "a" wins over 1 other event: of 2 with the highest priority it is the first by node ID and event ID`,
		},
		"status where state is missing": {
			events: []causal.Event{at(1, "a", `{"status":"review"}`), at(2, "b", `{"state":null,"status":"done"}`)}, winner: 2,
			note: `state "done" (priority 4) from node "b" wins over 1 other event: its priority is the highest`,
		},
		"key named":            {events: []causal.Event{at(1, "a", `{"lane":"done"}`)}, key: "lane", winner: 1, note: `state "done" (priority 4) from node "a" stands: no other event is in conflict with it`},
		"key named, no status": {events: []causal.Event{at(1, "a", `{"status":"done"}`)}, key: "lane", fault: "has no state"},
		"empty state":          {events: []causal.Event{at(1, "a", `{"state":""}`)}, winner: 1, note: `state "" (priority 1) from node "a" stands: no other event is in conflict with it`},
		"no state":             {events: []causal.Event{at(1, "a", `{}`)}, fault: "has no state"},
		"null twice":           {events: []causal.Event{at(1, "a", `{"state":null,"status":null}`)}, fault: "has a state that must not be null"},
		"number":               {events: []causal.Event{at(1, "a", `{"state":4}`)}, fault: "has a state that must be a string"},
		"unranked":             {events: []causal.Event{at(1, "a", `{"state":"S3CRET"}`)}, fault: "has a state that is not in the priority map"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := causal.MergeStateMachine(test.events, causal.StateMachine{Priority: priority, Key: test.key})
			if test.fault != "" {
				requirePayloadFault(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, eventtest.ID(test.winner), got.MergedEvent.ID())
			require.Equal(t, test.note, got.ResolutionNote)
			require.False(t, got.RequiresManualReview)
			require.Len(t, got.ConflictingEvents, len(test.events))
			got.ConflictingEvents[0] = causal.Event{} // a copy
			require.False(t, test.events[0].IsZero())
		})
	}
	_, err := causal.MergeStateMachine(nil, causal.StateMachine{Priority: priority})
	requireFault(t, err, "events must not be empty")
	_, err = causal.MergeStateMachine([]causal.Event{eventtest.New(t, 1, eventtest.WithPayload(`{"state":"done"}`)), eventtest.New(t, 2, eventtest.WithPayload(`{"state":"done"}`))},
		causal.StateMachine{Priority: priority})
	requireFault(t, err, "lamport_clock must be the same in all events")
	_, err = causal.MergeStateMachine([]causal.Event{at(1, "a", `{"state":"done"}`), eventtest.New(t, 5, eventtest.WithPayload(`{"state":"done"}`), func(p *causal.EventParams) {
		p.AggregateID, p.NodeID = "other", "z"
	})}, causal.StateMachine{Priority: priority})
	requireFault(t, err, "aggregate_id must be the same in all events")
}

func TestMergeLWW(t *testing.T) {
	tests := []struct {
		payload, fault string
		want           any
		ok             bool
	}{
		{payload: `{}`},
		{payload: `{"value":null}`, ok: true},
		{payload: `{"value":"a\u0061"}`, want: "aa", ok: true},
		{payload: `{"value":"a","value":"b"}`, want: "b", ok: true},
		{payload: `{"value":[1,{"a":true}]}`, want: []any{json.Number("1"), map[string]any{"a": true}}, ok: true},
		{payload: `{"value":"\ud800"}`, fault: `member "value" must not contain half of a surrogate pair`},
	}
	for _, test := range tests {
		t.Run(test.payload, func(t *testing.T) {
			e := eventtest.New(t, 1, eventtest.WithPayload(test.payload))
			got, ok, err := causal.MergeLWW[any]([]causal.Event{e})
			var r causal.LWWRegister[any]
			errApply := r.Apply(e)
			if test.fault != "" {
				requirePayloadFault(t, err, test.fault)
				requirePayloadFault(t, errApply, test.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, test.ok, ok)
			require.NoError(t, errApply)
			value, ok := r.Value()
			require.Equal(t, test.want, value)
			require.Equal(t, test.ok, ok)
		})
	}
	got, ok, err := causal.MergeLWW[string](nil)
	require.NoError(t, err)
	require.False(t, ok)
	require.Empty(t, got)

	// Only the last value must have the type.
	events := []causal.Event{eventtest.New(t, 1, eventtest.WithPayload(`{"value":"text"}`)), eventtest.New(t, 2, eventtest.WithPayload(`{"value":[1,2,"x"]}`))}
	list, ok, err := causal.MergeLWW[[]int](events[:1])
	requirePayloadFault(t, err, `member "value" does not decode into the given type`)
	require.Nil(t, list)
	require.False(t, ok)
	var kind *json.UnmarshalTypeError
	require.ErrorAs(t, err, &kind)
	text, ok, err := causal.MergeLWW[any](events)
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, text, 3)
	array, ok, err := causal.MergeLWW[[]int](events)
	require.ErrorIs(t, err, causal.ErrValidation)
	require.False(t, ok)
	require.Nil(t, array, "half of a value")
}

func TestMergeLWWFunc(t *testing.T) {
	events := []causal.Event{eventtest.New(t, 2), eventtest.New(t, 1)}
	cause := errors.New("S3CRET")
	_, ok, err := causal.MergeLWWFunc(events, func(causal.Event) (int, bool, error) { return 1, true, cause })
	require.ErrorIs(t, err, cause)
	require.NotContains(t, err.Error(), "S3CRET")
	requirePayloadFault(t, err, "was refused by the function that reads it")
	require.False(t, ok)
	_, _, err = causal.MergeLWWFunc[int](events, nil)
	requireFault(t, err, "value must not be nil")
}

// A function that returns a nil *ValidationError as its error is faulty, which
// results in an error and no panic.
func TestMergeFuncsOfTypedNilErrors(t *testing.T) {
	events := []causal.Event{eventtest.New(t, 1)}
	var none *causal.ValidationError
	_, errCounter := causal.MergeCounterFunc(events, func(causal.Event) (int64, error) { return 0, none })
	_, errSet := causal.MergeGSetFunc(events, func(causal.Event) ([]string, error) { return nil, none })
	_, errORSet := causal.MergeORSetFunc(events, func(causal.Event) (causal.ORSetChange[string], error) {
		return causal.ORSetChange[string]{}, none
	})
	_, _, errLWW := causal.MergeLWWFunc(events, func(causal.Event) (string, bool, error) { return "", true, none })
	_, errState := causal.MergeStateMachineFunc(events, map[string]int{"": 1}, func(causal.Event) (string, error) { return "", none })
	for name, err := range map[string]error{
		"counter": errCounter, "set": errSet, "observed-remove set": errORSet, "register": errLWW, "state machine": errState,
	} {
		requireFault(t, err, "payload was refused by the function that reads it", name)
	}
}

// A wrong payload can be left out, by a merge and by a state.
func TestWrongPayloadIsLeftOut(t *testing.T) {
	events := []causal.Event{
		eventtest.New(t, 1, eventtest.WithPayload(`{"delta":5}`)), eventtest.New(t, 2, eventtest.WithPayload(`{"delta":"x"}`)),
		eventtest.New(t, 3, eventtest.WithPayload(`{"delta":2}`)),
	}
	_, err := causal.MergeCounter(events)
	var invalid *causal.ValidationError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, events[1].ID(), invalid.EventID)
	sum, err := causal.MergeCounterFunc(events, func(e causal.Event) (int64, error) {
		var payload struct{ Delta int64 }
		_ = e.DecodePayload(&payload) // 0 if it is wrong
		return payload.Delta, nil
	})
	require.NoError(t, err)
	require.EqualValues(t, 7, sum)
	var counter causal.PNCounter
	for _, e := range events {
		require.Equal(t, e.ID() == events[1].ID(), counter.Apply(e) != nil)
	}
	value, err := counter.Value()
	require.NoError(t, err)
	require.Equal(t, sum, value)
}
