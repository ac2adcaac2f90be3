package causal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleVectorTracker() {
	ctx := context.Background()
	clock, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tracker, err := causal.NewVectorTracker(clock)
	if err != nil {
		log.Fatal(err)
	}
	if err := tracker.Observe(ctx, receivedEvent(1, "bob", 7, `{}`)); err != nil { // received
		log.Fatal(err)
	}
	value, stamp, err := tracker.Stamp(ctx) // for an event of our own
	if err != nil {
		log.Fatal(err)
	}
	e, err := causal.NewEvent(causal.EventParams{
		Type: "TaskApproved", AggregateID: "task-1", NodeID: clock.NodeID(), LamportClock: value, VectorClock: stamp,
		ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.LamportClock(), e.VectorClock())
	// Output: 9 {"alice":9,"bob":7}
}

// After a restart a tracker learns from the store what the node has seen.
func ExampleNewVectorTracker() {
	ctx := context.Background()
	var store causal.MemEventStore
	if err := store.SaveEvent(ctx, receivedEvent(1, "bob", 7, `{}`)); err != nil {
		log.Fatal(err)
	}
	clock, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tracker, err := causal.NewVectorTracker(clock)
	if err != nil {
		log.Fatal(err)
	}
	if err := tracker.Restore(ctx, &store); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tracker.Seen(ctx))
	// Output: {"bob":7} <nil>
}

// After a merge of a state or a delta, the tracker hears what that has seen.
func ExampleVectorTracker_ObserveClock() {
	ctx := context.Background()
	clock, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tracker, err := causal.NewVectorTracker(clock)
	if err != nil {
		log.Fatal(err)
	}
	var received causal.ORSet[string]
	if err := json.Unmarshal([]byte(`{"elements":[],"seen":{"bob":7},"stable":{}}`), &received); err != nil {
		log.Fatal(err)
	}
	if err := tracker.ObserveClock(ctx, received.Seen()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tracker.Stamp(ctx))
	// Output: 9 {"alice":9,"bob":7} <nil>
}

// receivedEvent returns the n-th event, which a node emitted at this clock.
func receivedEvent(n int, node string, clock int64, payload string) causal.Event {
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
