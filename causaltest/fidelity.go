package causaltest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var fidelityCases = []eventCase{
	{
		name:  "fidelity/payloads",
		claim: "A payload is returned as the same JSON value, to the last digit, and different payloads stay different.",
		run: func(t *testing.T, c eventConfig) {
			requireFaithful(t, c, payloadEvents(t))
		},
	},
	{
		name:  "fidelity/large",
		claim: "A payload of the size stated by the store is returned completely.",
		run: func(t *testing.T, c eventConfig) {
			size := c.Limits.Payload
			if size == 0 {
				size = 10_000_000
			}
			const frame = len(`{"text":""}`)
			requireFaithful(t, c, []causal.Event{
				event(t, 1, with(`{"text":"`+strings.Repeat("x", size-frame)+`"}`)),
				event(t, 2),
			})
		},
	},
	{
		name:  "fidelity/times",
		claim: "A timestamp is returned with its nanoseconds and its offset.",
		run: func(t *testing.T, c eventConfig) {
			zone := func(minutes int) *time.Location { return time.FixedZone("", 60*minutes) }
			var all []causal.Event
			for i, at := range []time.Time{
				baseTime, baseTime.Add(1), baseTime.Add(999_999_999), baseTime.Add(123_456_000), baseTime.In(zone(330)), baseTime.In(zone(-1439)),
				time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
				time.Date(9999, 12, 31, 23, 59, 59, 0, zone(-720)), time.Date(1969, 12, 31, 23, 59, 59, 5, time.UTC),
			} {
				all = append(all, event(t, i, func(p *causal.EventParams) { p.Timestamp = at }))
			}
			requireFaithful(t, c, all)
		},
	},
	{
		name:  "fidelity/members",
		claim: "Every member of an event is preserved: optional ones that are absent, null or empty, those about its past, and unknown ones.",
		run: func(t *testing.T, c eventConfig) {
			all := []causal.Event{
				event(t, 1),
				event(t, 2, func(p *causal.EventParams) { p.ProjectSlug, p.CausationID = "slug", eventID(1) }),
				event(t, 3, func(p *causal.EventParams) {
					p.CorrelationID, p.SchemaVersion, p.DataTier, p.Type = eventID(1), "12.0.34", 4, "é\u2028<&>\x00"
				}),
				event(t, 7, seeing(t, map[string]int64{"alice": 7, "bob": 6, "é\x00": 1})),
				event(t, 8, func(p *causal.EventParams) { p.Parents = []causal.EventID{} }),
				event(t, 9, func(p *causal.EventParams) {
					p.Parents, p.PreviousClock = []causal.EventID{eventID(8), "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"}, 8
				}),
			}
			for i, members := range []string{
				`"project_slug":""`, `"project_slug":null`, `"future":{"a":[1.50,null,"\u0000"]},"Future":1e400`,
				`"x":"\ud800","":0`, `"vector_clock":{"alice":5}`,
			} {
				all = append(all, withMembers(t, event(t, 10+i, on("alice", 5)), members))
			}
			requireFaithful(t, c, all)
		},
	},
	{
		name:  "fidelity/mutation",
		claim: "Modifying arguments and results does not change stored events.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, 5)
			batch := slices.Clone(all)
			require.NoError(t, causal.SaveAll(ctx, s, batch))
			for i := range batch {
				batch[i] = event(t, 900+i)
			}
			for range 2 {
				got, err := s.LoadEvents(ctx, "A")
				require.NoError(t, err)
				requireSame(t, all, got)
				for i := range got {
					payload := got[i].Payload()
					for j := range payload {
						payload[j] = 'x'
					}
					got[i] = event(t, 900+i)
				}
				_ = append(got, event(t, 999))
			}
			requireAll(t, s, all...)
			saveAll(t, s, event(t, 7))
			requireAll(t, s, append(all, event(t, 7))...)
		},
	},
}

// payloadEvents are events with payloads that are easily damaged.
func payloadEvents(t tester) []causal.Event {
	nested := strings.Repeat(`{"a":[`, 50) + strings.Repeat(`]}`, 50)
	var all []causal.Event
	for i, payload := range []string{
		`{}`, nested, `{"a":null}`, `{"a":{}}`, `{"a":[]}`, `{"a":""}`, `{"a":0}`, `{"a":false}`,
		`{"a":-0.0}`, `{"a":1e0}`, `{"a":1.50}`, `{"a":9007199254740993}`, `{"a":123456789012345678901234567890}`,
		`{"a":0.1234567890123456789}`, `{"a":1e400}`, `{"a":1E-400}`,
		`{"a":"\u0000"}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"a":"\ud83d\ude00"}`, `{"a":"😀"}`,
		"{\"a\":\"\u2028\u2029\"}", "{\"a\":\"\u00e9\"}", "{\"a\":\"e\u0301\"}", `{"a":"<script>&'\"\\"}`, `{"a":" \t\r\n"}`,
		`{"":1,"a\u0000b":2,"A":3,"a":4}`, `{"b":1,"a":2}`, `{ "spaced" : [ 1 , 2 ] }`, "{\"a\":\"\ufffd\"}", "{\"a\":\"\ufeff\"}",
	} {
		all = append(all, event(t, i, with(payload)))
	}
	return all
}

// requireFaithful requires that the store returns the events unchanged, in
// every kind of read. Events must be Equal, and their payloads have the same
// text except for white space.
func requireFaithful(t *testing.T, c eventConfig, all []causal.Event) {
	t.Helper()
	s := c.Open(t)
	saveAll(t, s, all...)
	check := func(s causal.EventStore) {
		requireOrder(t, s, all)
		got, err := causal.LoadAll(t.Context(), s)
		require.NoError(t, err)
		for i, want := range inOrder(all) {
			require.Equal(t, fingerprint(t, want), fingerprint(t, got[i]))
		}
	}
	check(s)
	if log, ok := s.(causal.LogReader); ok {
		requireSame(t, all, readLog(t, log, causal.Cursor{}))
	}
	if c.Peer != nil {
		check(c.Peer(t, s))
	}
	if c.Reopen != nil {
		check(c.Reopen(t, s))
	}
}

// fingerprint returns the members of an event as decoded JSON whose numbers
// keep their text, so that 1 and 1.0 differ. Of large events it returns only
// the size.
func fingerprint(t tester, e causal.Event) any {
	text, err := e.MarshalJSON()
	require.NoError(t, err)
	if len(text) > 1_000_000 {
		return len(text)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var members map[string]any
	require.NoError(t, d.Decode(&members))
	return fmt.Sprintf("%q", members)
}
