package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleMergeGSet() {
	tags, err := causal.MergeGSet([]causal.Event{
		mergeEvent(1, "alice", 1, `{"tags": ["urgent", "backend"]}`),
		mergeEvent(2, "bob", 1, `{"tags": ["backend", "review"]}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tags)
	// Output: [backend review urgent]
}

func ExampleMergeGSetFunc() {
	owners, err := causal.MergeGSetFunc(
		[]causal.Event{mergeEvent(1, "bob", 1, `{}`), mergeEvent(2, "alice", 1, `{}`)},
		func(e causal.Event) ([]string, error) { return []string{e.NodeID()}, nil },
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(owners)
	// Output: [alice bob]
}

func ExampleMergeCounter() {
	once := mergeEvent(1, "alice", 1, `{"delta": 3}`)
	sum, err := causal.MergeCounter([]causal.Event{once, mergeEvent(2, "bob", 1, `{"delta": -1}`), once})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: 2
}

func ExampleMergeCounterFunc() {
	sum, err := causal.MergeCounterFunc(
		[]causal.Event{mergeEvent(1, "alice", 1, `{"points": 5}`), mergeEvent(2, "bob", 1, `{"points": 8}`)},
		func(e causal.Event) (int64, error) {
			var points int64
			raw, _ := e.PayloadField("points")
			return points, json.Unmarshal(raw, &points)
		},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: 13
}

func ExampleMergeStateMachine() {
	resolution, err := causal.MergeStateMachine([]causal.Event{
		mergeEvent(1, "alice", 5, `{"state": "doing"}`),
		mergeEvent(2, "bob", 5, `{"state": "done"}`),
	}, causal.StateMachine{Priority: map[string]int{"done": 4, "for_review": 3, "doing": 2, "planned": 1}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolution.MergedEvent.NodeID())
	fmt.Println(resolution.ResolutionNote)
	// Output:
	// bob
	// state "done" (priority 4) from node "bob" wins over 1 other event: its priority is the highest
}

func ExampleMergeStateMachineFunc() {
	resolution, err := causal.MergeStateMachineFunc(
		[]causal.Event{mergeEvent(1, "alice", 5, `{}`), mergeEvent(2, "bob", 5, `{}`)},
		map[string]int{"TaskChanged": 1},
		func(e causal.Event) (string, error) { return e.Type(), nil },
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolution.MergedEvent.NodeID())
	// Output: alice
}

func ExampleStateMachine() {
	lanes := causal.StateMachine{Priority: map[string]int{"done": 2, "doing": 1}, Key: "lane"}
	resolution, err := causal.MergeStateMachine([]causal.Event{mergeEvent(1, "alice", 5, `{"lane": "doing"}`)}, lanes)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolution.ResolutionNote)
	// Output: state "doing" (priority 1) from node "alice" stands: no other event is in conflict with it
}

func ExampleConflictResolution() {
	resolution, err := causal.MergeStateMachine([]causal.Event{
		mergeEvent(2, "bob", 5, `{"state": "done"}`), mergeEvent(1, "alice", 5, `{"state": "done"}`),
	}, causal.StateMachine{Priority: map[string]int{"done": 4}})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range resolution.ConflictingEvents {
		fmt.Println(e.NodeID(), e.ID() == resolution.MergedEvent.ID())
	}
	fmt.Println(resolution.RequiresManualReview)
	// Output:
	// alice true
	// bob false
	// false
}

// mergeEvent returns the n-th event, emitted by a node at this clock.
func mergeEvent(n int, node string, clock int64, payload string) causal.Event {
	e, err := causal.NewEvent(causal.EventParams{
		ID:   causal.EventID(fmt.Sprintf("01HZXW5B2Q3R4S5T6V7W8X9Y%02d", n)),
		Type: "TaskChanged", AggregateID: "task-1", NodeID: node, LamportClock: clock,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: json.RawMessage(payload),
	})
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// Bob and carol had read alice's value, but not each other's.
func ExampleMergeMV() {
	values, err := causal.MergeMV[string](siblings(`{"value":"a"}`, `{"value":"b"}`, `{"value":"c"}`))
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range values {
		fmt.Println(w.Value, "by", w.Event.NodeID())
	}
	// Output:
	// b by bob
	// c by carol
}

func ExampleWrite() {
	values, err := causal.MergeMV[int](siblings(`{"value":1}`, `{}`, `{}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(values[0].Value, "by", values[0].Event.NodeID())
	// Output: 1 by alice
}

func ExampleMergeMVFunc() {
	values, err := causal.MergeMVFunc(
		siblings(`{}`, `{}`, `{}`),
		func(e causal.Event) (int64, bool, error) { return e.LamportClock(), e.NodeID() != "bob", nil },
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(values), values[0].Value)
	// Output: 1 3
}

// If clocks differ, MergeStateMachine has no answer.
func ExampleResolveState() {
	resolution, err := causal.ResolveState(
		siblings(`{"state":"planned"}`, `{"state":"done"}`, `{"state":"doing"}`),
		causal.StateMachine{Priority: map[string]int{"done": 3, "doing": 2, "planned": 1}},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolution.ResolutionNote, resolution.RequiresManualReview)
	// Output: state "done" (priority 3) from node "bob" wins over 1 other event: its priority is the highest false
}

func ExampleResolveStateFunc() {
	resolution, err := causal.ResolveStateFunc(
		siblings(`{}`, `{}`, `{}`), map[string]int{"alice": 1, "bob": 2, "carol": 2},
		func(e causal.Event) (string, bool, error) { return e.NodeID(), true, nil },
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolution.MergedEvent.NodeID(), resolution.RequiresManualReview) // two have the same priority
	// Output: bob true
}

// siblings returns an event of alice and those of bob and carol, who had both
// read it.
func siblings(alices, bobs, carols string) []causal.Event {
	event := func(n int, node, payload string, parents ...causal.EventID) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{
			ID: causal.EventID(fmt.Sprintf("01HZXW5B2Q3R4S5T6V7W8X9Y%02d", n)), Type: "changed", AggregateID: "task-1", NodeID: node,
			LamportClock: int64(n), Parents: append([]causal.EventID{}, parents...), Payload: json.RawMessage(payload),
			ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	first := event(1, "alice", alices)
	return []causal.Event{first, event(2, "bob", bobs, first.ID()), event(3, "carol", carols, first.ID())}
}
