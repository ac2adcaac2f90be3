package causalsqlite_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const (
	crashPath = "CAUSALSQLITE_CRASH_PATH" // the file for the child process
	crashRun  = "CAUSALSQLITE_CRASH_RUN"  // the number on which it bases its writes
	crashCalm = "CAUSALSQLITE_CRASH_CALM" // whether it pauses

	errorKeep = 40
)

// TestCrashChild is the child process of TestCrash, and does nothing otherwise.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashPath)
	if path == "" {
		return
	}
	run := adaptertest.ChildNumber(t, crashRun)
	s, err := causalsqlite.Open(t.Context(), path, &causalsqlite.Options{
		Synchronous: causalsqlite.Synchronous(run % 2), ErrorLimit: errorKeep,
	})
	require.NoError(t, err)
	w := adaptertest.Writer{Store: s, Node: "crash", Lease: 1024, Run: run, Errors: true}
	if os.Getenv(crashCalm) != "" {
		w.Pause = 10 * time.Millisecond
	}
	w.Write(t)
}

// crashFile is the parent's knowledge about one file.
type crashFile struct {
	*adaptertest.Children
	t      *testing.T
	path   string
	cursor causal.Cursor                   // up to which the log was read
	stored map[causal.EventID]causal.Event // its content
	count  int                             // acknowledged events found
}

func newCrashFile(t *testing.T) *crashFile {
	return &crashFile{
		Children: adaptertest.NewChildren(t), t: t, path: testPath(t), stored: map[causal.EventID]causal.Event{},
	}
}

func (f *crashFile) start(run int, environment ...string) *adaptertest.Child {
	environment = append(environment, crashPath+"="+f.path, crashRun+"="+strconv.Itoa(run))
	return f.Start(adaptertest.ChildCommand("TestCrashChild", environment...))
}

// verify opens the file and compares it with earlier acknowledgements.
func (f *crashFile) verify() {
	t := f.t
	acked := f.Acknowledged()
	s, err := causalsqlite.Open(t.Context(), f.path, &causalsqlite.Options{ErrorLimit: errorKeep})
	require.NoError(t, err)
	f.cursor = adaptertest.Collect(t, s, f.cursor, f.stored)
	adaptertest.RequireStored(t, acked, f.stored) // which is final, as the end of the test checks
	f.count += len(acked)
	f.RequireErrors(t.Context(), s, errorKeep)
	require.NoError(t, s.Close())
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

// A process killed at a random moment loses no acknowledged event. On most
// files a second process writes all the time; on the others the next process to
// open the file has to recover it.
func TestCrash(t *testing.T) {
	files, kills := 5, 10
	if testing.Short() {
		files, kills = 2, 5
	}
	run := 0
	for file := range files {
		f := newCrashFile(t)
		var second *adaptertest.Child
		if file%3 != 1 {
			run++
			second = f.start(run, crashCalm+"=1")
			second.First()
		}
		for range kills {
			run++
			victim := f.start(run)
			victim.First()
			time.Sleep(20*time.Millisecond + rand.N(60*time.Millisecond))
			victim.Kill(t)
			f.verify()
			require.False(t, t.Failed())
		}
		if second != nil {
			second.Stop(t)
			f.verify()
		}
		all := eventtest.LoadAll(t, openAt(t, f.path, nil))
		require.Len(t, all, len(f.stored))
		for _, e := range all {
			require.True(t, e.Equal(f.stored[e.ID()]))
		}
		t.Logf("%d acknowledged events, %d stored, %d clock values", f.count, len(f.stored), f.Clocks())
	}
}

// Processes that open a new file at the same time, and write to it at full
// speed, do not disturb each other.
func TestProcesses(t *testing.T) {
	f := newCrashFile(t)
	var children []*adaptertest.Child
	for run := range 4 {
		children = append(children, f.start(run+1))
	}
	for _, c := range children {
		c.First()
	}
	time.Sleep(100 * time.Millisecond)
	for _, c := range children {
		c.Stop(t)
	}
	f.verify()
	t.Logf("%d acknowledged events, %d clock values", f.count, f.Clocks())
}
