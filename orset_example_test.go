package causal_test

import (
	"encoding/json"
	"fmt"
	"log"
	"slices"

	"github.com/spec-kitty/causal"
)

// Bob removes the label he has seen. Carol adds the same one concurrently, and
// wins.
func ExampleORSet() {
	var bobs causal.ORSet[string]
	added := labelEvent(1, "alice", 1, `{"add": ["urgent", "backend"]}`)
	if err := bobs.Apply(added); err != nil {
		log.Fatal(err)
	}
	fmt.Println(slices.Collect(bobs.All()), bobs.Len(), bobs.LamportClock())

	removed, err := causal.NewEvent(causal.EventParams{
		Type: "LabelsChanged", AggregateID: "task-1", NodeID: "bob", LamportClock: 2,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: bobs.Removal("urgent", "backend"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(removed.Payload()))
	if err := bobs.Apply(removed); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bobs.Contains("urgent"))

	var carols causal.ORSet[string]
	again := causal.ORSetChange[string]{Add: []string{"urgent"}}
	if err := carols.Change(labelEvent(3, "carol", 1, `{}`), again); err != nil {
		log.Fatal(err)
	}
	if err := bobs.Merge(carols); err != nil {
		log.Fatal(err)
	}
	fmt.Println(slices.Collect(bobs.All()))
	// Output:
	// [backend urgent] 2 1
	// {"remove":[{"element":"urgent","observed":{"alice":1}},{"element":"backend","observed":{"alice":1}}]}
	// false
	// [urgent]
}

// Once all nodes have seen a removal, its traces can be discarded.
func ExampleORSet_Compact() {
	var labels causal.ORSet[string]
	for _, e := range []causal.Event{
		labelEvent(1, "alice", 1, `{"add": ["urgent"]}`),
		labelEvent(2, "alice", 2, `{"remove": [{"element": "urgent", "observed": {"alice": 1}}]}`),
	} {
		if err := labels.Apply(e); err != nil {
			log.Fatal(err)
		}
	}
	seen, err := causal.NewVectorClock(map[string]int64{"alice": 2})
	if err != nil {
		log.Fatal(err)
	}
	labels.MarkSeen(seen)
	bobHasSeen := seen // as he has reported
	if err := labels.Compact(causal.StableCut(seen, bobHasSeen)); err != nil {
		log.Fatal(err)
	}
	text, err := labels.MarshalJSON()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	_, err = labels.DeltaSince(causal.VectorClock{})
	fmt.Println(err)
	// Output:
	// {"elements":[],"seen":{"alice":2},"stable":{"alice":2}}
	// causal: earlier events are missing
}

func ExampleORSetChange() {
	e, err := causal.NewEvent(causal.EventParams{
		Type: "LabelsChanged", AggregateID: "task-1", NodeID: "alice", LamportClock: 1, ProjectUUID: "12345678-1234-5678-1234-567812345678",
		Payload: causal.ORSetChange[string]{Add: []string{"urgent"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(e.Payload()))
	// Output: {"add":["urgent"]}
}

func ExampleORSetRemoval() {
	var sizes causal.ORSet[int]
	if err := sizes.Apply(labelEvent(1, "alice", 1, `{"add": [40, 42]}`)); err != nil {
		log.Fatal(err)
	}
	for _, r := range sizes.Removal(42).Remove {
		fmt.Println(r.Element, r.Observed)
	}
	// Output: 42 {"alice":1}
}

func ExampleMergeORSet() {
	labels, err := causal.MergeORSet([]causal.Event{ // the remove arrives first, and cancels only what it had seen
		labelEvent(3, "bob", 2, `{"remove": [{"element": "urgent", "observed": {"alice": 1}}]}`),
		labelEvent(1, "alice", 1, `{"add": ["urgent", "backend"]}`),
		labelEvent(2, "carol", 1, `{"add": ["urgent"]}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(labels)
	// Output: [backend urgent]
}

func ExampleMergeORSetFunc() {
	members, err := causal.MergeORSetFunc(
		[]causal.Event{labelEvent(1, "alice", 1, `{}`), labelEvent(2, "bob", 1, `{}`)},
		func(e causal.Event) (causal.ORSetChange[string], error) { // anyone who speaks is a member
			return causal.ORSetChange[string]{Add: []string{e.NodeID()}}, nil
		},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(members)
	// Output: [alice bob]
}

// labelEvent returns the n-th event, emitted by a node at this clock.
func labelEvent(n int, node string, clock int64, payload string) causal.Event {
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
