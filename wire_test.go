package causal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// decodeVector is the answer of the reference to the wire text of one event.
type decodeVector struct {
	Name  string
	JSON  string
	OK    bool
	Event json.RawMessage
}

// decodeDifferences lists the inputs with a deliberately different result, and
// the invalid member if we refuse what the reference accepts.
var decodeDifferences = map[string]string{
	// The reference converts other values to integers.
	"lamport:1.0":  "lamport_clock must be an integer without fraction or exponent",
	"lamport:'5'":  "lamport_clock must be an integer without fraction or exponent",
	"lamport:True": "lamport_clock must be an integer without fraction or exponent",
	"tier:'3'":     "data_tier must be an integer without fraction or exponent",
	"tier:2.0":     "data_tier must be an integer without fraction or exponent",
	// The reference accepts seconds since 1970, as a number or as its text.
	"ts:1769421600":   "timestamp must be a string",
	"ts:'1769421600'": "timestamp must be an RFC 3339 date and time, with up to nine decimals",
	"ts:1769421600.5": "timestamp must be a string",
	// The reference accepts every form of a UUID.
	"uuid:'12345678123456781234567812345678'":              "project_uuid must be a UUID with hyphens",
	"uuid:'{12345678-1234-5678-1234-567812345678}'":        "project_uuid must be a UUID with hyphens",
	"uuid:'urn:uuid:12345678-1234-5678-1234-567812345678'": "project_uuid must be a UUID with hyphens",
	// The reference takes the last of two members with the same name.
	"dup-key": "node_id occurs twice",
	// The reference cannot decode \u0000 beside a surrogate pair; we keep the
	// text.
	`payload:{"u": "\u0000\ud83d\ude00"}`: "",
}

func TestDecodeVectors(t *testing.T) {
	differences := 0
	for _, v := range readVectors[decodeVector](t, "decode.jsonl") {
		t.Run(v.Name, func(t *testing.T) {
			var e causal.Event
			err := json.Unmarshal([]byte(v.JSON), &e)
			if reason, differs := decodeDifferences[v.Name]; differs {
				differences++
				require.Equal(t, v.OK, reason != "", "not a difference")
				if reason == "" {
					require.NoError(t, err)
				} else {
					requireFault(t, err, reason)
				}
				return
			}
			if !v.OK {
				require.Error(t, err)
				require.True(t, e.IsZero())
				return
			}
			require.NoError(t, err)
			got, err := json.Marshal(e)
			require.NoError(t, err)
			requireSameMembers(t, v, got)
			var again causal.Event
			require.NoError(t, json.Unmarshal(got, &again))
			require.True(t, e.Equal(again))
		})
	}
	require.Equal(t, len(decodeDifferences), differences, "a vector is missing")
}

// requireSameMembers compares our output with that of the reference, except for
// members that we keep and it drops.
func requireSameMembers(t *testing.T, v decodeVector, got []byte) {
	t.Helper()
	var ours, theirs map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(got, &ours))
	require.NoError(t, json.Unmarshal(v.Event, &theirs))
	if name, differs := strings.CutPrefix(v.Name, "lower:"); differs { // we keep IDs in upper case
		theirs[name] = json.RawMessage(strings.ToUpper(string(theirs[name])))
	}
	for name, want := range theirs {
		if name == "timestamp" { // the reference writes naive ones back without a zone
			var a, b string
			require.NoError(t, json.Unmarshal(want, &a))
			require.NoError(t, json.Unmarshal(ours[name], &b))
			if !strings.ContainsAny(a[len("2006-01-02T"):], "Z+-") {
				a += "Z"
			}
			want, err := time.Parse(time.RFC3339, a)
			require.NoError(t, err)
			have, err := time.Parse(time.RFC3339, b)
			require.NoError(t, err)
			require.True(t, want.Equal(have), "%s and %s", a, b)
			continue
		}
		require.Equal(t, exactJSON(t, want), exactJSON(t, ours[name]), name)
		delete(ours, name)
	}
	delete(ours, "timestamp")
	if v.Name == "unknown-field" {
		require.Len(t, ours, 2, "unknown members are kept")
		return
	}
	require.Empty(t, ours)
}

