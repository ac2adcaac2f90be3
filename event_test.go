package causal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestNewEventDefaults(t *testing.T) {
	before := time.Now().Truncate(time.Microsecond) // the precision of the default
	e, err := causal.NewEvent(causal.EventParams{
		Type: "Created", AggregateID: "WP001", NodeID: "alice", ProjectUUID: "ABCDEF78-1234-5678-1234-567812345678",
	})
	require.NoError(t, err)
	require.Len(t, e.ID(), 26)
	require.Equal(t, e.ID(), e.CorrelationID())
	require.Equal(t, causal.EventID(""), e.CausationID())
	require.Equal(t, "1.0.0", e.SchemaVersion())
	require.Equal(t, "abcdef78-1234-5678-1234-567812345678", e.ProjectUUID())
	require.Equal(t, "{}", string(e.Payload()))
	require.WithinRange(t, e.Timestamp(), before, time.Now())
	require.NotContains(t, e.Timestamp().String(), "m=", "no monotonic reading")
	require.Zero(t, e.LamportClock())
	require.Zero(t, e.DataTier())
	require.Empty(t, e.ProjectSlug())
	require.False(t, e.IsZero())
}

func TestNewEventKeepsParams(t *testing.T) {
	p := causal.EventParams{
		ID: eventtest.ID(1), Type: "Created", AggregateID: "WP001", Payload: map[string]int{"n": 1},
		Timestamp: eventtest.Time.In(time.FixedZone("here", 3600)), NodeID: "alice", LamportClock: math.MaxInt64,
		CausationID: eventtest.ID(2), ProjectUUID: eventtest.ProjectUUID, ProjectSlug: "slug", CorrelationID: eventtest.ID(3),
		SchemaVersion: "2.10.03", DataTier: 4,
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	require.Equal(t, []any{
		p.ID, p.Type, p.AggregateID, p.NodeID, p.LamportClock, p.CausationID,
		p.ProjectUUID, p.ProjectSlug, p.CorrelationID, p.SchemaVersion, p.DataTier,
	}, []any{
		e.ID(), e.Type(), e.AggregateID(), e.NodeID(), e.LamportClock(), e.CausationID(),
		e.ProjectUUID(), e.ProjectSlug(), e.CorrelationID(), e.SchemaVersion(), e.DataTier(),
	})
	require.Equal(t, `{"n":1}`, string(e.Payload()))
	require.Equal(t, "2026-01-26T11:00:00+01:00", e.Timestamp().Format(time.RFC3339))
	require.Empty(t, e.Timestamp().Location().String(), "of the zone only the offset is kept")
	again := decode(t, string(must(e.MarshalJSON())))
	require.True(t, e.Equal(again))
}

// On the wire, offsets are whole minutes below a day; others become UTC. A peer
// that keeps microseconds and sends the event back must return the same event.
func TestDefaultTimestampSurvivesMicroseconds(t *testing.T) {
	for range 20 { // some instants have no digits to lose
		p := eventtest.Params(1)
		p.Timestamp = time.Time{}
		e, err := causal.NewEvent(p)
		require.NoError(t, err)
		require.Equal(t, e.Timestamp().Truncate(time.Microsecond), e.Timestamp())
		require.WithinDuration(t, time.Now(), e.Timestamp(), time.Minute)
	}
}

func TestTimestampOffsets(t *testing.T) {
	for offset, want := range map[int]string{
		0: "2026-01-26T10:00:00Z", -5400: "2026-01-26T08:30:00-01:30", 86340: "2026-01-27T09:59:00+23:59",
		3601: "2026-01-26T10:00:00Z", 86400: "2026-01-26T10:00:00Z", -86400: "2026-01-26T10:00:00Z", 100 * 3600: "2026-01-26T10:00:00Z",
	} {
		e := eventtest.New(t, 1, func(p *causal.EventParams) { p.Timestamp = eventtest.Time.In(time.FixedZone("x", offset)) })
		require.Contains(t, string(must(e.MarshalJSON())), `"timestamp":"`+want+`"`)
		require.True(t, e.Equal(decode(t, string(must(e.MarshalJSON())))))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNewEventRefuses(t *testing.T) {
	type change = func(p *causal.EventParams)
	long := func(n int) string { return strings.Repeat("A", n) }
	tests := []struct {
		name   string
		change change
		want   string
	}{
		{name: "short ID", change: func(p *causal.EventParams) { p.ID = "short" }, want: "event_id must be 26 ASCII letters or digits, or a UUID with hyphens"},
		{name: "long ID", change: func(p *causal.EventParams) { p.ID = causal.EventID(long(27)) }, want: "event_id must be 26 ASCII letters or digits, or a UUID with hyphens"},
		{name: "ID with hyphen", change: func(p *causal.EventParams) { p.ID = "-" + causal.EventID(long(25)) }, want: "event_id must be 26 ASCII letters or digits, or a UUID with hyphens"},
		{name: "no type", change: func(p *causal.EventParams) { p.Type = "" }, want: "event_type must not be empty"},
		{name: "bad type", change: func(p *causal.EventParams) { p.Type = "\xff" }, want: "event_type must be valid UTF-8"},
		{name: "no aggregate", change: func(p *causal.EventParams) { p.AggregateID = "" }, want: "aggregate_id must not be empty"},
		{name: "bad aggregate", change: func(p *causal.EventParams) { p.AggregateID = "a\xc3" }, want: "aggregate_id must be valid UTF-8"},
		{name: "no node", change: func(p *causal.EventParams) { p.NodeID = "" }, want: "node_id must not be empty"},
		{name: "bad node", change: func(p *causal.EventParams) { p.NodeID = "\xed\xa0\x80" }, want: "node_id must be valid UTF-8"},
		{name: "clock", change: func(p *causal.EventParams) { p.LamportClock = -1 }, want: "lamport_clock must not be negative"},
		{name: "causation", change: func(p *causal.EventParams) { p.CausationID = "x" }, want: "causation_id must be 26 ASCII letters or digits, or a UUID with hyphens"},
		{name: "correlation", change: func(p *causal.EventParams) { p.CorrelationID = "x" }, want: "correlation_id must be 26 ASCII letters or digits, or a UUID with hyphens"},
		{name: "no UUID", change: func(p *causal.EventParams) { p.ProjectUUID = "" }, want: "project_uuid must be a UUID with hyphens"},
		{name: "UUID with a hyphen too many", change: func(p *causal.EventParams) { p.ProjectUUID = long(8) + strings.Repeat("-", 28) }, want: "project_uuid must be a UUID with hyphens"},
		{name: "UUID with a G", change: func(p *causal.EventParams) { p.ProjectUUID = "G" + eventtest.ProjectUUID[1:] }, want: "project_uuid must be a UUID with hyphens"},
		{name: "bad slug", change: func(p *causal.EventParams) { p.ProjectSlug = "\xff" }, want: "project_slug must be valid UTF-8"},
		{name: "version", change: func(p *causal.EventParams) { p.SchemaVersion = "1.0" }, want: "schema_version must be three numbers with dots, as in 1.0.0"},
		{name: "version gap", change: func(p *causal.EventParams) { p.SchemaVersion = "1..0" }, want: "schema_version must be three numbers with dots, as in 1.0.0"},
		{name: "tier low", change: func(p *causal.EventParams) { p.DataTier = -1 }, want: "data_tier must not be negative"},
		{name: "tier high", change: func(p *causal.EventParams) { p.DataTier = 5 }, want: "data_tier must be at most 4"},
		{name: "year 0", change: func(p *causal.EventParams) { p.Timestamp = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC) }, want: "timestamp must have a year from 1 to 9999"},
		{name: "year 10000", change: func(p *causal.EventParams) { p.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, want: "timestamp must have a year from 1 to 9999"},
		{name: "year 0 in UTC", change: func(p *causal.EventParams) {
			p.Timestamp = time.Date(1, 1, 1, 0, 0, 1, 0, time.FixedZone("", 3601))
		}, want: "timestamp must have a year from 1 to 9999"},
		{name: "payload array", change: eventtest.WithPayload(`[]`), want: "payload must be a JSON object"},
		{name: "payload null text", change: eventtest.WithPayload(`null`), want: "payload must be a JSON object"},
		{name: "payload empty text", change: eventtest.WithPayload(``), want: "payload is not valid JSON, seen at byte 0"},
		{name: "payload trailing", change: eventtest.WithPayload(`{} {}`), want: "payload is not valid JSON, seen at byte 4"},
		{name: "payload not UTF-8", change: eventtest.WithPayload("{\"a\":\"\xff\"}"), want: "payload must be valid UTF-8"},
		{name: "payload number", change: func(p *causal.EventParams) { p.Payload = 5 }, want: "payload must be a JSON object"},
		{name: "payload slice", change: func(p *causal.EventParams) { p.Payload = []int(nil) }},
		{name: "payload channel", change: func(p *causal.EventParams) { p.Payload = make(chan int) }, want: "payload cannot be encoded as JSON"},
		{name: "payload NaN", change: func(p *causal.EventParams) { p.Payload = map[string]any{"a": math.NaN()} }, want: "payload cannot be encoded as JSON"},
		{name: "payload string not UTF-8", change: func(p *causal.EventParams) { p.Payload = map[string]any{"a": "b\xffc"} }, want: "payload has a string that is not valid UTF-8"},
		{name: "payload name not UTF-8", change: func(p *causal.EventParams) { p.Payload = map[string]any{"\xff": 1} }, want: "payload has a string that is not valid UTF-8"},
		{name: "all", change: func(p *causal.EventParams) { *p = causal.EventParams{LamportClock: -1} }, want: "event_type must not be empty; " +
			"aggregate_id must not be empty; node_id must not be empty; lamport_clock must not be negative; " +
			"project_uuid must be a UUID with hyphens"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := eventtest.Params(1)
			test.change(&p)
			e, err := causal.NewEvent(p)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, causal.ErrValidation)
			requireFault(t, err, test.want)
			require.True(t, e.IsZero())
		})
	}
}

func TestPayloadForms(t *testing.T) {
	type inner struct {
		N int64   `json:"n"`
		S *string `json:"s,omitempty"`
	}
	var nilMap map[string]any
	var nilStruct *inner
	tests := []struct {
		payload any
		want    string
	}{
		{payload: nil, want: `{}`},
		{payload: nilMap, want: `{}`},
		{payload: nilStruct, want: `{}`},
		{payload: json.RawMessage(nil), want: `{}`},
		{payload: json.RawMessage(" {\"a\" : 1.0} \n"), want: `{"a" : 1.0}`},
		{payload: json.RawMessage(`{"a":"\ufffd"}`), want: `{"a":"\ufffd"}`},
		{payload: map[string]any{"a": "\ufffd"}, want: "{\"a\":\"\ufffd\"}"},
		{payload: map[string]any{"a": `\ufffd`}, want: `{"a":"\\ufffd"}`},
		{payload: map[string]any{"b": 1, "a": nil}, want: `{"a":null,"b":1}`},
		{payload: inner{N: math.MaxInt64}, want: `{"n":9223372036854775807}`},
		{payload: &inner{}, want: `{"n":0}`},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%T to %s", test.payload, test.want), func(t *testing.T) {
			e := eventtest.New(t, 1, func(p *causal.EventParams) { p.Payload = test.payload })
			require.Equal(t, test.want, string(e.Payload()))
		})
	}
}

