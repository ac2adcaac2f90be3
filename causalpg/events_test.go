package causalpg_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
)

func TestSaveEvent(t *testing.T) {
	schema := newSchema(t)
	s := openIn(t, schema)
	loaded, err := s.LoadEvents(ctx, "WP001")
	require.NoError(t, err)
	require.Empty(t, loaded)
	require.Empty(t, loadAll(t, s))

	e := newEvent(t, 5, with(`{"n":1}`))
	require.NoError(t, s.SaveEvent(ctx, e))
	require.NoError(t, s.SaveEvent(ctx, e))
	same := newEvent(t, 5, with(`{ "n" : 1.0 }`), func(p *causal.EventParams) { p.Timestamp = p.Timestamp.UTC() })
	require.NoError(t, s.SaveEvent(ctx, same), "the same content in other words")

	for name, other := range map[string]causal.Event{
		"payload":   newEvent(t, 5, with(`{"n":2}`)),
		"aggregate": newEvent(t, 5, with(`{"n":1}`), func(p *causal.EventParams) { p.AggregateID = "WP002" }),
		"time":      newEvent(t, 5, with(`{"n":1}`), func(p *causal.EventParams) { p.Timestamp = testTime.Add(1) }),
	} {
		err := s.SaveEvent(ctx, other)
		var conflict *causal.EventConflictError
		require.ErrorAs(t, err, &conflict, name)
		require.Equal(t, testID(5), conflict.ID)
		require.NotErrorIs(t, err, causal.ErrStorage)
	}
	check := func(s *causalpg.Store) {
		all := loadAll(t, s)
		requireEqualEvents(t, []causal.Event{e}, all)
		require.JSONEq(t, `{"n":1}`, string(all[0].Payload()))
		require.Len(t, readLog(t, s, causal.Cursor{}), 1)
		loaded, err := s.LoadEvents(ctx, "WP002")
		require.NoError(t, err)
		require.Empty(t, loaded)
	}
	check(s)
	require.NoError(t, s.Close())
	s = openIn(t, schema)
	check(s)
	require.NoError(t, s.SaveEvent(ctx, e))
	require.ErrorIs(t, s.SaveEvent(ctx, newEvent(t, 5)), causal.ErrEventConflict)
	check(s)
}

func TestSaveEvents(t *testing.T) {
	s := openNew(t)
	require.NoError(t, s.SaveEvents(ctx, nil))
	events := newEvents(t, 0, 100)
	require.NoError(t, s.SaveEvents(ctx, events))
	conflicting := slices.Concat(newEvents(t, 100, 157), []causal.Event{newEvent(t, 50, with(`{"x":1}`))}, newEvents(t, 157, 200))
	for name, test := range map[string]struct {
		batch []causal.Event
		want  error
	}{
		"conflict with a stored event": {conflicting, causal.ErrEventConflict},
		"conflict at the start":        {conflicting[57:], causal.ErrEventConflict},
		"conflict in the batch":        {[]causal.Event{newEvent(t, 300), newEvent(t, 300, with(`{"x":1}`))}, causal.ErrEventConflict},
		"zero event":                   {append(newEvents(t, 400, 457), causal.Event{}), causal.ErrValidation},
	} {
		require.ErrorIs(t, s.SaveEvents(ctx, test.batch), test.want, name)
		requireEqualEvents(t, events, loadAll(t, s))
	}
	mixed := slices.Concat(newEvents(t, 90, 110), newEvents(t, 105, 120))
	require.NoError(t, s.SaveEvents(ctx, mixed), "partly stored, partly twice in the batch")
	requireEqualEvents(t, newEvents(t, 0, 120), loadAll(t, s))
	entries := readLog(t, s, causal.Cursor{})
	require.Len(t, entries, 120)
	for i, e := range entries {
		require.Equal(t, testID(i), e.Event.ID(), "refused batches leave no gap")
	}
	require.NoError(t, s.SaveEvents(ctx, newEvents(t, 1000, 3000)), "more than any limit on variables")
	require.Len(t, loadAll(t, s), 2120)
}

// Events sort as Compare says, byte by byte, wherever they are read.
func TestOrder(t *testing.T) {
	s := openNew(t)
	var events []causal.Event
	nodes := []string{"node-10", "node-2", "Node-1", "é", "\U00010000", "\uFFFD", "a\x00b", "a", "a\x00", "a ", "ä"}
	for _, clock := range []int64{0, 1, 1<<53 + 1, math.MaxInt64} {
		for i, node := range nodes {
			for j := range 2 { // one node that used a value twice
				events = append(events, newEvent(t, len(events)*7919%1009, func(p *causal.EventParams) {
					p.NodeID, p.LamportClock = node, clock
					p.AggregateID = fmt.Sprint("WP", (i+j)%3)
				}))
			}
		}
	}
	slices.SortFunc(events, causal.Compare)
	reversed := slices.Clone(events)
	slices.Reverse(reversed)
	for _, e := range reversed {
		require.NoError(t, s.SaveEvent(ctx, e))
	}
	requireEqualEvents(t, events, loadAll(t, s))
	for n, e := range readLog(t, s, causal.Cursor{}) {
		require.Equal(t, reversed[n].ID(), e.Event.ID())
	}
	for i := range 3 {
		id := fmt.Sprint("WP", i)
		loaded, err := s.LoadEvents(ctx, id)
		require.NoError(t, err)
		requireEqualEvents(t, slices.DeleteFunc(slices.Clone(events), func(e causal.Event) bool { return e.AggregateID() != id }), loaded)
	}
}

