package causal_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleValidationError() {
	_, err := causal.NewEvent(causal.EventParams{Type: "x", AggregateID: "task-1", ProjectUUID: "12345678-1234-5678-1234-567812345678", DataTier: 7})
	var invalid *causal.ValidationError
	if errors.As(err, &invalid) {
		for _, f := range invalid.Fields {
			fmt.Println(f.Field, "-", f.Reason)
		}
	}
	fmt.Println(errors.Is(err, causal.ErrValidation), errors.Unwrap(err))
	// Output:
	// node_id - must not be empty
	// data_tier - must be at most 4
	// true <nil>
}

func ExampleFieldError() {
	err := &causal.ValidationError{Fields: []causal.FieldError{{Field: "delta", Reason: "must not be zero"}}}
	fmt.Println(err.Error())
	// Output: causal: validation failed: delta must not be zero
}

func ExampleCycleError() {
	a, _ := causal.NewEvent(causal.EventParams{
		ID: "01HZXW5B2Q3R4S5T6V7W8X9Y01", Type: "x", AggregateID: "task-1", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678", CausationID: "01HZXW5B2Q3R4S5T6V7W8X9Y02",
	})
	b, _ := causal.NewEvent(causal.EventParams{
		ID: "01HZXW5B2Q3R4S5T6V7W8X9Y02", Type: "x", AggregateID: "task-1", NodeID: "bob", ProjectUUID: "12345678-1234-5678-1234-567812345678", CausationID: "01HZXW5B2Q3R4S5T6V7W8X9Y01",
	})
	_, err := causal.TopologicalSort([]causal.Event{a, b})
	var cycle *causal.CycleError
	fmt.Println(errors.As(err, &cycle), cycle.IDs)
	fmt.Println(err, errors.Is(err, causal.ErrCycle))
	// Output:
	// true [01HZXW5B2Q3R4S5T6V7W8X9Y01 01HZXW5B2Q3R4S5T6V7W8X9Y02]
	// causal: causation cycle of 2 events: 01HZXW5B2Q3R4S5T6V7W8X9Y01, 01HZXW5B2Q3R4S5T6V7W8X9Y02 true
}

func ExampleIDConflictError() {
	p := causal.EventParams{
		ID: "01HZXW5B2Q3R4S5T6V7W8X9Y01", Type: "Counted", AggregateID: "task-1", NodeID: "alice",
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: map[string]int{"delta": 1},
	}
	one, _ := causal.NewEvent(p)
	p.Payload = map[string]int{"delta": 2}
	other, _ := causal.NewEvent(p)
	_, err := causal.MergeCounter([]causal.Event{one, other})
	var conflict *causal.IDConflictError
	fmt.Println(errors.As(err, &conflict), conflict.IDs)
	fmt.Println(conflict.Error(), conflict.Is(causal.ErrIDConflict))
	// Output:
	// true [01HZXW5B2Q3R4S5T6V7W8X9Y01]
	// causal: event ID already has different content: 01HZXW5B2Q3R4S5T6V7W8X9Y01 true
}

// Alice was restored from a backup and reused a clock value.
func ExampleForkError() {
	add := func(id causal.EventID) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{
			ID: id, Type: "Labelled", AggregateID: "task-1", NodeID: "alice", LamportClock: 6,
			ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: causal.ORSetChange[string]{Add: []string{"urgent"}},
		})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	_, err := causal.MergeORSet([]causal.Event{add("01HZXW5B2Q3R4S5T6V7W8X9Y02"), add("01HZXW5B2Q3R4S5T6V7W8X9Y01")})
	var fork *causal.ForkError
	fmt.Println(errors.As(err, &fork), fork.NodeID, fork.LamportClock, fork.IDs)
	fmt.Println(fork.Error(), fork.Is(causal.ErrFork))
	// Output:
	// true alice 6 [01HZXW5B2Q3R4S5T6V7W8X9Y01 01HZXW5B2Q3R4S5T6V7W8X9Y02]
	// causal: a node has forked: at clock 6: 01HZXW5B2Q3R4S5T6V7W8X9Y01, 01HZXW5B2Q3R4S5T6V7W8X9Y02 true
}

func ExampleClockJumpError() {
	ctx := context.Background()
	clock, _ := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, &causal.LamportClockOptions{MaxJump: 10})
	_, err := clock.Update(ctx, 11)
	var jump *causal.ClockJumpError
	fmt.Println(errors.As(err, &jump), jump.Local, jump.Remote, jump.MaxJump)
	// Output: true 0 11 10
}

func ExampleStorageError() {
	err := error(&causal.StorageError{Op: "save event", Err: causal.ErrClosed}) // created by adapters
	fmt.Println(err)
	fmt.Println(errors.Is(err, causal.ErrStorage), errors.Is(err, causal.ErrClosed))
	// Output:
	// causal: storage failed: save event: closed
	// true true
}
