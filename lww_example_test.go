package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleMergeLWW() {
	title, ok, err := causal.MergeLWW[string]([]causal.Event{
		writeEvent(2, "bob", 2, `{"value": "Second draft"}`),
		writeEvent(1, "alice", 1, `{"value": "First draft"}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(title, ok)
	// Output: Second draft true
}

func ExampleMergeLWWFunc() {
	lane, ok, err := causal.MergeLWWFunc(
		[]causal.Event{writeEvent(1, "alice", 1, `{"lane": 3}`), writeEvent(2, "bob", 2, `{}`)},
		func(e causal.Event) (int, bool, error) {
			raw, ok := e.PayloadField("lane")
			if !ok {
				return 0, false, nil // this event has no lane
			}
			var lane int
			return lane, true, json.Unmarshal(raw, &lane)
		},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lane, ok)
	// Output: 3 true
}

func ExampleLWWRegister() {
	var title causal.LWWRegister[string]
	for _, e := range []causal.Event{ // in any order
		writeEvent(2, "bob", 2, `{"value": "Second draft"}`),
		writeEvent(1, "alice", 1, `{"value": "First draft"}`),
	} {
		if err := title.Apply(e); err != nil {
			log.Fatal(err)
		}
	}
	value, ok := title.Value()
	fmt.Println(value, ok, title.NodeID(), title.LamportClock(), title.EventID())

	// A replica that merges the snapshot has the same value.
	data, err := json.Marshal(title)
	if err != nil {
		log.Fatal(err)
	}
	var snapshot, replica causal.LWWRegister[string]
	if err := json.Unmarshal(data, &snapshot); err != nil {
		log.Fatal(err)
	}
	if err := replica.Set(writeEvent(3, "carol", 1, `{}`), "Carol's draft"); err != nil {
		log.Fatal(err)
	}
	if err := replica.Merge(snapshot); err != nil {
		log.Fatal(err)
	}
	fmt.Println(replica.Value())
	// Output:
	// Second draft true bob 2 01HZXW5B2Q3R4S5T6V7W8X9Y02
	// Second draft true
}

// writeEvent returns the n-th event, emitted by a node at this clock.
func writeEvent(n int, node string, clock int64, payload string) causal.Event {
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
