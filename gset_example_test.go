package causal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/spec-kitty/causal"
)

func ExampleGSet() {
	var labels causal.GSet[string]
	if err := labels.Apply(tagEvent(1, "alice", 1, `{"tags": ["urgent", "backend"]}`)); err != nil {
		log.Fatal(err)
	}
	if err := labels.Add(tagEvent(2, "bob", 1, `{}`), "review"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(slices.Collect(labels.All()), labels.Len(), labels.Contains("urgent"))

	var replica causal.GSet[string]
	replica.Merge(labels)
	text, err := json.Marshal(replica)
	if err != nil {
		log.Fatal(err)
	}
	var restored causal.GSet[string]
	if err := json.Unmarshal(text, &restored); err != nil {
		log.Fatal(err)
	}
	fmt.Println(restored.Len())
	// Output:
	// [backend review urgent] 3 true
	// 3
}

// A replica states which events it has seen, and receives the missing part.
func ExampleDelta() {
	var here, there causal.GSet[string]
	first := tagEvent(1, "alice", 1, `{"tags": ["urgent"]}`)
	for _, set := range []*causal.GSet[string]{&here, &there} {
		if err := set.Apply(first); err != nil {
			log.Fatal(err)
		}
		set.MarkSeen(seenOf(first))
	}
	second := tagEvent(2, "alice", 2, `{"tags": ["backend"]}`)
	if err := here.Apply(second); err != nil {
		log.Fatal(err)
	}
	here.MarkSeen(seenOf(second))

	missing, err := here.DeltaSince(there.Seen())
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(missing)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	var delta causal.Delta[causal.GSet[string]]
	if err := json.Unmarshal(text, &delta); err != nil {
		log.Fatal(err)
	}
	fmt.Println(delta.Since())
	if err := there.MergeDelta(delta); err != nil {
		log.Fatal(err)
	}
	fmt.Println(there.Seen(), slices.Collect(there.All()))
	// Output:
	// {"since":{"alice":1},"part":{"elements":[{"element":"backend","node_id":"alice","lamport_clock":2,"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y02"}],"seen":{"alice":2}}}
	// {"alice":1}
	// {"alice":2} [backend urgent]
}

// seenOf returns the vector clock after e and everything before it.
func seenOf(e causal.Event) causal.VectorClock {
	v, err := causal.VectorClock{}.Advance(e.NodeID(), e.LamportClock())
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A delta that depends on events a replica has not seen is refused, not merged
// in part.
func ExampleGapError() {
	var here, there causal.GSet[string]
	e := tagEvent(1, "alice", 2, `{"tags": ["urgent"]}`)
	if err := here.Apply(e); err != nil {
		log.Fatal(err)
	}
	here.MarkSeen(seenOf(e))
	late, err := here.DeltaSince(here.Seen())
	if err != nil {
		log.Fatal(err)
	}
	err = there.MergeDelta(late)
	var gap *causal.GapError
	fmt.Println(errors.As(err, &gap), errors.Is(err, causal.ErrGap))
	fmt.Println(gap.Seen, gap.Needed)
	missing, err := here.DeltaSince(gap.Seen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(there.MergeDelta(missing), there.Len())
	// Output:
	// true true
	// {} {"alice":2}
	// <nil> 1
}

// tagEvent returns the n-th event, emitted by a node at this clock.
func tagEvent(n int, node string, clock int64, payload string) causal.Event {
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
