package causal_test

import (
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleTopologicalSort() {
	caused := func(id, cause causal.EventID, clock int64) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{
			ID: id, Type: "Step", AggregateID: "task-1", NodeID: "alice", LamportClock: clock, CausationID: cause,
			ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	const first, second causal.EventID = "01HZXW5B2Q3R4S5T6V7W8X9Y01", "01HZXW5B2Q3R4S5T6V7W8X9Y02"
	sorted, err := causal.TopologicalSort([]causal.Event{
		caused(second, first, 1), // its clock is wrong, because its node did not update it
		caused(first, "", 7),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range sorted {
		fmt.Println(e.ID(), "at", e.LamportClock())
	}
	// Output:
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01 at 7
	// 01HZXW5B2Q3R4S5T6V7W8X9Y02 at 1
}
