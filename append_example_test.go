package causal_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

const exampleProject = "12345678-1234-5678-1234-567812345678"

func ExampleAppend() {
	ctx := context.Background()
	var store causal.MemStore
	first, second := seatSold("alice"), seatSold("bob")
	if err := store.SaveEvent(ctx, first); err != nil {
		log.Fatal(err)
	}
	a, err := causal.Append(ctx, &store, []causal.Event{first, second})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.New, a.Before.Position(), a.After.Position())
	// Output: [false true] 1 2
}

// The last seat is sold once: if the history changes before the save, the
// decision is made again.
func ExampleSaveEventsIf() {
	ctx := context.Background()
	var store causal.MemStore
	sell := func(to string) error {
		head, err := store.Head(ctx)
		if err != nil {
			return err
		}
		sold, err := store.LoadEvents(ctx, "seat 17")
		if err != nil {
			return err
		}
		if len(sold) > 0 {
			return errors.New("the seat is sold")
		}
		if to == "bob" { // and in the meantime
			if err := store.SaveEvent(ctx, seatSold("alice")); err != nil {
				return err
			}
		}
		unchanged := causal.Condition{ProjectUUID: exampleProject, Aggregates: []string{"seat 17"}}
		_, err = causal.SaveEventsIf(ctx, &store, head, unchanged, []causal.Event{seatSold(to)})
		return err
	}
	fmt.Println(sell("bob"))
	fmt.Println(sell("bob"))
	// Output:
	// causal: concurrent save
	// the seat is sold
}

func seatSold(to string) causal.Event {
	e, err := causal.NewEvent(causal.EventParams{
		Type: "Sold", AggregateID: "seat 17", NodeID: to, ProjectUUID: exampleProject,
	})
	if err != nil {
		log.Fatal(err)
	}
	return e
}

func ExampleAppender() {
	var store any = &causal.MemStore{}
	_, ok := store.(causal.Appender)
	fmt.Println(ok)
	// Output: true
}

// A reader that has reached Before, and knows the events of the call, can
// continue from After.
func ExampleAppended() {
	ctx := context.Background()
	var store causal.MemStore
	at, err := store.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	a, err := store.Append(ctx, []causal.Event{seatSold("alice")})
	if err != nil {
		log.Fatal(err)
	}
	if a.Before == at {
		at = a.After
	}
	head, err := store.Head(ctx)
	fmt.Println(at == head, err)
	// Output: true <nil>
}

func ExampleCondition() {
	c := causal.Condition{ProjectUUID: exampleProject, Aggregates: []string{"seat 17"}}
	fmt.Println(c.Matches(seatSold("alice")), c.Validate())
	fmt.Println(causal.Condition{ProjectUUID: exampleProject}.Validate())
	fmt.Println(c.IsZero(), causal.Condition{}.IsZero())
	// Output:
	// true <nil>
	// causal: validation failed: aggregates must not be empty if there is no node_id
	// false true
}
