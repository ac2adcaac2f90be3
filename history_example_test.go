package causal_test

import (
	"fmt"
	"log"

	"github.com/spec-kitty/causal"
)

// exampleHistory returns a hub's events about a document: alice wrote a title,
// and bob and carol changed it, each without having read the other. Then bob
// noted it in another document. Dave's tablet is running twice.
func exampleHistory() *causal.History {
	edit := func(n int, node string, previous, clock int64, doc, field string, parents ...causal.EventID) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{
			ID: causal.EventID(fmt.Sprintf("01HZXW5B2Q3R4S5T6V7W8X9Y%02d", n)), Type: field, AggregateID: doc,
			NodeID: node, PreviousClock: previous, LamportClock: clock, Parents: append([]causal.EventID{}, parents...),
			ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	first := edit(1, "alice", 0, 1, "doc-1", "title")
	h, err := causal.NewHistory([]causal.Event{
		first,
		edit(2, "bob", 0, 2, "doc-1", "title", first.ID()),
		edit(3, "bob", 2, 3, "doc-2", "note"),
		edit(4, "carol", 0, 4, "doc-1", "title", first.ID()),
		edit(5, "dave", 0, 5, "doc-3", "text"),
		edit(6, "dave", 0, 7, "doc-3", "text", "01HZXW5B2Q3R4S5T6V7W8X9Y99"), // missing
	})
	if err != nil {
		log.Fatal(err)
	}
	return h
}

func ExampleHistory() {
	h := exampleHistory()
	alices, bobs, bobsNote, carols := 0, 1, 2, 3
	fmt.Println(h.Relation(alices, bobs), h.Relation(bobs, carols))
	fmt.Println(h.Relation(alices, bobsNote)) // through Bob's first event
	// Output:
	// Before Concurrent
	// Before
}

// The order of the input does not matter, and duplicates are dropped.
func ExampleNewHistory() {
	e := exampleHistory().At(0)
	h, err := causal.NewHistory([]causal.Event{e, e})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Len(), "event")
	// Output: 1 event
}

func ExampleHistory_Len() {
	h := exampleHistory()
	for i := range h.Len() {
		fmt.Print(h.At(i).NodeID(), " ")
	}
	// Output: alice bob bob carol dave dave
}

func ExampleHistory_At() { fmt.Println(exampleHistory().At(0).NodeID()) /* Output: alice */ }

func ExampleHistory_Index() {
	fmt.Println(exampleHistory().Index("01HZXW5B2Q3R4S5T6V7W8X9Y04"))
	// Output: 3 true
}

func ExampleHistory_Relation() {
	h := exampleHistory()
	fmt.Println(h.Relation(0, 1), h.Relation(1, 0), h.Relation(1, 3), h.Relation(2, 3))
	// Output: Before After Concurrent Unknown
}

func ExampleHistory_Past() {
	for i := range exampleHistory().Past(2) {
		fmt.Print(i, " ")
	}
	// Output: 0 1
}

func ExampleHistory_Future() {
	for i := range exampleHistory().Future(0) {
		fmt.Print(i, " ")
	}
	// Output: 1 2 3
}

// Alice's event happens before Bob's second one, too, but his first follows it.
func ExampleHistory_Parents() { fmt.Println(exampleHistory().Parents(2)) /* Output: [1] */ }

func ExampleHistory_Heads() {
	for _, e := range exampleHistory().Heads() {
		fmt.Println(e.AggregateID(), e.NodeID(), e.LamportClock())
	}
	// Output:
	// doc-1 bob 2
	// doc-2 bob 3
	// doc-1 carol 4
	// doc-3 dave 5
	// doc-3 dave 7
}

// Only titles are examined: notes and texts may be written concurrently.
func ExampleHistory_Conflicts() {
	title := func(e causal.Event) string {
		if e.Type() == "title" {
			return "the title"
		}
		return ""
	}
	for _, c := range exampleHistory().Conflicts(title) {
		fmt.Println(c.Key, "by", c.Events[0].NodeID(), "and", c.Events[1].NodeID())
	}
	// Output: the title by bob and carol
}

// A parent of Dave's second event is missing, and may follow his first one.
func ExampleConflict() {
	for _, c := range exampleHistory().Conflicts(nil) {
		fmt.Println(c.Key, len(c.Events), "certain:", c.IsCertain)
	}
	// Output:
	// doc-1 2 certain: true
	// doc-3 2 certain: false
}

func ExampleHistory_Contradictions() {
	fmt.Println(len(exampleHistory().Contradictions()), "references to what cannot have come before")
	// Output: 0 references to what cannot have come before
}

func ExampleHistory_Missing() {
	for _, gap := range exampleHistory().Missing() {
		fmt.Println(gap.Parent)
	}
	// Output: 01HZXW5B2Q3R4S5T6V7W8X9Y99
}

func ExampleHistory_Forks() {
	for _, fork := range exampleHistory().Forks() {
		fmt.Println(fork.NodeID, fork.IDs)
	}
	// Output: dave [01HZXW5B2Q3R4S5T6V7W8X9Y05 01HZXW5B2Q3R4S5T6V7W8X9Y06]
}

func ExampleContradiction() {
	e, err := causal.NewEvent(causal.EventParams{
		ID: "01HZXW5B2Q3R4S5T6V7W8X9Y01", CausationID: "01HZXW5B2Q3R4S5T6V7W8X9Y01", Type: "title", AggregateID: "doc-1",
		NodeID: "alice", LamportClock: 1, ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	h, err := causal.NewHistory([]causal.Event{e})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range h.Contradictions() {
		fmt.Println(c.EventID, "names", c.Names, "in", c.Field)
	}
	// Output: 01HZXW5B2Q3R4S5T6V7W8X9Y01 names 01HZXW5B2Q3R4S5T6V7W8X9Y01 in causation_id
}
