package causal_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

var taskStates = causal.StateMachine{Priority: map[string]int{"open": 1, "doing": 2, "review": 2, "done": 3}}

// write returns an event with a payload and the given parents.
func write(t require.TestingT, n int, clock int64, payload string, parents ...int) causal.Event {
	return eventtest.New(t, n, eventtest.WithPayload(payload), func(p *causal.EventParams) {
		p.NodeID, p.LamportClock, p.Parents = []string{"alice", "bob", "carol", "dave", "erin"}[n%5], clock, []causal.EventID{}
		for _, parent := range parents {
			p.Parents = append(p.Parents, eventtest.ID(parent))
		}
	})
}

func plainWrite(t require.TestingT, n int, node string, clock int64, payload string) causal.Event {
	return eventtest.New(t, n, eventtest.WithPayload(payload), func(p *causal.EventParams) { p.NodeID, p.LamportClock = node, clock })
}

func TestResolveState(t *testing.T) {
	ids := func(n ...int) (ids []causal.EventID) {
		for _, n := range n {
			ids = append(ids, eventtest.ID(n))
		}
		return ids
	}
	open := write(t, 1, 1, `{"state":"open"}`)
	for name, test := range map[string]struct {
		events   []causal.Event
		winner   int
		heads    []causal.EventID
		isReview bool
		note     string
	}{
		"one": {events: []causal.Event{open}, winner: 1, heads: ids(1), note: `state "open" (priority 1) from node "bob" stands: no other event is in conflict with it`},
		"a chain": {
			events: []causal.Event{open, write(t, 2, 2, `{"state":"done"}`, 1), write(t, 3, 3, `{"state":"doing"}`, 2)}, winner: 3, heads: ids(3),
		},
		"two, ranked": {
			events: []causal.Event{open, write(t, 2, 2, `{"state":"done"}`, 1), write(t, 3, 9, `{"state":"doing"}`, 1)}, winner: 2, heads: ids(2, 3),
			note: `state "done" (priority 3) from node "carol" wins over 1 other event: its priority is the highest`,
		},
		"two of one priority": {
			events: []causal.Event{open, write(t, 2, 4, `{"state":"doing"}`, 1), write(t, 3, 3, `{"state":"review"}`, 1), write(t, 4, 2, `{"state":"open"}`, 1)},
			winner: 3, heads: ids(4, 3, 2), isReview: true,
			note: `state "review" (priority 2) from node "dave" wins over 2 other events: of 2 with the highest priority it is the first by clock, node ID and event ID`,
		},
		"two of one priority below another": {
			events: []causal.Event{write(t, 2, 4, `{"state":"doing"}`), write(t, 3, 3, `{"state":"review"}`), write(t, 4, 2, `{"state":"done"}`)}, winner: 4, heads: ids(4, 3, 2),
		},
		"other edits lead from one to the next": {
			events: []causal.Event{open, write(t, 2, 2, `{"title":"x"}`, 1), write(t, 3, 3, `{"state":"doing"}`, 2)}, winner: 3, heads: ids(3),
		},
		"a merge of heads is no state": {
			events: []causal.Event{open, write(t, 2, 2, `{"state":"done"}`, 1), write(t, 3, 3, `{"state":"doing"}`, 1), write(t, 4, 4, `{}`, 2, 3)}, winner: 2, heads: ids(2, 3),
		},
		"it was settled": {
			events: []causal.Event{open, write(t, 2, 2, `{"state":"done"}`, 1), write(t, 3, 3, `{"state":"doing"}`, 1), write(t, 4, 4, `{"state":"open"}`, 2, 3)}, winner: 4, heads: ids(4),
		},
		"status, and a state that is null": {
			events: []causal.Event{write(t, 1, 1, `{"status":"open"}`), write(t, 2, 2, `{"state":null,"status":"done"}`), write(t, 3, 3, `{"state":null}`)}, winner: 2, heads: ids(1, 2),
		},
		"null is no state": {events: []causal.Event{open, write(t, 2, 2, `{"status":null}`, 1), write(t, 3, 3, `{"state":null,"status":null}`, 2)}, winner: 1, heads: ids(1)},
		"what came before does not count, whatever it is": {
			events: []causal.Event{write(t, 1, 1, `{"state":"closed"}`), write(t, 2, 2, `{"state":7}`), write(t, 3, 3, `{"state":"doing"}`, 1, 2)}, winner: 3, heads: ids(3),
		},
		"an event between is missing": {
			events: []causal.Event{open, write(t, 3, 5, `{"state":"done"}`, 2)}, winner: 3, heads: ids(1, 3), isReview: true,
		},
		"plain ones of two nodes": {
			events: []causal.Event{plainWrite(t, 1, "alice", 1, `{"state":"open"}`), plainWrite(t, 2, "bob", 5, `{"state":"done"}`)}, winner: 2, heads: ids(1, 2), isReview: true,
		},
		"plain ones at one clock": {
			events: []causal.Event{plainWrite(t, 1, "alice", 5, `{"state":"open"}`), plainWrite(t, 2, "bob", 5, `{"state":"done"}`)}, winner: 2, heads: ids(1, 2),
		},
		"plain ones of one node": {
			events: []causal.Event{plainWrite(t, 1, "alice", 1, `{"state":"done"}`), plainWrite(t, 2, "alice", 5, `{"state":"open"}`)}, winner: 2, heads: ids(2),
		},
	} {
		for _, events := range permutations(test.events) {
			got, err := causal.ResolveState(append(events, events[0]), taskStates)
			require.NoError(t, err, name)
			require.Equal(t, eventtest.ID(test.winner), got.MergedEvent.ID(), name)
			require.Contains(t, string(got.MergedEvent.Payload()), `"`+got.State+`"`, name)
			require.Equal(t, test.heads, eventtest.IDs(got.ConflictingEvents), name)
			require.Equal(t, test.isReview, got.RequiresManualReview, name)
			if test.note != "" {
				require.Equal(t, test.note, got.ResolutionNote, name)
			}
		}
	}
	got, err := causal.ResolveState([]causal.Event{write(t, 1, 1, `{"lane":"done"}`)}, causal.StateMachine{Priority: taskStates.Priority, Key: "lane"})
	require.NoError(t, err)
	require.Equal(t, eventtest.ID(1), got.MergedEvent.ID())
}

