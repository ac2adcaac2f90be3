package causal_test

import (
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// conflictEvent returns an event of a node that has seen these times, including
// its own.
func conflictEvent(node string, seen map[string]int64) causal.Event {
	v, err := causal.NewVectorClock(seen)
	if err != nil {
		log.Fatal(err)
	}
	e, err := causal.NewEvent(causal.EventParams{
		Type: "TaskChanged", AggregateID: "task-1", NodeID: node, LamportClock: v.At(node), VectorClock: v,
		ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// IsConcurrent finds only conflicts at equal clocks; a History finds them all.
func ExampleIsConcurrent() {
	alices := conflictEvent("alice", map[string]int64{"alice": 5})
	bobs := conflictEvent("bob", map[string]int64{"bob": 5})
	carols := conflictEvent("carol", map[string]int64{"carol": 6})
	fmt.Println(causal.IsConcurrent(alices, bobs), causal.Relation(alices, bobs))
	fmt.Println(causal.IsConcurrent(alices, carols), causal.Relation(alices, carols))
	// Output:
	// true Concurrent
	// false Concurrent
}

func ExampleRelation() {
	alices := conflictEvent("alice", map[string]int64{"alice": 1})
	bobs := conflictEvent("bob", map[string]int64{"alice": 1, "bob": 2}) // after seeing Alice's
	carols := conflictEvent("carol", map[string]int64{"carol": 9})       // without having seen anything
	fmt.Println(causal.Relation(alices, bobs), causal.Relation(bobs, alices), causal.Relation(bobs, carols))
	// Output: Before After Concurrent
}
