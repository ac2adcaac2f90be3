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
	root := exampleEvent(id1, "alice", 1, `{}`)
	fmt.Printf("%q has the cause %q\n", root.ID(), root.CausationID())
	// Output: "01HZXW5B2Q3R4S5T6V7W8X9Y01" has the cause ""
}

func ExampleNewEvent() {
	e, err := causal.NewEvent(causal.EventParams{
		Type:         "WPStatusChanged",
		AggregateID:  "WP001",
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

	_, err = causal.NewEvent(causal.EventParams{Type: "WPStatusChanged", LamportClock: -1})
	fmt.Println(err)
	// Output:
	// WPStatusChanged WP001 alice 5 {"points":9007199254740993,"state":"done"}
	// 1.0.0 0 true
	// causal: validation failed: aggregate_id must not be empty; node_id must not be empty; lamport_clock must not be negative; project_uuid must be a UUID with hyphens
}

func ExampleEventParams() {
	cause := exampleEvent(id1, "alice", 1, `{}`)
	e, err := causal.NewEvent(causal.EventParams{
		Type: "WPApproved", AggregateID: cause.AggregateID(), NodeID: "bob", LamportClock: cause.LamportClock() + 1,
		CausationID: cause.ID(), CorrelationID: cause.CorrelationID(),
		ProjectUUID: cause.ProjectUUID(), ProjectSlug: "moon", DataTier: 2,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.CausationID() == cause.ID(), e.CorrelationID() == cause.ID(), e.ProjectSlug())
	// Output: true true moon
}

// An event keeps the text of its payload, and the members that it does not know.
func ExampleEvent() {
	text := `{
		"event_id": "01HZXW5B2Q3R4S5T6V7W8X9Y01", "event_type": "WPStatusChanged", "aggregate_id": "WP001",
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
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01 "WPStatusChanged" on "WP001" by "alice" at 5
	// 2026-01-26 10:00:00 +0000 UTC false
	// {"event_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01","event_type":"WPStatusChanged","aggregate_id":"WP001","payload":{"weight":1.50},"timestamp":"2026-01-26T10:00:00Z","node_id":"alice","lamport_clock":5,"causation_id":null,"project_uuid":"12345678-1234-5678-1234-567812345678","project_slug":null,"correlation_id":"01HZXW5B2Q3R4S5T6V7W8X9Y01","schema_version":"1.0.0","data_tier":0,"build_id":"b-7"}
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
	e := exampleEvent(id1, "alice", 1, `{"state": "done", "points": 12345678901234567890}`)
	points, ok := e.PayloadField("points")
	fmt.Println(string(points), ok)
	_, ok = e.PayloadField("owner")
	fmt.Println(ok)
	// Output:
	// 12345678901234567890 true
	// false
}

func ExampleEvent_DecodePayload() {
	e := exampleEvent(id1, "alice", 1, `{"state": "done"}`)
	var payload struct{ State string }
	if err := e.DecodePayload(&payload); err != nil {
		log.Fatal(err)
	}
	fmt.Println(payload.State)
	// Output: done
}

func ExampleEvent_Equal() {
	a := exampleEvent(id1, "alice", 1, `{"n": 1, "s": "a"}`)
	b := exampleEvent(id1, "alice", 1, `{"s": "\u0061", "n": 1.0}`)
	c := exampleEvent(id1, "alice", 1, `{"n": 2, "s": "a"}`)
	fmt.Println(a.Equal(b), a.Equal(c))
	// Output: true false
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
		Type: "WPApproved", AggregateID: "WP001", NodeID: "alice", LamportClock: 8, VectorClock: stamp, ProjectUUID: projectUUID,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.VectorClock())
	// Output: {"alice":8,"bob":7}
}

func ExampleEvent_LogValue() {
	e := exampleEvent(id1, "alice", 1, `{"password": "secret"}`)
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
	// level=INFO msg=saved event.event_id=01HZXW5B2Q3R4S5T6V7W8X9Y01 event.event_type=WPStatusChanged event.aggregate_id=WP001 event.node_id=alice event.lamport_clock=1
	// 01HZXW5B2Q3R4S5T6V7W8X9Y01 "WPStatusChanged" on "WP001" by "alice" at 1
}