// textID encodes itself as text that is not UTF-8.
type textID struct{ text string }

func (i textID) MarshalText() ([]byte, error) { return []byte(i.text), nil }

// pointerID has its method only on the pointer.
type pointerID struct{ text string }

func (i *pointerID) MarshalText() ([]byte, error) { return []byte(i.text), nil }

// U+FFFD is an ordinary character, even written as an escape. Text that is not
// UTF-8, for which json.Marshal writes the same escape, is refused wherever it
// occurs.
func TestPayloadReplacementCharacter(t *testing.T) {
	type inner struct {
		Text    string
		Ignored string `json:"-"`
		private string
	}
	escaped := json.RawMessage(`"\ufffd"`)
	type base struct{ Text string }
	for name, payload := range map[string]any{
		"raw text in a map":     map[string]json.RawMessage{"a": escaped},
		"beside good strings":   map[string]any{"a": escaped, "b": "\ufffd", "c": []string{"x"}, "d": nil, "e": (*inner)(nil)},
		"fields left out":       map[string]any{"a": escaped, "b": inner{Ignored: "\xff", private: "\xff"}},
		"bytes, which are text": map[string]any{"a": escaped, "b": []byte("\xff")},
		"good text":             map[string]any{"a": escaped, "b": textID{"é"}, "c": &pointerID{"é"}, "d": time.Now()},
	} {
		t.Run(name, func(t *testing.T) {
			p := eventtest.Params(1)
			p.Payload = payload
			_, err := causal.NewEvent(p)
			require.NoError(t, err)
		})
	}
	for name, bad := range map[string]any{
		"string": "\xff", "key": map[string]int{"\xff": 1}, "slice": []string{"a", "\xff"}, "array": [1]string{"\xff"}, "field": inner{Text: "\xff"},
		"pointer": &inner{Text: "\xff"}, "embedded": struct{ base }{base{"\xff"}}, "interface": []any{map[string]any{"a": "\xff"}},
		"text": textID{"\xff"}, "text of a pointer": &pointerID{"\xff"}, "text in a slice": []pointerID{{"\xff"}}, "text as key": map[textID]int{{"\xff"}: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := eventtest.Params(1)
			p.Payload = map[string]any{"a": escaped, "b": bad}
			_, err := causal.NewEvent(p)
			requireFault(t, err, "payload has a string that is not valid UTF-8")
		})
	}
}

