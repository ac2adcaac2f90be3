package causalpg_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The benchmarks named Raw do the same through the driver alone, in the same
// schema, with the same order of commits and in one round trip too; both sides
// encode and decode the events. Compare figures of one run: the time of a flush
// depends on the disk and its other users.

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

// noHash takes the place of a hash in our own statements.
const noHash = `'\x0000000000000000'`

// noProject takes the place of a project.
const noProject = `'12345678-1234-5678-1234-567812345678'::uuid`

// raw is a pool of the driver with its own statements.
type raw struct {
	b             *testing.B
	pool          *pgxpool.Pool
	lock          string
	notify        string // in each transaction, if not empty
	insert, batch string
	load          string
}

func newRaw(b *testing.B, schema string) raw {
	in := func(sql string) string { return causalpg.InSchema(schema, sql) }
	const columns = `INSERT INTO {s}.events (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project) `
	return raw{
		b: b, pool: newPool(b, testDSN, func(c *pgxpool.Config) { c.MaxConns = 8 }),
		lock:   in("LOCK TABLE {s}.meta IN EXCLUSIVE MODE"),
		insert: in(columns + `SELECT coalesce(max(position), 0) + 1, ` + noHash + `, $1, $2, $3, $4, $5, ` + noProject + ` FROM {s}.events ON CONFLICT (event_id) DO NOTHING`),
		batch: in(columns + `SELECT (SELECT coalesce(max(position), 0) FROM {s}.events) + n, ` + noHash + `, event_id, lamport_clock, aggregate_id, node_id, data, ` + noProject + `
			FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[])
			WITH ORDINALITY AS g (event_id, lamport_clock, aggregate_id, node_id, data, n) ON CONFLICT (event_id) DO NOTHING`),
		load: in("SELECT data FROM {s}.events WHERE aggregate_id = $1 ORDER BY lamport_clock, node_id, event_id"),
	}
}

// write runs a statement in a transaction holding the lock.
func (r raw) write(sql string, args ...any) {
	var batch pgx.Batch
	batch.Queue("BEGIN")
	if r.notify != "" {
		batch.Queue(r.notify)
	}
	batch.Queue(r.lock)
	batch.Queue(sql, args...)
	batch.Queue("COMMIT")
	if err := r.pool.SendBatch(r.b.Context(), &batch).Close(); err != nil {
		r.b.Error(err)
	}
}

func (r raw) save(e causal.Event) {
	data, err := e.MarshalJSON()
	if err != nil {
		r.b.Error(err)
	}
	r.write(r.insert, e.ID(), e.LamportClock(), []byte(e.AggregateID()), []byte(e.NodeID()), data)
}

// BenchmarkSave saves single events from one or more goroutines.
func BenchmarkSave(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d/store", writers), func(b *testing.B) {
			s := openNew(b)
			saveFrom(b, writers, func(e causal.Event) {
				if err := s.SaveEvent(b.Context(), e); err != nil {
					b.Error(err)
				}
			})
		})
		b.Run(fmt.Sprintf("writers=%d/raw", writers), func(b *testing.B) {
			saveFrom(b, writers, newRaw(b, newSchema(b)).save)
		})
	}
}

// BenchmarkSchemas saves into eight schemas of one server at a time, each with
// one writer and one waiting reader. In "notifying", each save notifies in its
// transaction, on a connection of the driver.
func BenchmarkSchemas(b *testing.B) {
	const schemas = 8
	for _, way := range []string{"store", "notifying"} {
		b.Run(way, func(b *testing.B) {
			var saves []func(causal.Event)
			for range schemas {
				schema := newSchema(b)
				s := openIn(b, schema)
				ctx, cancel := context.WithCancel(b.Context())
				var reading sync.WaitGroup
				reading.Go(func() {
					var at causal.Cursor
					for s.WaitLog(ctx, at) == nil {
						at, _ = s.Head(ctx)
					}
				})
				b.Cleanup(reading.Wait)
				b.Cleanup(cancel)
				save := func(e causal.Event) {
					if err := s.SaveEvent(b.Context(), e); err != nil {
						b.Error(err)
					}
				}
				if way == "notifying" {
					r := newRaw(b, schema)
					r.notify = causalpg.InSchema(schema, "NOTIFY {channel}")
					save = r.save
				}
				saves = append(saves, save)
			}
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, save := range saves {
				wg.Go(func() {
					for n := i; n < b.N; n += schemas {
						save(eventtest.NewBench(b, n))
					}
				})
			}
			wg.Wait()
		})
	}
}

// saveFrom calls save b.N times from the given number of goroutines.
func saveFrom(b *testing.B, writers int, save func(causal.Event)) {
	for range 20 { // opens connections and prepares statements
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() { save(eventtest.NewBench(b, 0)) })
		}
		wg.Wait()
	}
	b.ReportAllocs()
	b.ResetTimer()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				save(eventtest.NewBench(b, int(i)))
			}
		})
	}
	wg.Wait()
}

