package causal_test

import (
	"fmt"
	"log"
	"slices"

	"github.com/spec-kitty/causal"
)

// Bob removes what he has seen; Carol adds the same at the same time, and wins.
func ExampleORSet() {
	var bobs causal.ORSet[string]
	added := exampleEvent(id1, "alice", 1, `{"add": ["urgent", "backend"]}`)
	if err := bobs.Apply(added); err != nil {
		log.Fatal(err)
	}
	fmt.Println(slices.Collect(bobs.All()), bobs.Len(), bobs.LamportClock())

	removed, err := causal.NewEvent(causal.EventParams{
		ID: id2, Type: "LabelsChanged", AggregateID: "WP001", NodeID: "bob", LamportClock: 2,
		ProjectUUID: projectUUID, Payload: bobs.Removal("urgent", "backend"),
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
	if err := carols.Change(exampleEvent(id3, "carol", 1, `{}`), again); err != nil {
		log.Fatal(err)
	}
	bobs.Merge(carols)
	fmt.Println(slices.Collect(bobs.All()))
	// Output:
	// [backend urgent] 2 1
	// {"remove":[{"element":"urgent","observed":{"alice":1}},{"element":"backend","observed":{"alice":1}}]}
	// false
	// [urgent]
}

// When all nodes have seen a removal, its traces can go.
func ExampleORSet_Compact() {
	var labels causal.ORSet[string]
	for _, e := range []causal.Event{
		exampleEvent(id1, "alice", 1, `{"add": ["urgent"]}`),
		exampleEvent(id2, "alice", 2, `{"remove": [{"element": "urgent", "observed": {"alice": 1}}]}`),
	} {
		if err := labels.Apply(e); err != nil {
			log.Fatal(err)
		}
		labels.MarkSeen(seenOf(e))
	}
	bobHasSeen := labels.Seen() // he said so
	if err := labels.Compact(causal.StableCut(labels.Seen(), bobHasSeen)); err != nil {
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
		Type: "LabelsChanged", AggregateID: "WP001", NodeID: "alice", LamportClock: 1, ProjectUUID: projectUUID,
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
	if err := sizes.Apply(exampleEvent(id1, "alice", 1, `{"add": [40, 42]}`)); err != nil {
		log.Fatal(err)
	}
	for _, r := range sizes.Removal(42).Remove {
		fmt.Println(r.Element, r.Observed)
	}
	// Output: 42 {"alice":1}
}

func ExampleMergeORSet() {
	labels, err := causal.MergeORSet([]causal.Event{ // the remove comes first, and wins over nothing that it had not seen
		exampleEvent(id3, "bob", 2, `{"remove": [{"element": "urgent", "observed": {"alice": 1}}]}`),
		exampleEvent(id1, "alice", 1, `{"add": ["urgent", "backend"]}`),
		exampleEvent(id2, "carol", 1, `{"add": ["urgent"]}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(labels)
	// Output: [backend urgent]
}

func ExampleMergeORSetFunc() {
	members, err := causal.MergeORSetFunc(
		[]causal.Event{exampleEvent(id1, "alice", 1, `{}`), exampleEvent(id2, "bob", 1, `{}`)},
		func(e causal.Event) (causal.ORSetChange[string], error) { // who speaks is a member
			return causal.ORSetChange[string]{Add: []string{e.NodeID()}}, nil
		},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(members)
	// Output: [alice bob]
}