func TestPayloadField(t *testing.T) {
	e := eventtest.New(t, 1, eventtest.WithPayload(`{ "a" : 1 , "b":{"a":2, "}":"]"},"a\u0062":[3,"\"]"],"a":"last\\","":null,"é":true,"A":0}`))
	for name, want := range map[string]string{
		"a": `"last\\"`, "b": `{"a":2, "}":"]"}`, "ab": `[3,"\"]"]`, "": `null`, "é": `true`, "A": `0`,
	} {
		value, ok := e.PayloadField(name)
		require.True(t, ok, name)
		require.Equal(t, want, string(value), name)
	}
	for _, name := range []string{"c", `a\u0062`, `"a"`, "a ", "\xff"} {
		_, ok := e.PayloadField(name)
		require.False(t, ok, name)
	}
	_, ok := eventtest.New(t, 1).PayloadField("a")
	require.False(t, ok)
	_, ok = causal.Event{}.PayloadField("a")
	require.False(t, ok)
}

func TestDecodePayload(t *testing.T) {
	e := eventtest.New(t, 1, eventtest.WithPayload(`{"n":9007199254740993}`))
	var v struct{ N int64 }
	require.NoError(t, e.DecodePayload(&v))
	require.Equal(t, int64(9007199254740993), v.N)
	for _, target := range []any{nil, v, &struct{ N string }{}} {
		err := e.DecodePayload(target)
		requireFault(t, err, "payload does not decode into the given type")
		require.Error(t, err.(interface{ Unwrap() error }).Unwrap())
	}
	require.ErrorIs(t, causal.Event{}.DecodePayload(&v), causal.ErrValidation)
}