// No two aggregates share a key, whatever their IDs contain.
func TestKeys(t *testing.T) {
	s := openNew(t)
	long := strings.Repeat("x", 5000)
	keys := []string{
		"a.b", "a*", ">", " ", "a/b", "a_b", "a%b", "a'b", "a\x00", "a\x00b", "a\n", "A1", "A10", "a1", "..", "x", long, long + "y",
		"trailing ", "trailing", "é", "e\u0301", "\u2028", "😀", `"`, `\`, "?", "null",
	}
	for i, key := range keys {
		require.NoError(t, s.SaveEvent(ctx, newEvent(t, i, func(p *causal.EventParams) {
			p.AggregateID, p.NodeID, p.LamportClock = key, key, 7
		})))
		require.NoError(t, s.SaveClock(ctx, key, int64(i)))
	}
	for i, key := range keys {
		loaded, err := s.LoadEvents(ctx, key)
		require.NoError(t, err)
		require.Equal(t, []causal.EventID{testID(i)}, ids(loaded), "%q", key)
		require.Equal(t, key, loaded[0].AggregateID())
		require.Equal(t, key, loaded[0].NodeID())
		value, err := s.LoadClock(ctx, key)
		require.NoError(t, err)
		require.EqualValues(t, i, value)
	}
	require.Len(t, loadAll(t, s), len(keys))
}

// What is loaded is what was saved, to the last byte of its JSON.
func TestFidelity(t *testing.T) {
	schema := newSchema(t)
	s := openIn(t, schema)
	var events []causal.Event
	for _, payload := range []string{
		`{}`, `{"a":1,"b":1.0,"c":1e0,"d":-0.0,"e":12345678901234567890123}`, `{"a":null}`, `{"z":1,"a":2}`,
		`{"nul":"\u0000","half":"\ud800","line":"\u2028","emoji":"😀","html":"<&>","nfc":"é","nfd":"é"}`,
		`{"deep":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		`{"long":"` + strings.Repeat("y", 1<<20) + `"}`,
	} {
		events = append(events, newEvent(t, len(events), with(payload)))
	}
	for _, when := range []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 1, 1, 0, 0, 0, 1000, time.FixedZone("", -3*60*60)),
	} {
		events = append(events, newEvent(t, len(events), func(p *causal.EventParams) {
			p.Timestamp, p.CausationID, p.ProjectSlug, p.DataTier = when, testID(99), "slug", 4
		}))
	}
	var foreign causal.Event
	require.NoError(t, json.Unmarshal([]byte(`{"event_id":"TEST0000000000000000000900","event_type":"x","aggregate_id":"a",`+
		`"payload":{"k":[1,2.50]},"timestamp":"2026-01-26T10:00:00+05:30","node_id":"n","lamport_clock":2,`+
		`"causation_id":null,"project_uuid":"`+projectUUID+`","project_slug":"","correlation_id":"TEST0000000000000000000900",`+
		`"schema_version":"1.0.0","data_tier":0,"vector_clock":{"m":1,"n":2},"x-unknown":{"b":[1.0,null]}}`), &foreign))
	events = append(events, foreign)
	require.NoError(t, s.SaveEvents(ctx, events))
	require.NoError(t, s.Close())
	stored := map[causal.EventID]causal.Event{}
	for _, e := range loadAll(t, openIn(t, schema)) {
		stored[e.ID()] = e
	}
	for _, e := range events {
		want, err := e.MarshalJSON()
		require.NoError(t, err)
		got, err := stored[e.ID()].MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		require.True(t, e.Equal(stored[e.ID()]))
	}
}

// The same event from many sides is one entry, and the log numbers the entries
// without gaps.
func TestConcurrentSaves(t *testing.T) {
	schema := newSchema(t)
	stores := []*causalpg.Store{openIn(t, schema), openIn(t, schema)}
	var wg sync.WaitGroup
	for worker := range 32 {
		s := stores[worker%2]
		wg.Go(func() {
			for n := range 5 {
				if err := s.SaveEvent(ctx, newEvent(t, n)); err != nil {
					t.Error(err)
				}
				if err := s.SaveEvent(ctx, newEvent(t, 1000+worker*100+n)); err != nil {
					t.Error(err)
				}
				batch := newEvents(t, 10000+worker*100+n*10, 10000+worker*100+n*10+3)
				if err := s.SaveEvents(ctx, append(batch, newEvent(t, n))); err != nil {
					t.Error(err)
				}
				// Refused writes are in the same transactions, and harm nobody.
				bad := newEvent(t, n, with(`{"other":true}`))
				if err := s.SaveEvents(ctx, []causal.Event{newEvent(t, 90000+worker), newEvent(t, n), bad}); !errorIsConflict(err) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		require.Len(t, loadAll(t, s), 5+32*5+32*5*3)
		entries := readLog(t, s, causal.Cursor{})
		require.Len(t, entries, 5+32*5+32*5*3)
		head, err := s.Head(ctx)
		require.NoError(t, err)
		require.Equal(t, head, entries[len(entries)-1].Cursor)
	}
}

func errorIsConflict(err error) bool {
	_, ok := err.(*causal.EventConflictError)
	return ok
}

// Nobody sees a part of a batch.
func TestReadersSeeWholeBatches(t *testing.T) {
	s := openNew(t)
	done := make(chan error)
	go func() {
		for n := range 30 {
			batch := newEvents(t, n*10, n*10+10)
			if err := s.SaveEvents(ctx, batch); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
			require.Zero(t, len(loadAll(t, s))%10)
			require.Zero(t, len(readLog(t, s, causal.Cursor{}))%10)
			loaded, err := s.LoadEvents(ctx, "WP001")
			require.NoError(t, err)
			require.Zero(t, len(loaded)%10)
		}
	}
}
