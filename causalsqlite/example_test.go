package causalsqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

// exampleFile returns the path of a file that does not exist, in a new
// directory.
func exampleFile() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "causalsqlite")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(dir, "events.db"), func() { _ = os.RemoveAll(dir) }
}

// A node keeps its clock and its events in one file, and resumes after a
// restart.
func Example() {
	ctx := context.Background()
	path, remove := exampleFile()
	for range 2 { // two runs of one program
		store, err := causalsqlite.Open(ctx, path, nil)
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

func ExampleOpen() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Close())
	_, err = causalsqlite.Open(ctx, "", nil)
	fmt.Println(err)
	remove()
	// Output:
	// <nil>
	// causal: validation failed: path must not be empty
}

// A reader stores the cursor of the last entry it has handled, and gets the
// rest later.
func ExampleStore() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
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
	for id, err := range store.Aggregates(ctx) {
		fmt.Println("aggregate:", id, err)
	}
	found, err := store.FindEvent(ctx, batch[1].ID())
	fmt.Println("found:", found.LamportClock(), err)
	// The keys read by package causalsync.
	for key, err := range store.ReadDigests(ctx, causal.Filter{}, causal.SyncKey{Clock: 3}, causal.SyncKey{}, head) {
		for event, loadErr := range store.LoadDigests(ctx, []causal.SyncKey{key}) {
			fmt.Println("by its key:", event.LamportClock(), err, loadErr)
		}
	}
	for range store.ReadDigestLog(ctx, causal.Filter{AggregateID: "WP002"}, causal.Cursor{}, head) {
		log.Fatal("there is no such event")
	}
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	remove()
	// Output:
	// arrived: 1
	// arrived: 2
	// arrived: 3
	// in order: 1
	// in order: 2
	// in order: 3
	// aggregate: WP001 <nil>
	// found: 2 <nil>
	// by its key: 3 <nil> <nil>
}

func ExampleStore_AdvanceClock() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.SaveClock(ctx, "alice", 5))
	fmt.Println(store.AdvanceClock(ctx, "alice", 0, 10)) // 6 to 15 belong to the caller
	fmt.Println(store.LoadClock(ctx, "alice"))
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	remove()
	// Output:
	// <nil>
	// 15 <nil>
	// 15 <nil>
}

func ExampleOptions() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, &causalsqlite.Options{ErrorLimit: 2})
	if err != nil {
		log.Fatal(err)
	}
	errorLog, err := causal.NewErrorLog(store)
	if err != nil {
		log.Fatal(err)
	}
	for _, message := range []string{"first", "second", "third"} {
		if err := errorLog.Log(ctx, causal.ErrorEntry{ActionAttempted: "test", ErrorMessage: message}); err != nil {
			log.Fatal(err)
		}
	}
	entries, err := store.RecentErrors(ctx, 10)
	for _, e := range entries {
		fmt.Println(e.ErrorMessage)
	}
	fmt.Println(err)
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	remove()
	// Output:
	// third
	// second
	// <nil>
}

// Data that can be fetched again may be written without waiting for the disk.
func ExampleSynchronous() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.AppendError(ctx, causal.ErrorEntry{}) != nil, store.Close())
	remove()
	// Output: true <nil>
}

// A backup is made while the store is in use, and restored by replacing the
// store's file. Readers of the log notice.
func ExampleStore_Backup() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	backup := path + ".backup"
	if err := store.Backup(ctx, backup); err != nil {
		log.Fatal(err)
	}
	cursor, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}

	if err := os.Rename(backup, path); err != nil { // next to which no -wal and -shm are left
		log.Fatal(err)
	}
	store, err = causalsqlite.Open(ctx, path, &causalsqlite.Options{MustExist: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, err := range store.ReadLog(ctx, cursor) {
		fmt.Println(err)
	}
	fmt.Println(store.Close())
	remove()
	// Output:
	// causal: invalid cursor
	// <nil>
}

func ExampleStore_Check() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	err = store.Check(ctx, func(checked, total uint64) { fmt.Println(checked, "of", total) })
	fmt.Println(err)
	fmt.Println(store.Close())
	remove()
	// Output:
	// 0 of 0
	// <nil>
	// <nil>
}

// A reader is woken when another process saves.
func ExampleStore_WaitLog() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.WaitLog(ctx, head)) // or after a second; causal.Follow calls it
	fmt.Println(store.Close())
	remove()
	// Output:
	// <nil>
	// <nil>
}

// A projection keeps its content with its position in the log.
func ExampleStore_SaveCheckpoint() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
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
	fmt.Println(store.DeleteCheckpoint(ctx, "totals"), store.Close())
	remove()
	// Output:
	// totals <nil>
	// <nil> <nil>
}

func ExampleStore_SaveEventsIf() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
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
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	remove()
	// Output:
	// [true] <nil>
	// [false] true <nil>
}

func ExampleStore_AppendRejected() {
	ctx := context.Background()
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
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
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
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
	path, remove := exampleFile()
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
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
