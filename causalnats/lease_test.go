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

// A leader cut off from its followers still answers, and believes to be the
// leader for many seconds. It is not trusted for so long, because another one
// may have been elected.
func TestLeaderWithoutFollowers(t *testing.T) {
	p := startProcesses(t, 3, false)
	nc := connect(t, p.urls())
	o := provision(t, nc, causalnats.Options{})
	for range 3 { // on a busy machine, another one may have been elected by now
		if isRefusedInTime(t, p, leader(t, nc, o.Name+"_LOG"), o) {
			return
		}
	}
	require.Fail(t, "the leader was believed until it noticed itself that it is none")
}

// isRefusedInTime cuts off a leader, and reports whether it still believed to
// be the leader when reads were refused.
func isRefusedInTime(t *testing.T, p *processes, l int, o causalnats.Options) bool {
	ctx := t.Context()
	alone := connect(t, fmt.Sprint("nats://127.0.0.1:", p.ports[l]), nats.IgnoreDiscoveredServers())
	s := open(t, alone, o)
	before := len(eventtest.LoadAll(t, s))
	signal := func(number int, signal syscall.Signal) {
		require.NoError(t, p.cmds[(l+number)%3].Process.Signal(signal))
	}
	signal(1, syscall.SIGSTOP)
	saveRange(t, s, before, before+5)
	require.Len(t, eventtest.LoadAll(t, s), before+5, "with one of two it has a majority")
	s.SetRetry(100 * time.Millisecond)
	signal(2, syscall.SIGSTOP)
	var err error
	for start := time.Now(); err == nil && time.Since(start) < time.Minute; {
		_, err = s.LoadEvents(ctx, "WP001")
	}
	eventtest.RequireStorageError(t, err)
	require.NotErrorIs(t, err, causalnats.ErrLogLost)
	m, infoErr := alone.Request("$JS.API.STREAM.INFO."+o.Name+"_LOG", nil, 5*time.Second)
	require.Error(t, s.SaveEvent(ctx, eventtest.New(t, before+99)))
	for _, err := range []error{second(s.LoadClock(ctx, "n")), second(s.LoadCheckpoint(ctx, "p")), second(s.RecentErrors(ctx, 1))} {
		eventtest.RequireStorageError(t, err)
	}

	signal(1, syscall.SIGCONT)
	signal(2, syscall.SIGCONT)
	require.Eventually(t, func() bool { return second(s.Head(ctx)) == nil }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return s.SaveEvent(ctx, eventtest.New(t, before+99)) == nil }, time.Minute, 10*time.Millisecond)
	require.Len(t, eventtest.LoadAll(t, s), before+6)
	var info struct{ Cluster struct{ Leader string } }
	return infoErr == nil && json.Unmarshal(m.Data, &info) == nil && info.Cluster.Leader == fmt.Sprint("n", l)
}
