package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleMergeLWW() {
	title, ok, err := causal.MergeLWW[string]([]causal.Event{
		exampleEvent(id2, "bob", 2, `{"value": "Second draft"}`),
		exampleEvent(id1, "alice", 1, `{"value": "First draft"}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(title, ok)
	// Output: Second draft true
}

func ExampleMergeLWWFunc() {
	lane, ok, err := causal.MergeLWWFunc(
		[]causal.Event{exampleEvent(id1, "alice", 1, `{"lane": 3}`), exampleEvent(id2, "bob", 2, `{}`)},
		func(e causal.Event) (int, bool, error) {
			raw, ok := e.PayloadField("lane")
			if !ok {
				return 0, false, nil // this event says nothing of the lane
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
		exampleEvent(id2, "bob", 2, `{"value": "Second draft"}`),
		exampleEvent(id1, "alice", 1, `{"value": "First draft"}`),
	} {
		if err := title.Apply(e); err != nil {
			log.Fatal(err)
		}
	}
	value, ok := title.Value()
	fmt.Println(value, ok, title.NodeID(), title.LamportClock(), title.EventID() == id2)

	// A replica that merges the snapshot holds the same.
	data, err := json.Marshal(title)
	if err != nil {
		log.Fatal(err)
	}
	var snapshot, replica causal.LWWRegister[string]
	if err := json.Unmarshal(data, &snapshot); err != nil {
		log.Fatal(err)
	}
	if err := replica.Set(exampleEvent(id3, "carol", 1, `{}`), "Carol's draft"); err != nil {
		log.Fatal(err)
	}
	if err := replica.Merge(snapshot); err != nil {
		log.Fatal(err)
	}
	fmt.Println(replica.Value())
	// Output:
	// Second draft true bob 2 true
	// Second draft true
}