func TestZeroEvent(t *testing.T) {
	var e causal.Event
	require.True(t, e.IsZero())
	require.True(t, e.Equal(causal.Event{}))
	require.False(t, e.Equal(eventtest.New(t, 1)))
	require.False(t, eventtest.New(t, 1).Equal(e))
	require.Equal(t, "no event", e.String())
	require.Equal(t, "no event", e.LogValue().String())
	require.Nil(t, e.Payload())
	v := reflect.ValueOf(e)
	for i := range v.NumMethod() { // every accessor returns a zero value
		if m := v.Type().Method(i); m.Type.NumIn() == 1 && m.Type.NumOut() == 1 &&
			!slices.Contains([]string{"String", "LogValue", "IsZero"}, m.Name) {
			require.True(t, v.Method(i).Call(nil)[0].IsZero(), m.Name)
		}
	}
}

func TestEqual(t *testing.T) {
	text := func(name, value string) causal.Event { return decode(t, wire(map[string]string{name: value})) }
	payload := func(value string) causal.Event { return text("payload", `{"v":`+value+`}`) }
	base := decode(t, wire(nil))
	for name, value := range map[string]string{
		"event_id": `"01HZXW5B2Q3R4S5T6V7W8X9Y00"`, "event_type": `"x"`, "aggregate_id": `"x"`, "payload": `{}`,
		"timestamp": `"2026-01-26T10:00:01Z"`, "node_id": `"x"`, "lamport_clock": `6`,
		"causation_id": `"01HZXW5B2Q3R4S5T6V7W8X9Y00"`, "project_uuid": `"12345678-1234-5678-1234-567812345679"`,
		"project_slug": `"x"`, "correlation_id": `"01HZXW5B2Q3R4S5T6V7W8X9Y00"`, "schema_version": `"1.0.1"`, "data_tier": `1`,
		"unknown": "1",
	} {
		require.False(t, base.Equal(text(name, value)), name)
		require.True(t, text(name, value).Equal(text(name, value)), name)
	}
	require.True(t, base.Equal(text("timestamp", `"2026-01-26T12:00:00+02:00"`)))
	require.True(t, base.Equal(text("payload", `{"st\u0061te": "done" }`)))
	for _, same := range [][]string{
		{"1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000", "100e-2", "0.001e3"},
		{"0", "-0", "0.0", "-0e5", "0e999999999999999999999"},
		{"-15e-1", "-1.5", "-0.15e1"},
		{`"a/b\n"`, `"a\/b\u000a"`, `"\u0061\u002fb\u000A"`},
		{`"\ud83d\ude00"`, `"😀"`, `"\uD83D\uDE00"`},
		{`"x\ud800y"`, `"\u0078\uD800y"`},
		{`{"a":1,"b":[2,{}]}`, `{"b":[2.0,{}],"a":1}`, `{"a":5,"b":[ 2, { } ],"a":1}`},
		{`[]`, `[ ]`},
		{`1e2147483648`, `1E2147483648`, `10e2147483647`, `0.1e+2147483649`},
		{`1e99999999999999999999`, `10E99999999999999999998`},
	} {
		for _, a := range same {
			for _, b := range same {
				require.True(t, payload(a).Equal(payload(b)), "%s and %s", a, b)
			}
		}
	}
	different := []string{
		"1", "-1", "10", "0.1", "1e1000000000", "9007199254740993", "9007199254740992", "1e99999999999", "2e99999999999", "-1e99999999999",
		`"1"`, `""`, "null", "true", "false", "{}", "[]", "[1]", "[[]]", `{"a":null}`, `["a"]`, "[1,2]", "[2,1]",
		`"\ud800"`, `"\udc00"`, `"\ufffd"`, `"\\ud800"`, `"\udc00\ud800"`,
	}
	for i, a := range different {
		for j, b := range different {
			require.Equal(t, i == j, payload(a).Equal(payload(b)), "%s and %s", a, b)
		}
	}
}

