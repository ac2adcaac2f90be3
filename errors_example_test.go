package causal_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/spec-kitty/causal"
)

func ExampleValidationError() {
	_, err := causal.NewEvent(causal.EventParams{Type: "x", AggregateID: "WP001", ProjectUUID: projectUUID, DataTier: 7})
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
		ID: id1, Type: "x", AggregateID: "WP001", NodeID: "alice", ProjectUUID: projectUUID, CausationID: id2,
	})
	b, _ := causal.NewEvent(causal.EventParams{
		ID: id2, Type: "x", AggregateID: "WP001", NodeID: "bob", ProjectUUID: projectUUID, CausationID: id1,
	})
	_, err := causal.TopologicalSort([]causal.Event{a, b})
	var cycle *causal.CycleError
	fmt.Println(errors.As(err, &cycle), cycle.IDs)
	fmt.Println(err, errors.Is(err, causal.ErrCycle))
	// Output:
	// true [01HZXW5B2Q3R4S5T6V7W8X9Y01 01HZXW5B2Q3R4S5T6V7W8X9Y02]
	// causal: causation cycle of 2 events true
}

func ExampleIDConflictError() {
	_, err := causal.MergeCounter([]causal.Event{
		exampleEvent(id1, "alice", 1, `{"delta": 1}`), exampleEvent(id1, "alice", 1, `{"delta": 2}`),
	})
	var conflict *causal.IDConflictError
	fmt.Println(errors.As(err, &conflict), conflict.ID)
	fmt.Println(conflict.Error(), conflict.Is(causal.ErrIDConflict))
	// Output:
	// true 01HZXW5B2Q3R4S5T6V7W8X9Y01
	// causal: event ID already has different content true
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
	err := error(&causal.StorageError{Op: "save event", Err: causal.ErrClosed}) // made by adapters
	fmt.Println(err)
	fmt.Println(errors.Is(err, causal.ErrStorage), errors.Is(err, causal.ErrClosed))
	// Output:
	// causal: storage failed: save event: storage is closed
	// true true
}
