package causal_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// No decision is based on an outdated history: the function is called again if,
// and only if, events of the aggregates were saved.
func TestDecideAgain(t *testing.T) {
	project := func(p *causal.EventParams) { p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678" }
	for name, test := range map[string]struct {
		beside func(t *testing.T, s *causal.MemStore, n *causal.Node)
		calls  int
	}{
		"nothing":           {func(*testing.T, *causal.MemStore, *causal.Node) {}, 1},
		"another aggregate": {func(t *testing.T, _ *causal.MemStore, n *causal.Node) { emit(t, n, note("other")) }, 1},
		"another project": {func(t *testing.T, s *causal.MemStore, _ *causal.Node) {
			require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 1, project, func(p *causal.EventParams) { p.AggregateID = "A" })))
		}, 1},
		"the node itself": {func(t *testing.T, _ *causal.MemStore, n *causal.Node) { emit(t, n, note("A")) }, 2},
		"another node":    {func(t *testing.T, s *causal.MemStore, _ *causal.Node) { emit(t, openNode(t, "bob", s), note("A")) }, 2},
		"a plain event": {func(t *testing.T, s *causal.MemStore, _ *causal.Node) {
			require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 1, func(p *causal.EventParams) { p.AggregateID = "A" })))
		}, 2},
		"an aggregate that it changes": {func(t *testing.T, _ *causal.MemStore, n *causal.Node) { emit(t, n, note("B")) }, 2},
		"what comes from elsewhere": {func(t *testing.T, _ *causal.MemStore, n *causal.Node) {
			receive(t, n, from(t, 5, "bob", 0, 1, func(p *causal.EventParams) { p.AggregateID = "A" }))
		}, 2},
		"another node, elsewhere": {func(t *testing.T, s *causal.MemStore, n *causal.Node) {
			emit(t, n, note("other"))
			emit(t, openNode(t, "bob", s), note("other"))
			emit(t, n, note("other"))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var s causal.MemStore
			n := openNode(t, "alice", &s)
			first := emit(t, n, note("A"))
			calls := 0
			events, err := n.Decide(t.Context(), "A", func(history []causal.Event) ([]causal.EventParams, error) {
				if calls++; calls == 1 {
					require.Len(t, history, 1)
					require.True(t, first.Equal(history[0]))
					test.beside(t, &s, n)
				}
				return []causal.EventParams{note("A"), note("B")}, nil
			})
			require.NoError(t, err)
			require.Len(t, events, 2)
			require.Equal(t, test.calls, calls)
		})
	}
}

func TestDecideGivesUp(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	calls := 0
	_, err := n.Decide(t.Context(), "A", func(history []causal.Event) ([]causal.EventParams, error) {
		require.Len(t, history, calls)
		calls++
		emit(t, n, note("A"))
		return []causal.EventParams{note("A")}, nil
	})
	require.ErrorIs(t, err, causal.ErrConcurrentSave)
	require.Equal(t, 10, calls)
	require.Len(t, eventtest.LoadAll(t, &s), 10)
}

func TestDecideRefuses(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	none := func([]causal.Event) ([]causal.EventParams, error) { return nil, nil }
	events, err := n.Decide(t.Context(), "A", none)
	require.NoError(t, err)
	require.Empty(t, events)
	_, err = n.Decide(t.Context(), "", none)
	requireFault(t, err, "aggregate_id must not be empty")
	_, err = n.Decide(t.Context(), "A", nil)
	requireFault(t, err, "f must not be nil")
	_, err = n.Decide(nil, "A", none) //nolint:staticcheck // the nil context is tested
	requireFault(t, err, "ctx must not be nil")
	for _, want := range []error{errors.New("sold"), causal.ErrConcurrentSave, (*causal.ValidationError)(nil), (*causal.StorageError)(nil)} {
		calls := 0
		_, err := n.Decide(t.Context(), "A", func([]causal.Event) ([]causal.EventParams, error) {
			calls++
			return []causal.EventParams{note("A")}, want
		})
		require.Equal(t, 1, calls)
		require.True(t, err == want, "the error of the function, unchanged") //nolint:testifylint // identical
	}
	_, err = n.Decide(t.Context(), "A", func([]causal.Event) ([]causal.EventParams, error) { return []causal.EventParams{{}}, nil })
	require.ErrorIs(t, err, causal.ErrValidation)
	require.Empty(t, eventtest.LoadAll(t, &s))
}

