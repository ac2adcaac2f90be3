// Conflicts shows three nodes that edit one document offline: its title, its
// labels and its votes. They receive each other's events in different orders
// and end with the same document. Conflicting edits are listed field by field;
// equal Lamport clocks would show only some of them.
//
//	go run ./examples/conflicts
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"github.com/spec-kitty/causal"
)

const document = "doc-1"

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	stores := []*causal.MemStore{{}, {}, {}}
	nodes := make([]*causal.Node, len(stores))
	for i, id := range []string{"alice", "bob", "carol"} {
		var err error
		nodes[i], err = causal.OpenNode(ctx, id, stores[i], causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
		if err != nil {
			return err
		}
	}
	if err := editOffline(ctx, out, nodes, stores); err != nil {
		return err
	}
	if err := exchange(ctx, out, nodes, stores); err != nil {
		return err
	}
	return report(ctx, out, stores[0])
}

// edit emits an event that changes the field named by its type.
func edit(ctx context.Context, n *causal.Node, field string, payload any) error {
	_, err := n.Emit(ctx, causal.EventParams{Type: field, AggregateID: document, Payload: payload})
	return err
}

// editOffline lets all nodes start with the same events, and then continue
// separately.
func editOffline(ctx context.Context, out io.Writer, nodes []*causal.Node, stores []*causal.MemStore) error {
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	fmt.Fprintln(out, "1. Alice creates the document, and all receive it.")
	err := errors.Join(
		edit(ctx, alice, "title", map[string]string{"value": "Draft"}),
		edit(ctx, alice, "labels", causal.ORSetChange[string]{Add: []string{"backend", "urgent"}}))
	if err != nil {
		return err
	}
	created, err := stores[0].LoadEvents(ctx, document)
	if err != nil {
		return err
	}
	for _, n := range nodes[1:] {
		if _, err := n.Receive(ctx, created, nil); err != nil {
			return err
		}
	}

	fmt.Fprintln(out, "2. They go offline. Bob removes a label and Carol adds it again; Alice and Bob change the title.")
	removal, err := removeLabels(ctx, stores[1], "urgent", "backend")
	if err != nil {
		return err
	}
	return errors.Join(
		edit(ctx, bob, "labels", removal),
		edit(ctx, bob, "votes", map[string]int{"delta": 1}),
		edit(ctx, bob, "title", map[string]string{"value": "Bob's title"}),
		edit(ctx, carol, "votes", map[string]int{"delta": -2}),
		edit(ctx, carol, "labels", causal.ORSetChange[string]{Add: []string{"urgent"}}),
		edit(ctx, alice, "title", map[string]string{"value": "Alice's title"}))
}

// removeLabels returns the change that removes labels, as far as the store has
// seen them added.
func removeLabels(ctx context.Context, s causal.EventStore, labels ...string) (causal.ORSetChange[string], error) {
	events, err := s.LoadEvents(ctx, document)
	var set causal.ORSet[string]
	for _, e := range events {
		err = errors.Join(err, set.Apply(e))
	}
	return set.Removal(labels...), err
}

// exchange gives every node the events of all, each in another order, and one
// of them twice.
func exchange(ctx context.Context, out io.Writer, nodes []*causal.Node, stores []*causal.MemStore) error {
	fmt.Fprintln(out, "3. They exchange their events: Alice in order, Bob backwards, Carol twice.")
	var all []causal.Event
	for _, s := range stores {
		events, err := s.LoadEvents(ctx, document)
		if err != nil {
			return err
		}
		all = append(all, events...)
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	for i, events := range [][]causal.Event{all, backwards, slices.Concat(backwards, all)} {
		for _, e := range events {
			if _, err := nodes[i].Receive(ctx, []causal.Event{e}, nil); err != nil {
				return err
			}
		}
		text, err := describe(ctx, stores[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "   %-5s %s\n", nodes[i].ID(), text)
	}
	return nil
}

// describe returns the document built from the events of a store.
func describe(ctx context.Context, s causal.EventStore) (string, error) {
	events, err := s.LoadEvents(ctx, document)
	if err != nil {
		return "", err
	}
	title, _, errTitle := causal.MergeLWW[string](events)
	labels, errLabels := causal.MergeORSet(events)
	votes, errVotes := causal.MergeCounter(events)
	return fmt.Sprintf("%q %q, votes %d", title, labels, votes), errors.Join(errTitle, errLabels, errVotes)
}

// report shows the conflicts, and those of them that Lamport clocks show.
func report(ctx context.Context, out io.Writer, s causal.EventStore) error {
	events, err := s.LoadEvents(ctx, document)
	if err != nil {
		return err
	}
	history, err := causal.NewHistory(events)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "4. Concurrent edits of one field, except votes, which add up:")
	field := map[string]string{"title": "title", "labels": "labels"}
	for _, c := range history.Conflicts(func(e causal.Event) string { return field[e.Type()] }) {
		fmt.Fprintf(out, "   %s: %s and %s\n", c.Key, c.Events[0].NodeID(), c.Events[1].NodeID())
	}
	titles, err := causal.MergeMV[string](events)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   The last title wins, or people choose: %q or %q\n", titles[0].Value, titles[1].Value)

	concurrent, equal := 0, 0
	for j := range history.Len() {
		for i := range j {
			if history.Relation(i, j) != causal.OrderConcurrent {
				continue
			}
			concurrent++
			if causal.IsConcurrent(history.At(i), history.At(j)) {
				equal++
			}
		}
	}
	fmt.Fprintf(out, "5. Of %d concurrent pairs, %d have equal Lamport clocks.\n", concurrent, equal)
	return nil
}
