package causalsqlite_test

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
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const (
	crashPath = "CAUSALSQLITE_CRASH_PATH" // the child writes to this file
	crashRun  = "CAUSALSQLITE_CRASH_RUN"  // and numbers its writes from this
	crashCalm = "CAUSALSQLITE_CRASH_CALM" // with pauses, if set

	batchSize = 5
	errorKeep = 40
)

// crashEvent is the n-th event that the children write.
func crashEvent(t testing.TB, n int, clock int64, aggregate string) causal.Event {
	return eventtest.New(t, n, eventtest.WithPayload(fmt.Sprintf(`{"n":%d}`, n)), func(p *causal.EventParams) {
		p.LamportClock, p.AggregateID = clock, aggregate
	})
}

// TestCrashChild is the child process of TestCrash, and does nothing else. It
// prints a line for each write that was acknowledged.
func TestCrashChild(t *testing.T) {
	ctx := t.Context()
	path := os.Getenv(crashPath)
	if path == "" {
		return
	}
	run, err := strconv.Atoi(os.Getenv(crashRun))
	require.NoError(t, err)
	s, err := causalsqlite.Open(ctx, path, &causalsqlite.Options{
		Synchronous: causalsqlite.Synchronous(run % 2), ErrorLimit: errorKeep,
	})
	require.NoError(t, err)
	go func() { // so that it does not outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	tick := func(lease int64) func() int64 {
		clock, err := causal.NewLamportClock(ctx, "crash", s, &causal.LamportClockOptions{Lease: lease})
		require.NoError(t, err)
		return func() int64 {
			value, err := clock.Tick(ctx)
			check(err)
			fmt.Printf("clock %d\n", value)
			return value
		}
	}
	single, leased := tick(1), tick(1024)
	first := run * 1_000_000
	var pause time.Duration
	if os.Getenv(crashCalm) != "" {
		pause = 10 * time.Millisecond
	}
	for w := range 2 {
		go func() {
			for n := first + w*100_000; ; n++ {
				clock := single()
				check(s.SaveEvent(ctx, crashEvent(t, n, clock, "single")))
				fmt.Printf("event %d %d single\n", n, clock)
				time.Sleep(pause)
			}
		}()
		go func() {
			for n := first + 200_000 + w*100_000; ; n += batchSize {
				clock, batch, aggregate := leased(), []causal.Event(nil), fmt.Sprint("batch-", n)
				for i := range batchSize {
					batch = append(batch, crashEvent(t, n+i, clock, aggregate))
				}
				check(s.SaveEvents(ctx, batch))
				for i := range batchSize {
					fmt.Printf("event %d %d %s\n", n+i, clock, aggregate)
				}
				time.Sleep(pause)
			}
		}()
	}
	for n := first; ; n++ {
		e := eventtest.NewEntry(0)
		e.ActionAttempted = strconv.Itoa(n)
		check(s.AppendError(ctx, e))
		fmt.Printf("error %d\n", n)
		time.Sleep(2 * time.Millisecond)
	}
}

// check ends the child, and with it the test, if a write fails.
func check(err error) {
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

// crashFile is what the parent knows about one file.
type crashFile struct {
	t      *testing.T
	path   string
	cursor causal.Cursor                   // up to which the log is read
	stored map[causal.EventID]causal.Event // what it holds
	count  int                             // acknowledged events that were found

	mu     sync.Mutex
	clocks map[int64]bool                  // values that were issued
	acked  map[causal.EventID]causal.Event // what was acknowledged and not looked for yet
	errors map[*child][]string             // acknowledged errors
}

// child is a running child process.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first chan struct{} // closed at the first acknowledged event
	ended chan struct{} // closed when its output has ended
}

func newCrashFile(t *testing.T) *crashFile {
	return &crashFile{
		t: t, path: testPath(t), stored: map[causal.EventID]causal.Event{}, clocks: map[int64]bool{},
		acked: map[causal.EventID]causal.Event{}, errors: map[*child][]string{},
	}
}

func (f *crashFile) start(run int, environment ...string) *child {
	c := &child{first: make(chan struct{}), ended: make(chan struct{})}
	c.cmd = exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	c.cmd.Env = append(os.Environ(), crashPath+"="+f.path, crashRun+"="+strconv.Itoa(run))
	c.cmd.Env = append(c.cmd.Env, environment...)
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe()
	require.NoError(f.t, err)
	stdout, err := c.cmd.StdoutPipe()
	require.NoError(f.t, err)
	require.NoError(f.t, c.cmd.Start())
	c.stdin = stdin
	go f.follow(c, stdout)
	return c
}

