package causalsync_test

import (
	"flag"
	"testing"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

var networkEvents = flag.Int("network-events", 5000, "events that the nodes of TestNetwork emit")

// TestNetwork runs a network for each 1000 events. See
// [adaptertest.TestSyncNetwork].
func TestNetwork(t *testing.T) {
	count := *networkEvents
	if testing.Short() {
		count /= 10
	}
	for seed := range uint64(count / 1000) {
		var stores [5]causal.MemStore
		adaptertest.TestSyncNetwork(t, seed, 1000, func(i int) causal.Store { return &stores[i] })
	}
}
