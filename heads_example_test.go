package causal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// An event names the heads of its aggregate as its parents, as seen by its
// emitter.
func ExampleLoadHeads() {
	ctx := context.Background()
	const project = "12345678-1234-5678-1234-567812345678"
	var store causal.MemStore
	emit := func(node string, clock, previous int64, id causal.EventID, parents []causal.EventID) {
		e, err := causal.NewEvent(causal.EventParams{
			ID: id, Type: "Edited", AggregateID: "page", NodeID: node, LamportClock: clock, ProjectUUID: project,
			Parents: parents, PreviousClock: previous,
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := store.SaveEvent(ctx, e); err != nil {
			log.Fatal(err)
		}
	}
	heads := func() []causal.EventID {
		ids, err := causal.LoadHeads(ctx, &store, project, "page")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ids)
		return ids
	}
	emit("alice", 1, 0, "01HZXW5B2Q3R4S5T6V7W8X9Y01", heads())
	seen := heads()
	emit("alice", 2, 1, "01HZXW5B2Q3R4S5T6V7W8X9Y02", seen)
	emit("bob", 2, 0, "01HZXW5B2Q3R4S5T6V7W8X9Y03", seen) // concurrently
	emit("alice", 3, 2, "01HZXW5B2Q3R4S5T6V7W8X9Y04", heads())
	heads()
	// Output:
	// []
	// [01HZXW5B2Q3R4S5T6V7W8X9Y01]
	// [01HZXW5B2Q3R4S5T6V7W8X9Y02 01HZXW5B2Q3R4S5T6V7W8X9Y03]
	// [01HZXW5B2Q3R4S5T6V7W8X9Y04]
}

func ExampleHeadLoader() {
	var store any = &causal.MemStore{}
	_, ok := store.(causal.HeadLoader)
	fmt.Println(ok)
	// Output: true
}

// A missing parent may be requested from a peer.
func ExampleMissingParents() {
	ctx := context.Background()
	var store causal.MemStore
	e, err := causal.NewEvent(causal.EventParams{
		Type: "T", AggregateID: "A", NodeID: "bob", LamportClock: 2, ProjectUUID: "12345678-1234-5678-1234-567812345678",
		Parents: []causal.EventID{"TEST0000000000000000000001"}, PreviousClock: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.SaveEvent(ctx, e); err != nil {
		log.Fatal(err)
	}
	for id, err := range causal.MissingParents(ctx, &store, e.ProjectUUID()) {
		fmt.Println(id, err)
	}
	for range store.MissingParents(ctx, "aaaaaaaa-1234-5678-1234-567812345678") {
		fmt.Println("of another project")
	}
	// Output: TEST0000000000000000000001 <nil>
}