// follow takes the lines of a child.
func (f *crashFile) follow(c *child, stdout io.Reader) {
	defer close(c.ended)
	first := sync.OnceFunc(func() { close(c.first) })
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var kind, aggregate string
		var n int
		var clock int64
		fields, _ := fmt.Sscan(lines.Text(), &kind, &n, &clock, &aggregate)
		f.mu.Lock()
		switch {
		case kind == "clock" && fields == 2:
			if f.clocks[int64(n)] {
				f.t.Errorf("clock value %d was issued twice", n)
			}
			f.clocks[int64(n)] = true
		case kind == "event" && fields == 4:
			f.acked[eventtest.ID(n)] = crashEvent(f.t, n, clock, aggregate)
			first()
		case kind == "error" && fields == 2:
			f.errors[c] = append(f.errors[c], strconv.Itoa(n))
		default:
			f.t.Errorf("the child says %q", lines.Text())
			first()
		}
		f.mu.Unlock()
	}
}

// verify opens the file and compares it with what was acknowledged before.
func (f *crashFile) verify() {
	t := f.t
	ctx := t.Context()
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := causalsqlite.Open(ctx, f.path, &causalsqlite.Options{ErrorLimit: errorKeep})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for _, e := range eventtest.ReadLog(t, s, f.cursor) {
		if !f.stored[e.Event.ID()].IsZero() {
			t.Fatalf("%s is in the log twice", e.Event.ID())
		}
		f.stored[e.Event.ID()] = e.Event
		f.cursor = e.Cursor
	}
	for id, e := range f.acked {
		if !e.Equal(f.stored[id]) {
			t.Fatalf("acknowledged event %s is lost or changed", id)
		}
	}
	f.count += len(f.acked)
	clear(f.acked) // the log does not change any more, as the end of the test checks
	batches := map[string]int{}
	for _, e := range f.stored {
		if e.AggregateID() != "single" {
			batches[e.AggregateID()]++
		}
	}
	for name, size := range batches {
		require.Equal(t, batchSize, size, name)
	}
	// No kept entry is older than an acknowledged one that is missing.
	entries, err := s.RecentErrors(ctx, errorKeep+1)
	require.NoError(t, err)
	require.LessOrEqual(t, len(entries), errorKeep)
	kept := map[string]bool{}
	for _, e := range entries {
		kept[e.ActionAttempted] = true
	}
	for _, acked := range f.errors {
		found := len(entries) < errorKeep // nothing may be missing then
		for _, name := range acked {
			if found && !kept[name] {
				t.Fatalf("acknowledged error %s is lost", name)
			}
			found = found || kept[name]
		}
	}
	requireIntegrity(t, f.path)
}

func requireIntegrity(t *testing.T, path string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	require.NoError(t, err)
	result := ""
	require.NoError(t, sqlitex.Execute(c, "PRAGMA integrity_check", &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			result += s.ColumnText(0)
			return nil
		},
	}))
	require.NoError(t, c.Close())
	require.Equal(t, "ok", result)
}

// A process that is killed at any moment loses nothing that was acknowledged. On
// most files a second process writes all the time; on the others the next one to
// open the file has to recover it.
func TestCrash(t *testing.T) {
	files, kills := 5, 10
	if testing.Short() {
		files, kills = 2, 5
	}
	run := 0
	for file := range files {
		f := newCrashFile(t)
		var second *child
		if file%3 != 1 {
			run++
			second = f.start(run, crashCalm+"=1")
			<-second.first
		}
		for range kills {
			run++
			victim := f.start(run)
			<-victim.first
			time.Sleep(20*time.Millisecond + rand.N(60*time.Millisecond))
			require.NoError(t, victim.cmd.Process.Kill())
			<-victim.ended
			require.Error(t, victim.cmd.Wait())
			f.verify()
			require.False(t, t.Failed())
		}
		if second != nil {
			require.NoError(t, second.stdin.Close())
			<-second.ended
			require.NoError(t, second.cmd.Wait())
			f.verify()
		}
		all := eventtest.LoadAll(t, openAt(t, f.path, nil))
		require.Len(t, all, len(f.stored))
		for _, e := range all {
			require.True(t, e.Equal(f.stored[e.ID()]))
		}
		t.Logf("%d acknowledged events, %d stored, %d clock values", f.count, len(f.stored), len(f.clocks))
	}
}

// Processes that open a new file at the same time, and write to it at full speed,
// are not in each other's way.
func TestProcesses(t *testing.T) {
	f := newCrashFile(t)
	var children []*child
	for run := range 4 {
		children = append(children, f.start(run+1))
	}
	for _, c := range children {
		<-c.first
	}
	time.Sleep(100 * time.Millisecond)
	for _, c := range children {
		require.NoError(t, c.stdin.Close())
		<-c.ended
		require.NoError(t, c.cmd.Wait())
	}
	f.verify()
	t.Logf("%d acknowledged events, %d clock values", f.count, len(f.clocks))
}
