package causalnats_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// benchCluster returns a store on three servers that flush each message, and a
// function that publishes raw messages to a similar stream.
func benchCluster(b *testing.B) (s *causalnats.Store, raw func(data []byte) error) {
	c := startCluster(b, 3)
	nc := connect(b, c.urls())
	s = open(b, connect(b, c.urls()), provision(b, nc, causalnats.Options{}))
	subject := provision(b, nc, causalnats.Options{}).Name + ".log"
	raw = func(data []byte) error {
		answer, err := nc.RequestMsg(&nats.Msg{Subject: subject, Data: data}, nats.DefaultTimeout*5)
		if err != nil {
			return err
		}
		var ack struct{ Seq int }
		if err := json.Unmarshal(answer.Data, &ack); err != nil || ack.Seq == 0 {
			return fmt.Errorf("not acknowledged: %s", answer.Data)
		}
		return nil
	}
	require.NoError(b, raw(nil))
	require.NoError(b, s.SaveEvent(b.Context(), benchEvent(b)))
	return s, raw
}

var benchNumber atomic.Int64

func benchEvent(b *testing.B) causal.Event {
	n := int(benchNumber.Add(1))
	return eventtest.New(b, n, func(p *causal.EventParams) { p.AggregateID = fmt.Sprint("A", n%100) })
}

// inParallel runs b.N calls from the given number of goroutines.
func inParallel(b *testing.B, callers int, call func(n int) error) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range callers {
		group.Go(func() {
			for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
				if err := call(n - 1); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// BenchmarkSave compares saves with publishing messages of the same bytes.
func BenchmarkSave(b *testing.B) {
	s, raw := benchCluster(b)
	ctx := b.Context()
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint("publish/callers=", callers), func(b *testing.B) {
			events := encoded(b, b.N, 1)
			b.ResetTimer()
			inParallel(b, callers, func(n int) error { return raw(events[n]) })
		})
		b.Run(fmt.Sprint("save/callers=", callers), func(b *testing.B) {
			events := make([]causal.Event, b.N)
			for i := range events {
				events[i] = benchEvent(b)
			}
			b.ResetTimer()
			inParallel(b, callers, func(n int) error { return s.SaveEvent(ctx, events[n]) })
		})
	}
	b.Run("publish/events=100", func(b *testing.B) {
		events := encoded(b, b.N, 100)
		b.ResetTimer()
		inParallel(b, 1, func(n int) error { return raw(events[n]) })
	})
	b.Run("save/events=100", func(b *testing.B) {
		batches := make([][]causal.Event, b.N)
		for i := range batches {
			for range 100 {
				batches[i] = append(batches[i], benchEvent(b))
			}
		}
		b.ResetTimer()
		inParallel(b, 1, func(n int) error { return s.SaveEvents(ctx, batches[n]) })
	})
	b.Run("fence", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, s.Fence(ctx))
		}
	})
}

// encoded returns messages, each with the JSON of the given number of events.
func encoded(b *testing.B, count, events int) [][]byte {
	messages := make([][]byte, count)
	for i := range messages {
		for range events {
			data, err := benchEvent(b).MarshalJSON()
			require.NoError(b, err)
			messages[i] = append(messages[i], data...)
		}
	}
	return messages
}

var catchUpSize = flag.Int("catch-up-size", 2_000, "how many records BenchmarkCatchUp reads")

// BenchmarkCatchUp compares opening a Store, which reads the whole log, with
// reading its messages.
func BenchmarkCatchUp(b *testing.B) {
	ctx := b.Context()
	c := startCluster(b, 1)
	nc := connect(b, c.urls())
	o := provision(b, nc, causalnats.Options{Replicas: 1})
	s := open(b, nc, o)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range *catchUpSize / 8 {
				if err := second(nc.Request(o.Name+".log", causalnats.EncodeRecord(benchEvent(b)), nats.DefaultTimeout*5)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.NoError(b, s.Fence(ctx))
	inFile := func(b *testing.B) *causalsqlite.Store {
		file, err := causalsqlite.Open(ctx, newPath(b), &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
		require.NoError(b, err)
		b.Cleanup(func() { _ = file.Close() })
		return file
	}
	b.Run("fetch", func(b *testing.B) {
		for b.Loop() {
			n, err := s.FetchAll(context.Background())
			require.NoError(b, err)
			require.Equal(b, *catchUpSize/8*8, n)
		}
	})
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			fresh, err := causalnats.New(ctx, nc, &o)
			require.NoError(b, err)
			require.NoError(b, fresh.Close())
		}
	})
	b.Run("file, serially", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			file := inFile(b)
			b.StartTimer()
			require.NoError(b, s.ReadSerially(ctx, file))
		}
	})
	b.Run("file", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			o := o
			o.Replica = inFile(b)
			b.StartTimer()
			fresh, err := causalnats.New(ctx, nc, &o)
			require.NoError(b, err)
			require.NoError(b, fresh.Close())
		}
	})
}