// exactJSON decodes a value without loss in its numbers.
func exactJSON(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

// wire returns a valid event's JSON with some members replaced, or removed by
// the value "".
func wire(changes map[string]string) string {
	members := []struct{ name, value string }{
		{name: "event_id", value: `"01HZXW5B2Q3R4S5T6V7W8X9Y0Z"`},
		{name: "event_type", value: `"WPStatusChanged"`},
		{name: "aggregate_id", value: `"WP001"`},
		{name: "payload", value: `{"state":"done"}`},
		{name: "timestamp", value: `"2026-01-26T10:00:00Z"`},
		{name: "node_id", value: `"alice"`},
		{name: "lamport_clock", value: `5`},
		{name: "causation_id", value: `null`},
		{name: "project_uuid", value: `"12345678-1234-5678-1234-567812345678"`},
		{name: "project_slug", value: `null`},
		{name: "correlation_id", value: `"01HZXW5B2Q3R4S5T6V7W8X9Y0Z"`},
		{name: "schema_version", value: `"1.0.0"`},
		{name: "data_tier", value: `0`},
	}
	known := map[string]bool{}
	var parts []string
	for _, m := range members {
		known[m.name] = true
		value, changed := changes[m.name]
		if !changed {
			value = m.value
		}
		if value != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", m.name, value))
		}
	}
	for name, value := range changes {
		if !known[name] {
			parts = append(parts, fmt.Sprintf("%q:%s", name, value))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// decode decodes an event, which must be valid.
func decode(t testing.TB, text string) causal.Event {
	t.Helper()
	var e causal.Event
	require.NoError(t, json.Unmarshal([]byte(text), &e))
	return e
}

func TestDecodeRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	tests := map[string]struct{ text, field, reason string }{
		"no text":                 {text: "", reason: "is not valid JSON, seen at byte 0"},
		"space":                   {text: " ", reason: "is not valid JSON, seen at byte 1"},
		"null":                    {text: "null", reason: "must be a JSON object"},
		"array":                   {text: "[]", reason: "must be a JSON object"},
		"number":                  {text: "5", reason: "must be a JSON object"},
		"truncated":               {text: `{"event_id":`, reason: "is not valid JSON, seen at byte 12"},
		"trailing data":           {text: wire(nil) + "{}", reason: fmt.Sprintf("is not valid JSON, seen at byte %d", len(wire(nil))+1)},
		"byte order mark":         {text: "\ufeff" + wire(nil), reason: "is not valid JSON, seen at byte 1"},
		"invalid UTF-8":           {text: wire(map[string]string{"node_id": "\"a\xff\""}), reason: "must be valid UTF-8"},
		"invalid UTF-8 payload":   {text: wire(map[string]string{"payload": "{\"a\":\"\xff\"}"}), reason: "must be valid UTF-8"},
		"half a pair":             {text: wire(map[string]string{"node_id": `"\ud83d"`}), field: "node_id", reason: "must not contain half of a surrogate pair"},
		"half a pair in a name":   {text: `{"\udc00":1}`, reason: "has a member name with half of a surrogate pair"},
		"empty causation ID":      {text: wire(map[string]string{"causation_id": `""`}), field: "causation_id", reason: "must be 26 ASCII letters or digits, or a UUID with hyphens"},
		"ID with space":           {text: wire(map[string]string{"event_id": `" 1HZXW5B2Q3R4S5T6V7W8X9Y0Z"`}), field: "event_id", reason: "must be 26 ASCII letters or digits, or a UUID with hyphens"},
		"ID of other letters":     {text: wire(map[string]string{"event_id": `"é1HZXW5B2Q3R4S5T6V7W8X9Y0"`}), field: "event_id", reason: "must be 26 ASCII letters or digits, or a UUID with hyphens"},
		"slug number":             {text: wire(map[string]string{"project_slug": `1`}), field: "project_slug", reason: "must be a string"},
		"type array":              {text: wire(map[string]string{"event_type": `["a"]`}), field: "event_type", reason: "must be a string"},
		"clock 2^63":              {text: wire(map[string]string{"lamport_clock": `9223372036854775808`}), field: "lamport_clock", reason: "does not fit in 64 bits"},
		"clock 1e3":               {text: wire(map[string]string{"lamport_clock": `1e3`}), field: "lamport_clock", reason: "must be an integer without fraction or exponent"},
		"clock null":              {text: wire(map[string]string{"lamport_clock": `null`}), field: "lamport_clock", reason: "must not be null"},
		"clock negative":          {text: wire(map[string]string{"lamport_clock": `-1`}), field: "lamport_clock", reason: "must not be negative"},
		"tier 2^32":               {text: wire(map[string]string{"data_tier": `4294967296`}), field: "data_tier", reason: "must be at most 4"},
		"tier negative":           {text: wire(map[string]string{"data_tier": `-4294967295`}), field: "data_tier", reason: "must not be negative"},
		"payload null":            {text: wire(map[string]string{"payload": `null`}), field: "payload", reason: "must be a JSON object"},
		"payload 1001 deep":       {text: wire(map[string]string{"payload": deep(1001)}), field: "payload", reason: "is nested too deeply"},
		"payload 9000 deep":       {text: wire(map[string]string{"payload": deep(9000)}), field: "payload", reason: "is nested too deeply"},
		"unknown 1001 deep":       {text: wire(map[string]string{"x": deep(1001)}), reason: "has an unknown member that is nested too deeply"},
		"known twice":             {text: strings.Replace(wire(nil), "{", `{"node_id":"a",`, 1), field: "node_id", reason: "occurs twice"},
		"known twice, escaped":    {text: strings.Replace(wire(nil), "{", `{"node\u005fid":"a",`, 1), field: "node_id", reason: "occurs twice"},
		"unknown twice":           {text: strings.Replace(wire(nil), "{", `{"x":1,"\u0078":1,`, 1), reason: "has an unknown member that occurs twice"},
		"names differ in case":    {text: wire(map[string]string{"node_id": "", "Node_ID": `"a"`}), field: "node_id", reason: "is missing"},
		"version with sign":       {text: wire(map[string]string{"schema_version": `"1.-1.0"`}), field: "schema_version", reason: "must be three numbers with dots, as in 1.0.0"},
		"version in other digits": {text: wire(map[string]string{"schema_version": `"١.٠.٠"`}), field: "schema_version", reason: "must be three numbers with dots, as in 1.0.0"},
		"spaces and digits":       {text: wire(map[string]string{"lamport_clock": `" 5 "`}), field: "lamport_clock", reason: "must be an integer without fraction or exponent"},
		"version four":            {text: wire(map[string]string{"schema_version": `"1.0.0.0"`}), field: "schema_version", reason: "must be three numbers with dots, as in 1.0.0"},
	}
	for _, text := range []string{
		"2026-01-26T10:00", "2026-01-26T10:00:00,5Z", "2026-01-26t10:00:00Z", "2026-01-26T10:00:00z", "2026-01-26T10:00:00.Z",
		"2026-01-26T10:00:00.1234567890Z", "2026-01-26T10:00:00.1234567890", "2026-01-26T10:00:00.1234567890+01:00",
		"2026-01-26T24:00:00Z", "2026-01-26T10:60:00Z", "2026-01-26T10:00:60Z", "2026-01-26T10:00:00+24:00", "2026-01-26T10:00:00-24:00", "2026-01-26T10:00:00+01:60", "2026-01-26T1:00:00.5Z",
		"2026-01-26T10:00:00+0100", "2026-01-26T10:00:00 Z", "12026-01-26T10:00:00Z", "-026-01-26T10:00:00Z", " 2026-01-26",
		"2026-01-26T10:00:00+0000", "2026-01-26_10:00:00Z", "20260126", "2026-1-26", "2026-01-26T9:00:00Z", "2026-01-26T10:00:00ZZ", "2026-02-29", "２026-01-26",
	} {
		tests["timestamp "+text] = struct{ text, field, reason string }{
			wire(map[string]string{"timestamp": fmt.Sprintf("%q", text)}), "timestamp",
			"must be an RFC 3339 date and time, with up to nine decimals",
		}
	}
	tests["timestamp year 0"] = struct{ text, field, reason string }{
		wire(map[string]string{"timestamp": `"0000-12-31T00:00:00Z"`}), "timestamp", "must have a year from 1 to 9999",
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := decode(t, wire(nil))
			e := before
			err := e.UnmarshalJSON([]byte(test.text))
			require.ErrorIs(t, err, causal.ErrValidation)
			var ve *causal.ValidationError
			require.ErrorAs(t, err, &ve)
			require.Equal(t, []causal.FieldError{{Field: test.field, Reason: test.reason}}, ve.Fields)
			require.True(t, e.Equal(before), "the target has changed")
		})
	}
}

