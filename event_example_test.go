package causal_test

import (
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/spec-kitty/causal"
)

func ExampleNewEventID() {
	a, b := causal.NewEventID(), causal.NewEventID()
	fmt.Println(len(a), a < b)
	// Output: 26 true
}

func ExampleEventID() {
	root := sampleEvent(1, "alice", 1, `{}`)
	fmt.Printf("%q has the cause %q\n", root.ID(), root.CausationID())
	// Output: "01HZXW5B2Q3R4S5T6V7W8X9Y01" has the cause ""
}

func ExampleNewEvent() {
	e, err := causal.NewEvent(causal.EventParams{
		Type:         "TaskChanged",
		AggregateID:  "task-1",
		NodeID:       "alice",
		LamportClock: 5,
		ProjectUUID:  "12345678-1234-5678-1234-567812345678",
		Payload:      map[string]any{"state": "done", "points": int64(9007199254740993)},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Type(), e.AggregateID(), e.NodeID(), e.LamportClock(), string(e.Payload()))
	fmt.Println(e.SchemaVersion(), e.DataTier(), e.CorrelationID() == e.ID())

	_, err = causal.NewEvent(causal.EventParams{Type: "TaskChanged", LamportClock: -1})
	fmt.Println(err)
	// Output:
	// TaskChanged task-1 alice 5 {"points":9007199254740993,"state":"done"}
	// 1.0.0 0 true
	// causal: validation failed: aggregate_id must not be empty; node_id must not be empty; lamport_clock must not be negative; project_uuid must be a UUID with hyphens
}

func ExampleEventParams() {
	cause := sampleEvent(1, "alice", 1, `{}`)
	e, err := causal.NewEvent(causal.EventParams{
		Type: "TaskApproved", AggregateID: cause.AggregateID(), NodeID: "bob", LamportClock: cause.LamportClock() + 1,
		CausationID: cause.ID(), CorrelationID: cause.CorrelationID(),
		ProjectUUID: cause.ProjectUUID(), ProjectSlug: "moon", DataTier: 2,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.CausationID() == cause.ID(), e.CorrelationID() == cause.ID(), e.ProjectSlug())
	// Output: true true moon
}

// An event keeps the text of its payload, and unknown members.
func ExampleEvent() {
	text := `{
		"event_id": "01HZXW5B2Q3R4S5T6V7W8X9Y01", "event_type": "TaskChanged", "aggregate_id": "task-1",
		"payload": {"weight": 1.50}, "timestamp": "2026-01-26T10:00:00", "node_id": "alice", "lamport_clock": 5,
		"project_uuid": "12345678-1234-5678-1234-567812345678",
		"correlation_id": "01HZXW5B2Q3R4S5T6V7W8X9Y01", "build_id": "b-7"
	}`
	var e causal.Event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		log.Fatal(err)
	}
	fmt.Println(e)
	fmt.Println(e.Timestamp(), e.IsZero())
	out, err := json.Marshal(e)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(out))
	// Output:
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01 "TaskChanged" on "task-1" by "alice" at 5
	// 2026-01-26 10:00:00 +0000 UTC false
	// {"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01","event_type":"TaskChanged","aggregate_id":"task-1","payload":{"weight":1.50},"timestamp":"2026-01-26T10:00:00Z","node_id":"alice","lamport_clock":5,"causation_id":null,"project_uuid":"12345678-1234-5678-1234-567812345678","project_slug":null,"correlation_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01","schema_version":"1.0.0","data_tier":0,"build_id":"b-7"}
}

func ExampleEvent_UnmarshalJSON() {
	var e causal.Event
	err := e.UnmarshalJSON([]byte(`{"event_type": 5, "lamport_clock": "5"}`))
	fmt.Println(err)
	fmt.Println(e.IsZero())
	// Output:
	// causal: validation failed: event_id is missing; event_type must be a string; aggregate_id is missing; timestamp is missing; node_id is missing; lamport_clock must be an integer without fraction or exponent; project_uuid is missing; correlation_id is missing
	// true
}

func ExampleEvent_MarshalJSON() {
	_, err := causal.Event{}.MarshalJSON()
	fmt.Println(err)
	// Output: causal: validation failed: event must not be the zero Event
}

func ExampleEvent_PayloadField() {
	e := sampleEvent(1, "alice", 1, `{"state": "done", "points": 12345678901234567890}`)
	points, ok := e.PayloadField("points")
	fmt.Println(string(points), ok)
	_, ok = e.PayloadField("owner")
	fmt.Println(ok)
	// Output:
	// 12345678901234567890 true
	// false
}

func ExampleEvent_DecodePayload() {
	e := sampleEvent(1, "alice", 1, `{"state": "done"}`)
	var payload struct{ State string }
	if err := e.DecodePayload(&payload); err != nil {
		log.Fatal(err)
	}
	fmt.Println(payload.State)
	// Output: done
}

