//go:build unix

package causalnats_test

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// A leader that is cut off from its followers goes on answering, and takes itself for the leader for many seconds. It
// is not believed for as long as that: meanwhile another one may have been elected.
func TestLeaderWithoutFollowers(t *testing.T) {
	ctx := t.Context()
	p := startProcesses(t, 3, false)
	nc := connect(t, p.urls())
	o := provision(t, nc, causalnats.Options{})
	l := leader(t, nc, o.Name+"_LOG")
	alone := connect(t, fmt.Sprint("nats://127.0.0.1:", p.ports[l]), nats.IgnoreDiscoveredServers())
	o.Retry = 100 * time.Millisecond
	s := open(t, alone, o)
	saveRange(t, s, 0, 5)
	signal := func(number int, signal syscall.Signal) {
		require.NoError(t, p.cmds[(l+number)%3].Process.Signal(signal))
	}
	signal(1, syscall.SIGSTOP)
	saveRange(t, s, 5, 10)
	require.Len(t, eventtest.LoadAll(t, s), 10, "with one of two it has a majority")
	signal(2, syscall.SIGSTOP)
	var err error
	for start := time.Now(); err == nil && time.Since(start) < time.Minute; {
		_, err = s.LoadEvents(ctx, "WP001")
	}
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "has lost its followers")
	require.NotErrorIs(t, err, causalnats.ErrLogLost)
	m, err := alone.Request("$JS.API.STREAM.INFO."+o.Name+"_LOG", nil, time.Second)
	require.NoError(t, err)
	var info struct{ Cluster struct{ Leader string } }
	require.NoError(t, json.Unmarshal(m.Data, &info))
	require.Equal(t, fmt.Sprint("n", l), info.Cluster.Leader, "it takes itself for the leader")
	require.Error(t, s.SaveEvent(ctx, eventtest.New(t, 99)))
	for _, err := range []error{second(s.LoadClock(ctx, "n")), second(s.LoadCheckpoint(ctx, "p")), second(s.RecentErrors(ctx, 1))} {
		eventtest.RequireStorageError(t, err)
	}

	signal(1, syscall.SIGCONT)
	signal(2, syscall.SIGCONT)
	require.Eventually(t, func() bool { return second(s.Head(ctx)) == nil }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return s.SaveEvent(ctx, eventtest.New(t, 99)) == nil }, time.Minute, 10*time.Millisecond)
	require.Len(t, eventtest.LoadAll(t, s), 11)
}
