// Quickstart has two nodes emit offline, sync, resolve a conflict and keep a
// projection.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/causalsync"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func open(ctx context.Context, dir, id string) (*causal.Node, *causalsqlite.Store) {
	store := must(causalsqlite.Open(ctx, filepath.Join(dir, id+".db"), nil))
	options := causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"}
	return must(causal.OpenNode(ctx, id, store, options)), store
}

func emit(ctx context.Context, n *causal.Node, payload map[string]any) {
	must(n.Emit(ctx, causal.EventParams{Type: "TaskChanged", AggregateID: "task-1", Payload: payload}))
}

// sync lets two nodes exchange missing events, carried here by a function call.
func sync(ctx context.Context, a, b *causalsync.Replica) {
	report := must(a.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return b.Answer(ctx, "a peer", causal.Filter{}, request)
	}, nil))
	fmt.Printf("   received %d, sent %d\n", report.Received, report.Sent)
}

// look prints what someone sees of the task: conflicts, and the winning state.
func look(ctx context.Context, who string, store causal.EventStore) {
	events := must(store.LoadEvents(ctx, "task-1"))
	for _, c := range must(causal.NewHistory(events)).Conflicts(nil) {
		fmt.Printf("   %s sees a conflict about %s, by %s and %s\n", who, c.Key, c.Events[0].NodeID(), c.Events[1].NodeID())
	}
	states := causal.StateMachine{Priority: map[string]int{"done": 2, "review": 1}}
	fmt.Printf("   %s sees: %s\n", who, must(causal.ResolveState(events, states)).ResolutionNote)
}

func main() {
	ctx := context.Background()
	dir := must(os.MkdirTemp("", "quickstart"))
	alice, tablet := open(ctx, dir, "alice")
	bob, phone := open(ctx, dir, "bob")

	fmt.Println("1. Alice and Bob are offline. Each sets the state of a task, and votes for it.")
	emit(ctx, alice, map[string]any{"state": "review", "delta": 1})
	emit(ctx, bob, map[string]any{"state": "done", "delta": 1})

	fmt.Println("2. They sync, and see the same.")
	hers := must(causalsync.New(tablet, &causalsync.Options{Node: alice}))
	his := must(causalsync.New(phone, &causalsync.Options{Node: bob}))
	sync(ctx, hers, his)
	look(ctx, "alice", tablet)
	look(ctx, "bob", phone)

	fmt.Println("3. Alice resolves it: her next event follows all events in her store.")
	emit(ctx, alice, map[string]any{"state": "review"})
	sync(ctx, hers, his)
	look(ctx, "bob", phone)

	consuming, stop := context.WithCancel(ctx) // a service continues until it is stopped
	err := causal.Consume(consuming, phone, "votes", func(_ context.Context, b *causal.Batch) error {
		var votes causal.PNCounter // of events in any order
		if b.State != nil {
			check(json.Unmarshal(b.State, &votes))
		}
		for _, entry := range b.Entries {
			check(votes.Apply(entry.Event))
		}
		b.State = must(json.Marshal(votes)) // saved with the position in the log
		fmt.Printf("4. A projection of %d events has %d votes.\n", len(b.Entries), must(votes.Value()))
		stop()
		return nil
	}, nil)
	if !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
	check(errors.Join(alice.Close(), bob.Close(), tablet.Close(), phone.Close(), os.RemoveAll(dir)))
}
