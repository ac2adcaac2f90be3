package causalnats_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

const (
	envNode     = "CAUSALNATS_NODE" // the node of a child process: a URL, the name of the store, and a node ID
	envNodeStep = "CAUSALNATS_NODE_STEP"
)

// TestNodeChild is a process for tests of nodes, and does nothing otherwise.
func TestNodeChild(t *testing.T) {
	words := strings.Fields(os.Getenv(envNode))
	if len(words) == 0 {
		return
	}
	s := open(t, connect(t, words[0]), causalnats.Options{Name: words[1], Replicas: 1})
	if os.Getenv(envNodeStep) != "" {
		adaptertest.DieInChild(t, s, adaptertest.ChildNumber(t, envNodeStep))
		return
	}
	adaptertest.EmitInChild(t, s, words[2], 200)
}

// Nodes in several processes have one history, each in one chain.
func TestNodesInProcesses(t *testing.T) {
	c := startCluster(t, 1)
	o := provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1})
	var processes []*exec.Cmd
	for i := range 3 {
		processes = append(processes, adaptertest.ChildCommand("TestNodeChild", fmt.Sprint(envNode, "=", c.urls(), " ", o.Name, " node", i)))
	}
	acked := adaptertest.RunEmitters(t, processes)
	require.Len(t, acked, 600)
	require.Equal(t, 600, adaptertest.RequireOneChain(t, open(t, connect(t, c.urls()), o), acked))
}

// A node that is killed before and after each call of its store loses nothing
// it has acknowledged, and continues its chain.
func TestNodeKilledAtEachStep(t *testing.T) {
	c := startCluster(t, 1)
	o := provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1})
	adaptertest.RequireStepsSurvived(t, open(t, connect(t, c.urls()), o), func(at int) *exec.Cmd {
		return adaptertest.ChildCommand("TestNodeChild", fmt.Sprint(envNode, "=", c.urls(), " ", o.Name, " alice"), fmt.Sprint(envNodeStep, "=", at))
	})
}
