package causal_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// exampleVector returns a vector clock for the examples.
func exampleVector(times map[string]int64) causal.VectorClock {
	v, err := causal.NewVectorClock(times)
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func ExampleNewVectorClock() {
	v, err := causal.NewVectorClock(map[string]int64{"bob": 5, "alice": 2, "carol": 0})
	fmt.Println(v, v.Len(), err)
	_, err = causal.NewVectorClock(map[string]int64{"alice": -1})
	fmt.Println(err)
	// Output:
	// {"alice":2,"bob":5} 2 <nil>
	// causal: validation failed: vector_clock must not have negative times
}

func ExampleVectorClock() {
	var seen causal.VectorClock
	fmt.Println(seen.IsZero())
	for node, clock := range map[string]int64{"alice": 1, "bob": 7} { // of received events
		var err error
		if seen, err = seen.Advance(node, clock); err != nil {
			log.Fatal(err)
		}
	}
	for node, time := range seen.All() {
		fmt.Println(node, time)
	}
	fmt.Println(seen.At("bob"), seen.At("carol"))

	text, err := json.Marshal(seen)
	fmt.Println(string(text), err, seen.UnmarshalJSON(text))
	// Output:
	// true
	// alice 1
	// bob 7
	// 7 0
	// {"alice":1,"bob":7} <nil> <nil>
}

func ExampleVectorClock_Compare() {
	a := exampleVector(map[string]int64{"alice": 2, "bob": 1})
	b := exampleVector(map[string]int64{"alice": 2, "bob": 4})
	c := exampleVector(map[string]int64{"carol": 1})
	fmt.Println(a.Compare(b), b.Compare(a))
	fmt.Println(b.Compare(c))
	// Output:
	// Before After
	// Concurrent
}

func ExampleVectorClock_Merge() {
	a := exampleVector(map[string]int64{"alice": 2, "bob": 1})
	b := exampleVector(map[string]int64{"bob": 4, "carol": 3})
	fmt.Println(a.Merge(b))
	// Output: {"alice":2,"bob":4,"carol":3}
}

// Anything seen by all three replicas needs no conflict resolution any more.
func ExampleStableCut() {
	fmt.Println(causal.StableCut(
		exampleVector(map[string]int64{"alice": 9, "bob": 4}),
		exampleVector(map[string]int64{"alice": 7, "bob": 5}),
		exampleVector(map[string]int64{"alice": 8, "bob": 4, "carol": 1}),
	))
	// Output: {"alice":7,"bob":4}
}
