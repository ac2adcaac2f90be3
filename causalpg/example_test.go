package causalpg_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
)

// exampleSchema returns the connection string of a server and the name of a schema
// that is not there yet.
func exampleSchema() (dsn, schema string, remove func()) {
	schema = "example " + rand.Text()
	return testDSN, schema, func() {
		c, err := pgx.Connect(context.Background(), testDSN)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = c.Exec(context.Background(), "DROP SCHEMA "+pgx.Identifier{schema}.Sanitize()+" CASCADE")
		_ = c.Close(context.Background())
	}
}

// exampleStore returns a store with no events.
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

// A node keeps its clock and its events in a schema, and goes on after a restart.
func Example() {
	ctx := context.Background()
	dsn, schema, remove := exampleSchema() // such as "postgres://app@db/app" and "causal"
	o := &causalpg.Options{Schema: schema}
	if err := causalpg.Migrate(ctx, dsn, o); err != nil { // once, at installation
		log.Fatal(err)
	}
	for range 2 { // two lives of one program
		store, err := causalpg.Open(ctx, dsn, o)
		if err != nil {
			log.Fatal(err)
		}
		clock, err := causal.NewLamportClock(ctx, "alice", store, nil)
		if err != nil {
			log.Fatal(err)
		}
		value, err := clock.Tick(ctx)
		if err != nil {
			log.Fatal(err)
		}
		event, err := causal.NewEvent(causal.EventParams{
			Type: "WPStatusChanged", AggregateID: "WP001", NodeID: clock.NodeID(), LamportClock: value,
			ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: map[string]string{"state": "doing"},
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := store.SaveEvent(ctx, event); err != nil {
			log.Fatal(err)
		}
		events, err := store.LoadEvents(ctx, "WP001")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(events), "events, clock", clock.Current())
		if err := store.Close(); err != nil {
			log.Fatal(err)
		}
	}
	remove()
	// Output:
	// 1 events, clock 1
	// 2 events, clock 2
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
	// causal: storage failed: open store: the schema is not there; call Migrate
	// <nil>
}

// A program that has a pool shares it.
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

// A reader remembers the cursor of what it has handled, and gets the rest later.
func ExampleStore() {
	ctx := context.Background()
	store, remove := exampleStore()
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var batch []causal.Event
	for clock := range int64(3) {
		event, err := causal.NewEvent(causal.EventParams{
			Type: "Counted", AggregateID: "WP001", NodeID: "alice", LamportClock: clock + 1,
			ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		batch = append(batch, event)
	}
	if err := store.SaveEvents(ctx, batch); err != nil { // all or none
		log.Fatal(err)
	}
	for entry, err := range store.ReadLog(ctx, head) {
		if err != nil {
			log.Fatal(err)
		}
		head = entry.Cursor // to be stored, once the event is handled
		fmt.Println("arrived:", entry.Event.LamportClock())
	}
	for range store.ReadLog(ctx, head) {
		log.Fatal("there is nothing new")
	}
	for event, err := range store.AllEvents(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("in order:", event.LamportClock())
	}
	remove()
	// Output:
	// arrived: 1
	// arrived: 2
	// arrived: 3
	// in order: 1
	// in order: 2
	// in order: 3
}

func ExampleStore_AdvanceClock() {
	ctx := context.Background()
	store, remove := exampleStore()
	fmt.Println(store.SaveClock(ctx, "alice", 5))
	fmt.Println(store.AdvanceClock(ctx, "alice", 0, 10)) // 6 to 15 are the caller's
	fmt.Println(store.LoadClock(ctx, "alice"))
	remove()
	// Output:
	// <nil>
	// 15 <nil>
	// 15 <nil>
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

// A reader follows the log: it waits for entries, and reads them.
func ExampleStore_Wait() {
	ctx := context.Background()
	store, remove := exampleStore()
	event, err := causal.NewEvent(causal.EventParams{
		Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	saved := make(chan error)
	go func() { saved <- store.SaveEvent(ctx, event) }() // somewhere else
	if err := store.Wait(ctx, causal.Cursor{}); err != nil {
		log.Fatal(err)
	}
	for entry, err := range store.ReadLog(ctx, causal.Cursor{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Event.Type())
	}
	fmt.Println(<-saved)
	remove()
	// Output:
	// WPStatusChanged
	// <nil>
}
