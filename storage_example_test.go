package causal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleEventStore() {
	ctx := context.Background()
	var store causal.EventStore = &causal.MemEventStore{}
	e := storedEvent(1, "alice", 1, `{"state": "doing"}`)
	fmt.Println(store.SaveEvent(ctx, e), store.SaveEvent(ctx, e)) // the second does nothing
	err := store.SaveEvent(ctx, storedEvent(1, "alice", 1, `{"state": "done"}`))
	fmt.Println(err, errors.Is(err, causal.ErrIDConflict))
	// Output:
	// <nil> <nil>
	// causal: event ID already has different content: 01HZXW5B2Q3R4S5T6V7W8X9Y01 true
}

func ExampleMemEventStore() {
	ctx := context.Background()
	var store causal.MemEventStore
	for _, e := range []causal.Event{storedEvent(2, "bob", 2, `{}`), storedEvent(1, "alice", 1, `{}`)} {
		if err := store.SaveEvent(ctx, e); err != nil {
			log.Fatal(err)
		}
	}
	events, err := store.LoadEvents(ctx, "task-1")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		fmt.Println(e.LamportClock(), e.NodeID())
	}
	for e, err := range store.AllEvents(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.ID())
	}
	// Output:
	// 1 alice
	// 2 bob
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01
	// 01HZXW5B2Q3R4S5T6V7W8X9Y02
}

func ExampleSaveAll() {
	ctx := context.Background()
	var store causal.MemEventStore
	taken := storedEvent(1, "alice", 1, `{"state": "done"}`)
	batch := []causal.Event{storedEvent(2, "bob", 1, `{}`), storedEvent(1, "alice", 1, `{}`)}
	if err := store.SaveEvent(ctx, taken); err != nil {
		log.Fatal(err)
	}
	fmt.Println(causal.SaveAll(ctx, &store, batch))
	events, err := causal.LoadAll(ctx, &store)
	fmt.Println(len(events), err)
	// Output:
	// causal: event ID already has different content: 01HZXW5B2Q3R4S5T6V7W8X9Y01
	// 1 <nil>
}

func ExampleLoadAll() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	events, err := causal.LoadAll(ctx, &causal.MemEventStore{})
	fmt.Println(events, err) // never some of the events without an error
	// Output: [] causal: context canceled
}

func ExampleFindEvent() {
	ctx := context.Background()
	var store causal.MemEventStore
	_ = store.SaveEvent(ctx, storedEvent(1, "alice", 7, `{}`))
	for _, id := range []causal.EventID{"01HZXW5B2Q3R4S5T6V7W8X9Y01", "01HZXW5B2Q3R4S5T6V7W8X9Y02"} {
		e, err := causal.FindEvent(ctx, &store, id)
		fmt.Println(!e.IsZero(), e.LamportClock(), err)
	}
	// Output:
	// true 7 <nil>
	// false 0 <nil>
}

func ExampleAggregates() {
	ctx := context.Background()
	var store causal.MemEventStore
	_ = store.SaveEvent(ctx, storedEvent(1, "alice", 7, `{}`))
	for id, err := range causal.Aggregates(ctx, &store) {
		fmt.Println(id, err)
	}
	// Output: task-1 <nil>
}

func ExampleEventFinder() {
	var store causal.EventFinder = &causal.MemEventStore{}
	e, err := store.FindEvent(context.Background(), "01HZXW5B2Q3R4S5T6V7W8X9Y01")
	fmt.Println(e.IsZero(), err)
	// Output: true <nil>
}

func ExampleAggregateLister() {
	ctx := context.Background()
	var events causal.MemEventStore
	_ = events.SaveEvent(ctx, storedEvent(1, "alice", 7, `{}`))
	var store causal.AggregateLister = &events
	for id, err := range store.Aggregates(ctx) {
		fmt.Println(id, err)
	}
	// Output: task-1 <nil>
}

func ExampleBatchSaver() {
	var store causal.EventStore = &causal.MemEventStore{}
	if b, ok := store.(causal.BatchSaver); ok {
		fmt.Println(b.SaveEvents(context.Background(), []causal.Event{storedEvent(1, "alice", 1, `{}`)}))
	}
	// Output: <nil>
}

// A reader delivers events in arrival order, and continues where it stopped,
// even with an event older than those delivered.
func ExampleLogReader() {
	ctx := context.Background()
	var store causal.MemEventStore
	var log causal.LogReader = &store
	var done causal.Cursor
	deliver := func() {
		for entry, err := range log.ReadLog(ctx, done) {
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println(entry.Event.NodeID(), entry.Event.LamportClock())
			done = entry.Cursor
		}
	}
	_ = store.SaveEvent(ctx, storedEvent(2, "bob", 7, `{}`))
	deliver()
	_ = store.SaveEvent(ctx, storedEvent(1, "alice", 1, `{}`)) // was offline
	deliver()
	// Output:
	// bob 7
	// alice 1
}

func ExampleLogEntry() {
	ctx := context.Background()
	var store causal.MemEventStore
	_ = store.SaveEvent(ctx, storedEvent(1, "alice", 1, `{}`))
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for entry, err := range store.ReadLog(ctx, causal.Cursor{}) {
		fmt.Println(entry.Event.ID(), entry.Cursor == head, err)
	}
	// Output: 01HZXW5B2Q3R4S5T6V7W8X9Y01 true <nil>
}

