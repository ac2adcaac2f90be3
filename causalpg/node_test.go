package causalpg_test

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

const (
	nodeSchema = "CAUSALPG_NODE_SCHEMA"
	nodeCount  = "CAUSALPG_NODE_COUNT"
	nodeStep   = "CAUSALPG_NODE_STEP"
)

// TestNodeChild is a process for tests of nodes, and does nothing otherwise.
func TestNodeChild(t *testing.T) {
	switch schema := os.Getenv(nodeSchema); {
	case schema == "":
	case os.Getenv(nodeStep) != "":
		adaptertest.DieInChild(t, openIn(t, schema), adaptertest.ChildNumber(t, nodeStep))
	default:
		adaptertest.EmitInChild(t, openIn(t, schema), "alice", adaptertest.ChildNumber(t, nodeCount))
	}
}

// Two processes with one node ID on one schema are slow, but do not fork.
func TestNodeInTwoProcesses(t *testing.T) {
	count := 1000
	if testing.Short() {
		count = 200
	}
	schema := newSchema(t)
	s := openIn(t, schema)
	var processes []*exec.Cmd
	for range 2 {
		processes = append(processes, child("TestNodeChild", nodeSchema+"="+schema, nodeCount+"="+strconv.Itoa(count)))
	}
	acked := adaptertest.RunEmitters(t, processes)
	require.Len(t, acked, 2*count)
	require.Equal(t, 2*count, adaptertest.RequireOneChain(t, s, acked))
}

// A node that is killed before and after each call of its store loses nothing
// it has acknowledged, and continues its chain.
func TestNodeKilledAtEachStep(t *testing.T) {
	schema := newSchema(t)
	adaptertest.RequireStepsSurvived(t, openIn(t, schema), func(at int) *exec.Cmd {
		return child("TestNodeChild", nodeSchema+"="+schema, nodeStep+"="+strconv.Itoa(at))
	})
}

func BenchmarkNode(b *testing.B) {
	adaptertest.BenchmarkNode(b, func(b *testing.B) adapter.Store { return openNew(b) })
}
