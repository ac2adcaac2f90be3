package causal_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The benchmarks compare this package with the code a user would otherwise
// write: a plain struct decoded by encoding/json, a payload in a
// map[string]any, a counter behind a mutex, a slice sorted on load. The naive
// forms skip most checks, so a ratio near 1 means that the checks are free.

// plainEvent is the naive event.
type plainEvent struct {
	EventID       string         `json:"event_id"`
	EventType     string         `json:"event_type"`
	AggregateID   string         `json:"aggregate_id"`
	Payload       map[string]any `json:"payload"`
	Timestamp     time.Time      `json:"timestamp"`
	NodeID        string         `json:"node_id"`
	LamportClock  int64          `json:"lamport_clock"`
	CausationID   *string        `json:"causation_id"`
	ProjectUUID   string         `json:"project_uuid"`
	ProjectSlug   *string        `json:"project_slug"`
	CorrelationID string         `json:"correlation_id"`
	SchemaVersion string         `json:"schema_version"`
	DataTier      int            `json:"data_tier"`
}

var benchProject = "12345678-1234-5678-1234-567812345678"

// benchEvents returns n events of 10 nodes in random order, each caused by its
// predecessor with probability 1/2.
func benchEvents(b *testing.B, n, aggregates int) []causal.Event {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	events := make([]causal.Event, n)
	var cause causal.EventID
	for i := range events {
		p := causal.EventParams{
			ID: causal.NewEventID(), Type: "Counted", NodeID: fmt.Sprintf("node-%d", random.IntN(10)),
			AggregateID: fmt.Sprintf("WP%05d", i%aggregates), LamportClock: int64(i), CausationID: cause,
			ProjectUUID: benchProject, Timestamp: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC),
			Payload: json.RawMessage(fmt.Sprintf(`{"delta": %d, "tags": ["tag-%d"]}`, i%7, i%50)),
		}
		e, err := causal.NewEvent(p)
		require.NoError(b, err)
		events[i] = e
		if cause = ""; random.IntN(2) == 0 {
			cause = e.ID()
		}
	}
	random.Shuffle(n, func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// plainEvents returns the naive twins of events. Only naive benchmarks call it,
// so that the garbage collector does not scan its maps in the others.
func plainEvents(b *testing.B, events []causal.Event) []plainEvent {
	b.Helper()
	plain := make([]plainEvent, len(events))
	for i, e := range events {
		data, err := json.Marshal(e)
		require.NoError(b, err)
		require.NoError(b, json.Unmarshal(data, &plain[i]))
	}
	return plain
}

// perEvent reports the time for each of the n events of an iteration.
func perEvent(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
}

func BenchmarkNewEvent(b *testing.B) {
	payload := map[string]any{"state": "done", "delta": 3, "tags": []string{"a"}}
	b.Run("causal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := causal.NewEvent(causal.EventParams{
				Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice", LamportClock: 5,
				ProjectUUID: benchProject, Payload: payload,
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("naive", func(b *testing.B) { // no ID, no checks, but an unshared payload
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := benchWire(b)
	b.Run("causal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e causal.Event
			if err := e.UnmarshalJSON(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("causal-json.Unmarshal", func(b *testing.B) { // encoding/json first scans it twice itself
		b.ReportAllocs()
		for b.Loop() {
			var e causal.Event
			if err := json.Unmarshal(data, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("naive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e plainEvent
			if err := json.Unmarshal(data, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	data := benchWire(b)
	b.Run("causal", func(b *testing.B) {
		var e causal.Event
		require.NoError(b, json.Unmarshal(data, &e))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("causal-json.Marshal", func(b *testing.B) { // encoding/json checks and compacts it again
		var e causal.Event
		require.NoError(b, json.Unmarshal(data, &e))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("naive", func(b *testing.B) {
		var e plainEvent
		require.NoError(b, json.Unmarshal(data, &e))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchWire returns the event of the vectors with all 13 members.
func benchWire(b *testing.B) []byte {
	b.Helper()
	for _, v := range readVectors[decodeVector](b, "decode.jsonl") {
		if v.Name == "full" {
			return []byte(v.JSON)
		}
	}
	b.Fatal("no such vector")
	return nil
}

func BenchmarkMergeCounter(b *testing.B) {
	const n = 10_000
	events := benchEvents(b, n, 10)
	b.Run("causal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := causal.MergeCounter(events); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, n)
	})
	b.Run("naive", func(b *testing.B) {
		plain := plainEvents(b, events)
		b.ReportAllocs()
		for b.Loop() {
			seen := map[string]bool{}
			sum := 0.0
			for _, e := range plain {
				if !seen[e.EventID] {
					seen[e.EventID] = true
					delta, _ := e.Payload["delta"].(float64)
					sum += delta
				}
			}
		}
		perEvent(b, n)
	})
}

func BenchmarkMergeGSet(b *testing.B) {
	const n = 10_000
	events := benchEvents(b, n, 10)
	b.Run("causal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := causal.MergeGSet(events); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, n)
	})
	b.Run("naive", func(b *testing.B) {
		plain := plainEvents(b, events)
		b.ReportAllocs()
		for b.Loop() {
			set := map[string]bool{}
			for _, e := range plain {
				tags, _ := e.Payload["tags"].([]any)
				for _, tag := range tags {
					text, _ := tag.(string)
					set[text] = true
				}
			}
			union := make([]string, 0, len(set))
			for tag := range set {
				union = append(union, tag)
			}
			sort.Strings(union)
		}
		perEvent(b, n)
	})
}

func BenchmarkSortCompare(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		events := benchEvents(b, n, 10)
		b.Run(fmt.Sprintf("causal/n=%d", n), func(b *testing.B) {
			scratch := make([]causal.Event, n)
			for b.Loop() {
				copy(scratch, events)
				slices.SortFunc(scratch, causal.Compare)
			}
			perEvent(b, n)
		})
		b.Run(fmt.Sprintf("naive/n=%d", n), func(b *testing.B) {
			plain := plainEvents(b, events)
			scratch := make([]plainEvent, n)
			for b.Loop() {
				copy(scratch, plain)
				sort.Slice(scratch, func(i, j int) bool {
					if scratch[i].LamportClock != scratch[j].LamportClock {
						return scratch[i].LamportClock < scratch[j].LamportClock
					}
					return scratch[i].NodeID < scratch[j].NodeID
				})
			}
			perEvent(b, n)
		})
	}
}

func BenchmarkTopologicalSort(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		events := benchEvents(b, n, 10)
		b.Run(fmt.Sprintf("causal/n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := causal.TopologicalSort(events); err != nil {
					b.Fatal(err)
				}
			}
			perEvent(b, n)
		})
		b.Run(fmt.Sprintf("naive/n=%d", n), func(b *testing.B) { // Kahn's algorithm without ordering ready events
			plain := plainEvents(b, events)
			for b.Loop() {
				effects := map[string][]int{}
				known := map[string]bool{}
				for _, e := range plain {
					known[e.EventID] = true
				}
				var queue []int
				for i, e := range plain {
					if e.CausationID != nil && known[*e.CausationID] {
						effects[*e.CausationID] = append(effects[*e.CausationID], i)
					} else {
						queue = append(queue, i)
					}
				}
				for at := 0; at < len(queue); at++ {
					queue = append(queue, effects[plain[queue[at]].EventID]...)
				}
				if len(queue) != n {
					b.Fatal("cycle")
				}
			}
			perEvent(b, n)
		})
	}
	b.Run("causal-backwards/n=100000", func(b *testing.B) { // clocks contradicting the causes
		events := eventtest.NewChain(b, 100_000, func(i int) int64 { return int64(100_000 - i) })
		for b.Loop() {
			if _, err := causal.TopologicalSort(events); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, len(events))
	})
}

func BenchmarkTick(b *testing.B) {
	ctx := b.Context()
	for _, lease := range []int64{1, 1024} {
		b.Run(fmt.Sprintf("causal/lease=%d", lease), func(b *testing.B) {
			c, err := causal.NewLamportClock(ctx, "alice", &causal.MemClockStorage{},
				&causal.LamportClockOptions{Lease: lease})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Tick(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("naive", func(b *testing.B) { // a counter behind a mutex, written to a map
		var mu sync.Mutex
		now := int64(0)
		stored := map[string]int64{}
		b.ReportAllocs()
		for b.Loop() {
			mu.Lock()
			now++
			stored["alice"] = now
			mu.Unlock()
		}
	})
}

func BenchmarkMemEventStore(b *testing.B) {
	const n, aggregates = 100_000, 1000
	ctx := b.Context()
	events := benchEvents(b, n, aggregates)
	inOrder := slices.SortedFunc(slices.Values(events), causal.Compare)
	reversed := slices.Clone(inOrder)
	slices.Reverse(reversed)
	save := func(b *testing.B, events []causal.Event) *causal.MemEventStore {
		b.Helper()
		var s causal.MemEventStore
		for _, e := range events {
			if err := s.SaveEvent(ctx, e); err != nil {
				b.Fatal(err)
			}
		}
		for _, err := range s.AllEvents(ctx) { // sorts late events
			if err != nil {
				b.Fatal(err)
			}
			break
		}
		return &s
	}
	for name, events := range map[string][]causal.Event{"in-order": inOrder, "reverse": reversed, "shuffled": events} {
		b.Run("save/"+name, func(b *testing.B) {
			for b.Loop() {
				save(b, events)
			}
			perEvent(b, n)
		})
	}
	b.Run("save/naive", func(b *testing.B) {
		for b.Loop() {
			byID := map[causal.EventID]causal.Event{}
			byAggregate := map[string][]causal.Event{}
			for _, e := range inOrder {
				byID[e.ID()] = e
				byAggregate[e.AggregateID()] = append(byAggregate[e.AggregateID()], e)
			}
		}
		perEvent(b, n)
	})
	s := save(b, events)
	b.Run("load/causal", func(b *testing.B) {
		for b.Loop() {
			loaded, err := s.LoadEvents(ctx, "WP00007")
			if err != nil || len(loaded) != n/aggregates {
				b.Fatal(err, len(loaded))
			}
		}
	})
	b.Run("load/naive", func(b *testing.B) { // scan all, then sort, like the Python library
		for b.Loop() {
			var loaded []causal.Event
			for _, e := range events {
				if e.AggregateID() == "WP00007" {
					loaded = append(loaded, e)
				}
			}
			slices.SortFunc(loaded, causal.Compare)
		}
	})
	b.Run("range", func(b *testing.B) {
		for b.Loop() {
			for _, err := range s.AllEvents(ctx) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
