//go:build !race

package causalnats_test

import (
	"cmp"
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/causaltest"
	"github.com/spec-kitty/causal/internal/adapter"
)

const hasRace = false

// beShort shortens the rest of a test.
func beShort(t *testing.T) {
	short := flag.Lookup("test.short").Value
	was := short.String()
	require.NoError(t, short.Set("true"))
	t.Cleanup(func() { require.NoError(t, short.Set(was)) })
}

// The suite on three servers. It is shortened, because each write takes two
// more trips, and runs without the race detector, for which a single server is
// enough.
func TestConformanceOfThree(t *testing.T) {
	beShort(t)
	runSuite(t, startProcesses(t, 3, true).urls(), causalnats.Options{})
}

// The same with a replica in a file.
func TestConformanceOfFile(t *testing.T) {
	beShort(t)
	urls := startProcesses(t, 1, true).urls()
	o := causalnats.Options{Replicas: 1}
	t.Run("events", func(t *testing.T) {
		events := config[causal.EventStore](t, urls, o)
		files := map[causal.EventStore]string{}
		openFile := func(t testing.TB, o causalnats.Options, path string) causal.EventStore {
			s := openWithFile(t, connect(t, urls), o, path)
			files[s] = path + " " + o.Name
			return s
		}
		nc := connect(t, urls)
		again := func(t testing.TB, s causal.EventStore, newPath string) causal.EventStore {
			path, name, _ := strings.Cut(files[s], " ")
			return openFile(t, causalnats.Options{Name: name, Replicas: 1}, cmp.Or(newPath, path))
		}
		events.Open = func(t testing.TB) causal.EventStore { return openFile(t, provision(t, nc, o), newPath(t)) }
		events.Reopen = func(t testing.TB, s causal.EventStore) causal.EventStore {
			require.NoError(t, s.(*causalnats.Store).Close())
			return again(t, s, "")
		}
		events.Peer = func(t testing.TB, s causal.EventStore) causal.EventStore { return again(t, s, newPath(t)) }
		events.PageSizes = adapter.PageSizes()
		causaltest.TestEventStore(t, events)
	})
}
