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
	if err := tracker.Observe(ctx, exampleEvent(id1, "bob", 7, `{}`)); err != nil { // received
		log.Fatal(err)
	}
	value, stamp, err := tracker.Stamp(ctx) // for an event of our own
	if err != nil {
		log.Fatal(err)
	}
	e, err := causal.NewEvent(causal.EventParams{
		Type: "WPApproved", AggregateID: "WP001", NodeID: clock.NodeID(), LamportClock: value, VectorClock: stamp,
		ProjectUUID: projectUUID,
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
	if err := store.SaveEvent(ctx, exampleEvent(id1, "bob", 7, `{}`)); err != nil {
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