func TestStringAndLogValueHideThePayload(t *testing.T) {
	e := eventtest.New(t, 1, eventtest.WithPayload(`{"password":"S3CRET"}`), func(p *causal.EventParams) {
		p.NodeID, p.CausationID = "al\nice", eventtest.ID(7)
	})
	for _, format := range []string{"%v", "%+v", "%s", "%#v"} {
		require.NotContains(t, fmt.Sprintf(format, e), "S3CRET")
	}
	require.Equal(t, `TEST0000000000000000000001 "WPStatusChanged" on "WP001" by "al\nice" at 1`, e.String())
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("saved", "event", e)
	require.NotContains(t, log.String(), "S3CRET")
	require.Contains(t, log.String(), `"event":{"event_id":"TEST0000000000000000000001","event_type":"WPStatusChanged",`+
		`"aggregate_id":"WP001","node_id":"al\nice","lamport_clock":1,"causation_id":"TEST0000000000000000000007"}`)
}

// The memory of an event cannot be reached, neither through its inputs nor
// through its results.
func TestEventIsImmutable(t *testing.T) {
	raw := json.RawMessage(`{"a":[1,2]}`)
	nested := map[string]any{"a": []int{1, 2}}
	wireText := []byte(wire(map[string]string{"payload": string(raw), "x": "1"}))
	decoded := decode(t, string(wireText))
	var fromBytes causal.Event
	require.NoError(t, fromBytes.UnmarshalJSON(wireText))
	events := []causal.Event{
		eventtest.New(t, 1, func(p *causal.EventParams) { p.Payload = raw }),
		eventtest.New(t, 2, func(p *causal.EventParams) { p.Payload = nested }),
		fromBytes,
	}
	want := make([]string, len(events))
	for i, e := range events {
		want[i] = string(must(e.MarshalJSON()))
	}
	scramble(raw)
	scramble(wireText)
	nested["a"].([]int)[0] = 99
	for i, e := range events {
		scramble(e.Payload())
		scramble(must(e.MarshalJSON()))
		field, ok := e.PayloadField("a")
		require.True(t, ok)
		scramble(field)
		require.Equal(t, want[i], string(must(e.MarshalJSON())))
	}
	require.True(t, decoded.Equal(events[2]))
}