func ExampleCursor() {
	ctx := context.Background()
	var store, other causal.MemEventStore
	head, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	text, err := head.MarshalText() // to be stored until the next run
	if err != nil {
		log.Fatal(err)
	}
	var again causal.Cursor
	fmt.Println(again.UnmarshalText(text), again == head, again.String() == string(text))
	for _, err := range other.ReadLog(ctx, again) { // of another log
		fmt.Println(err)
	}
	fmt.Println(again.UnmarshalText(text[1:]))
	// Output:
	// <nil> true true
	// causal: invalid cursor
	// causal: invalid cursor
}

// An adapter gives its log a random ID, and each entry a position and a hash.
// After a backup is restored, a different history follows, and old cursors are
// detected.
func ExampleNewCursor() {
	log := []causal.Cursor{causal.NewCursor([16]byte{0xC0, 0xFF, 0xEE}, 0, [8]byte{})}
	for _, id := range []causal.EventID{"01HZXW5B2Q3R4S5T6V7W8X9Y01", "01HZXW5B2Q3R4S5T6V7W8X9Y02", "01HZXW5B2Q3R4S5T6V7W8X9Y03"} {
		log = append(log, log[len(log)-1].Next(id))
	}
	hashAt := func(position uint64) ([8]byte, error) { return log[position].Hash(), nil }
	reader := log[2]
	fmt.Printf("position %d of %x\n", reader.Position(), reader.LogID())
	fmt.Println(reader.PositionIn(log[3], hashAt))

	log = log[:2]
	fmt.Println(reader.PositionIn(log[1], hashAt))
	log = append(log, log[1].Next("01HZXW5B2Q3R4S5T6V7W8X9Y04"))
	fmt.Println(reader.PositionIn(log[2], hashAt))
	// Output:
	// position 2 of c0ffee00000000000000000000000000
	// 2 <nil>
	// 0 causal: cursor beyond the end of the log
	// 0 causal: invalid cursor
}

func ExampleClockStorage() {
	ctx := context.Background()
	var storage causal.ClockStorage = &causal.MemClockStorage{}
	never, err := storage.LoadClock(ctx, "alice")
	fmt.Println(never, err)
	fmt.Println(storage.SaveClock(ctx, "alice", -1))
	// Output:
	// 0 <nil>
	// causal: validation failed: value must not be negative
}

func ExampleMemClockStorage() {
	ctx := context.Background()
	var storage causal.MemClockStorage
	if err := storage.SaveClock(ctx, "alice", 41); err != nil {
		log.Fatal(err)
	}
	clock, err := causal.NewLamportClock(ctx, "alice", &storage, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(clock.Tick(ctx))
	// Output: 42 <nil>
}

// Two processes share a node ID: each value has one owner.
func ExampleClockAdvancer() {
	ctx := context.Background()
	var storage causal.ClockAdvancer = &causal.MemClockStorage{}
	fmt.Println(storage.AdvanceClock(ctx, "alice", 0, 10)) // 1 to 10
	fmt.Println(storage.AdvanceClock(ctx, "alice", 5, 1))  // 11
	// Output:
	// 10 <nil>
	// 11 <nil>
}

// storedEvent returns the n-th event, emitted by a node at this clock.
func storedEvent(n int, node string, clock int64, payload string) causal.Event {
	e, err := causal.NewEvent(causal.EventParams{
		ID:   causal.EventID(fmt.Sprintf("01HZXW5B2Q3R4S5T6V7W8X9Y%02d", n)),
		Type: "TaskChanged", AggregateID: "task-1", NodeID: node, LamportClock: clock,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: json.RawMessage(payload),
	})
	if err != nil {
		log.Fatal(err)
	}
	return e
}

func ExampleCheckpointStorage() {
	ctx := context.Background()
	var s causal.CheckpointStorage = &causal.MemCheckpointStorage{}
	c, err := s.LoadCheckpoint(ctx, "totals")
	if err != nil {
		log.Fatal(err)
	}
	c.State = []byte("3 tasks") // as of c.Cursor
	revision, err := s.SaveCheckpoint(ctx, "totals", c)
	fmt.Println(revision, err)
	_, err = s.SaveCheckpoint(ctx, "totals", c) // like someone who loaded it earlier
	fmt.Println(err)
	for name, err := range s.Checkpoints(ctx) {
		fmt.Println(name, err)
	}
	fmt.Println(s.DeleteCheckpoint(ctx, "totals"))
	// Output:
	// 1 <nil>
	// causal: concurrent save
	// totals <nil>
	// <nil>
}

func ExampleMemCheckpointStorage() {
	var s causal.MemCheckpointStorage
	c, err := s.LoadCheckpoint(context.Background(), "totals")
	fmt.Println(c.Revision, err)
	// Output: 0 <nil>
}

func ExampleCheckpoint() {
	var beginning causal.Checkpoint
	fmt.Println(beginning.Cursor == causal.Cursor{}, beginning.Revision)
	// Output: true 0
}

func ExampleMemStore() {
	ctx := context.Background()
	var store causal.MemStore
	clock, err := causal.NewLamportClock(ctx, "alice", &store, nil)
	if err != nil {
		log.Fatal(err)
	}
	at, err := clock.Tick(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.SaveEvent(ctx, storedEvent(1, "alice", at, `{}`)))
	fmt.Println(store.LoadClock(ctx, "alice"))
	// Output:
	// <nil>
	// 1 <nil>
}

func ExampleStore() {
	var store causal.Store = &causal.MemStore{}
	_, err := store.LoadEvents(context.Background(), "task-1")
	fmt.Println(err)
	// Output: <nil>
}
