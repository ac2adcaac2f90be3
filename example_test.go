package causal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// Two nodes change a task without knowing of each other. One takes what the other did, sees the conflict and
// resolves it, as the other would.
func Example() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	var aliceStore, bobStore causal.MemStore // or causalsqlite.Open(ctx, "alice.db", nil)
	options := causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"}
	alice, err := causal.OpenNode(ctx, "alice", &aliceStore, options)
	check(err)
	bob, err := causal.OpenNode(ctx, "bob", &bobStore, options)
	check(err)

	// Both are offline. When Emit returns, the event is stored.
	change := func(state string) causal.EventParams {
		return causal.EventParams{Type: "StateChanged", AggregateID: "task-1", Payload: map[string]string{"state": state}}
	}
	_, err = alice.Emit(ctx, change("review"))
	check(err)
	_, err = bob.Emit(ctx, change("done"))
	check(err)

	// Online, over any transport: Alice receives what Bob's log has after the cursor that she keeps.
	var cursor causal.Cursor // at the start of the log
	for entry, err := range bobStore.ReadLog(ctx, cursor) {
		check(err)
		_, err = alice.Receive(ctx, []causal.Event{entry.Event}, nil)
		check(err)
		cursor = entry.Cursor
	}
	fmt.Println("next time, Alice goes on after entry", cursor.Position())

	events, err := aliceStore.LoadEvents(ctx, "task-1")
	check(err)
	history, err := causal.NewHistory(events)
	check(err)
	for _, conflict := range history.Conflicts(nil) {
		fmt.Println("in conflict:", conflict.Key, "by", conflict.Events[0].NodeID(), "and", conflict.Events[1].NodeID())
	}
	resolution, err := causal.ResolveState(events, causal.StateMachine{Priority: map[string]int{"done": 3, "review": 2}})
	check(err)
	fmt.Println(resolution.ResolutionNote)
	// Output:
	// next time, Alice goes on after entry 1
	// in conflict: task-1 by alice and bob
	// state "done" (priority 3) from node "bob" wins over 1 other event: its priority is the highest
}