// encoding/json itself gives up at 10,000, before our limit is checked.
func TestRefuses10000Deep(t *testing.T) {
	payload := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	var e causal.Event
	require.EqualError(t, e.UnmarshalJSON([]byte(wire(map[string]string{"payload": payload}))),
		"causal: validation failed: is nested too deeply")
	p := eventtest.Params(1)
	p.Payload = json.RawMessage(payload)
	_, err := causal.NewEvent(p)
	requireFault(t, err, "payload is nested too deeply")
	var nested any = 1
	for range 1001 {
		nested = []any{nested}
	}
	p.Payload = map[string]any{"a": nested}
	_, err = causal.NewEvent(p)
	requireFault(t, err, "payload is nested too deeply")
	p.Payload = map[string]any{"a": nested.([]any)[0].([]any)[0]}
	_, err = causal.NewEvent(p)
	require.NoError(t, err, "1000 deep is allowed")
}

// The name of an unknown member is a text of the sender, too.
func TestUnknownNamesAreHidden(t *testing.T) {
	var e causal.Event
	for _, text := range []string{`{"S3CRET\n":1,"S3CRET\u000a":2}`, `{"S3CRET":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`} {
		err := e.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, causal.ErrValidation)
		require.NotContains(t, fmt.Sprintf("%v %#v", err, err), "S3CRET")
	}
}

