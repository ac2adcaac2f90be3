package causalsqlite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// BenchmarkConsume reads 200,000 entries: by ReadLog alone, and by Consume with
// a function that does nothing, which also saves 200 checkpoints.
func BenchmarkConsume(b *testing.B) {
	const count = 200_000
	s := openAt(b, benchPath(b), nil)
	for range count / 10_000 {
		require.NoError(b, s.SaveEvents(b.Context(), benchEvents(b, 10_000)))
	}
	b.Run("read log", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range s.ReadLog(b.Context(), causal.Cursor{}) {
				if n++; err != nil {
					b.Fatal(err)
				}
			}
			if n != count {
				b.Fatal(n)
			}
		}
	})
	runs := 0
	for name, o := range map[string]*causal.ConsumeOptions{"consume": {}, "consume with seen": {SeenOf: eventtest.Params(0).ProjectUUID}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				ctx, cancel := context.WithCancel(b.Context())
				runs++
				err := causal.Consume(ctx, s, fmt.Sprint("run ", runs), func(_ context.Context, batch *causal.Batch) error {
					if n += len(batch.Entries); n == count {
						cancel()
					}
					return nil
				}, o)
				if !errors.Is(err, context.Canceled) || n != count {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkWake saves events while a reader waits, with this store or as
// another process does. It reports the median time of a save, and of the time
// from its end until the reader wakes up, and until it has the entry.
func BenchmarkWake(b *testing.B) {
	for _, who := range []string{"own", "other"} {
		b.Run(who, func(b *testing.B) {
			path := benchPath(b)
			s := openAt(b, path, nil)
			saver := s
			if who == "other" {
				saver = openAt(b, path, nil)
				saver.Emigrate()
			}
			type wake struct{ woken, read time.Time }
			wakes, ready := make(chan wake), make(chan struct{})
			ctx, cancel := context.WithCancel(b.Context())
			go func() {
				var at causal.Cursor
				for ready <- struct{}{}; ctx.Err() == nil; {
					_ = s.WaitLog(ctx, at)
					w := wake{woken: time.Now()}
					for entry, err := range s.ReadLog(ctx, at) {
						if err == nil {
							at, w.read = entry.Cursor, time.Now()
						}
					}
					if !w.read.IsZero() {
						wakes <- w
					}
				}
			}()
			<-ready
			var saves, woken, read []float64
			for n := 0; b.Loop(); n++ {
				e := eventtest.NewBench(b, n)
				time.Sleep(time.Millisecond) // until the reader waits
				start := time.Now()
				if err := saver.SaveEvent(ctx, e); err != nil {
					b.Fatal(err)
				}
				end := time.Now()
				w := <-wakes
				saves = append(saves, float64(end.Sub(start)))
				woken = append(woken, float64(w.woken.Sub(end)))
				read = append(read, float64(w.read.Sub(end)))
			}
			cancel()
			for unit, times := range map[string][]float64{"save-ns": saves, "wake-ns": woken, "read-ns": read} {
				slices.Sort(times)
				b.ReportMetric(times[len(times)/2], unit)
			}
		})
	}
}

func BenchmarkSaveIf(b *testing.B) {
	adaptertest.BenchmarkSaveIf(b, func(b *testing.B) adapter.Store { return openAt(b, benchPath(b), nil) })
}