// No update is lost: no more items are sold than are in stock, however many
// nodes and processes decide concurrently on one store.
func TestDecideLosesNoUpdate(t *testing.T) {
	const stock, workers = 40, 6
	var s causal.MemStore
	nodes := []*causal.Node{openNode(t, "alice", &s), openNode(t, "alice", &s), openNode(t, "bob", &s)}
	sold := make([]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for {
				events, err := nodes[w%3].Decide(t.Context(), "stock", func(history []causal.Event) ([]causal.EventParams, error) {
					if len(history) >= stock {
						return nil, nil
					}
					return []causal.EventParams{note("stock", func(p *causal.EventParams) { p.Payload = map[string]int{"before": len(history)} })}, nil
				})
				if err != nil {
					if !errors.Is(err, causal.ErrConcurrentSave) {
						t.Error(err)
						return
					}
					continue
				}
				if len(events) == 0 {
					return
				}
				sold[w]++
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range sold {
		sum += n
	}
	require.Equal(t, stock, sum)
	history, err := s.LoadEvents(t.Context(), "stock")
	require.NoError(t, err)
	require.Len(t, history, stock)
	for i, e := range history {
		require.JSONEq(t, fmt.Sprintf(`{"before":%d}`, i), string(e.Payload()), "each was decided on all before it")
	}
	requireChain(t, &s, "alice")
}

// A model: whatever happens between reading and saving, and whatever the store
// does, each event of an aggregate has the number of events at the time of the
// decision.
func TestDecideModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s saves
		open := func(node string) *causal.Node {
			n, err := causal.OpenNode(t.Context(), node, &s, nodeOptions())
			require.NoError(t, err)
			return n
		}
		nodes := []*causal.Node{open("alice"), open("alice"), open("bob")}
		stored := map[string]int{}
		unknown := 0
		var decide func(t *rapid.T, depth int)
		decide = func(t *rapid.T, depth int) {
			n := nodes[rapid.IntRange(0, 2).Draw(t, "node")]
			aggregate := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "aggregate")
			calls := 0
			events, err := n.Decide(t.Context(), aggregate, func(history []causal.Event) ([]causal.EventParams, error) {
				if calls++; depth > 0 && calls == 1 {
					for range rapid.IntRange(0, 2).Draw(t, "beside") {
						decide(t, depth-1)
					}
				}
				return []causal.EventParams{note(aggregate, func(p *causal.EventParams) { p.Payload = map[string]int{"before": len(history)} })}, nil
			})
			switch {
			case err == nil:
				stored[aggregate] += len(events)
			case errors.Is(err, causal.ErrOutcomeUnknown):
				unknown++
			default:
				require.ErrorIs(t, err, causal.ErrStorage)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"decide": func(t *rapid.T) {
				s.set(faults[rapid.SampledFrom([]string{"none", "none", "fails", "after", "before"}).Draw(t, "fault")])
				decide(t, 2)
				s.set(nil)
			},
			"": func(t *rapid.T) {
				count := 0
				for _, aggregate := range []string{"A", "B"} {
					history, err := s.LoadEvents(t.Context(), aggregate)
					require.NoError(t, err)
					for i, e := range history {
						require.JSONEq(t, fmt.Sprintf(`{"before":%d}`, i), string(e.Payload()))
					}
					require.GreaterOrEqual(t, len(history), stored[aggregate])
					count += len(history) - stored[aggregate]
				}
				require.LessOrEqual(t, count, unknown)
				requireChain(t, &s, "alice")
			},
		})
	})
}