func TestDecodeNamesEveryFault(t *testing.T) {
	text := wire(map[string]string{
		"event_type": `""`, "payload": `[]`, "node_id": `""`, "lamport_clock": `-1`, "data_tier": `9`, "project_uuid": "",
	})
	var e causal.Event
	err := e.UnmarshalJSON([]byte(text))
	requireFault(t, err, "event_type must not be empty; payload must be a JSON object; "+
		"node_id must not be empty; lamport_clock must not be negative; project_uuid is missing; "+
		"data_tier must be at most 4")
	var ve *causal.ValidationError
	require.ErrorAs(t, err, &ve)
	require.Equal(t, causal.EventID("01HZXW5B2Q3R4S5T6V7W8X9Y0Z"), ve.EventID)
}

func TestErrorsNeverShowValues(t *testing.T) {
	for name := range map[string]bool{
		"event_id": true, "event_type": true, "payload": true, "timestamp": true, "node_id": true,
		"lamport_clock": true, "causation_id": true, "project_uuid": true, "data_tier": true, "schema_version": true,
	} {
		for _, value := range []string{`"S3CRET` + "\xff" + `"`, `["S3CRET"]`, `{"S3CRET":"S3CRET"`, `"S3CRET`} {
			var e causal.Event
			if err := e.UnmarshalJSON([]byte(wire(map[string]string{name: value}))); err != nil {
				require.NotContains(t, err.Error(), "S3CRET")
			}
		}
	}
	type secret struct{ S3CRET func() }
	_, err := causal.NewEvent(causal.EventParams{
		Type: "x", AggregateID: "x", NodeID: "x", ProjectUUID: eventtest.ProjectUUID, Payload: secret{},
	})
	requireFault(t, err, "payload cannot be encoded as JSON")
	var unsupported *json.UnsupportedTypeError
	require.ErrorAs(t, err, &unsupported, "the cause is there for those who ask")
}

