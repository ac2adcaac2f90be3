package causalsqlite_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The benchmarks named Raw do the same through the driver alone, with the same
// schema and settings, on one connection; both sides encode and decode the
// events. Compare figures of one run: the time of a flush depends on the disk
// and its other users. BenchmarkDisk is a flush and nothing else.

var openSize = flag.Int("open-size", 100_000, "events in the file that BenchmarkOpen opens")

// benchEvents returns n events of one aggregate in random order.
func benchEvents(b *testing.B, n int) []causal.Event {
	b.Helper()
	events := make([]causal.Event, n)
	for i := range events {
		events[i] = eventtest.NewBench(b, i)
	}
	rand.Shuffle(n, func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// raw is the driver with a store's schema and settings.
type raw struct {
	b *testing.B
	c *sqlite.Conn
}

func newRaw(b *testing.B, path string) raw {
	require.NoError(b, openAt(b, path, nil).Close()) // creates the schema
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close()) })
	r := raw{b, c}
	for _, pragma := range []string{"journal_mode = WAL", "synchronous = FULL", "journal_size_limit = 67108864", "cache_size = -16384"} {
		r.exec("PRAGMA " + pragma)
	}
	return r
}

func (r raw) exec(sql string) {
	if err := sqlitex.Execute(r.c, sql, nil); err != nil {
		r.b.Fatal(err)
	}
}

func (r raw) insert(e causal.Event) {
	data, err := e.MarshalJSON()
	if err != nil {
		r.b.Fatal(err)
	}
	s, err := r.c.Prepare("INSERT INTO events (hash, event_id, aggregate_id, lamport_clock, node_id, data) VALUES (zeroblob(8), ?, ?, ?, ?, ?)")
	if err != nil {
		r.b.Fatal(err)
	}
	s.BindText(1, string(e.ID()))
	s.BindBytes(2, []byte(e.AggregateID()))
	s.BindInt64(3, e.LamportClock())
	s.BindBytes(4, []byte(e.NodeID()))
	s.BindText(5, string(data))
	if _, err := s.Step(); err != nil {
		r.b.Fatal(err)
	}
	if err := s.Reset(); err != nil {
		r.b.Fatal(err)
	}
}

// benchPath returns the path of a new file. TMPDIR chooses the disk.
func benchPath(b *testing.B) string { return filepath.Join(b.TempDir(), "events.db") }

// BenchmarkDisk appends 400 bytes to a file and flushes it.
func BenchmarkDisk(b *testing.B) {
	f, err := os.Create(benchPath(b))
	require.NoError(b, err)
	data := make([]byte, 400)
	for b.Loop() {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, f.Close())
}

func BenchmarkSaveRaw(b *testing.B) {
	r, n := newRaw(b, benchPath(b)), 0
	for b.Loop() {
		r.insert(eventtest.NewBench(b, n))
		n++
	}
}

