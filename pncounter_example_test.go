package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExamplePNCounter() {
	up, down := exampleEvent(id1, "alice", 1, `{"delta": 3}`), exampleEvent(id2, "bob", 1, `{"delta": -1}`)
	var points, replica causal.PNCounter
	for _, e := range []causal.Event{up, down, up} { // once each
		if err := points.Apply(e); err != nil {
			log.Fatal(err)
		}
	}
	if err := replica.Add(exampleEvent(id3, "carol", 1, `{}`), 40); err != nil {
		log.Fatal(err)
	}
	if err := replica.Merge(points); err != nil {
		log.Fatal(err)
	}
	fmt.Println(replica.Value())

	// What the replica has seen for certain, it need not keep event by event.
	replica.MarkSeen(seenOf(up))
	if err := replica.Compact(replica.Seen()); err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(replica)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	// Output:
	// 42 <nil>
	// {"totals":[{"node_id":"alice","lamport_clock":1,"total":3}],"events":[{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y02","node_id":"bob","lamport_clock":1,"delta":-1},{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y03","node_id":"carol","lamport_clock":1,"delta":40}],"seen":{"alice":1}}
}
