package benchmarks

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
	"github.com/nbd-wtf/go-nostr/nip77/negentropy"
	"github.com/nbd-wtf/go-nostr/nip77/negentropy/storage/vector"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

// missingEvents returns events at random positions among the given number of
// clocks.
func missingEvents(tb testing.TB, count, clocks int) []causal.Event {
	events := make([]causal.Event, count)
	for i := range events {
		var err error
		events[i], err = causal.NewEvent(causal.EventParams{
			ID: causal.EventID(fmt.Sprintf("BENCHMARK%017d", i)), Type: "Changed", AggregateID: "A", NodeID: "alice",
			LamportClock: int64(uint64(i+1) * 0x9E3779B97F4A7C15 >> 20 % uint64(clocks)), ProjectUUID: "12345678-1234-5678-1234-567812345678",
			Timestamp: time.Unix(1_700_000_000, 0).UTC(), Payload: json.RawMessage(`{"note":"the quick brown fox jumps over the lazy dog"}`),
		})
		require.NoError(tb, err)
	}
	return events
}

// cost is the cost of finding the differences.
type cost struct{ trips, bytes int64 }

func (c cost) report(b *testing.B) {
	b.ReportMetric(float64(c.trips), "trips")
	b.ReportMetric(float64(c.bytes), "msgB") // without the events
}

// syncOurs returns a Sync with a peer that has all of the events, whose salt
// and summary are known. The Sync does not know which events are missing, and
// does not store them, so they are new each time.
func syncOurs(tb testing.TB, keys []causal.SyncKey, missing []causal.Event) func() cost {
	ctx := context.Background()
	hub := &adaptertest.KeyStore{Keys: keys}
	require.NoError(tb, hub.SaveEvents(ctx, missing))
	there, err := causalsync.New(hub, nil)
	require.NoError(tb, err)
	refuse := func(string, causal.Event) error { return context.Canceled }
	here, err := causalsync.New(&adaptertest.KeyStore{Keys: keys}, &causalsync.Options{Accept: refuse})
	require.NoError(tb, err)
	size := 0
	for _, e := range missing {
		text, err := e.MarshalJSON()
		require.NoError(tb, err)
		size += len(text)
	}
	do := func() cost {
		report, err := here.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
			return there.Answer(ctx, "here", causal.Filter{}, request)
		}, nil)
		require.NoError(tb, err)
		require.Equal(tb, len(missing), report.RefusedCount)
		return cost{int64(report.Trips), report.BytesIn + report.BytesOut - int64(size)}
	}
	do()
	return do
}

// syncNegentropy returns the same with negentropy, which finds the IDs but does
// not fetch the events: that takes one more trip, with 32 bytes for each.
func syncNegentropy(tb testing.TB, keys []causal.SyncKey, missing []causal.Event) func() cost {
	here, there := vector.New(), vector.New()
	for _, k := range keys {
		id := hex.EncodeToString(k.Digest[:])
		here.Insert(nostr.Timestamp(k.Clock), id)
		there.Insert(nostr.Timestamp(k.Clock), id)
	}
	for _, e := range missing {
		digest := e.Digest()
		there.Insert(nostr.Timestamp(e.LamportClock()), hex.EncodeToString(digest[:]))
	}
	here.Seal()
	there.Seal()
	return func() (c cost) {
		client, server := negentropy.New(here, 0), negentropy.New(there, 0)
		found := make(chan int)
		go func() {
			n := 0
			for range client.HaveNots {
				n++
			}
			found <- n
		}()
		go func() {
			for range client.Haves {
			}
		}()
		for message := client.Start(); message != ""; {
			c.trips++
			c.bytes += int64(len(message) / 2)
			answer, err := server.Reconcile(message)
			require.NoError(tb, err)
			c.bytes += int64(len(answer) / 2)
			message, err = client.Reconcile(answer)
			require.NoError(tb, err)
		}
		require.Equal(tb, len(missing), <-found)
		if len(missing) > 0 {
			c.trips++
			c.bytes += int64(32 * len(missing))
		}
		return c
	}
}

// syncCursor returns a read of a log after the cursor of the previous read. It
// finds only new events, not ones missing for another reason.
func syncCursor(tb testing.TB, _ []causal.SyncKey, missing []causal.Event) func() cost {
	ctx := context.Background()
	hub := &causal.MemEventStore{}
	require.NoError(tb, hub.SaveEvents(ctx, missingEvents(tb, 1100, 1000)[1000:])) // the reader has these
	after, err := hub.Head(ctx)
	require.NoError(tb, err)
	require.NoError(tb, hub.SaveEvents(ctx, missing))
	return func() cost {
		text := len(after.String())
		count := 0
		for _, err := range hub.ReadLog(ctx, after) {
			require.NoError(tb, err)
			count++
		}
		require.Equal(tb, len(missing), count)
		return cost{1, int64(text)}
	}
}

func BenchmarkSync(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		keys := adaptertest.NewKeys(n)
		for _, d := range []int{0, 1, 10, 1000} {
			missing := missingEvents(b, d, n/3)
			for _, lib := range []struct {
				name  string
				start func(testing.TB, []causal.SyncKey, []causal.Event) func() cost
			}{{"causalsync", syncOurs}, {"negentropy", syncNegentropy}, {"cursor", syncCursor}} {
				b.Run(fmt.Sprintf("op=%dk-%d/lib=%s", n/1000, d, lib.name), func(b *testing.B) {
					do := lib.start(b, keys, missing)
					var c cost
					b.ReportAllocs()
					for b.Loop() {
						c = do()
					}
					c.report(b)
				})
			}
		}
	}
}

// Both find the same, and cursors find only new events.
func TestSyncPeersAreRight(t *testing.T) {
	keys := adaptertest.NewKeys(10_000)
	for _, d := range []int{0, 1, 10, 100} {
		missing := missingEvents(t, d, 3000)
		syncOurs(t, keys, missing)()
		syncNegentropy(t, keys, missing)()
		require.Equal(t, int64(1), syncCursor(t, keys, missing)().trips)
	}
}
