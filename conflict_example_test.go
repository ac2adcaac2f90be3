package causal_test

import (
	"fmt"
	"log"
	"slices"

	"github.com/spec-kitty/causal"
)

func ExampleCompare() {
	events := []causal.Event{
		exampleEvent(id3, "bob", 2, `{}`), exampleEvent(id1, "bob", 1, `{}`), exampleEvent(id2, "alice", 1, `{}`),
	}
	slices.SortFunc(events, causal.Compare)
	for _, e := range events {
		fmt.Println(e.LamportClock(), e.NodeID())
	}
	// Output:
	// 1 alice
	// 1 bob
	// 2 bob
}

func ExampleIsConcurrent() {
	a, b := exampleEvent(id1, "alice", 5, `{}`), exampleEvent(id2, "bob", 5, `{}`)
	later := exampleEvent(id3, "bob", 6, `{}`)
	fmt.Println(causal.IsConcurrent(a, b), causal.IsConcurrent(a, later))
	// Output: true false
}

func ExampleTopologicalSort() {
	caused := func(id causal.EventID, clock int64, cause causal.EventID) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{
			ID: id, Type: "Step", AggregateID: "WP001", NodeID: "alice", LamportClock: clock, CausationID: cause,
			ProjectUUID: projectUUID,
		})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	// The clock of the effect is wrong: its node did not update it.
	sorted, err := causal.TopologicalSort([]causal.Event{caused(id2, 1, id1), caused(id1, 7, "")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sorted[0].ID() == id1, sorted[1].ID() == id2)
	// Output: true true
}