// BenchmarkOrder shows the cost of ordering commits in various ways: single
// inserts through the driver in each way, and through Stores with one writer
// each. In the last, 8 writers share a Store.
func BenchmarkOrder(b *testing.B) {
	const insert = `INSERT INTO {s}.events (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project) `
	const next = insert + `SELECT coalesce(max(position), 0) + 1, ` + noHash + `, $1, $2, $3, $4, $5, ` + noProject + ` FROM {s}.events ON CONFLICT (event_id) DO NOTHING`
	for _, writers := range []int{1, 8} {
		for _, way := range []struct{ name, lock, insert string }{
			{name: "none", insert: insert + "VALUES (nextval('{s}.numbers'), " + noHash + ", $1, $2, $3, $4, $5, " + noProject + ") ON CONFLICT (event_id) DO NOTHING"},
			{name: "table lock", lock: "LOCK TABLE {s}.meta IN EXCLUSIVE MODE", insert: next},
			{name: "advisory lock", lock: "SELECT pg_advisory_xact_lock('{s}.meta'::regclass::oid::bigint)", insert: next},
			{name: "counter", lock: "UPDATE {s}.counter SET n = n + 1", insert: insert + `SELECT n, ` + noHash + `, $1, $2, $3, $4, $5, ` + noProject + ` FROM {s}.counter`},
		} {
			b.Run(fmt.Sprintf("writers=%d/%s", writers, way.name), func(b *testing.B) {
				schema := newSchema(b)
				c := connect(b, testDSN)
				execute(b, c, schema, "CREATE SEQUENCE {s}.numbers")
				execute(b, c, schema, "CREATE TABLE {s}.counter AS SELECT 0::bigint AS n")
				r := newRaw(b, schema)
				r.insert = causalpg.InSchema(schema, way.insert)
				if r.lock = causalpg.InSchema(schema, way.lock); r.lock == "" {
					r.lock = "SELECT 1"
				}
				saveFrom(b, writers, r.save)
			})
		}
		for _, shared := range []bool{false, true} {
			b.Run(fmt.Sprintf("writers=%d/store shared=%v", writers, shared), func(b *testing.B) {
				schema := newSchema(b)
				stores := make(chan *causalpg.Store, writers)
				for i := range writers {
					if s := openIn(b, schema); i == 0 || !shared {
						stores <- s
					} else {
						first := <-stores
						stores <- first
						stores <- first
					}
				}
				saveFrom(b, writers, func(e causal.Event) {
					s := <-stores
					defer func() { stores <- s }()
					if err := s.SaveEvent(b.Context(), e); err != nil {
						b.Error(err)
					}
				})
			})
		}
	}
}

// BenchmarkSaveAgain saves events already stored.
func BenchmarkSaveAgain(b *testing.B) {
	ctx := b.Context()
	s := openNew(b)
	events := benchEvents(b, 100)
	require.NoError(b, s.SaveEvents(ctx, events))
	n := 0
	for b.Loop() {
		if err := s.SaveEvent(ctx, events[n%100]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkBatch(b *testing.B) {
	const size = 100
	batches := func(b *testing.B, save func([]causal.Event)) {
		n, batch := 0, make([]causal.Event, size)
		b.ReportAllocs()
		for b.Loop() {
			for i := range batch {
				batch[i] = eventtest.NewBench(b, n)
				n++
			}
			save(batch)
		}
	}
	b.Run("store", func(b *testing.B) {
		s := openNew(b)
		batches(b, func(batch []causal.Event) {
			if err := s.SaveEvents(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("raw", func(b *testing.B) {
		r := newRaw(b, newSchema(b))
		batches(b, func(batch []causal.Event) {
			ids, clocks := make([]string, size), make([]int64, size)
			aggregates, nodes, data := make([][]byte, size), make([][]byte, size), make([][]byte, size)
			for i, e := range batch {
				text, err := e.MarshalJSON()
				if err != nil {
					b.Fatal(err)
				}
				ids[i], clocks[i], data[i] = string(e.ID()), e.LamportClock(), text
				aggregates[i], nodes[i] = []byte(e.AggregateID()), []byte(e.NodeID())
			}
			r.write(r.batch, ids, clocks, aggregates, nodes, data)
		})
	})
}

// BenchmarkLoad loads an aggregate of 10,000 events.
func BenchmarkLoad(b *testing.B) {
	ctx := b.Context()
	schema := newSchema(b)
	s := openIn(b, schema)
	require.NoError(b, s.SaveEvents(ctx, benchEvents(b, 10_000)))
	execute(b, connect(b, testDSN), schema, "ANALYZE {s}.events")
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			events, err := s.LoadEvents(ctx, "WP001")
			if err != nil || len(events) != 10_000 {
				b.Fatal(len(events), err)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		r := newRaw(b, schema)
		for b.Loop() {
			rows, err := r.pool.Query(ctx, r.load, []byte("WP001"))
			if err != nil {
				b.Fatal(err)
			}
			var events []causal.Event
			for rows.Next() {
				var e causal.Event
				if err := e.UnmarshalJSON(rows.RawValues()[0]); err != nil {
					b.Fatal(err)
				}
				events = append(events, e)
			}
			if err := rows.Err(); err != nil || len(events) != 10_000 {
				b.Fatal(len(events), err)
			}
		}
	})
}

// BenchmarkRange reads 100,000 events, without holding them.
func BenchmarkRange(b *testing.B) {
	ctx := b.Context()
	schema := newSchema(b)
	s := openIn(b, schema)
	for range 10 {
		require.NoError(b, s.SaveEvents(ctx, benchEvents(b, 10_000)))
	}
	execute(b, connect(b, testDSN), schema, "ANALYZE {s}.events")
	for name, all := range eventtest.Ranges {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range all(ctx, s) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != 100_000 {
					b.Fatal(n)
				}
			}
		})
	}
}

// BenchmarkTick ticks a clock that reserves values in the store.
func BenchmarkTick(b *testing.B) {
	ctx := b.Context()
	for _, lease := range []int64{1, 1024} {
		b.Run(fmt.Sprint("lease=", lease), func(b *testing.B) {
			clock, err := causal.NewLamportClock(ctx, "alice", openNew(b), &causal.LamportClockOptions{Lease: lease})
			require.NoError(b, err)
			for b.Loop() {
				if _, err := clock.Tick(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
