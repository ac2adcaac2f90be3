package causalpg_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
)

// exampleSchema returns the connection string of a server and the name of a
// schema that does not exist yet.
func exampleSchema() (dsn, schema string, remove func()) {
	dsn = os.Getenv("CAUSAL_TEST_POSTGRES") // for example postgres://app@db.example.com/app
	schema = "example " + rand.Text()
	return dsn, schema, func() {
		c, err := pgx.Connect(context.Background(), dsn)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = c.Exec(context.Background(), "DROP SCHEMA "+pgx.Identifier{schema}.Sanitize()+" CASCADE")
		_ = c.Close(context.Background())
	}
}

// exampleStore returns an empty store.
func exampleStore() (store *causalpg.Store, remove func()) {
	ctx := context.Background()
	dsn, schema, removeSchema := exampleSchema()
	o := &causalpg.Options{Schema: schema}
	if err := causalpg.Migrate(ctx, dsn, o); err != nil {
		log.Fatal(err)
	}
	store, err := causalpg.Open(ctx, dsn, o)
	if err != nil {
		log.Fatal(err)
	}
	return store, func() {
		if err := store.Close(); err != nil {
			log.Fatal(err)
		}
		removeSchema()
	}
}

// Two processes run one node: they share its clock and its events.
func Example() {
	ctx := context.Background()
	dsn, schema, remove := exampleSchema() // for example "postgres://app@db/app" and "causal"
	o := &causalpg.Options{Schema: schema}
	if err := causalpg.Migrate(ctx, dsn, o); err != nil { // once, at installation
		log.Fatal(err)
	}
	process := func(state string) {
		store, err := causalpg.Open(ctx, dsn, o)
		if err != nil {
			log.Fatal(err)
		}
		defer store.Close()
		value, err := store.AdvanceClock(ctx, "server", 0, 1)
		if err != nil {
			log.Fatal(err)
		}
		event, err := causal.NewEvent(causal.EventParams{
			Type: "TaskChanged", AggregateID: "task-1", NodeID: "server", LamportClock: value,
			ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: map[string]string{"state": state},
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := store.SaveEvent(ctx, event); err != nil {
			log.Fatal(err)
		}
		events, err := store.LoadEvents(ctx, "task-1")
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range events {
			fmt.Println(e.LamportClock(), string(e.Payload()))
		}
	}
	process("doing")
	process("done")
	remove()
	// Output:
	// 1 {"state":"doing"}
	// 1 {"state":"doing"}
	// 2 {"state":"done"}
}

func ExampleMigrate() {
	ctx := context.Background()
	dsn, schema, remove := exampleSchema()
	o := &causalpg.Options{Schema: schema}
	fmt.Println(causalpg.Migrate(ctx, dsn, o))
	fmt.Println(causalpg.Migrate(ctx, dsn, o)) // does nothing
	remove()
	// Output:
	// <nil>
	// <nil>
}

func ExampleOpen() {
	ctx := context.Background()
	dsn, schema, remove := exampleSchema()
	o := &causalpg.Options{Schema: schema}
	_, err := causalpg.Open(ctx, dsn, o)
	fmt.Println(err)
	if err := causalpg.Migrate(ctx, dsn, o); err != nil {
		log.Fatal(err)
	}
	store, err := causalpg.Open(ctx, dsn, o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Close())
	remove()
	// Output:
	// causal: storage failed: open store: the schema does not exist; call Migrate
	// <nil>
}

// A program with a pool can share it.
func ExampleNew() {
	ctx := context.Background()
	dsn, schema, remove := exampleSchema()
	o := &causalpg.Options{Schema: schema}
	if err := causalpg.Migrate(ctx, dsn, o); err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	store, err := causalpg.New(ctx, pool, o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.SaveClock(ctx, "alice", 5), store.Close())
	fmt.Println(pool.Ping(ctx)) // it stays open
	pool.Close()
	remove()
	// Output:
	// <nil> <nil>
	// <nil>
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

func ExampleStore_Check() {
	ctx := context.Background()
	store, remove := exampleStore()
	err := store.Check(ctx, func(checked, total uint64) { fmt.Println(checked, "of", total) })
	fmt.Println(err)
	remove()
	// Output:
	// 0 of 0
	// <nil>
}

func ExampleOptions() {
	ctx := context.Background()
	dsn, schema, remove := exampleSchema()
	o := &causalpg.Options{Schema: schema, ErrorLimit: 2}
	if err := causalpg.Migrate(ctx, dsn, o); err != nil {
		log.Fatal(err)
	}
	store, err := causalpg.Open(ctx, dsn, o)
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