func TestResolveStateRefuses(t *testing.T) {
	open := write(t, 1, 1, `{"state":"open"}`)
	other := func(change func(*causal.EventParams)) causal.Event {
		return eventtest.New(t, 2, eventtest.WithPayload(`{"state":"open"}`), change)
	}
	for fault, events := range map[string][]causal.Event{
		"events must have one with a state":                   {},
		"payload has a state that is not in the priority map": {open, write(t, 2, 2, `{"state":"S3CRET"}`, 1)},
		"payload has a state that must be a string":           {open, write(t, 2, 2, `{"state":7}`)},
		"aggregate_id must be the same in all events":         {open, other(func(p *causal.EventParams) { p.AggregateID = "other" })},
		"project_uuid must be the same in all events":         {open, other(func(p *causal.EventParams) { p.ProjectUUID = strings.Replace(p.ProjectUUID, "1", "2", 1) })},
		"event must not be the zero Event":                    {open, {}},
	} {
		_, err := causal.ResolveState(events, taskStates)
		requireFault(t, err, fault)
	}
	_, err := causal.ResolveState([]causal.Event{write(t, 2, 2, `{"state":7}`), write(t, 1, 1, `{"state":"S3CRET"}`)}, taskStates)
	requireFault(t, err, "payload has a state that is not in the priority map") // of the first one
	_, err = causal.ResolveState([]causal.Event{write(t, 1, 1, `{}`)}, taskStates)
	requireFault(t, err, "events must have one with a state")
	_, err = causal.ResolveState([]causal.Event{open, write(t, 1, 1, `{"state":"done"}`)}, taskStates)
	require.ErrorIs(t, err, causal.ErrIDConflict)
	_, err = causal.ResolveStateFunc([]causal.Event{open}, nil, nil)
	requireFault(t, err, "state must not be nil")
	cause := errors.New("cause")
	_, err = causal.ResolveStateFunc([]causal.Event{write(t, 2, 2, `{}`, 1), open}, nil, func(causal.Event) (string, bool, error) { return "", false, cause })
	require.ErrorIs(t, err, cause)
	var invalid *causal.ValidationError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, eventtest.ID(2), invalid.EventID, "the one before it does not count")
	_, err = causal.ResolveStateFunc([]causal.Event{open}, nil, func(causal.Event) (string, bool, error) { return "", false, (*causal.ValidationError)(nil) })
	require.ErrorIs(t, err, causal.ErrValidation, "a typed nil is an error")
}

