package adaptertest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func openNode(t eventtest.T, id string, s causal.NodeStorage) *causal.Node {
	n, err := causal.OpenNode(t.Context(), id, s, causal.NodeOptions{ProjectUUID: eventtest.ProjectUUID})
	require.NoError(t, err)
	return n
}

// EmitInChild emits events of a node from four goroutines in a child process,
// and prints the ID of each acknowledged one.
func EmitInChild(t *testing.T, s adapter.Store, node string, count int) {
	ctx := t.Context()
	go func() { // so as not to outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	n := openNode(t, node, s)
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range count / 4 {
				e, err := n.Emit(ctx, causal.EventParams{Type: "T", AggregateID: fmt.Sprint("A", i%2)})
				check(err)
				fmt.Println("emitted", e.ID())
			}
		}()
	}
	for range 4 {
		<-done
	}
	check(n.Close())
}

// RunEmitters runs processes that print the IDs of their events, and returns
// the IDs.
func RunEmitters(t *testing.T, processes []*exec.Cmd) []causal.EventID {
	outputs := make([]strings.Builder, len(processes))
	for i, cmd := range processes {
		cmd.Stdout, cmd.Stderr = &outputs[i], os.Stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		defer stdin.Close()
		require.NoError(t, cmd.Start())
	}
	var ids []causal.EventID
	for i, cmd := range processes {
		require.NoError(t, cmd.Wait(), "%s", &outputs[i])
		ids = append(ids, emittedIDs(outputs[i].String())...)
	}
	return ids
}

func emittedIDs(output string) (ids []causal.EventID) {
	for line := range strings.Lines(output) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "emitted "); ok {
			ids = append(ids, causal.EventID(id))
		}
	}
	return ids
}

// RequireOneChain requires that the events of each node are one chain in
// arrival order, that the parents of each event are earlier ones of its
// aggregate, and that the acknowledged events are there. It returns the number
// of events.
func RequireOneChain(t *testing.T, s causal.LogReader, acked []causal.EventID) int {
	latest, stored := map[string]int64{}, map[causal.EventID]causal.Event{}
	for _, entry := range eventtest.ReadLog(t, s, causal.Cursor{}) {
		e := entry.Event
		require.True(t, e.IsStamped())
		require.Equal(t, latest[e.NodeID()], e.PreviousClock(), "a fork, or a gap")
		require.Greater(t, e.LamportClock(), latest[e.NodeID()])
		latest[e.NodeID()] = e.LamportClock()
		for _, id := range e.Parents() {
			require.Equal(t, e.AggregateID(), stored[id].AggregateID())
			require.Less(t, stored[id].LamportClock(), e.LamportClock())
		}
		stored[e.ID()] = e
	}
	for _, id := range acked {
		require.Contains(t, stored, id, "what was acknowledged is lost")
	}
	return len(stored)
}

// dying is a store that kills its process at a given step, before or after one
// of its calls.
type dying struct {
	adapter.Store
	left int
}

func (s *dying) step() {
	if s.left--; s.left == 0 {
		p, err := os.FindProcess(os.Getpid())
		check(err)
		check(p.Kill())
		select {}
	}
}

// step makes a call, with a step before and after it.
func step[R any](s *dying, call func() (R, error)) (R, error) {
	s.step()
	r, err := call()
	s.step()
	return r, err
}

func (s *dying) Head(ctx context.Context) (causal.Cursor, error) {
	return step(s, func() (causal.Cursor, error) { return s.Store.Head(ctx) })
}

func (s *dying) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	s.step()
	return s.Store.ReadLog(ctx, after)
}

func (s *dying) LoadHeads(ctx context.Context, project, aggregateID string) ([]causal.EventID, error) {
	return step(s, func() ([]causal.EventID, error) { return s.Store.LoadHeads(ctx, project, aggregateID) })
}

func (s *dying) SaveEventsIf(ctx context.Context, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
	return step(s, func() (causal.Appended, error) { return s.Store.SaveEventsIf(ctx, after, c, events) })
}

func (s *dying) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	return step(s, func() (causal.Appended, error) { return s.Store.Append(ctx, events) })
}

func (s *dying) LoadCheckpoint(ctx context.Context, name string) (causal.Checkpoint, error) {
	return step(s, func() (causal.Checkpoint, error) { return s.Store.LoadCheckpoint(ctx, name) })
}

func (s *dying) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	return step(s, func() (uint64, error) { return s.Store.SaveCheckpoint(ctx, name, c) })
}

func (s *dying) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	return step(s, func() (int64, error) { return s.Store.AdvanceClock(ctx, nodeID, floor, by) })
}

