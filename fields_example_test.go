package causal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// The fields of a document, each with a suitable rule. The type of an event
// names the field it changes; alice and bob edit offline.
func Example_fields() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	edit := func(node string, payloads map[string]map[string]any) *causal.MemStore {
		store := &causal.MemStore{}
		n, err := causal.OpenNode(ctx, node, store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
		check(err)
		for _, field := range []string{"title", "tags", "votes", "state"} {
			_, err := n.Emit(ctx, causal.EventParams{Type: field, AggregateID: "doc-1", Payload: payloads[field]})
			check(err)
		}
		return store
	}
	doc, err := edit("alice", map[string]map[string]any{
		"title": {"value": "Draft"}, "tags": {"add": []string{"urgent"}}, "votes": {"delta": 1}, "state": {"state": "review"},
	}).LoadEvents(ctx, "doc-1")
	check(err)
	bobs, err := edit("bob", map[string]map[string]any{
		"title": {"value": "Plan"}, "tags": {"add": []string{"later"}}, "votes": {"delta": 2}, "state": {"state": "done"},
	}).LoadEvents(ctx, "doc-1")
	check(err)
	doc = append(doc, bobs...)                    // in whatever order
	title, _, err := causal.MergeLWW[string](doc) // the last writer wins,
	check(err)
	titles, err := causal.MergeMV[string](doc) // or people choose
	check(err)
	tags, err := causal.MergeORSet(doc)
	check(err)
	votes, err := causal.MergeCounter(doc)
	check(err)
	state, err := causal.ResolveState(doc, causal.StateMachine{Priority: map[string]int{"done": 2, "review": 1}})
	check(err)
	fmt.Println(title, "of", len(titles), tags, votes, state.MergedEvent.NodeID())
	history, err := causal.NewHistory(doc)
	check(err)
	key := map[string]string{"title": "title", "state": "state"} // tags and votes are never in conflict
	for _, c := range history.Conflicts(func(e causal.Event) string { return key[e.Type()] }) {
		fmt.Println("in conflict:", c.Key, "by", c.Events[0].NodeID(), "and", c.Events[1].NodeID())
	}
	// Output:
	// Plan of 2 [later urgent] 3 bob
	// in conflict: title by alice and bob
	// in conflict: state by alice and bob
}