func TestMergeMV(t *testing.T) {
	first := write(t, 1, 1, `{"value":"a"}`)
	for name, test := range map[string]struct {
		events []causal.Event
		want   []string
	}{
		"nothing":              {},
		"no write":             {events: []causal.Event{write(t, 1, 1, `{}`)}},
		"one":                  {events: []causal.Event{first}, want: []string{"a"}},
		"a chain":              {events: []causal.Event{first, write(t, 2, 2, `{}`, 1), write(t, 3, 3, `{"value":"c"}`, 2)}, want: []string{"c"}},
		"two":                  {events: []causal.Event{first, write(t, 3, 2, `{"value":"c"}`, 1), write(t, 2, 3, `{"value":"b"}`, 1)}, want: []string{"c", "b"}},
		"two that are alike":   {events: []causal.Event{write(t, 3, 2, `{"value":"c"}`), write(t, 2, 3, `{"value":"c"}`)}, want: []string{"c", "c"}},
		"two that were merged": {events: []causal.Event{write(t, 2, 2, `{"value":"b"}`), write(t, 3, 3, `{"value":"c"}`), write(t, 4, 4, `{}`, 2, 3)}, want: []string{"b", "c"}},
		"and settled":          {events: []causal.Event{write(t, 2, 2, `{"value":"b"}`), write(t, 3, 3, `{"value":"c"}`), write(t, 4, 4, `{"value":"d"}`, 2, 3)}, want: []string{"d"}},
		"a bad one before":     {events: []causal.Event{write(t, 2, 2, `{"value":7}`), write(t, 3, 3, `{"value":"c"}`, 2)}, want: []string{"c"}},
	} {
		for _, events := range permutations(test.events) {
			got, err := causal.MergeMV[string](slices.Concat(events, events))
			require.NoError(t, err, name)
			var values []string
			for i, w := range got {
				require.True(t, i == 0 || causal.Compare(got[i-1].Event, w.Event) < 0, name)
				values = append(values, w.Value)
			}
			require.Equal(t, test.want, values, name)
		}
	}
	_, err := causal.MergeMV[string]([]causal.Event{first, write(t, 2, 2, `{"value":7}`)})
	requireFault(t, err, `payload member "value" does not decode into the given type`)
	_, err = causal.MergeMV[string]([]causal.Event{first, eventtest.New(t, 2, func(p *causal.EventParams) { p.AggregateID = "other" })})
	requireFault(t, err, "aggregate_id must be the same in all events")
	_, err = causal.MergeMV[string]([]causal.Event{{}})
	require.ErrorIs(t, err, causal.ErrValidation)
	_, err = causal.MergeMVFunc[string](nil, nil)
	requireFault(t, err, "value must not be nil")
	cause := errors.New("cause")
	failing := func(e causal.Event) (int, bool, error) {
		if e.LamportClock() == 1 {
			return 0, false, cause
		}
		return int(e.LamportClock()), true, nil
	}
	_, err = causal.MergeMVFunc([]causal.Event{first, write(t, 2, 2, `{}`)}, failing)
	require.ErrorIs(t, err, cause)
	got, err := causal.MergeMVFunc([]causal.Event{first, write(t, 2, 2, `{}`, 1)}, failing)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, 2, got[0].Value)
	require.Equal(t, eventtest.ID(2), got[0].Event.ID())
}

// ResolveState and MergeMV examine the writing events that no other writing
// event follows, whatever the events are.
func TestLastWritesAreMaximal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := slices.DeleteFunc(hostile(t), func(e causal.Event) bool {
			return e.AggregateID() != "A" || e.ProjectUUID() != eventtest.ProjectUUID
		})
		h := must(causal.NewHistory(events))
		isWrite := func(e causal.Event) bool { return keyOf(e) != "" }
		var want []causal.EventID
		isCertain := true
		for i := range h.Len() {
			isLast := isWrite(h.At(i))
			for j := range h.Len() {
				isLast = isLast && (!isWrite(h.At(j)) || h.Relation(i, j) != causal.OrderBefore)
			}
			if isLast {
				for _, id := range want {
					j, _ := h.Index(id)
					isCertain = isCertain && h.Relation(i, j) == causal.OrderConcurrent
				}
				want = append(want, h.At(i).ID())
			}
		}
		writes, err := causal.MergeMVFunc(events, func(e causal.Event) (causal.EventID, bool, error) { return e.ID(), isWrite(e), nil })
		require.NoError(t, err)
		var got []causal.EventID
		for _, w := range writes {
			require.Equal(t, w.Event.ID(), w.Value)
			got = append(got, w.Value)
		}
		require.Equal(t, want, got)
		if len(want) == 0 {
			return
		}
		priority := map[string]int{"title": 1, "state": 2}
		r, err := causal.ResolveStateFunc(events, priority, func(e causal.Event) (string, bool, error) { return keyOf(e), isWrite(e), nil })
		require.NoError(t, err)
		require.Equal(t, want, eventtest.IDs(r.ConflictingEvents))
		best, ties := causal.Event{}, 0
		for _, e := range r.ConflictingEvents {
			switch {
			case best.IsZero() || priority[keyOf(e)] > priority[keyOf(best)]:
				best, ties = e, 1
			case priority[keyOf(e)] == priority[keyOf(best)]:
				ties++
			}
		}
		require.Equal(t, best.ID(), r.MergedEvent.ID())
		require.Equal(t, ties > 1 || !isCertain, r.RequiresManualReview)
	})
}
