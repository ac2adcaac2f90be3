package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExamplePNCounter() {
	up, down := countEvent(1, "alice", 1, `{"delta": 3}`), countEvent(2, "bob", 1, `{"delta": -1}`)
	var points, replica causal.PNCounter
	for _, e := range []causal.Event{up, down, up} { // once each
		if err := points.Apply(e); err != nil {
			log.Fatal(err)
		}
	}
	if err := replica.Add(countEvent(3, "carol", 1, `{}`), 40); err != nil {
		log.Fatal(err)
	}
	if err := replica.Merge(points); err != nil {
		log.Fatal(err)
	}
	fmt.Println(replica.Value())

	// Events known to be seen need not be kept separately.
	seen, err := causal.NewVectorClock(map[string]int64{"alice": 1})
	if err != nil {
		log.Fatal(err)
	}
	replica.MarkSeen(seen)
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
	// {"totals":[{"node_id":"alice","lamport_clock":1,"total":3,"digest":"c763bdbc4786ef8b"}],"events":[{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y02","node_id":"bob","lamport_clock":1,"delta":-1},{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y03","node_id":"carol","lamport_clock":1,"delta":40}],"seen":{"alice":1}}
}

// countEvent returns the n-th event, emitted by a node at this clock.
func countEvent(n int, node string, clock int64, payload string) causal.Event {
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