// BenchmarkSave saves single events from one or more goroutines.
func BenchmarkSave(b *testing.B) {
	ctx := b.Context()
	for _, mode := range []causalsqlite.Synchronous{causalsqlite.SyncFull, causalsqlite.SyncNormal} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", []string{"full", "normal"}[mode], writers), func(b *testing.B) {
				s := openAt(b, benchPath(b), &causalsqlite.Options{Synchronous: mode})
				work := make(chan int)
				var wg sync.WaitGroup
				for range writers {
					if writers == 1 {
						break
					}
					wg.Go(func() {
						for n := range work {
							if err := s.SaveEvent(ctx, eventtest.NewBench(b, n)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				n := 0
				for b.Loop() {
					if n++; writers > 1 {
						work <- n
						continue
					}
					if err := s.SaveEvent(ctx, eventtest.NewBench(b, n)); err != nil {
						b.Fatal(err)
					}
				}
				close(work)
				wg.Wait()
			})
		}
	}
}

func BenchmarkBatchRaw(b *testing.B) {
	r, n := newRaw(b, benchPath(b)), 0
	for b.Loop() {
		r.exec("BEGIN IMMEDIATE")
		for range 100 {
			r.insert(eventtest.NewBench(b, n))
			n++
		}
		r.exec("COMMIT")
	}
}

func BenchmarkBatch(b *testing.B) {
	s, n := openAt(b, benchPath(b), nil), 0
	batch := make([]causal.Event, 100)
	for b.Loop() {
		for i := range batch {
			batch[i] = eventtest.NewBench(b, n)
			n++
		}
		if err := s.SaveEvents(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	ctx := b.Context()
	path := benchPath(b)
	s := openAt(b, path, nil)
	require.NoError(b, s.SaveEvents(ctx, benchEvents(b, 10_000)))
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			events, err := s.LoadEvents(ctx, "WP001")
			if err != nil || len(events) != 10_000 {
				b.Fatal(len(events), err)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		r := newRaw(b, path)
		for b.Loop() {
			var events []causal.Event
			var data []byte
			err := sqlitex.Execute(r.c, `SELECT seq, data FROM events WHERE aggregate_id = ?
				ORDER BY lamport_clock, node_id, event_id`, &sqlitex.ExecOptions{
				Args: []any{[]byte("WP001")},
				ResultFunc: func(s *sqlite.Stmt) error {
					if n := s.ColumnLen(1); len(data) < n {
						data = make([]byte, n)
					}
					var e causal.Event
					err := e.UnmarshalJSON(data[:s.ColumnBytes(1, data)])
					events = append(events, e)
					return err
				},
			})
			if err != nil || len(events) != 10_000 {
				b.Fatal(len(events), err)
			}
		}
	})
}

// BenchmarkRange reads 100,000 events. It reports how much the heap grew.
func BenchmarkRange(b *testing.B) {
	ctx := b.Context()
	s := openAt(b, benchPath(b), nil)
	for range 10 {
		require.NoError(b, s.SaveEvents(ctx, benchEvents(b, 10_000)))
	}
	for name, all := range eventtest.Ranges {
		b.Run(name, func(b *testing.B) {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			before, most := m.HeapAlloc, m.HeapAlloc
			for b.Loop() {
				n := 0
				for _, err := range all(ctx, s) {
					if err != nil {
						b.Fatal(err)
					}
					if n++; n%20_000 == 0 {
						runtime.GC()
						runtime.ReadMemStats(&m)
						most = max(most, m.HeapAlloc)
					}
				}
				if n != 100_000 {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(most-before)/1024, "heap-KB")
		})
	}
}

// BenchmarkOpen opens a file, reads its head and closes it. With -args
// -open-size=1000000 the file has a million events.
func BenchmarkOpen(b *testing.B) {
	ctx := b.Context()
	path := benchPath(b)
	s := openAt(b, path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
	for n := 0; n < *openSize; n += 10_000 {
		require.NoError(b, s.SaveEvents(ctx, benchEvents(b, 10_000)))
	}
	require.NoError(b, s.Close())
	b.Run(fmt.Sprint("events=", *openSize), func(b *testing.B) {
		var opened time.Duration
		for b.Loop() {
			start := time.Now()
			s, err := causalsqlite.Open(ctx, path, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Head(ctx); err != nil {
				b.Fatal(err)
			}
			opened += time.Since(start)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(opened.Nanoseconds())/float64(b.N), "ns/open")
	})
}

// BenchmarkTick ticks a clock that reserves values in the store.
func BenchmarkTick(b *testing.B) {
	ctx := b.Context()
	for _, lease := range []int64{1, 1024} {
		b.Run(fmt.Sprint("lease=", lease), func(b *testing.B) {
			s := openAt(b, benchPath(b), nil)
			clock, err := causal.NewLamportClock(ctx, "alice", s, &causal.LamportClockOptions{Lease: lease})
			require.NoError(b, err)
			for b.Loop() {
				if _, err := clock.Tick(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
