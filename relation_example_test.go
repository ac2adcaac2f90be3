package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// stampedEvent returns an event with a vector clock for the examples.
func stampedEvent(id causal.EventID, node string, times map[string]int64) causal.Event {
	e, err := causal.NewEvent(causal.EventParams{
		ID: id, Type: "WPStatusChanged", AggregateID: "WP001", NodeID: node, LamportClock: times[node],
		VectorClock: exampleVector(times), ProjectUUID: projectUUID, Payload: json.RawMessage(`{}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	return e
}

func ExampleRelation() {
	a := stampedEvent(id1, "alice", map[string]int64{"alice": 1})
	b := stampedEvent(id2, "bob", map[string]int64{"alice": 1, "bob": 2})
	c := stampedEvent(id3, "carol", map[string]int64{"carol": 9})
	fmt.Println(causal.Relation(a, b), causal.Relation(b, a))
	fmt.Println(causal.Relation(b, c), causal.IsConcurrent(b, c)) // their Lamport clocks differ
	// Output:
	// Before After
	// Concurrent false
}

func ExampleOrder() {
	later := exampleEvent(id2, "bob", 9, `{}`) // without a vector clock
	relation := causal.Relation(exampleEvent(id1, "alice", 1, `{}`), later)
	fmt.Println(relation, relation == causal.OrderUnknown, causal.OrderSame.String())
	// Output: Unknown true Same
}

func ExampleHeads() {
	heads, err := causal.Heads([]causal.Event{
		stampedEvent(id1, "alice", map[string]int64{"alice": 1}),
		stampedEvent(id2, "bob", map[string]int64{"alice": 1, "bob": 2}),
		stampedEvent(id3, "carol", map[string]int64{"carol": 9}),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range heads {
		fmt.Println(e.NodeID())
	}
	// Output:
	// bob
	// carol
}

func ExampleConflicts() {
	conflicts, err := causal.Conflicts([]causal.Event{
		stampedEvent(id1, "alice", map[string]int64{"alice": 1}),
		stampedEvent(id2, "bob", map[string]int64{"alice": 1, "bob": 2}),
		stampedEvent(id3, "carol", map[string]int64{"carol": 9}),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range conflicts {
		fmt.Println(group[0].AggregateID(), group[0].NodeID(), group[1].NodeID())
	}
	// Output: WP001 bob carol
}
