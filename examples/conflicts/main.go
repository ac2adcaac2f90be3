// Conflicts shows three nodes that edit one work package offline: its title, its
// labels and its votes. They exchange their events in different orders and end with
// the same state, byte for byte. Vector clocks show which edits were in conflict;
// Lamport clocks alone would have missed most of them.
//
//	go run ./examples/conflicts
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"github.com/spec-kitty/causal"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// replica is one participant: its node, its events, and its state.
type replica struct {
	*causal.Node
	store causal.MemStore
	doc   document
}

// document is what the events say about the work package.
type document struct {
	Title  causal.LWWRegister[string] `json:"title"`
	Labels causal.ORSet[string]       `json:"labels"`
	Votes  causal.PNCounter           `json:"votes"`
}

// edit is the payload of an event: each member is of one of the types.
type edit struct {
	Title string `json:"value,omitempty"`
	causal.ORSetChange[string]
	Votes int64 `json:"delta,omitempty"`
}

func newReplica(ctx context.Context, id string) (*replica, error) {
	r := &replica{}
	var err error
	r.Node, err = causal.OpenNode(ctx, id, &r.store, causal.NodeOptions{
		ProjectUUID: "12345678-1234-5678-1234-567812345678", VectorClocks: true,
	})
	return r, err
}

// edit emits an event of an edit and applies it.
func (r *replica) edit(ctx context.Context, what string, change edit) error {
	e, err := r.Emit(ctx, causal.EventParams{Type: what, AggregateID: "WP001", Payload: change})
	if err != nil {
		return err
	}
	return r.apply(e)
}

// apply applies an event to the state. One that comes again changes nothing.
func (r *replica) apply(e causal.Event) error {
	return errors.Join(r.doc.Title.Apply(e), r.doc.Labels.Apply(e), r.doc.Votes.Apply(e))
}

// take takes events of other nodes, one by one in the order in which they come.
func (r *replica) take(ctx context.Context, events ...causal.Event) error {
	for _, e := range events {
		_, err := r.Receive(ctx, []causal.Event{e}, nil)
		if err := errors.Join(err, r.apply(e)); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, out io.Writer) error {
	var nodes []*replica
	for _, id := range []string{"alice", "bob", "carol"} {
		n, err := newReplica(ctx, id)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
	}
	if err := editOffline(ctx, out, nodes); err != nil {
		return err
	}
	if err := exchange(ctx, out, nodes); err != nil {
		return err
	}
	return report(ctx, out, &nodes[0].store)
}

// editOffline lets all nodes begin with one event, and then each go on alone.
func editOffline(ctx context.Context, out io.Writer, nodes []*replica) error {
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	fmt.Fprintln(out, "1. Alice creates the work package, and all receive it.")
	err := alice.edit(ctx, "WPCreated", edit{Title: "Draft", ORSetChange: causal.ORSetChange[string]{Add: []string{"backend", "urgent"}}})
	if err != nil {
		return err
	}
	created, err := causal.LoadAll(ctx, &alice.store)
	if err != nil {
		return err
	}
	if err := errors.Join(bob.take(ctx, created...), carol.take(ctx, created...)); err != nil {
		return err
	}

	fmt.Fprintln(out, "2. They go offline. Bob removes a label that Carol adds again; Alice and Bob change the title.")
	return errors.Join(
		bob.edit(ctx, "LabelRemoved", edit{ORSetChange: bob.doc.Labels.Removal("urgent", "backend")}),
		bob.edit(ctx, "Voted", edit{Votes: 1}),
		bob.edit(ctx, "TitleChanged", edit{Title: "Bob's title"}),
		carol.edit(ctx, "Voted", edit{Votes: -2}),
		carol.edit(ctx, "LabelAdded", edit{ORSetChange: causal.ORSetChange[string]{Add: []string{"urgent"}}}),
		alice.edit(ctx, "TitleChanged", edit{Title: "Alice's title"}),
	)
}

// exchange gives every node the events of all others, each in another order, and
// one of them twice.
func exchange(ctx context.Context, out io.Writer, nodes []*replica) error {
	fmt.Fprintln(out, "3. They exchange their events: Alice in order, Bob backwards, Carol twice.")
	var all []causal.Event
	for _, n := range nodes {
		events, err := causal.LoadAll(ctx, &n.store)
		if err != nil {
			return err
		}
		all = append(all, events...)
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	for i, events := range [][]causal.Event{all, backwards, append(backwards, all...)} {
		if err := nodes[i].take(ctx, events...); err != nil {
			return err
		}
	}

	var first []byte
	for _, n := range nodes {
		title, _ := n.doc.Title.Value()
		votes, err := n.doc.Votes.Value()
		if err != nil {
			return err
		}
		state, err := json.Marshal(n.doc)
		if err != nil {
			return err
		}
		if first == nil {
			first = state
		}
		fmt.Fprintf(out, "   %-5s %q %q, votes %d; state the same as Alice's: %t\n",
			n.ID(), title, slices.Collect(n.doc.Labels.All()), votes, bytes.Equal(first, state))
	}
	return nil
}

// report shows what was in conflict, and what of it Lamport clocks show.
func report(ctx context.Context, out io.Writer, s causal.EventStore) error {
	events, err := causal.LoadAll(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "4. Nobody had seen both events of these pairs. Equal Lamport clocks would show only some:")
	for i, b := range events {
		for _, a := range events[:i] {
			if a.VectorClock().Compare(b.VectorClock()) != causal.OrderConcurrent {
				continue
			}
			missed := "missed by Lamport clocks alone"
			if causal.IsConcurrent(a, b) {
				missed = "equal Lamport clocks"
			}
			fmt.Fprintf(out, "   %-22s %-22s %s\n", describe(a), describe(b), missed)
		}
	}
	history, err := causal.NewHistory(events)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "5. What a resolver must look at, the latest of each line of edits:")
	for _, conflict := range history.Conflicts(nil) {
		for _, e := range conflict.Events {
			fmt.Fprintln(out, "  ", describe(e))
		}
	}
	return nil
}

func describe(e causal.Event) string {
	return fmt.Sprintf("%d %s %s", e.LamportClock(), e.NodeID(), e.Type())
}
