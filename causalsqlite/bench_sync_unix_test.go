//go:build unix

package causalsqlite_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/causalsync"
)

var syncSize = flag.Int("sync-size", 20_000, "events in the file that BenchmarkFirstSync syncs")

// BenchmarkFirstSync is the first sync of a file over HTTP, without
// compression, compared with reading it and saving the events in batches of
// 1000. It reports the CPU time of both sides. The limits are 3 times that of
// the copy, and 2 times if the keys of the source are already stored.
func BenchmarkFirstSync(b *testing.B) {
	count := *syncSize / 1000 * 1000
	source := openAt(b, filepath.Join(b.TempDir(), "source.db"), nil)
	batch := make([]causal.Event, 0, 1000)
	for i := range count {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "WPStatusChanged", AggregateID: fmt.Sprint("WP", i%5000), NodeID: fmt.Sprint("node-", i%3), LamportClock: int64(i/3 + 1),
			ProjectUUID: "12345678-1234-5678-1234-567812345678", Parents: []causal.EventID{},
			Payload: json.RawMessage(fmt.Sprintf(`{"from_lane":"planned","to_lane":"doing","actor":"alice","note":"the quick brown fox","n":%d}`, i)),
		})
		require.NoError(b, err)
		if batch = append(batch, e); len(batch) == cap(batch) {
			require.NoError(b, source.SaveEvents(b.Context(), batch))
			batch = batch[:0]
		}
	}
	target := func(b *testing.B) *causalsqlite.Store {
		return openAt(b, filepath.Join(b.TempDir(), "target.db"), nil)
	}
	run := func(name string, do func(b *testing.B, to *causalsqlite.Store)) {
		b.Run(name, func(b *testing.B) {
			var total time.Duration
			for range b.N {
				to := target(b)
				before := cpuTime()
				do(b, to)
				total += cpuTime() - before
				head, err := to.Head(b.Context())
				require.NoError(b, err)
				require.Equal(b, uint64(count), head.Position())
			}
			b.ReportMetric(float64(total.Microseconds())/float64(b.N*count), "cpu-µs/event")
		})
	}
	run("copy", func(b *testing.B, to *causalsqlite.Store) {
		batch := make([]causal.Event, 0, 1000)
		for entry, err := range source.ReadLog(b.Context(), causal.Cursor{}) {
			require.NoError(b, err)
			if batch = append(batch, entry.Event); len(batch) == cap(batch) {
				require.NoError(b, to.SaveEvents(b.Context(), batch))
				batch = batch[:0]
			}
		}
	})
	syncOverHTTP := func(b *testing.B, to *causalsqlite.Store) {
		hub, err := causalsync.New(source, nil)
		require.NoError(b, err)
		server := httptest.NewServer(causalsync.Handler(hub, func(*http.Request) (string, causal.Filter, error) { return "", causal.Filter{}, nil }))
		defer server.Close()
		r, err := causalsync.New(to, nil)
		require.NoError(b, err)
		report, err := r.Sync(context.Background(), causalsync.HTTP(server.URL, &causalsync.HTTPOptions{NoCompression: true}), nil)
		require.NoError(b, err)
		require.Equal(b, count, report.Received)
	}
	run("sync", func(b *testing.B, to *causalsqlite.Store) {
		require.NoError(b, source.Exec("DELETE FROM digests"))
		syncOverHTTP(b, to)
	})
	run("sync-with-keys", syncOverHTTP)
}

// cpuTime is the CPU time used by the process.
func cpuTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