func TestDecodeTimestamps(t *testing.T) {
	tests := map[string]struct {
		want time.Time
		text string // as encoded
	}{
		"2026-01-26T10:00:00Z":                {want: eventtest.Time, text: "2026-01-26T10:00:00Z"},
		"2026-01-26T10:00:00":                 {want: eventtest.Time, text: "2026-01-26T10:00:00Z"},
		"2026-01-26 10:00:00":                 {want: eventtest.Time, text: "2026-01-26T10:00:00Z"},
		"2026-01-26 10:00:00+00:00":           {want: eventtest.Time, text: "2026-01-26T10:00:00Z"},
		"2026-01-26":                          {want: eventtest.Time.Add(-10 * time.Hour), text: "2026-01-26T00:00:00Z"},
		"2026-01-26T10:00:00.123456789Z":      {want: eventtest.Time.Add(123456789), text: "2026-01-26T10:00:00.123456789Z"},
		"2026-01-26T10:00:00.123456789":       {want: eventtest.Time.Add(123456789), text: "2026-01-26T10:00:00.123456789Z"},
		"2026-01-26T12:30:00.000000001+02:30": {want: eventtest.Time.Add(1), text: "2026-01-26T12:30:00.000000001+02:30"},
		"2026-01-26T04:30:00-05:30":           {want: eventtest.Time, text: "2026-01-26T04:30:00-05:30"},
		"0001-01-01T00:00:00Z":                {want: time.Time{}, text: "0001-01-01T00:00:00Z"},
		"9999-12-31T23:59:59.999999999-12:00": {
			want: time.Date(10000, 1, 1, 11, 59, 59, 999999999, time.UTC), text: "9999-12-31T23:59:59.999999999-12:00",
		},
	}
	for text, test := range tests {
		t.Run(text, func(t *testing.T) {
			e := decode(t, wire(map[string]string{"timestamp": fmt.Sprintf("%q", text)}))
			require.True(t, test.want.Equal(e.Timestamp()), e.Timestamp())
			data, err := e.MarshalJSON()
			require.NoError(t, err)
			require.Contains(t, string(data), fmt.Sprintf(`"timestamp":%q`, test.text))
		})
	}
}

// Peers use UUIDs as event IDs, and ULIDs in either case: one ID is one event.
func TestEventIDsInAnyCase(t *testing.T) {
	for _, test := range []struct{ written, want string }{
		{written: "01HV6Z5Q8M2N4P6R8T0V2X4Z6B", want: "01HV6Z5Q8M2N4P6R8T0V2X4Z6B"},
		{written: "01hv6z5q8m2n4p6r8t0v2x4z6b", want: "01HV6Z5Q8M2N4P6R8T0V2X4Z6B"},
		{written: "9B1DEB4D-3b7d-4bad-9bdd-2b0d7b3dcb6d", want: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"},
	} {
		t.Run(test.written, func(t *testing.T) {
			quoted := `"` + test.written + `"`
			e := decode(t, wire(map[string]string{"event_id": quoted, "causation_id": quoted, "correlation_id": quoted}))
			require.EqualValues(t, test.want, e.ID())
			require.EqualValues(t, test.want, e.CausationID())
			require.EqualValues(t, test.want, e.CorrelationID())
			p := eventtest.Params(1)
			p.ID, p.CausationID, p.CorrelationID = causal.EventID(test.written), causal.EventID(test.written), causal.EventID(test.written)
			made, err := causal.NewEvent(p)
			require.NoError(t, err)
			require.EqualValues(t, test.want, made.ID())
			require.EqualValues(t, test.want, made.CausationID())
			require.EqualValues(t, test.want, made.CorrelationID())
			text := string(must(e.MarshalJSON()))
			require.Equal(t, 3, strings.Count(text, `"`+test.want+`"`))
		})
	}
}

// A state has one text, so an ID in another case is refused, not changed.
func TestStatesRefuseIDsInAnotherCase(t *testing.T) {
	for id, want := range map[string]string{
		"01hv6z5q8m2n4p6r8t0v2x4z6b":           "must be in its canonical case",
		"9B1DEB4D-3b7d-4bad-9bdd-2b0d7b3dcb6d": "must be in its canonical case",
		"9b1deb4d":                             "must be 26 ASCII letters or digits, or a UUID with hyphens",
	} {
		var r causal.LWWRegister[string]
		err := r.UnmarshalJSON([]byte(`{"value":"a","lamport_clock":1,"node_id":"a","event_id":"` + id + `"}`))
		requireFault(t, err, "event_id "+want)
		var c causal.PNCounter
		err = c.UnmarshalJSON([]byte(`{"totals":[],"events":[{"event_id":"` + id + `","node_id":"a","lamport_clock":1,"delta":1}],"seen":{}}`))
		requireFault(t, err, "events has an item whose event_id "+want)
	}
}

func TestUnknownMembersAreKept(t *testing.T) {
	text := `{"z":{"n":12345678901234567890.50},` + wire(map[string]string{"build_id": `"b<1>"`, "": `[1, 2]`})[1:]
	e := decode(t, text)
	data, err := e.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, exactJSON(t, []byte(text)), exactJSON(t, data))
	require.False(t, e.Equal(decode(t, wire(nil))))
	require.True(t, e.Equal(decode(t, string(data))))
	require.Contains(t, string(data), `"z":{"n":12345678901234567890.50}`)
}