func (s *dying) AppendRejected(ctx context.Context, r causal.Rejected) (bool, error) {
	return step(s, func() (bool, error) { return s.Store.AppendRejected(ctx, r) })
}

// DieInChild emits and receives in a child process that is killed at a step, or
// finishes.
func DieInChild(t *testing.T, s adapter.Store, at int) {
	ctx := t.Context()
	n := openNode(t, "alice", &dying{s, at})
	emit := func(aggregate string) {
		e, err := n.Emit(ctx, causal.EventParams{Type: "T", AggregateID: aggregate})
		check(err)
		fmt.Println("emitted", e.ID())
	}
	emit("A")
	emit("B")
	incoming := []causal.Event{
		eventtest.New(t, 1000+at, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.Parents, p.AggregateID = fmt.Sprint("bob", at), 1, []causal.EventID{}, "A"
		}),
		eventtest.New(t, 5, func(p *causal.EventParams) { p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678" }),
	}
	_, err := n.Receive(ctx, incoming, nil)
	check(err)
	emit("A")
	_, err = n.Decide(ctx, "B", func(history []causal.Event) ([]causal.EventParams, error) {
		return []causal.EventParams{{Type: "T", AggregateID: "B", Payload: map[string]int{"before": len(history)}}}, nil
	})
	check(err)
	check(n.Close())
}

// RequireStepsSurvived runs a child that is killed at its first step, its
// second and so on, until one finishes. Each time the store must have the
// acknowledged events, in one chain.
func RequireStepsSurvived(t *testing.T, s adapter.Store, child func(at int) *exec.Cmd) {
	var acked []causal.EventID
	for at := 1; ; at++ {
		require.Less(t, at, 200)
		cmd := child(at)
		cmd.Stderr = os.Stderr
		output, err := cmd.Output()
		acked = append(acked, emittedIDs(string(output))...)
		RequireOneChain(t, s, acked)
		if err == nil {
			require.Greater(t, at, 20)
			break
		}
		require.False(t, cmd.ProcessState.Exited(), "it has failed: %s", output)
	}
	history, err := s.LoadEvents(t.Context(), "B")
	require.NoError(t, err)
	decided := slices.DeleteFunc(slices.Clone(history), func(e causal.Event) bool { return string(e.Payload()) == "{}" })
	require.NotEmpty(t, decided)
	for _, e := range decided {
		i := slices.IndexFunc(history, e.Equal)
		require.JSONEq(t, fmt.Sprintf(`{"before":%d}`, i), string(e.Payload()))
	}
}

// BenchmarkNode emits with a node, beside saves of the same store.
func BenchmarkNode(b *testing.B, open func(b *testing.B) adapter.Store) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d/save", callers), func(b *testing.B) {
			s := open(b)
			var clock atomic.Int64
			runCallers(b, callers, func(int) error { return s.SaveEvent(b.Context(), stampedBench(b, clock.Add(1))) })
		})
		b.Run(fmt.Sprintf("callers=%d/emit", callers), func(b *testing.B) {
			node := openNode(b, "alice", open(b))
			runCallers(b, callers, func(n int) error {
				_, err := node.Emit(b.Context(), eventtest.BenchParams(n))
				return err
			})
		})
	}
	const count = 10_000
	events := make([]causal.Event, count)
	for i := range events {
		events[i] = stampedBench(b, int64(i+1))
	}
	for _, way := range []string{"save", "receive"} {
		b.Run("10000/"+way, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := open(b)
				n := openNode(b, "alice", s)
				b.StartTimer()
				var err error
				if way == "save" {
					err = s.SaveEvents(b.Context(), events)
				} else {
					_, err = n.Receive(b.Context(), events, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// stampedBench returns an event like those emitted by a node.
func stampedBench(b *testing.B, clock int64) causal.Event {
	p := eventtest.BenchParams(int(clock))
	p.NodeID, p.ProjectUUID, p.LamportClock, p.PreviousClock = "bob", eventtest.ProjectUUID, clock, clock-1
	p.ID, p.Parents = benchID(clock), []causal.EventID{}
	if clock > 100 {
		p.Parents = append(p.Parents, benchID(clock-100))
	}
	e, err := causal.NewEvent(p)
	require.NoError(b, err)
	return e
}

func benchID(clock int64) causal.EventID { return eventtest.ID(int(clock)) }

// runCallers makes the calls of a benchmark from the given number of
// goroutines.
func runCallers(b *testing.B, callers int, call func(n int) error) {
	b.SetParallelism((callers + 1) / 2)
	if callers == 1 {
		for n := 0; b.Loop(); n++ {
			if err := call(n); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if err := call(n); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
