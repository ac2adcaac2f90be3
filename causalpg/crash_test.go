package causalpg_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const (
	crashSchema = "CAUSALPG_CRASH_SCHEMA" // the child writes to this schema
	crashRun    = "CAUSALPG_CRASH_RUN"    // and numbers its writes from this
	crashCount  = "CAUSALPG_CRASH_COUNT"  // and ends by itself after that many

	crashName = "causalpg-crash" // of the children's connections
	batchSize = 5
)

// crashEvent is the n-th event that the children write.
func crashEvent(t testing.TB, n int, clock int64, aggregate string) causal.Event {
	return eventtest.New(t, n, eventtest.WithPayload(fmt.Sprintf(`{"n":%d}`, n)), func(p *causal.EventParams) {
		p.LamportClock, p.AggregateID = clock, aggregate
	})
}

// TestCrashChild is a child process of TestProcesses, and does nothing else. It
// prints a line for each write that was acknowledged.
func TestCrashChild(t *testing.T) {
	ctx := t.Context()
	schema := os.Getenv(crashSchema)
	if schema == "" {
		return
	}
	run, err := strconv.Atoi(os.Getenv(crashRun))
	require.NoError(t, err)
	count, err := strconv.Atoi(os.Getenv(crashCount))
	require.NoError(t, err)
	go func() { // so that it does not outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	s := openIn(t, schema)
	tick := func(lease int64) func() int64 {
		clock, err := causal.NewLamportClock(ctx, "shared", s, &causal.LamportClockOptions{Lease: lease})
		require.NoError(t, err)
		return func() int64 {
			value, err := clock.Tick(ctx)
			check(err)
			fmt.Printf("clock %d\n", value)
			return value
		}
	}
	single, leased := tick(1), tick(64)
	first := run * 1_000_000
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for n := range count {
				clock, n := single(), first+w*100_000+n
				check(s.SaveEvent(ctx, crashEvent(t, n, clock, "single")))
				fmt.Printf("event %d %d single\n", n, clock)
			}
		})
		wg.Go(func() {
			for n := range count / batchSize {
				n := first + (2+w)*100_000 + n*batchSize
				clock, batch, aggregate := leased(), []causal.Event(nil), fmt.Sprint("batch-", n)
				for i := range batchSize {
					batch = append(batch, crashEvent(t, n+i, clock, aggregate))
				}
				check(s.SaveEvents(ctx, batch))
				for i := range batchSize {
					fmt.Printf("event %d %d %s\n", n+i, clock, aggregate)
				}
			}
		})
	}
	wg.Wait()
	fmt.Println("done 0")
}

// check ends the child, and with it the test, if a write fails.
func check(err error) {
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

// processes is what the parent knows about the children of one schema.
type processes struct {
	t      *testing.T
	schema string
	run    int

	mu     sync.Mutex
	clocks map[int64]bool                  // values that were issued
	acked  map[causal.EventID]causal.Event // what was acknowledged
}

// process is a running child.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first chan struct{} // closed at the first acknowledged event
	ended chan struct{} // closed when its output has ended
}

func (p *processes) start(count int) *process {
	p.run++
	c := &process{first: make(chan struct{}), ended: make(chan struct{})}
	c.cmd = child("TestCrashChild", crashSchema+"="+p.schema, crashRun+"="+strconv.Itoa(p.run), crashCount+"="+strconv.Itoa(count))
	c.cmd.Env = append(c.cmd.Env, "PGAPPNAME="+crashName)
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe()
	require.NoError(p.t, err)
	stdout, err := c.cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, c.cmd.Start())
	c.stdin = stdin
	go p.follow(c, stdout)
	return c
}

// follow takes the lines of a child.
func (p *processes) follow(c *process, stdout io.Reader) {
	defer close(c.ended)
	first := sync.OnceFunc(func() { close(c.first) })
	defer first()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var kind, aggregate string
		var n int
		var clock int64
		fields, _ := fmt.Sscan(lines.Text(), &kind, &n, &clock, &aggregate)
		p.mu.Lock()
		switch {
		case kind == "clock" && fields == 2:
			if p.clocks[int64(n)] {
				p.t.Errorf("clock value %d was issued twice", n)
			}
			p.clocks[int64(n)] = true
		case kind == "event" && fields == 4:
			p.acked[eventtest.ID(n)] = crashEvent(p.t, n, clock, aggregate)
			first()
		case kind == "failed":
			p.t.Errorf("the child says %q", lines.Text())
		}
		p.mu.Unlock()
	}
}

// Several processes share a schema and a clock, and some are killed at any moment:
// nothing that was acknowledged is lost, nothing is there twice, and a reader that
// follows the log misses nothing.
func TestProcesses(t *testing.T) {
	count, kills, events := 8, 24, 500 // for each of the four goroutines of a process
	if testing.Short() {
		count, kills, events = 4, 6, 25
	}
	p := &processes{
		t: t, schema: newSchema(t), clocks: map[int64]bool{}, acked: map[causal.EventID]causal.Event{},
	}
	s := openIn(t, p.schema)
	written, followed := make(chan struct{}), make(chan map[causal.EventID]causal.Event)
	go func() { followed <- follow(t, s, written) }()
	var running []*process
	for range count - 2 { // these live
		running = append(running, p.start(events))
	}
	for range kills / 2 { // two at a time do not
		victims := []*process{p.start(1_000_000), p.start(1_000_000)}
		for _, victim := range victims {
			<-victim.first
			time.Sleep(rand.N(40 * time.Millisecond))
			require.NoError(t, victim.cmd.Process.Kill())
			<-victim.ended
			require.Error(t, victim.cmd.Wait())
		}
	}
	for _, c := range running {
		<-c.ended
		require.NoError(t, c.cmd.Wait())
	}
	c := connect(t, testDSN)
	require.Eventually(t, func() bool { // the server still finishes what it got from the dead
		var busy int
		err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle' AND pid <> pg_backend_pid()", crashName).Scan(&busy)
		return err == nil && busy == 0
	}, 10*time.Second, time.Millisecond)
	close(written)
	stored := <-followed
	for id, e := range p.acked {
		require.True(t, e.Equal(stored[id]), "acknowledged event %s is lost or changed", id)
	}
	batches := map[string]int{}
	for _, e := range eventtest.LoadAll(t, s) {
		require.True(t, e.Equal(stored[e.ID()]))
		if e.AggregateID() != "single" {
			batches[e.AggregateID()]++
		}
	}
	for name, size := range batches {
		require.Equal(t, batchSize, size, name)
	}
	requirePositions(t, p.schema, len(stored))
	t.Logf("%d acknowledged events, %d stored, %d clock values", len(p.acked), len(stored), len(p.clocks))
}

// follow reads the log from where it has come to, until there is nothing new once
// all is written.
func follow(t *testing.T, s causal.LogReader, written <-chan struct{}) map[causal.EventID]causal.Event {
	seen := map[causal.EventID]causal.Event{}
	var at causal.Cursor
	for last := false; ; {
		select {
		case <-written:
			last = true
		case <-time.After(5 * time.Millisecond):
		}
		for e, err := range s.ReadLog(t.Context(), at) {
			if err != nil || !seen[e.Event.ID()].IsZero() {
				t.Error("twice in the log, or ", err)
			}
			seen[e.Event.ID()] = e.Event
			at = e.Cursor
		}
		if last {
			return seen
		}
	}
}
