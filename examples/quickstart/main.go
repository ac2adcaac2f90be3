// Quickstart shows the parts of causal at work: two nodes emit events offline,
// exchange them, find a conflict, resolve it, merge what needs no resolution,
// and log an error.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/spec-kitty/causal"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// node is one participant: a clock, a store and an error log of its own.
type node struct {
	clock  *causal.LamportClock
	store  causal.MemEventStore
	errors *causal.ErrorLog
	sent   causal.Cursor // how far others have this node's events
}

func newNode(ctx context.Context, id string) (*node, error) {
	clock, err := causal.NewLamportClock(ctx, id, &causal.MemClockStorage{}, &causal.LamportClockOptions{MaxJump: 1 << 20})
	if err != nil {
		return nil, err
	}
	errorLog, err := causal.NewErrorLog(&causal.MemErrorStorage{})
	return &node{clock: clock, errors: errorLog}, err
}

// emit makes an event of this node and stores it.
func (n *node) emit(ctx context.Context, eventType string, payload map[string]any) error {
	value, err := n.clock.Tick(ctx)
	if err != nil {
		return err
	}
	e, err := causal.NewEvent(causal.EventParams{
		Type: eventType, AggregateID: "WP001", NodeID: n.clock.NodeID(), LamportClock: value,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: payload,
	})
	if err != nil {
		return err
	}
	return n.store.SaveEvent(ctx, e)
}

// receive takes what the other node has stored since the last time. Events that
// are known already change nothing, so it may stop anywhere and start again.
func (n *node) receive(ctx context.Context, from *node) error {
	for entry, err := range from.store.ReadLog(ctx, from.sent) {
		if err != nil {
			return err
		}
		if entry.Event.NodeID() != n.clock.NodeID() { // else it only comes back to us
			if _, err := n.clock.Update(ctx, entry.Event.LamportClock()); err != nil {
				return err
			}
		}
		if err := n.store.SaveEvent(ctx, entry.Event); err != nil {
			return err
		}
		from.sent = entry.Cursor
	}
	return nil
}

func run(ctx context.Context, out io.Writer) error {
	alice, err := newNode(ctx, "alice")
	if err != nil {
		return err
	}
	bob, err := newNode(ctx, "bob")
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "1. Both nodes are offline and emit events.")
	for _, err := range []error{
		alice.emit(ctx, "WPTagged", map[string]any{"tags": []string{"backend", "urgent"}, "delta": 3}),
		alice.emit(ctx, "WPStatusChanged", map[string]any{"state": "for_review"}),
		bob.emit(ctx, "WPTagged", map[string]any{"tags": []string{"urgent", "api"}, "delta": -1}),
		bob.emit(ctx, "WPStatusChanged", map[string]any{"state": "done"}),
	} {
		if err != nil {
			return err
		}
	}

	fmt.Fprintln(out, "2. They exchange what they have. Both now hold the same history:")
	if err := alice.receive(ctx, bob); err != nil {
		return err
	}
	if err := bob.receive(ctx, alice); err != nil {
		return err
	}
	events, err := alice.store.LoadEvents(ctx, "WP001")
	if err != nil {
		return err
	}
	same, err := bob.store.LoadEvents(ctx, "WP001")
	if err != nil {
		return err
	}
	for i, e := range events {
		fmt.Fprintf(out, "   %d %-5s %-15s same on both: %t\n", e.LamportClock(), e.NodeID(), e.Type(), e.Equal(same[i]))
	}
	fmt.Fprintf(out, "   clocks: alice %d, bob %d\n", alice.clock.Current(), bob.clock.Current())

	fmt.Fprintln(out, "3. Two of them are in conflict, and both nodes resolve it alike:")
	status := events[2:]
	fmt.Fprintln(out, "   concurrent:", causal.IsConcurrent(status[0], status[1]))
	resolution, err := causal.MergeStateMachine(status, causal.StateMachine{
		Priority: map[string]int{"done": 4, "for_review": 3, "doing": 2, "planned": 1},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  ", resolution.ResolutionNote)

	fmt.Fprintln(out, "4. Sets and counters merge without a conflict:")
	tags, err := causal.MergeGSet(events)
	if err != nil {
		return err
	}
	sum, err := causal.MergeCounter(events)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "   tags:", tags, "sum:", sum)

	fmt.Fprintln(out, "5. A broken peer sends a clock far ahead; it is refused and logged:")
	if _, err := alice.clock.Update(ctx, 1<<60); err != nil {
		entry := causal.ErrorEntry{ActionAttempted: "receive an event", ErrorMessage: err.Error(), Resolution: "event dropped", Agent: "alice"}
		if err := alice.errors.Log(ctx, entry); err != nil {
			return err
		}
	}
	recent, err := alice.errors.Recent(ctx, 10)
	if err != nil {
		return err
	}
	for _, entry := range recent {
		fmt.Fprintf(out, "   %s: %s (%s)\n", entry.ActionAttempted, entry.ErrorMessage, entry.Resolution)
	}
	return nil
}
