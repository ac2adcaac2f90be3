package causal_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// The heads of more aggregates than are kept are correct.
func TestNodeWithManyAggregates(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	const aggregates = 60_000
	latest := make([]causal.EventID, aggregates)
	for round := range 2 {
		for from := 0; from < aggregates; from += 2000 {
			var ps []causal.EventParams
			for i := from; i < from+2000; i++ {
				ps = append(ps, note(fmt.Sprint(i)))
			}
			events, err := n.EmitAll(t.Context(), ps)
			require.NoError(t, err)
			for i, e := range events {
				if round > 0 {
					require.Equal(t, []causal.EventID{latest[from+i]}, e.Parents())
				}
				latest[from+i] = e.ID()
			}
		}
	}
}

// Heads forgotten while events are stamped are those of other events.
func TestNodeWithHugeAggregate(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	first := emit(t, n, note("A"))
	var events []causal.Event
	for i := range 100_001 {
		events = append(events, from(t, i, fmt.Sprint("node", i), 0, int64(i+1)))
	}
	receive(t, n, events...)
	all, err := n.EmitAll(t.Context(), []causal.EventParams{note("A"), note("WP001"), note("A")})
	require.NoError(t, err)
	require.Equal(t, []causal.EventID{first.ID()}, all[0].Parents())
	require.Equal(t, []causal.EventID{all[0].ID()}, all[2].Parents())
	require.Equal(t, []causal.EventID{all[2].ID()}, emit(t, n, note("A")).Parents())
}

// Another process saves between the reading of the log and of the heads: every
// parent still has a lower clock.
func TestNodeHeadsAreBeforeItsClock(t *testing.T) {
	s := &hookedHeads{}
	n, bob := openNode(t, "alice", s), openNode(t, "bob", &s.MemStore)
	emit(t, n, note("A"))
	for i := range 20 { // in both ways of saving
		aggregate := fmt.Sprint("A", i)
		var theirs causal.Event
		s.hook = func() { theirs = emit(t, bob, note(aggregate)) }
		e := emit(t, n, note(aggregate))
		require.Greater(t, e.LamportClock(), theirs.LamportClock())
		require.Equal(t, []causal.EventID{theirs.ID()}, e.Parents())
	}
}

// hookedHeads is a store that calls a hook once before heads, or events, are
// loaded, and whose log cannot be read while err is set.
type hookedHeads struct {
	causal.MemStore
	hook, events func()
	err          error
}

func (s *hookedHeads) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	if hook := s.events; hook != nil {
		s.events = nil
		hook()
	}
	return s.MemStore.LoadEvents(ctx, aggregateID)
}

func (s *hookedHeads) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	if s.err != nil {
		return func(yield func(causal.LogEntry, error) bool) { yield(causal.LogEntry{}, s.err) }
	}
	return s.MemStore.ReadLog(ctx, after)
}

func (s *hookedHeads) LoadHeads(ctx context.Context, projectUUID, aggregateID string) ([]causal.EventID, error) {
	if hook := s.hook; hook != nil {
		s.hook = nil
		hook()
	}
	return s.MemStore.LoadHeads(ctx, projectUUID, aggregateID)
}

// An aggregate has more heads than an event may name: the node's own latest and
// the newest are named, and the others remain heads.
func TestNodeWithTooManyHeads(t *testing.T) {
	var s causal.MemStore
	const most = 16_384
	events := make([]causal.Event, 0, 2*most)
	for i := range most + 5 {
		events = append(events, eventtest.New(t, i, func(p *causal.EventParams) {
			p.ID, p.NodeID, p.LamportClock, p.Parents = eventtest.ID(100_000-i), fmt.Sprint("node", i), int64(i+1), []causal.EventID{}
			if i < 2 {
				p.NodeID, p.PreviousClock = "alice", int64(i)
			}
		}))
	}
	n := openNode(t, "alice", &s)
	require.Equal(t, most+5, receive(t, n, events...).Saved)
	e := emit(t, n, note("WP001"))
	require.Len(t, e.Parents(), most)
	require.Contains(t, e.Parents(), events[1].ID(), "its own latest")
	for _, i := range []int{0, 2, 3, 4, 5} {
		require.NotContains(t, e.Parents(), events[i].ID())
	}
	require.Contains(t, e.Parents(), events[6].ID())
	heads, err := s.LoadHeads(t.Context(), eventtest.ProjectUUID, "WP001")
	require.NoError(t, err)
	require.Len(t, heads, 6)
	require.Equal(t, heads, emit(t, n, note("WP001")).Parents())

	events = events[:0]
	for i := range 2 * most { // so many that the rest is too many again
		events = append(events, from(t, 200_000+i, fmt.Sprint("other", i), 0, int64(i+1)))
	}
	receive(t, n, events...)
	all, err := n.EmitAll(t.Context(), []causal.EventParams{note("WP001"), note("WP001")})
	require.NoError(t, err)
	require.Contains(t, all[1].Parents(), all[0].ID(), "its own latest, which is not saved yet")
	require.Len(t, all[1].Parents(), most)

	apart := make([]causal.EventParams, most+10) // none of which follows another
	for i := range apart {
		apart[i] = note("apart", func(p *causal.EventParams) { p.Parents = []causal.EventID{} })
	}
	all, err = n.EmitAll(t.Context(), append(apart, note("apart")))
	require.NoError(t, err)
	require.Len(t, all[most+10].Parents(), most)
	require.Contains(t, all[most+10].Parents(), all[most+9].ID())
}