func scramble(b []byte) {
	for i := range b {
		b[i] = '!'
	}
}

func TestNewEventIDIncreases(t *testing.T) {
	const workers, each = 8, 2000
	results := make([][]causal.EventID, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				results[w] = append(results[w], causal.NewEventID())
			}
		})
	}
	wg.Wait()
	seen := map[causal.EventID]bool{}
	for _, ids := range results {
		require.True(t, slices.IsSorted(ids), "one goroutine sees increasing IDs")
		for _, id := range ids {
			require.False(t, seen[id])
			seen[id] = true
		}
	}
	require.Len(t, seen, workers*each)
}

func TestEventFromManyGoroutines(t *testing.T) {
	e := eventtest.New(t, 1, eventtest.WithPayload(`{"a":{"b":[1,2,3]}}`))
	f := eventtest.New(t, 1, eventtest.WithPayload(`{"a": {"b":[1,2,3.0]}}`))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				var v any
				_ = e.String()
				if !e.Equal(f) || e.DecodePayload(&v) != nil || causal.Compare(e, f) != 0 {
					t.Error("wrong answer")
				}
				if _, ok := e.PayloadField("a"); !ok {
					t.Error("no member")
				}
				if _, err := json.Marshal(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestEventVectorClock(t *testing.T) {
	stamped := func(times map[string]int64) func(*causal.EventParams) {
		return func(p *causal.EventParams) { p.NodeID, p.LamportClock, p.VectorClock = "alice", 5, vector(t, times) }
	}
	e := eventtest.New(t, 1, stamped(map[string]int64{"alice": 5, "bob": 4}))
	text := string(must(e.MarshalJSON()))
	require.Contains(t, text, `,"data_tier":0,"vector_clock":{"alice":5,"bob":4}}`)
	require.True(t, e.Equal(decode(t, text)))
	require.Equal(t, `{"alice":5,"bob":4}`, decode(t, text).VectorClock().String())
	plain := eventtest.New(t, 1, stamped(nil))
	require.NotContains(t, string(must(plain.MarshalJSON())), "vector_clock", "absent when empty")
	require.False(t, e.Equal(plain))
	require.True(t, plain.VectorClock().IsZero())
	require.True(t, decode(t, wire(map[string]string{"vector_clock": "{}"})).Equal(decode(t, wire(nil))))

	for name, times := range map[string]map[string]int64{
		"must have lamport_clock as the time of node_id":             {"alice": 4, "bob": 4},
		"must have earlier times than lamport_clock for other nodes": {"alice": 5, "bob": 5},
	} {
		p := eventtest.Params(1)
		stamped(times)(&p)
		_, err := causal.NewEvent(p)
		requireFault(t, err, "vector_clock "+name)
	}
	for value, want := range map[string]string{
		`null`:                  "must be a JSON object",
		`{"alice":4}`:           "must have lamport_clock as the time of node_id",
		`{"bob":1}`:             "must have lamport_clock as the time of node_id",
		`{"alice":5,"bob":6}`:   "must have earlier times than lamport_clock for other nodes",
		`{"bob":1,"alice":5}`:   "must have its nodes in ascending order without duplicates",
		`{"alice":5,"bob":0}`:   "must not have the time 0",
		`{"alice":5,"bob":1.5}`: "has a time that must be an integer without fraction or exponent",
	} {
		var e causal.Event
		err := e.UnmarshalJSON([]byte(wire(map[string]string{"vector_clock": value})))
		requireFault(t, err, "vector_clock "+want)
	}
}

// docs/concepts.md states the size of events with the vector clock of many
// nodes.
func TestVectorClockWeight(t *testing.T) {
	times := map[string]int64{}
	for i := range 1000 {
		times[fmt.Sprintf("node-%07d", i)] = 100_000 + int64(i)
	}
	plain := eventtest.New(t, 1_000_000)
	p := eventtest.Params(1_000_000)
	p.NodeID, p.VectorClock = "node-0000000", must(vector(t, times).Advance("node-0000000", 1_000_000))
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	require.InDelta(t, 22_000, len(must(e.MarshalJSON()))-len(must(plain.MarshalJSON())), 500)
}
