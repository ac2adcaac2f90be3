package causal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/spec-kitty/causal"
)

// Two nodes edit a document offline, and exchange their events.
func ExampleNode() {
	ctx := context.Background()
	project := causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"}
	var tablet, server causal.MemStore
	alice, err := causal.OpenNode(ctx, "alice", &tablet, project)
	if err != nil {
		log.Fatal(err)
	}
	bob, err := causal.OpenNode(ctx, "bob", &server, project)
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range []*causal.Node{alice, bob} {
		if _, err := n.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc 1"}); err != nil {
			log.Fatal(err)
		}
	}
	theirs, err := causal.LoadAll(ctx, &server)
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := alice.Receive(ctx, theirs, &causal.ReceiveOptions{Source: "server"})
	if err != nil {
		log.Fatal(err)
	}
	all, err := causal.LoadAll(ctx, &tablet)
	if err != nil {
		log.Fatal(err)
	}
	history, err := causal.NewHistory(all)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("new:", receipt.Saved, "conflicts:", len(history.Conflicts(nil)), "seen:", alice.Seen())
	merged, err := alice.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc 1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the next event follows", len(merged.Parents()), "others")
	// Output:
	// new: 1 conflicts: 1 seen: {"alice":1,"bob":1}
	// the next event follows 2 others
}

func ExampleOpenNode() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n.ID(), n.ProjectUUID(), n.Storage() == &store, n.Close())
	_, err = causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{})
	fmt.Println(err)
	// Output:
	// alice 12345678-1234-5678-1234-567812345678 true <nil>
	// causal: validation failed: project_uuid must be a UUID with hyphens
}

// In a test, times and IDs are reproducible.
func ExampleNodeOptions() {
	ids := 0
	var store causal.MemStore
	n, err := causal.OpenNode(context.Background(), "alice", &store, causal.NodeOptions{
		ProjectUUID: "12345678-1234-5678-1234-567812345678",
		Now:         func() time.Time { return time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC) },
		NewID: func() causal.EventID {
			ids++
			return causal.EventID(fmt.Sprintf("TEST%022d", ids))
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	e, err := n.Emit(context.Background(), causal.EventParams{Type: "Opened", AggregateID: "door"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.ID(), e.Timestamp())
	// Output: TEST0000000000000000000001 2026-01-26 10:00:00 +0000 UTC
}

// A retried command results in one event.
func ExampleNode_Emit() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "shop", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	id, err := causal.EventIDFor("orders of shop", "17")
	if err != nil {
		log.Fatal(err)
	}
	order := causal.EventParams{ID: id, Type: "Ordered", AggregateID: "order 17", Payload: map[string]int{"books": 2}}
	first, err := n.Emit(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	again, err := n.Emit(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Equal(again))
	order.Payload = map[string]int{"books": 3}
	_, err = n.Emit(ctx, order)
	fmt.Println(errors.Is(err, causal.ErrIDConflict))
	// Output:
	// true
	// true
}

func ExampleNode_EmitAll() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "shop", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	events, err := n.EmitAll(ctx, []causal.EventParams{
		{Type: "Ordered", AggregateID: "order 17"}, {Type: "Reserved", AggregateID: "book 3"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		fmt.Println(e.Type(), e.LamportClock(), e.PreviousClock())
	}
	// Output:
	// Ordered 1 0
	// Reserved 2 1
}

// The last seat is sold once, whoever else uses the store.
func ExampleNode_Decide() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "shop", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	sell := func(to string) error {
		_, err := n.Decide(ctx, "seat 17", func(history []causal.Event) ([]causal.EventParams, error) {
			if len(history) > 0 {
				return nil, errors.New("the seat is sold")
			}
			return []causal.EventParams{{Type: "Sold", AggregateID: "seat 17", Payload: map[string]string{"to": to}}}, nil
		})
		return err
	}
	fmt.Println(sell("ann"))
	fmt.Println(sell("ben"))
	// Output:
	// <nil>
	// the seat is sold
}

// One bad event does not stop the others, and can be examined.
func ExampleNode_Receive() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	from := func(project string) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{Type: "T", AggregateID: "A", NodeID: "bob", LamportClock: 1, ProjectUUID: project})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	receipt, err := n.Receive(ctx, []causal.Event{
		from("aaaaaaaa-1234-5678-1234-567812345678"), from("12345678-1234-5678-1234-567812345678"),
	}, &causal.ReceiveOptions{Source: "bob's tablet"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("saved:", receipt.Saved)
	for rejected, err := range store.Rejected(ctx) {
		fmt.Println(rejected.Source, err)
	}
	// Output:
	// saved: 1
	// bob's tablet <nil>
}

func ExampleNode_ReceiveJSON() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	lines := [][]byte{
		[]byte(`{"event_id":"TEST0000000000000000000001","event_type":"T","aggregate_id":"A","payload":{},` +
			`"timestamp":"2026-01-26T10:00:00+00:00","node_id":"bob","lamport_clock":1,"causation_id":null,` +
			`"project_uuid":"12345678-1234-5678-1234-567812345678","project_slug":null,"correlation_id":"TEST0000000000000000000001"}`),
		[]byte(`{"event_id":`),
	}
	receipt, err := n.ReceiveJSON(ctx, slices.Values(lines), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("saved:", receipt.Saved, "rejected:", string(receipt.Rejected[0].Data), receipt.Rejected[0].IsStored)
	// Output: saved: 1 rejected: {"event_id": true
}

// An event that was too far ahead is accepted once the clock has come near.
func ExampleNode_RetryRejected() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{
		ProjectUUID: "12345678-1234-5678-1234-567812345678", MaxJump: 100,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, clock := range []int64{150, 60} {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "T", AggregateID: "A", NodeID: "bob", LamportClock: clock, ProjectUUID: n.ProjectUUID(),
		})
		if err != nil {
			log.Fatal(err)
		}
		receipt, err := n.Receive(ctx, []causal.Event{e}, nil)
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range receipt.Rejected {
			fmt.Println(r.Err)
		}
	}
	receipt, err := n.RetryRejected(ctx)
	fmt.Println(receipt.Saved, err)
	// Output:
	// causal: remote clock too far ahead: 150, more than 100 beyond 0
	// 1 <nil>
}

func ExampleReceipt() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	var events []causal.Event // bob's, whose tablet was restored from a backup after the first
	for _, clocks := range [][2]int64{{0, 1}, {1, 2}, {1, 3}} {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "T", AggregateID: "A", NodeID: "bob", ProjectUUID: n.ProjectUUID(),
			PreviousClock: clocks[0], LamportClock: clocks[1], Parents: []causal.EventID{},
		})
		if err != nil {
			log.Fatal(err)
		}
		events = append(events, e)
	}
	receipt, err := n.Receive(ctx, events, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Saved, receipt.Known, len(receipt.Rejected))
	for _, f := range receipt.Forks {
		fmt.Println("fork of", f.NodeID, "at", f.LamportClock)
	}
	// Output:
	// 3 0 0
	// fork of bob at 3
}

