package causalsqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const (
	nodePath  = "CAUSALSQLITE_NODE_PATH"
	nodeCount = "CAUSALSQLITE_NODE_COUNT"
	nodeStep  = "CAUSALSQLITE_NODE_STEP"
)

// TestNodeChild is a process for tests of nodes, and does nothing otherwise.
func TestNodeChild(t *testing.T) {
	switch path := os.Getenv(nodePath); {
	case path == "":
	case os.Getenv(nodeStep) != "":
		adaptertest.DieInChild(t, openAt(t, path, nil), adaptertest.ChildNumber(t, nodeStep))
	default:
		adaptertest.EmitInChild(t, openAt(t, path, nil), "alice", adaptertest.ChildNumber(t, nodeCount))
	}
}

// Two processes with one node ID on one file are slow, but do not fork.
func TestNodeInTwoProcesses(t *testing.T) {
	count := 1000
	if testing.Short() {
		count = 200
	}
	path := testPath(t)
	s := openAt(t, path, nil)
	var processes []*exec.Cmd
	for range 2 {
		processes = append(processes, adaptertest.ChildCommand("TestNodeChild", nodePath+"="+path, nodeCount+"="+strconv.Itoa(count)))
	}
	acked := adaptertest.RunEmitters(t, processes)
	require.Len(t, acked, 2*count)
	require.Equal(t, 2*count, adaptertest.RequireOneChain(t, s, acked))
}

// A node that is killed before and after each call of its store loses nothing
// it has acknowledged, and continues its chain.
func TestNodeKilledAtEachStep(t *testing.T) {
	path := testPath(t)
	adaptertest.RequireStepsSurvived(t, openAt(t, path, nil), func(at int) *exec.Cmd {
		return adaptertest.ChildCommand("TestNodeChild", nodePath+"="+path, nodeStep+"="+strconv.Itoa(at))
	})
}

// An opened backup has another timeline. Its node reports this, and continues
// under a new ID, or under its own once it has the events of its peers.
func TestNodeOnBackup(t *testing.T) {
	ctx := t.Context()
	open := func(id, path string, change ...func(*causal.NodeOptions)) (*causal.Node, error) {
		o := causal.NodeOptions{ProjectUUID: eventtest.ProjectUUID}
		for _, f := range change {
			f(&o)
		}
		return causal.OpenNode(ctx, id, openAt(t, path, nil), o)
	}
	emit := func(n *causal.Node) causal.Event {
		e, err := n.Emit(ctx, causal.EventParams{Type: "T", AggregateID: "A"})
		require.NoError(t, err)
		return e
	}
	path := testPath(t)
	s := openAt(t, path, nil)
	n, err := open("alice", path)
	require.NoError(t, err)
	emit(n)
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(ctx, backup))
	lost := emit(n)
	require.NoError(t, n.Close())

	_, err = open("alice", backup)
	require.ErrorIs(t, err, causal.ErrRestored)
	fresh, err := open("alice 2", backup)
	require.NoError(t, err)
	_, err = fresh.Receive(ctx, []causal.Event{lost}, nil)
	require.NoError(t, err)
	n, err = open("alice", backup, func(o *causal.NodeOptions) { o.AfterRestore = true })
	require.NoError(t, err)
	require.Equal(t, lost.LamportClock(), emit(n).PreviousClock())
	require.NoError(t, n.Close())
	_, err = open("alice", backup)
	require.NoError(t, err)
}

func BenchmarkNode(b *testing.B) {
	adaptertest.BenchmarkNode(b, func(b *testing.B) adapter.Store { return openAt(b, benchPath(b), nil) })
}

// BenchmarkOpenNode opens a node on a log of 200,000 events, with its
// checkpoint and without, compared with reading the log.
func BenchmarkOpenNode(b *testing.B) {
	const count = 200_000
	ctx, s := b.Context(), openAt(b, benchPath(b), nil)
	o := causal.NodeOptions{ProjectUUID: eventtest.ProjectUUID}
	n, err := causal.OpenNode(ctx, "alice", s, o)
	require.NoError(b, err)
	for i := range count / 1000 {
		ps := make([]causal.EventParams, 1000)
		for j := range ps {
			ps[j] = eventtest.BenchParams(1000*i + j)
		}
		_, err := n.EmitAll(ctx, ps)
		require.NoError(b, err)
	}
	require.NoError(b, n.Close())
	b.Run("read log", func(b *testing.B) {
		for b.Loop() {
			for _, err := range s.ReadLog(ctx, causal.Cursor{}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	opened := 0
	for _, way := range []string{"with checkpoint", "without"} {
		b.Run(way, func(b *testing.B) {
			for b.Loop() {
				id := "alice"
				if opened++; way == "without" {
					id = fmt.Sprint(way, opened)
				}
				if _, err := causal.OpenNode(ctx, id, s, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
