package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Writer writes in a child process, from several goroutines, and prints a line
// for each acknowledged write.
type Writer struct {
	Store  adapter.Store
	Node   string        // whose clock the children use
	Lease  int64         // of the clock for batches
	Run    int           // the number of the process, on which the numbers of its writes are based
	Count  int           // of the events of each goroutine; zero means no limit
	Pause  time.Duration // between two writes of a goroutine
	Errors bool          // also writes to the error log, without limit
}

// batchSize is the number of events that the children save together.
const batchSize = 5

// crashEvent is the n-th event written by the children.
func crashEvent(t require.TestingT, n int, clock int64, aggregate string) causal.Event {
	return eventtest.New(t, n, eventtest.WithPayload(fmt.Sprintf(`{"n":%d}`, n)), func(p *causal.EventParams) {
		p.LamportClock, p.AggregateID = clock, aggregate
	})
}

// Write writes, and exits if its standard input is closed or a write fails.
func (w Writer) Write(t *testing.T) {
	ctx := t.Context()
	go func() { // so as not to outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	single, leased := w.tick(t, 1), w.tick(t, w.Lease)
	first := w.Run * 1_000_000
	var writing sync.WaitGroup
	for i := range 2 {
		writing.Go(func() {
			for n := 0; w.Count == 0 || n < w.Count; n++ {
				clock, n := single(), first+i*100_000+n
				check(w.Store.SaveEvent(ctx, crashEvent(t, n, clock, "single")))
				fmt.Printf("event %d %d single\n", n, clock)
				time.Sleep(w.Pause)
			}
		})
		writing.Go(func() {
			for n := 0; w.Count == 0 || n < w.Count; n += batchSize {
				w.writeBatch(t, first+(2+i)*100_000+n, leased())
				time.Sleep(w.Pause)
			}
		})
	}
	for n := first; w.Errors; n++ {
		check(w.Store.AppendError(ctx, eventtest.NewEntry(n)))
		fmt.Printf("error %d\n", n)
		time.Sleep(2 * time.Millisecond)
	}
	writing.Wait()
}

// tick returns the ticks of a new clock.
func (w Writer) tick(t *testing.T, lease int64) func() int64 {
	ctx := t.Context()
	clock, err := causal.NewLamportClock(ctx, w.Node, w.Store, &causal.LamportClockOptions{Lease: lease})
	require.NoError(t, err)
	return func() int64 {
		value, err := clock.Tick(ctx)
		check(err)
		fmt.Printf("clock %d\n", value)
		return value
	}
}

func (w Writer) writeBatch(t *testing.T, n int, clock int64) {
	aggregate := fmt.Sprint("batch-", n)
	var batch []causal.Event
	for i := range batchSize {
		batch = append(batch, crashEvent(t, n+i, clock, aggregate))
	}
	check(w.Store.SaveEvents(t.Context(), batch))
	for i := range batchSize {
		fmt.Printf("event %d %d %s\n", n+i, clock, aggregate)
	}
}

// check exits the child, and with it the test, if a write fails.
func check(err error) {
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

// Children records the processes writing to one store.
type Children struct {
	t *testing.T

	mu     sync.Mutex
	clocks map[int64]bool                  // issued values
	acked  map[causal.EventID]causal.Event // acknowledged events
	errors map[*Child][]string             // acknowledged entries
}

// NewChildren returns a record of no processes.
func NewChildren(t *testing.T) *Children {
	return &Children{
		t: t, clocks: map[int64]bool{}, acked: map[causal.EventID]causal.Event{}, errors: map[*Child][]string{},
	}
}

// Child is a running process.
type Child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first chan struct{} // closed at the first acknowledged event
	ended chan struct{} // closed when its output ends
}

// Start starts a process whose test calls [Writer.Write].
func (c *Children) Start(cmd *exec.Cmd) *Child {
	child := &Child{cmd: cmd, first: make(chan struct{}), ended: make(chan struct{})}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(c.t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, cmd.Start())
	child.stdin = stdin
	go c.follow(child, stdout)
	return child
}

// follow reads the output of a child.
func (c *Children) follow(child *Child, stdout io.Reader) {
	defer close(child.ended)
	first := sync.OnceFunc(func() { close(child.first) })
	defer first()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		c.take(child, lines.Text(), first)
	}
}

