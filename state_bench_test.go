package causal_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// naiveORSet is the textbook form (Shapiro et al. 2011, specification 15), with
// the event ID as the tag of an add, and a set of removed tags.
type naiveORSet struct {
	adds    map[string]map[string]bool // tags by element
	removed map[string]bool
}

func newNaiveORSet() *naiveORSet {
	return &naiveORSet{map[string]map[string]bool{}, map[string]bool{}}
}

func (s *naiveORSet) add(element, tag string) {
	if s.removed[tag] {
		return
	}
	if s.adds[element] == nil {
		s.adds[element] = map[string]bool{}
	}
	s.adds[element][tag] = true
}

func (s *naiveORSet) remove(element, tag string) {
	s.removed[tag] = true
	delete(s.adds[element], tag)
}

func (s *naiveORSet) merge(other *naiveORSet) {
	for tag := range other.removed {
		s.removed[tag] = true
	}
	for element, tags := range other.adds {
		for tag := range tags {
			s.add(element, tag)
		}
	}
}

const benchElements = 10_000

// benchSet returns a set of 10,000 elements and the event that added them.
func benchSet(b *testing.B) (s causal.ORSet[string], elements []string, e causal.Event) {
	b.Helper()
	for i := range benchElements {
		elements = append(elements, fmt.Sprintf("element-%05d", i))
	}
	e = eventtest.New(b, 1)
	require.NoError(b, s.Change(e, causal.ORSetChange[string]{Add: elements}))
	return s, elements, e
}

func BenchmarkORSetAdd(b *testing.B) {
	b.Run("causal", func(b *testing.B) {
		s, elements, _ := benchSet(b)
		e := eventtest.New(b, 2)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			add := causal.ORSetChange[string]{Add: elements[i%benchElements:][:1]}
			if err := s.Change(e, add); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("causal-new", func(b *testing.B) { // from an empty set to 10,000 elements
		_, elements, e := benchSet(b)
		var s causal.ORSet[string]
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%benchElements == 0 {
				s = causal.ORSet[string]{}
			}
			add := causal.ORSetChange[string]{Add: elements[i%benchElements:][:1]}
			if err := s.Change(e, add); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("naive", func(b *testing.B) {
		s := newNaiveORSet()
		_, elements, _ := benchSet(b)
		for _, element := range elements {
			s.add(element, "first")
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s.add(elements[i%benchElements], "second")
		}
	})
	b.Run("naive-new", func(b *testing.B) {
		_, elements, _ := benchSet(b)
		s := newNaiveORSet()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%benchElements == 0 {
				s = newNaiveORSet()
			}
			s.add(elements[i%benchElements], "first")
		}
	})
}

func BenchmarkORSetMerge(b *testing.B) {
	b.Run("causal", func(b *testing.B) {
		s, _, _ := benchSet(b)
		var same causal.ORSet[string]
		require.NoError(b, same.Merge(s))
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Merge(same); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("naive", func(b *testing.B) {
		_, elements, _ := benchSet(b)
		s, same := newNaiveORSet(), newNaiveORSet()
		for _, element := range elements {
			s.add(element, "first")
			same.add(element, "first")
		}
		b.ReportAllocs()
		for b.Loop() {
			s.merge(same)
		}
	})
}

func BenchmarkLWWMerge(b *testing.B) {
	first, second := eventtest.New(b, 1), eventtest.New(b, 2)
	b.Run("causal", func(b *testing.B) {
		var x, y causal.LWWRegister[string]
		require.NoError(b, x.Set(first, "first"))
		require.NoError(b, y.Set(second, "second"))
		b.ReportAllocs()
		for b.Loop() {
			merged := x
			if err := merged.Merge(y); err != nil {
				b.Fatal(err)
			}
			if merged.LamportClock() != 2 {
				b.Fatal("wrong")
			}
		}
	})
	b.Run("naive", func(b *testing.B) { // the later clock wins; equal ones differ between replicas
		type register struct {
			clock int64
			value string
		}
		x, y := register{1, "first"}, register{2, "second"}
		for b.Loop() {
			merged := x
			if y.clock > merged.clock {
				merged = y
			}
			if merged.clock != 2 {
				b.Fatal("wrong")
			}
		}
	})
}

func BenchmarkMergeLWW(b *testing.B) {
	const n = 10_000
	events := payloadEvents(b, n, func(i int) string { return fmt.Sprintf(`{"value": "value %d"}`, i) })
	b.Run("causal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if value, _, err := causal.MergeLWW[string](events); err != nil || value != "value 9999" {
				b.Fatal(value, err)
			}
		}
		perEvent(b, n)
	})
	b.Run("naive", func(b *testing.B) { // no duplicates, no ties
		plain := plainEvents(b, events)
		b.ReportAllocs()
		for b.Loop() {
			last := &plain[0]
			for i := range plain {
				if plain[i].LamportClock > last.LamportClock {
					last = &plain[i]
				}
			}
			if last.Payload["value"] != "value 9999" {
				b.Fatal("wrong")
			}
		}
		perEvent(b, n)
	})
}

// payloadEvents returns n events of 10 nodes with the given payloads, in random
// order.
func payloadEvents(b *testing.B, n int, payload func(i int) string) []causal.Event {
	b.Helper()
	events := benchEvents(b, n, 10)
	for i, e := range events {
		at := int(e.LamportClock())
		p := causal.EventParams{
			ID: e.ID(), Type: e.Type(), NodeID: fmt.Sprintf("node-%d", at%10), AggregateID: e.AggregateID(),
			LamportClock: int64(at + 1), ProjectUUID: benchProject, Timestamp: e.Timestamp(), Payload: json.RawMessage(payload(at)),
		}
		var err error
		events[i], err = causal.NewEvent(p)
		require.NoError(b, err)
	}
	return events
}

// Of five events four add one of 1000 elements, and one removes the preceding
// add.
func BenchmarkMergeORSet(b *testing.B) {
	const n = 10_000
	events := payloadEvents(b, n, func(i int) string {
		if i%5 == 4 {
			return fmt.Sprintf(`{"remove": [{"element": "element-%d", "observed": {"node-%d": %d}}]}`, (i-1)%1000, (i-1)%10, i)
		}
		return fmt.Sprintf(`{"add": ["element-%d"]}`, i%1000)
	})
	const want = 600 // those not last before a remove
	b.Run("causal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			elements, err := causal.MergeORSet(events)
			if err != nil || len(elements) != want {
				b.Fatal(len(elements), err)
			}
		}
		perEvent(b, n)
	})
	b.Run("naive", func(b *testing.B) { // a tag is a node and a clock, because the payloads name no IDs
		plain := plainEvents(b, events)
		b.ReportAllocs()
		for b.Loop() {
			s := newNaiveORSet()
			for _, e := range plain {
				tag := fmt.Sprint(e.NodeID, e.LamportClock)
				adds, _ := e.Payload["add"].([]any)
				for _, element := range adds {
					s.add(element.(string), tag)
				}
				removals, _ := e.Payload["remove"].([]any)
				for _, removal := range removals {
					r := removal.(map[string]any)
					for node, clock := range r["observed"].(map[string]any) {
						s.remove(r["element"].(string), fmt.Sprint(node, int64(clock.(float64))))
					}
				}
			}
			in := 0
			for _, tags := range s.adds {
				if len(tags) > 0 {
					in++
				}
			}
			if in != want {
				b.Fatal(in)
			}
		}
		perEvent(b, n)
	})
}