// All stores of this repository are one. A store of only events is not enough
// for a node.
func ExampleNodeStorage() {
	for _, s := range []any{&causal.MemStore{}, &causal.MemEventStore{}} {
		_, ok := s.(causal.NodeStorage)
		fmt.Println(ok)
	}
	// Output:
	// true
	// false
}

// Missing events can be requested from a peer.
func ExampleNode_Missing() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	e, err := causal.NewEvent(causal.EventParams{ // the second event of bob; the first is missing, as is the parent
		Type: "T", AggregateID: "A", NodeID: "bob", ProjectUUID: n.ProjectUUID(),
		PreviousClock: 4, LamportClock: 7, Parents: []causal.EventID{"TEST0000000000000000000001"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := n.Receive(ctx, []causal.Event{e}, nil); err != nil {
		log.Fatal(err)
	}
	gaps, err := n.Missing(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range gaps {
		if g.Parent != "" {
			fmt.Println("a parent:", g.Parent)
		} else {
			fmt.Println("events of", g.NodeID, "after", g.After, "up to", g.UpTo)
		}
	}
	// Output:
	// events of bob after 0 up to 4
	// a parent: TEST0000000000000000000001
}

// Seen covers the events that a node has of others without a hole.
func ExampleNode_Seen() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	for _, clocks := range [][2]int64{{0, 1}, {1, 2}, {5, 6}} { // bob's event at 5 is missing
		e, err := causal.NewEvent(causal.EventParams{
			Type: "T", AggregateID: "A", NodeID: "bob", ProjectUUID: n.ProjectUUID(),
			PreviousClock: clocks[0], LamportClock: clocks[1], Parents: []causal.EventID{},
		})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := n.Receive(ctx, []causal.Event{e}, nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(n.Seen())
	// Output: {"bob":2}
}

func ExampleGap() {
	g := causal.Gap{NodeID: "bob", After: 2, UpTo: 5, KnownFrom: "TEST0000000000000000000001"}
	fmt.Printf("%s has events after %d, up to %d: %s says so\n", g.NodeID, g.After, g.UpTo, g.KnownFrom)
	// Output: bob has events after 2, up to 5: TEST0000000000000000000001 says so
}

func ExampleReceiveOptions() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := n.ReceiveJSON(ctx, slices.Values([][]byte{[]byte("{}")}), &causal.ReceiveOptions{Source: "peer 7"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Rejected[0].Source)
	// Output: peer 7
}

func ExampleRejection() {
	ctx := context.Background()
	var store causal.MemStore
	n, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := n.Receive(ctx, []causal.Event{{}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Rejected[0].Err)
	// Output: causal: validation failed: event must not be the zero Event
}
