package causal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// Two nodes change a work package without knowing of each other, exchange what
// they did, find the conflict and resolve it alike.
func Example() {
	ctx := context.Background()
	emit := func(clock *causal.LamportClock, state string) causal.Event {
		value, err := clock.Tick(ctx)
		if err != nil {
			log.Fatal(err)
		}
		event, err := causal.NewEvent(causal.EventParams{
			Type: "WPStatusChanged", AggregateID: "WP001", NodeID: clock.NodeID(), LamportClock: value,
			ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: map[string]string{"state": state},
		})
		if err != nil {
			log.Fatal(err)
		}
		return event
	}

	alice, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	bob, err := causal.NewLamportClock(ctx, "bob", &causal.MemClockStorage{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	review, done := emit(alice, "for_review"), emit(bob, "done") // both offline

	// Alice receives Bob's event: she moves her clock beyond it and stores it.
	if _, err := alice.Update(ctx, done.LamportClock()); err != nil {
		log.Fatal(err)
	}
	var store causal.MemEventStore
	if err := store.SaveEvents(ctx, []causal.Event{review, done}); err != nil {
		log.Fatal(err)
	}
	events, err := store.LoadEvents(ctx, "WP001")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("conflict:", causal.IsConcurrent(events[0], events[1]))

	resolution, err := causal.MergeStateMachine(events, causal.StateMachine{
		Priority: map[string]int{"done": 4, "for_review": 3, "doing": 2, "planned": 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resolution.ResolutionNote)
	// Output:
	// conflict: true
	// state "done" (priority 4) from node "bob" wins over 1 other event: its priority is the highest
}