func TestPayloadTextIsKept(t *testing.T) {
	for _, payload := range []string{
		`{}`, `{ "b": 1.0, "a": 1e2 , "b2":-0.0}`, `{"n":123456789012345678901234567890}`, `{"u":"\u0000\ud800\u00e9é\/"}`,
		"{\"a\":\n\t[1,\r\n2]}", `{"a":1,"a":2}`, `{"<":"&"}`, `{"":{"":[]}}`,
	} {
		e := decode(t, wire(map[string]string{"payload": payload}))
		require.Equal(t, payload, string(e.Payload()))
		data, err := e.MarshalJSON()
		require.NoError(t, err)
		require.Contains(t, string(data), `"payload":`+payload+`,"timestamp"`)
		require.True(t, e.Equal(decode(t, string(data))))
		made := eventtest.New(t, 1, eventtest.WithPayload(payload))
		require.Equal(t, payload, string(made.Payload()))
	}
}

func TestEncodeIsCanonical(t *testing.T) {
	text := wire(map[string]string{
		"project_uuid": `"12345678-1234-5678-1234-56781234ABCD"`, "project_slug": `"a\u00e9\"\\<\u2028"`,
		"causation_id": `"01HZXW5B2Q3R4S5T6V7W8X9Y00"`, "node_id": `"\t"`,
	})
	data, err := decode(t, "\n"+text+" ").MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, wire(map[string]string{
		"project_uuid": `"12345678-1234-5678-1234-56781234abcd"`, "project_slug": `"aé\"\\\u003c\u2028"`,
		"causation_id": `"01HZXW5B2Q3R4S5T6V7W8X9Y00"`, "node_id": `"\t"`,
	}), string(data))
}

func TestSlugNullAndEmptyDiffer(t *testing.T) {
	empty, null := decode(t, wire(map[string]string{"project_slug": `""`})), decode(t, wire(nil))
	require.False(t, empty.Equal(null))
	for text, e := range map[string]causal.Event{`"project_slug":""`: empty, `"project_slug":null`: null} {
		data, err := e.MarshalJSON()
		require.NoError(t, err)
		require.Contains(t, string(data), text)
	}
}

func TestZeroEventHasNoJSON(t *testing.T) {
	_, err := json.Marshal(causal.Event{})
	require.ErrorIs(t, err, causal.ErrValidation)
}

func TestTenMegabytePayload(t *testing.T) {
	payload := `{"text":"` + strings.Repeat("x", 10<<20) + `","n":1}`
	e := decode(t, wire(map[string]string{"payload": payload}))
	n, ok := e.PayloadField("n")
	require.True(t, ok)
	require.Equal(t, "1", string(n))
	many := `{"a":[` + strings.Repeat(`"\ud800",`, 50_000) + `1]}`
	require.True(t, decode(t, wire(map[string]string{"payload": many})).
		Equal(decode(t, wire(map[string]string{"payload": many + " "}))))
	deepWide := strings.Repeat(`[`, 900) + strings.Repeat("1,", 1<<17) + "1" + strings.Repeat(`]`, 900)
	a := decode(t, wire(map[string]string{"payload": `{"a":` + deepWide + "}"}))
	b := decode(t, wire(map[string]string{"payload": `{"a": ` + deepWide + "}"}))
	require.True(t, a.Equal(b))
}
