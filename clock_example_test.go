package causal_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

func ExampleNewLamportClock() {
	ctx := context.Background()
	storage := &causal.MemClockStorage{}
	clock, err := causal.NewLamportClock(ctx, "alice", storage, nil)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if _, err := clock.Tick(ctx); err != nil {
			log.Fatal(err)
		}
	}
	restarted, err := causal.NewLamportClock(ctx, "alice", storage, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(restarted.NodeID(), restarted.Current())
	// Output: alice 3
}

func ExampleLamportClock() {
	ctx := context.Background()
	clock, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	own, err := clock.Tick(ctx)
	if err != nil {
		log.Fatal(err)
	}
	received, err := clock.Update(ctx, 41) // after receiving an event with this clock
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(own, received)
	// Output: 1 42
}

func ExampleLamportClockOptions() {
	ctx := context.Background()
	clock, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{}, &causal.LamportClockOptions{
		MaxJump: 1000, // no honest node is further ahead
		Lease:   100,  // one write for 100 ticks
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = clock.Update(ctx, 1_000_000)
	var jump *causal.ClockJumpError
	fmt.Println(errors.As(err, &jump), clock.Current())
	// Output: true 0
}
