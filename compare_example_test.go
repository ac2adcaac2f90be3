package causal_test

import (
	"encoding/json"
	"fmt"
	"log"
	"slices"

	"github.com/spec-kitty/causal"
)

func ExampleCompare() {
	events := []causal.Event{
		compareEvent(3, "bob", 2, `{}`), compareEvent(1, "bob", 1, `{}`), compareEvent(2, "alice", 1, `{}`),
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

// compareEvent returns the n-th event, emitted by a node at this clock.
func compareEvent(n int, node string, clock int64, payload string) causal.Event {
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