// take processes a line of a child.
func (c *Children) take(child *Child, line string, first func()) {
	var kind, aggregate string
	var n int
	var clock int64
	fields, _ := fmt.Sscan(line, &kind, &n, &clock, &aggregate)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case kind == "clock" && fields == 2:
		if c.clocks[int64(n)] {
			c.t.Errorf("clock value %d was issued twice", n)
		}
		c.clocks[int64(n)] = true
	case kind == "event" && fields == 4:
		c.acked[eventtest.ID(n)] = crashEvent(c.t, n, clock, aggregate)
		first()
	case kind == "error" && fields == 2:
		c.errors[child] = append(c.errors[child], eventtest.NewEntry(n).ActionAttempted)
	case kind == "PASS" || kind == "ok": // the child has finished
	default:
		c.t.Errorf("the child says %q", line)
	}
}

// First waits until an event of the child is acknowledged.
func (c *Child) First() { <-c.first }

// Kill kills the child.
func (c *Child) Kill(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Kill())
	<-c.ended
	require.Error(t, c.cmd.Wait())
}

// Stop asks the child to exit, and waits for it.
func (c *Child) Stop(t *testing.T) {
	t.Helper()
	require.NoError(t, c.stdin.Close())
	c.Wait(t)
}

// Wait waits until the child has finished by itself.
func (c *Child) Wait(t *testing.T) {
	t.Helper()
	<-c.ended
	require.NoError(t, c.cmd.Wait())
}

// Acknowledged returns the events acknowledged since the previous call. Later
// reads must return them.
func (c *Children) Acknowledged() map[causal.EventID]causal.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	acked := c.acked
	c.acked = map[causal.EventID]causal.Event{}
	return acked
}

// RequireStored requires the acknowledged events among the stored ones, and of
// every batch all or nothing.
func RequireStored(t *testing.T, acked, stored map[causal.EventID]causal.Event) {
	t.Helper()
	for id, e := range acked {
		require.True(t, e.Equal(stored[id]), "acknowledged event %s is lost or changed", id)
	}
	batches := map[string]int{}
	for _, e := range stored {
		if e.AggregateID() != "single" {
			batches[e.AggregateID()]++
		}
	}
	for name, size := range batches {
		require.Equal(t, batchSize, size, name)
	}
}

// RequireErrors requires that the error log, which keeps up to limit entries,
// keeps no entry older than an acknowledged one that is missing.
func (c *Children) RequireErrors(ctx context.Context, s causal.ErrorStorage, limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := s.RecentErrors(ctx, limit+1)
	require.NoError(c.t, err)
	require.LessOrEqual(c.t, len(entries), limit)
	kept := map[string]bool{}
	for _, e := range entries {
		kept[e.ActionAttempted] = true
	}
	for _, acked := range c.errors {
		found := len(entries) < limit // nothing may be missing then
		for _, name := range acked {
			require.True(c.t, !found || kept[name], "acknowledged entry %q is lost", name)
			found = found || kept[name]
		}
	}
}

// Clocks returns the number of issued clock values.
func (c *Children) Clocks() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.clocks)
}

// Collect adds the entries after a cursor to the stored events, none of which
// may be there yet, and returns the cursor of the last one.
func Collect(t *testing.T, s causal.LogReader, after causal.Cursor, stored map[causal.EventID]causal.Event) causal.Cursor {
	for _, entry := range eventtest.ReadLog(t, s, after) {
		if id := entry.Event.ID(); !stored[id].IsZero() {
			t.Errorf("%s is in the log twice", id)
		}
		stored[entry.Event.ID()] = entry.Event
		after = entry.Cursor
	}
	return after
}

// ChildCommand runs one test of this program in another process.
func ChildCommand(test string, environment ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), environment...)
	return cmd
}

// ChildNumber returns the number in an environment variable of a child.
func ChildNumber(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(name))
	require.NoError(t, err)
	return n
}