func ExampleEvent_Equal() {
	const text = `{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01","event_type":"TaskChanged","aggregate_id":"task-1","payload":%s,` +
		`"timestamp":"%s","node_id":"alice","lamport_clock":1,"project_uuid":"12345678-1234-5678-1234-567812345678",` +
		`"correlation_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01"}`
	read := func(payload, timestamp string) (e causal.Event) {
		if err := json.Unmarshal(fmt.Appendf(nil, text, payload, timestamp), &e); err != nil {
			log.Fatal(err)
		}
		return e
	}
	a := read(`{"n": 1, "s": "a"}`, "2026-01-26T10:00:00Z")
	respelt := read(`{"s": "\u0061", "n": 1.0}`, "2026-01-26T12:00:00+02:00")
	other := read(`{"n": 2, "s": "a"}`, "2026-01-26T10:00:00Z")
	fmt.Println("respelt:", a.Equal(respelt), "other number:", a.Equal(other))
	// Output: respelt: true other number: false
}

// Bob and dave edit the same version: each names the event he saw. Carol's
// event, which names both, is the only head.
func ExampleEvent_Parents() {
	emit := func(n int, node string, clock int64, parents ...causal.EventID) causal.Event {
		e, err := causal.NewEvent(causal.EventParams{
			ID:   causal.EventID(fmt.Sprintf("01HZXW5B2Q3R4S5T6V7W8X9Y%02d", n)),
			Type: "TaskChanged", AggregateID: "task-1", NodeID: node, LamportClock: clock,
			Parents: append([]causal.EventID{}, parents...), ProjectUUID: "12345678-1234-5678-1234-567812345678",
		})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	first := emit(1, "alice", 1)
	mine := emit(2, "bob", 2, first.ID())
	theirs := emit(3, "dave", 2, first.ID())
	merged := emit(4, "carol", 3, mine.ID(), theirs.ID())
	fmt.Println(causal.Relation(first, mine), causal.Relation(mine, theirs), merged.Parents())
	fmt.Println(merged.IsStamped(), merged.PreviousClock())
	history, err := causal.NewHistory([]causal.Event{first, mine, theirs, merged})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(history.Heads())
	// Output:
	// Before Concurrent [01HZXW5B2Q3R4S5T6V7W8X9Y02 01HZXW5B2Q3R4S5T6V7W8X9Y03]
	// true 0
	// [01HZXW5B2Q3R4S5T6V7W8X9Y04 "TaskChanged" on "task-1" by "carol" at 3]
}

func ExampleEvent_VectorClock() {
	seen, err := causal.NewVectorClock(map[string]int64{"alice": 2, "bob": 7})
	if err != nil {
		log.Fatal(err)
	}
	stamp, err := seen.Advance("alice", 8) // the event itself
	if err != nil {
		log.Fatal(err)
	}
	e, err := causal.NewEvent(causal.EventParams{
		Type: "TaskApproved", AggregateID: "task-1", NodeID: "alice", LamportClock: 8, VectorClock: stamp, ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.VectorClock())
	// Output: {"alice":8,"bob":7}
}

func ExampleEvent_LogValue() {
	e := sampleEvent(1, "alice", 1, `{"password": "secret"}`)
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logger.Info("saved", "event", e)
	fmt.Println(e.String())
	// Output:
	// level=INFO msg=saved event.event_id=01HZXW5B2Q3R4S5T6V7W8X9Y01 event.event_type=TaskChanged event.aggregate_id=task-1 event.node_id=alice event.lamport_clock=1
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01 "TaskChanged" on "task-1" by "alice" at 1
}

// sampleEvent returns the n-th event, emitted by a node at this clock.
func sampleEvent(n int, node string, clock int64, payload string) causal.Event {
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

// A webhook delivered twice results in one event.
func ExampleEventIDFor() {
	for range 2 {
		id, err := causal.EventIDFor("payments", "charge-4711")
		fmt.Println(id, err)
	}
	// Output:
	// 2TJR0XHV094MFX69CVT330X89D <nil>
	// 2TJR0XHV094MFX69CVT330X89D <nil>
}

func ExampleParseEventID() {
	fmt.Println(causal.ParseEventID("01hzxw5b2q3r4s5t6v7w8x9y01"))
	fmt.Println(causal.ParseEventID("9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D"))
	_, err := causal.ParseEventID("42")
	fmt.Println(err)
	// Output:
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01 <nil>
	// 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d <nil>
	// causal: validation failed: event_id must be 26 ASCII letters or digits, or a UUID with hyphens
}

// The digest does not depend on the spelling.
func ExampleEvent_Digest() {
	var a, b causal.Event
	for spelling, e := range map[string]*causal.Event{`{"n":1,"done":true}`: &a, `{ "done": true, "n": 1.0 }`: &b} {
		err := e.UnmarshalJSON([]byte(`{"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01","event_type":"TaskChanged","aggregate_id":"task-1",` +
			`"payload":` + spelling + `,"timestamp":"2026-01-26T10:00:00Z","node_id":"alice","lamport_clock":1,` +
			`"project_uuid":"12345678-1234-5678-1234-567812345678","correlation_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01"}`))
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(a.Equal(b), a.Digest() == b.Digest())
	// Output: true true
}
