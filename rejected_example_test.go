package causal_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/spec-kitty/causal"
)

func exampleRejected() causal.Rejected {
	return causal.Rejected{
		Data: []byte(`{"event_id": 7}`), Source: "bob", Reason: "invalid", Time: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC),
	}
}

// Refused data is kept, so that nothing is lost, and repetitions are counted.
func ExampleRejectedStorage() {
	ctx := context.Background()
	var store causal.RejectedStorage = &causal.MemRejectedStorage{}
	for range 3 {
		if _, err := store.AppendRejected(ctx, exampleRejected()); err != nil {
			log.Fatal(err)
		}
	}
	for r, err := range store.Rejected(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Source, r.Reason, r.Count, string(r.Data))
		fmt.Println(store.DeleteRejected(ctx, r.Key()))
	}
	// Output:
	// bob invalid 3 {"event_id": 7}
	// <nil>
}

func ExampleMemRejectedStorage() {
	var store causal.MemRejectedStorage
	stored, err := store.AppendRejected(context.Background(), exampleRejected())
	fmt.Println(stored, err)
	// Output: true <nil>
}

func ExampleRejected() {
	r := exampleRejected()
	fmt.Println(r.Size(), r.Validate())
	fmt.Println(causal.Rejected{}.Validate())
	// Output:
	// 25 <nil>
	// causal: validation failed: reason must not be empty; time is missing
}

func ExampleRejectedKey() {
	r, s := exampleRejected(), exampleRejected()
	s.Source = "carol"
	fmt.Printf("%x\n", r.Key())
	fmt.Println(r.Key() == s.Key())
	// Output:
	// 8be28ac32f20ddb1c1ad958bf3fa8a77506691639f778abc11625b3cef68bc93
	// false
}
