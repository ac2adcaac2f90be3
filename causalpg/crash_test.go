package causalpg_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const (
	crashSchema = "CAUSALPG_CRASH_SCHEMA" // the schema for the child process
	crashRun    = "CAUSALPG_CRASH_RUN"    // the number on which it bases its writes
	crashCount  = "CAUSALPG_CRASH_COUNT"  // the number of writes after which it exits

	crashName = "causalpg-crash" // of the children's connections
)

// TestCrashChild is a child process of TestProcesses, and does nothing
// otherwise.
func TestCrashChild(t *testing.T) {
	schema := os.Getenv(crashSchema)
	if schema == "" {
		return
	}
	adaptertest.Writer{
		Store: openIn(t, schema), Node: "shared", Lease: 64,
		Run: adaptertest.ChildNumber(t, crashRun), Count: adaptertest.ChildNumber(t, crashCount),
	}.Write(t)
}

// Several processes share a schema and a clock, and some are killed at random
// moments. No acknowledged event is lost or duplicated, and a reader following
// the log misses nothing.
func TestProcesses(t *testing.T) {
	count, kills, events := 8, 24, 500 // for each of the four goroutines of a process
	if testing.Short() {
		count, kills, events = 4, 6, 25
	}
	schema, children, run := newSchema(t), adaptertest.NewChildren(t), 0
	start := func(count int) *adaptertest.Child {
		run++
		return children.Start(child("TestCrashChild", "PGAPPNAME="+crashName,
			crashSchema+"="+schema, crashRun+"="+strconv.Itoa(run), crashCount+"="+strconv.Itoa(count)))
	}
	s := openIn(t, schema)
	written, followed := make(chan struct{}), make(chan map[causal.EventID]causal.Event)
	go func() { followed <- follow(t, s, written) }()
	var running []*adaptertest.Child
	for range count - 2 { // these live
		running = append(running, start(events))
	}
	for range kills / 2 { // and these die, two at a time
		victims := []*adaptertest.Child{start(1_000_000), start(1_000_000)}
		for _, victim := range victims {
			victim.First()
			time.Sleep(rand.N(40 * time.Millisecond))
			victim.Kill(t)
		}
	}
	for _, c := range running {
		c.Wait(t)
	}
	c := connect(t, testDSN)
	require.Eventually(t, func() bool { // the server may still be working for dead clients, or about to start
		var left int
		err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()", crashName).Scan(&left)
		return err == nil && left == 0
	}, 30*time.Second, time.Millisecond)
	close(written)
	stored := <-followed
	for _, e := range eventtest.LoadAll(t, s) {
		require.True(t, e.Equal(stored[e.ID()]))
	}
	acked := children.Acknowledged()
	adaptertest.RequireStored(t, acked, stored)
	requirePositions(t, schema, len(stored))
	t.Logf("%d acknowledged events, %d stored, %d clock values", len(acked), len(stored), children.Clocks())
}

// follow reads the log from its last position, until there is nothing new after
// all writes.
func follow(t *testing.T, s causal.LogReader, written <-chan struct{}) map[causal.EventID]causal.Event {
	seen := map[causal.EventID]causal.Event{}
	var at causal.Cursor
	for last := false; ; {
		select {
		case <-written:
			last = true
		case <-time.After(5 * time.Millisecond):
		}
		at = adaptertest.Collect(t, s, at, seen)
		if last {
			return seen
		}
	}
}
