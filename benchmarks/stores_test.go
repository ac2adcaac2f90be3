package benchmarks

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// store is an event store as the benchmarks use it, with events of type E. The
// reads return the number of events, each of which they have converted to a
// form usable by the caller.
type store[E any] interface {
	save(events []E) error
	load(aggregate int) (int, error)
	all() (int, error)
	close() error
}

// library is an implementation of a store, with its name in results.
type library[E any] struct {
	name  string
	event func(fact) E
	open  func(testing.TB) store[E]
	// noAll means that the library cannot read all events.
	noAll bool
}

// contender is a library whose type of event does not matter.
type contender interface {
	named() string
	appends(b *testing.B, facts []fact, size int)
	reads(b *testing.B, facts []fact) []read
	check(t *testing.T, facts []fact)
}

// read is a read of a full store.
type read struct {
	op    string
	count int
	run   func() (int, error)
}

func (l library[E]) named() string { return l.name }

// appends saves size events at a time, into a store that is replaced whenever
// all facts are in it.
func (l library[E]) appends(b *testing.B, facts []fact, size int) {
	events := make([]E, len(facts))
	for i, f := range facts {
		events[i] = l.event(f)
	}
	s, next := l.open(b), 0
	b.ReportAllocs()
	for b.Loop() {
		if next == len(events) {
			b.StopTimer()
			require.NoError(b, s.close())
			s, next = l.open(b), 0
			b.StartTimer()
		}
		if err := s.save(events[next : next+size]); err != nil {
			b.Fatal(err)
		}
		next += size
	}
	b.StopTimer()
	require.NoError(b, s.close())
}

// fill returns a new store with the facts, saved in batches of one aggregate.
func (l library[E]) fill(tb testing.TB, facts []fact) store[E] {
	s := l.open(tb)
	for i := 0; i < len(facts); i += small {
		events := make([]E, small)
		for j := range events {
			events[j] = l.event(facts[i+j])
		}
		require.NoError(tb, s.save(events))
	}
	tb.Cleanup(func() { require.NoError(tb, s.close()) })
	return s
}

func (l library[E]) reads(b *testing.B, facts []fact) []read {
	s := l.fill(b, facts)
	reads := []read{
		{fmt.Sprintf("load-%d", small), small, func() (int, error) { return s.load(smallAggregate) }},
		{fmt.Sprintf("load-%d", large), large, func() (int, error) { return s.load(largeAggregate) }},
	}
	if !l.noAll {
		reads = append(reads, read{"range", total, s.all})
	}
	return reads
}

// check asserts that the store returns the saved events, because a benchmark of
// a store that loses some would be no comparison.
func (l library[E]) check(t *testing.T, facts []fact) {
	s := l.fill(t, facts)
	saved := map[int]int{}
	for _, f := range facts {
		saved[f.aggregate]++
	}
	for aggregate, want := range saved {
		n, err := s.load(aggregate)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	if !l.noAll {
		n, err := s.all()
		require.NoError(t, err)
		require.Equal(t, len(facts), n)
	}
}

// benchmarkStores measures all contenders, operation by operation.
func benchmarkStores(b *testing.B, contenders []contender) {
	appends := func(size int, facts []fact) {
		for _, c := range contenders {
			b.Run(fmt.Sprintf("op=append-%d/lib=%s", size, c.named()), func(b *testing.B) { c.appends(b, facts, size) })
		}
	}
	appends(1, singles(b))
	full := batches(b, total)
	appends(small, full)
	for _, c := range contenders {
		for _, r := range c.reads(b, full) {
			b.Run(fmt.Sprintf("op=%s/lib=%s", r.op, c.named()), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if n, err := r.run(); err != nil || n != r.count {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}

func TestStoresKeepEverything(t *testing.T) {
	facts := batches(t, 5000)
	for name, contenders := range map[string][]contender{"memory": memoryStores, "disk": diskStores} {
		for _, c := range contenders {
			t.Run(name+"/"+c.named(), func(t *testing.T) { c.check(t, facts) })
		}
	}
}
