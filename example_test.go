package causal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
)

// Two nodes change a task without knowing of each other. After a sync, one sees
// the conflict and resolves it, in the same way as the other would.
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

	// Online, over anything that carries a message and its answer, for example
	// causalsync.HTTP. The zero Filter lets a peer see and write everything.
	a, err := causalsync.New(&aliceStore, &causalsync.Options{Node: alice})
	check(err)
	b, err := causalsync.New(&bobStore, &causalsync.Options{Node: bob})
	check(err)
	toBob := func(ctx context.Context, m []byte) ([]byte, error) { return b.Answer(ctx, "", causal.Filter{}, m) }
	report, err := a.Sync(ctx, toBob, nil)
	check(err)
	fmt.Println("received:", report.Received, "sent:", report.Sent)

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
	// received: 1 sent: 1
	// in conflict: task-1 by alice and bob
	// state "done" (priority 3) from node "bob" wins over 1 other event: its priority is the highest
}
