package benchmarks

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/hashicorp/serf/serf"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

// lamportClock is a clock to measure, with the two operations of Lamport
// clocks.
type lamportClock struct {
	tick   func() error
	update func(remote int64) error
}

// lease is the number of ticks that a leased clock reserves at a time.
const lease = 1024

func serfClock(testing.TB) lamportClock {
	var c serf.LamportClock
	return lamportClock{
		tick:   func() error { c.Increment(); return nil },
		update: func(remote int64) error { c.Witness(serf.LamportTime(remote)); return nil },
	}
}

func causalClock(tb testing.TB, s causal.ClockStorage, o causal.LamportClockOptions) lamportClock {
	c, err := causal.NewLamportClock(ctx, "alice", s, &o)
	require.NoError(tb, err)
	return lamportClock{
		tick:   func() error { _, err := c.Tick(ctx); return err },
		update: func(remote int64) error { _, err := c.Update(ctx, remote); return err },
	}
}

func sqliteClock(tb testing.TB, o causal.LamportClockOptions) lamportClock {
	s, err := causalsqlite.Open(ctx, filepath.Join(tb.TempDir(), "clock.db"), nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return causalClock(tb, s, o)
}

func BenchmarkLamport(b *testing.B) {
	leased := causal.LamportClockOptions{Lease: lease}
	clocks := []struct {
		name string
		open func(testing.TB) lamportClock
	}{
		{name: "serf", open: serfClock},
		{name: "causal-leased", open: func(tb testing.TB) lamportClock { return causalClock(tb, &causal.MemClockStorage{}, leased) }},
		{name: "causal", open: func(tb testing.TB) lamportClock {
			return causalClock(tb, &causal.MemClockStorage{}, causal.LamportClockOptions{})
		}},
		{name: "causalsqlite-leased", open: func(tb testing.TB) lamportClock { return sqliteClock(tb, leased) }},
		{name: "causalsqlite", open: func(tb testing.TB) lamportClock { return sqliteClock(tb, causal.LamportClockOptions{}) }},
	}
	for _, c := range clocks {
		b.Run("op=tick/lib="+c.name, func(b *testing.B) {
			clock := c.open(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := clock.tick(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, c := range clocks {
		b.Run("op=tick-parallel/lib="+c.name, func(b *testing.B) {
			clock := c.open(b)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := clock.tick(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	for _, c := range clocks {
		b.Run("op=update/lib="+c.name, func(b *testing.B) { // a remote clock that is always one ahead
			clock, remote := c.open(b), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				if err := clock.update(remote + 1); err != nil {
					b.Fatal(err)
				}
				remote += 2
			}
		})
	}
}

// What serf's clock leaves out, according to the tables.
func TestSerfClockWraps(t *testing.T) {
	var c serf.LamportClock
	c.Increment()
	c.Witness(math.MaxUint64) // one corrupt remote value
	require.Zero(t, c.Time())
}
