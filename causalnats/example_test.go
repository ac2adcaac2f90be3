package causalnats_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
)

// exampleServer starts a server without streams.
func exampleServer() (url string, remove func()) {
	dir, err := os.MkdirTemp("", "causalnats")
	if err != nil {
		log.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		log.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		log.Fatal("the server does not start")
	}
	return s.ClientURL(), func() {
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}
}

// exampleStore returns an empty store.
func exampleStore() (store *causalnats.Store, remove func()) {
	ctx := context.Background()
	url, removeServer := exampleServer()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	o := &causalnats.Options{Replicas: 1}
	if err := causalnats.Provision(ctx, nc, o); err != nil {
		log.Fatal(err)
	}
	store, err = causalnats.New(ctx, nc, o)
	if err != nil {
		log.Fatal(err)
	}
	return store, func() {
		if err := store.Close(); err != nil {
			log.Fatal(err)
		}
		nc.Close()
		removeServer()
	}
}

// Two processes emit events of their own nodes, and share one history.
func Example() {
	ctx := context.Background()
	url, remove := exampleServer() // for example "nats://a.example.com,nats://b.example.com,nats://c.example.com"
	o := &causalnats.Options{Replicas: 1}
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	if err := causalnats.Provision(ctx, nc, o); err != nil { // once, at installation
		log.Fatal(err)
	}
	nc.Close()
	process := func(nodeID, state string) {
		store, err := causalnats.Open(ctx, url, o)
		if err != nil {
			log.Fatal(err)
		}
		defer store.Close()
		node, err := causal.OpenNode(ctx, nodeID, store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
		if err != nil {
			log.Fatal(err)
		}
		defer node.Close()
		_, err = node.Emit(ctx, causal.EventParams{Type: "TaskChanged", AggregateID: "task-1", Payload: map[string]string{"state": state}})
		if err != nil {
			log.Fatal(err)
		}
		events, err := store.LoadEvents(ctx, "task-1")
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range events {
			fmt.Println(e.NodeID(), e.LamportClock(), string(e.Payload()))
		}
	}
	process("server-1", "doing")
	process("server-2", "done")
	remove()
	// Output:
	// server-1 1 {"state":"doing"}
	// server-1 1 {"state":"doing"}
	// server-2 2 {"state":"done"}
}

func ExampleProvision() {
	ctx := context.Background()
	url, remove := exampleServer()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	o := &causalnats.Options{Replicas: 1}
	fmt.Println(causalnats.Provision(ctx, nc, o))
	fmt.Println(causalnats.Provision(ctx, nc, o)) // checks the existing streams
	nc.Close()
	remove()
	// Output:
	// <nil>
	// <nil>
}

func ExampleOpen() {
	ctx := context.Background()
	url, remove := exampleServer()
	o := &causalnats.Options{Replicas: 1}
	_, err := causalnats.Open(ctx, url, o)
	fmt.Println(err)
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	if err := causalnats.Provision(ctx, nc, o); err != nil {
		log.Fatal(err)
	}
	nc.Close()
	store, err := causalnats.Open(ctx, url, o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Close())
	remove()
	// Output:
	// causal: storage failed: open store: the stream causal_LOG does not exist; call Provision
	// <nil>
}

// A program with a connection can share it.
func ExampleNew() {
	ctx := context.Background()
	url, remove := exampleServer()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	o := &causalnats.Options{Replicas: 1}
	if err := causalnats.Provision(ctx, nc, o); err != nil {
		log.Fatal(err)
	}
	store, err := causalnats.New(ctx, nc, o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.SaveClock(ctx, "alice", 5), store.Close())
	fmt.Println(nc.IsConnected()) // it stays open
	nc.Close()
	remove()
	// Output:
	// <nil> <nil>
	// true
}

// Readers get events in arrival order, or in the order of their clocks.
func ExampleStore() {
	ctx := context.Background()
	store, remove := exampleStore()
	start, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, clock := range []int64{7, 8, 2} { // the last one was offline
		event, err := causal.NewEvent(causal.EventParams{
			Type: "Counted", AggregateID: "task-1", NodeID: fmt.Sprint("node-", clock%2), LamportClock: clock,
			ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := store.SaveEvents(ctx, []causal.Event{event}); err != nil { // all or none
			log.Fatal(err)
		}
	}
	for entry, err := range store.ReadLog(ctx, start) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(" arrived: ", entry.Event.LamportClock())
	}
	fmt.Println()
	var latest causal.EventID
	for event, err := range store.AllEvents(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(" in order: ", event.LamportClock())
		latest = event.ID()
	}
	fmt.Println()
	for id, err := range store.Aggregates(ctx) {
		fmt.Println("aggregate:", id, err)
	}
	found, err := store.FindEvent(ctx, latest)
	fmt.Println("found:", found.LamportClock(), err)
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// The keys read by package causalsync.
	for key, err := range store.ReadDigests(ctx, causal.Filter{}, causal.SyncKey{Clock: 8}, causal.SyncKey{}, head) {
		for event, loadErr := range store.LoadDigests(ctx, []causal.SyncKey{key}) {
			fmt.Println("by its key:", event.LamportClock(), err, loadErr)
		}
	}
	for range store.ReadDigestLog(ctx, causal.Filter{AggregateID: "task-2"}, causal.Cursor{}, head) {
		log.Fatal("there is no such event")
	}
	remove()
	// Output:
	// arrived: 7 arrived: 8 arrived: 2
	//  in order: 2 in order: 7 in order: 8
	// aggregate: task-1 <nil>
	// found: 8 <nil>
	// by its key: 8 <nil> <nil>
}

func ExampleStore_AdvanceClock() {
	ctx := context.Background()
	store, remove := exampleStore()
	fmt.Println(store.SaveClock(ctx, "alice", 5))
	fmt.Println(store.AdvanceClock(ctx, "alice", 0, 10)) // 6 to 15 belong to the caller
	fmt.Println(store.LoadClock(ctx, "alice"))
	remove()
	// Output:
	// <nil>
	// 15 <nil>
	// 15 <nil>
}

func ExampleOptions() {
	ctx := context.Background()
	url, remove := exampleServer()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	o := &causalnats.Options{Name: "tenant-7", Replicas: 1, ErrorLimit: 2, Replica: &causal.MemStore{}} // or one of package causalsqlite
	if err := causalnats.Provision(ctx, nc, o); err != nil {
		log.Fatal(err)
	}
	store, err := causalnats.New(ctx, nc, o)
	if err != nil {
		log.Fatal(err)
	}
	for _, message := range []string{"first", "second", "third"} {
		entry := causal.ErrorEntry{Timestamp: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC), ActionAttempted: "test", ErrorMessage: message}
		if err := store.AppendError(ctx, entry); err != nil {
			log.Fatal(err)
		}
	}
	entries, err := store.RecentErrors(ctx, 10)
	for _, e := range entries {
		fmt.Println(e.ErrorMessage)
	}
	fmt.Println(err, store.Close())
	nc.Close()
	remove()
	// Output:
	// third
	// second
	// <nil> <nil>
}

// A reader follows the log: first existing entries, then new ones.
func ExampleStore_WaitLog() {
	ctx := context.Background()
	store, remove := exampleStore()
	event, err := causal.NewEvent(causal.EventParams{
		Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	saved := make(chan error)
	go func() { saved <- store.SaveEvent(ctx, event) }()                 // in another process
	for entry, err := range causal.Follow(ctx, store, causal.Cursor{}) { // which calls WaitLog
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Event.Type())
		break
	}
	fmt.Println(<-saved)
	remove()
	// Output:
	// WPStatusChanged
	// <nil>
}

// A projection keeps its content with its position in the log.
func ExampleStore_SaveCheckpoint() {
	ctx := context.Background()
	store, remove := exampleStore()
	c, err := store.LoadCheckpoint(ctx, "totals")
	if err != nil {
		log.Fatal(err)
	}
	c.State = []byte("3 tasks")
	if c.Revision, err = store.SaveCheckpoint(ctx, "totals", c); err != nil {
		log.Fatal(err)
	}
	for name, err := range store.Checkpoints(ctx) {
		fmt.Println(name, err)
	}
	fmt.Println(store.DeleteCheckpoint(ctx, "totals"))
	remove()
	// Output:
	// totals <nil>
	// <nil>
}

func ExampleStore_SaveEventsIf() {
	ctx := context.Background()
	store, remove := exampleStore()
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	event, err := causal.NewEvent(causal.EventParams{
		Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	unchanged := causal.Condition{ProjectUUID: event.ProjectUUID(), Aggregates: []string{"WP001"}}
	a, err := store.SaveEventsIf(ctx, head, unchanged, []causal.Event{event})
	fmt.Println(a.New, err)
	again, err := store.Append(ctx, []causal.Event{event})
	fmt.Println(again.New, again.Before == a.After, err)
	remove()
	// Output:
	// [true] <nil>
	// [false] true <nil>
}

func ExampleStore_AppendRejected() {
	ctx := context.Background()
	store, remove := exampleStore()
	stored, err := store.AppendRejected(ctx, causal.Rejected{
		Data: []byte("no event"), Source: "bob", Reason: "invalid", Time: time.Now(),
	})
	fmt.Println(stored, err)
	for r, err := range store.Rejected(ctx) {
		fmt.Println(string(r.Data), r.Count, err)
		fmt.Println(store.DeleteRejected(ctx, r.Key()))
	}
	fmt.Println(store.Close())
	remove()
	// Output:
	// true <nil>
	// no event 1 <nil>
	// <nil>
	// <nil>
}

func ExampleStore_LoadHeads() {
	ctx := context.Background()
	store, remove := exampleStore()
	heads, err := store.LoadHeads(ctx, "12345678-1234-5678-1234-567812345678", "WP001")
	if err != nil {
		log.Fatal(err)
	}
	event, err := causal.NewEvent(causal.EventParams{
		Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice", LamportClock: 1,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Parents: heads,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.IsStamped(), store.SaveEvent(ctx, event))
	heads, err = store.LoadHeads(ctx, event.ProjectUUID(), "WP001")
	fmt.Println(len(heads), heads[0] == event.ID(), err)
	fmt.Println(store.Close())
	remove()
	// Output:
	// true <nil>
	// 1 true <nil>
	// <nil>
}

// A missing parent may be requested from a peer.
func ExampleStore_MissingParents() {
	ctx := context.Background()
	store, remove := exampleStore()
	event, err := causal.NewEvent(causal.EventParams{
		Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice", LamportClock: 2, PreviousClock: 1,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Parents: []causal.EventID{"TEST0000000000000000000001"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.SaveEvent(ctx, event))
	for id, err := range store.MissingParents(ctx, event.ProjectUUID()) {
		fmt.Println(id, err)
	}
	fmt.Println(store.Close())
	remove()
	// Output:
	// <nil>
	// TEST0000000000000000000001 <nil>
	// <nil>
}
