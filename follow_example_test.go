package causal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/spec-kitty/causal"
)

// A reader sees existing entries, and then new ones.
func ExampleFollow() {
	ctx := context.Background()
	var store causal.MemStore
	save := func(text string) {
		e, err := causal.NewEvent(causal.EventParams{
			Type: text, AggregateID: "WP001", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := store.SaveEvent(ctx, e); err != nil {
			log.Fatal(err)
		}
	}
	save("Created")
	for entry, err := range causal.Follow(ctx, &store, causal.Cursor{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Event.Type())
		if entry.Event.Type() == "Closed" {
			break
		}
		go save("Closed")
	}
	// Output:
	// Created
	// Closed
}

func ExampleWaitLog() {
	ctx := context.Background()
	var store causal.MemStore
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(causal.WaitLog(ctx, &store, head)) // until something is saved, or for a second
	// Output: <nil>
}

// A projection that counts the events of each type. Its state is in the
// checkpoint, so each event counts once, even if the process is killed and
// restarted.
func ExampleConsume() {
	ctx, cancel := context.WithCancel(context.Background())
	var store causal.MemStore
	for _, eventType := range []string{"Created", "Moved", "Moved", "Closed"} {
		e, err := causal.NewEvent(causal.EventParams{
			Type: eventType, AggregateID: "WP001", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := store.SaveEvent(ctx, e); err != nil {
			log.Fatal(err)
		}
	}
	err := causal.Consume(ctx, &store, "count by type", func(_ context.Context, b *causal.Batch) error {
		counts := map[string]int{}
		if b.State != nil {
			if err := json.Unmarshal(b.State, &counts); err != nil {
				return err
			}
		}
		for _, entry := range b.Entries {
			counts[entry.Event.Type()]++
		}
		var err error
		b.State, err = json.Marshal(counts)
		cancel() // a service continues
		return err
	}, nil)
	fmt.Println(err)

	ctx = context.Background()
	c, err := store.LoadCheckpoint(ctx, "count by type")
	fmt.Println(string(c.State), err)
	fmt.Println(causal.Lag(ctx, &store, "count by type"))
	// Output:
	// causal: context canceled
	// {"Closed":1,"Created":1,"Moved":2} <nil>
	// 0 <nil>
}

func ExampleLag() {
	ctx := context.Background()
	var store causal.MemStore
	e, err := causal.NewEvent(causal.EventParams{
		Type: "Created", AggregateID: "WP001", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.SaveEvent(ctx, e); err != nil {
		log.Fatal(err)
	}
	fmt.Println(causal.Lag(ctx, &store, "count by type"))
	// Output: 1 <nil>
}

func ExampleLogWaiter() {
	var store any = &causal.MemStore{}
	_, ok := store.(causal.LogWaiter)
	fmt.Println(ok)
	// Output: true
}

func ExampleConsumerStorage() {
	var store causal.Store = &causal.MemStore{}
	_, ok := store.(causal.ConsumerStorage)
	fmt.Println(ok)
	// Output: true
}

// A set is compacted by the events seen in the log, and forgets removed
// elements.
func ExampleBatch() {
	ctx, cancel := context.WithCancel(context.Background())
	const project = "12345678-1234-5678-1234-567812345678"
	var store causal.MemStore
	e, err := causal.NewEvent(causal.EventParams{
		Type: "Tagged", AggregateID: "WP001", NodeID: "alice", LamportClock: 7, ProjectUUID: project, Payload: json.RawMessage(`{"tags":["urgent"]}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.SaveEvent(ctx, e); err != nil {
		log.Fatal(err)
	}
	err = causal.Consume(ctx, &store, "tags", func(_ context.Context, b *causal.Batch) error {
		fmt.Println(len(b.Entries), b.Seen)
		cancel()
		return nil
	}, &causal.ConsumeOptions{SeenOf: project})
	fmt.Println(err)
	// Output:
	// 1 {"alice":7}
	// causal: context canceled
}

// A service that only announces new entries, and gives up after three tries.
func ExampleConsumeOptions() {
	o := &causal.ConsumeOptions{FromHead: true, Tries: 3, Pause: time.Second, BatchSize: 100}
	fmt.Println(o.FromHead, o.Tries)
	// Output: true 3
}
