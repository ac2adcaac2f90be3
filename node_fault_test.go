package causal_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// logStore is a store with a broken log.
type logStore struct {
	causal.MemStore
	entries []causal.LogEntry
	err     error
}

func (s *logStore) ReadLog(context.Context, causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return func(yield func(causal.LogEntry, error) bool) {
		for _, entry := range s.entries {
			if !yield(entry, nil) {
				return
			}
		}
		if s.err != nil {
			yield(causal.LogEntry{}, s.err)
		}
	}
}

// saves is a store whose conditional saves go through a function.
type saves struct {
	causal.MemStore
	mu     sync.Mutex
	stamps map[string]moment
	fault  func(ctx context.Context, save func() (causal.Appended, error), events []causal.Event) (causal.Appended, error)
}

// moment is a node's knowledge when it stamped an event: the log up to a
// position, and earlier events of the same call.
type moment struct {
	after  uint64
	before []causal.Event
}

func (s *saves) SaveEventsIf(
	ctx context.Context, after causal.Cursor, c causal.Condition, events []causal.Event,
) (causal.Appended, error) {
	save := func() (causal.Appended, error) {
		return s.MemStore.SaveEventsIf(context.WithoutCancel(ctx), after, c, events)
	}
	s.mu.Lock()
	fault := s.fault
	if s.stamps == nil {
		s.stamps = map[string]moment{}
	}
	for i, e := range events {
		s.stamps[string(must(e.MarshalJSON()))] = moment{after.Position(), events[:i]}
	}
	s.mu.Unlock()
	if fault == nil {
		return save()
	}
	return fault(ctx, save, events)
}

func (s *saves) set(fault func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

var (
	errDisk    = &causal.StorageError{Op: "save", Err: errors.New("disk full")}
	errUnknown = &causal.StorageError{Op: "save", Err: fmt.Errorf("%w: connection lost", causal.ErrOutcomeUnknown)}
)

// faults are faults of a save: without effect, after saving, and before saving.
var faults = map[string]func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error){
	"fails": func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error) {
		return causal.Appended{}, errDisk
	},
	"after": func(_ context.Context, save func() (causal.Appended, error), _ []causal.Event) (causal.Appended, error) {
		_, _ = save()
		return causal.Appended{}, errUnknown
	},
	"before": func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error) {
		return causal.Appended{}, errUnknown
	},
}

// requireChain requires that the events of a node are one chain in arrival
// order.
func requireChain(t eventtest.T, s causal.LogReader, node string) {
	previous := int64(0)
	for _, entry := range eventtest.ReadLog(t, s, causal.Cursor{}) {
		if e := entry.Event; e.NodeID() == node {
			require.Equal(t, previous, e.PreviousClock(), "at %d", e.LamportClock())
			require.Greater(t, e.LamportClock(), previous)
			previous = e.LamportClock()
		}
	}
}

// requireExact requires that the parents of each event are the heads of its
// aggregate when it was stamped, given the log read by the node and earlier
// events of the same call.
func requireExact(t eventtest.T, s *saves) {
	var log []causal.Event
	for i, entry := range eventtest.ReadLog(t, s, causal.Cursor{}) {
		e := entry.Event
		log = append(log, e)
		known := slices.Clone(log[:i])
		if m, ok := s.stamps[string(must(e.MarshalJSON()))]; ok {
			known = append(slices.Clone(log[:m.after]), m.before...)
		}
		known = slices.DeleteFunc(known, func(o causal.Event) bool { return o.AggregateID() != e.AggregateID() })
		require.ElementsMatch(t, eventtest.IDs(must(causal.NewHistory(known)).Heads()), e.Parents(), "at %d", i)
	}
}

// After a save with unknown outcome, the same event is saved again before
// anything else.
func TestNodeSettlesWhatIsUnknown(t *testing.T) {
	for name, isSaved := range map[string]bool{"it was saved": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			var s saves
			n := openNode(t, "alice", &s)
			emit(t, n, note("A"))
			s.set(func(_ context.Context, save func() (causal.Appended, error), _ []causal.Event) (causal.Appended, error) {
				if isSaved {
					_, err := save()
					require.NoError(t, err)
				}
				return causal.Appended{}, errUnknown
			})
			p := note("A", func(p *causal.EventParams) { p.ID = eventtest.ID(1) })
			_, err := n.Emit(t.Context(), p)
			require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
			s.set(func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error) {
				return causal.Appended{}, errDisk
			})
			_, err = n.Emit(t.Context(), note("B"))
			require.ErrorIs(t, err, causal.ErrStorage)
			require.NotErrorIs(t, err, causal.ErrOutcomeUnknown, "this one is not there")
			_, err = n.Emit(t.Context(), p)
			require.ErrorIs(t, err, causal.ErrOutcomeUnknown, "of this one it is still not known")
			s.set(func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error) {
				return causal.Appended{}, errUnknown
			})
			_, err = n.Emit(t.Context(), note("B"))
			require.ErrorIs(t, err, causal.ErrStorage)
			require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
			s.set(nil)
			e := emit(t, n, note("A"))
			again := emit(t, n, p)
			require.Equal(t, []causal.EventID{again.ID()}, e.Parents())
			require.Equal(t, again.LamportClock(), e.PreviousClock())
			require.EqualValues(t, 2, again.LamportClock())
			requireChain(t, &s, "alice")
			require.Len(t, eventtest.LoadAll(t, &s), 3)
		})
	}
}

// Whatever the store does to saves, honest or not, and whoever gives up
// waiting: the events of the node are one chain with exact parents,
// acknowledged events are stored, and in an honest store refused ones are not.
func TestNodeOnFaultyStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		isHonest := rapid.Bool().Draw(t, "honest")
		var s saves
		var late []func() (causal.Appended, error)
		emitted, unknown, refused := map[causal.EventID]bool{}, map[causal.EventID]bool{}, map[causal.EventID]bool{}
		node := func() *causal.Node {
			n, err := causal.OpenNode(t.Context(), "alice", &s, nodeOptions())
			require.NoError(t, err)
			return n
		}
		n := node()
		ids := 0
		one := func(t *rapid.T) {
			var ps []causal.EventParams
			for range rapid.IntRange(1, 3).Draw(t, "events") {
				ids++
				ps = append(ps, note(rapid.SampledFrom([]string{"A", "B"}).Draw(t, "aggregate"), func(p *causal.EventParams) { p.ID = eventtest.ID(ids) }))
			}
			events, err := n.EmitAll(t.Context(), ps)
			for _, p := range ps {
				switch {
				case err == nil:
					emitted[p.ID] = true
				case errors.Is(err, causal.ErrOutcomeUnknown):
					unknown[p.ID] = true
				default:
					refused[p.ID] = true
				}
			}
			for i := range events {
				require.Equal(t, ps[i].ID, events[i].ID())
			}
		}
		with := func(fault func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error)) func(*rapid.T) {
			return func(t *rapid.T) {
				s.set(fault)
				one(t)
				s.set(nil)
			}
		}
		refuse := func() (causal.Appended, error) {
			if isHonest {
				return causal.Appended{}, errUnknown
			}
			return causal.Appended{}, errDisk
		}
		actions := map[string]func(*rapid.T){
			"emit": one,
			"fails": with(func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error) {
				return causal.Appended{}, errDisk
			}),
			"an error after the commit": with(func(_ context.Context, save func() (causal.Appended, error), _ []causal.Event) (causal.Appended, error) {
				_, _ = save()
				return refuse()
			}),
			"a commit after the error": with(func(_ context.Context, save func() (causal.Appended, error), _ []causal.Event) (causal.Appended, error) {
				late = append(late, save)
				return refuse()
			}),
			"the commit": func(*rapid.T) {
				for _, save := range late {
					_, _ = save()
				}
				late = nil
			},
			"another node": func(t *rapid.T) {
				other, err := causal.OpenNode(t.Context(), rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "node"), &s.MemStore, nodeOptions())
				require.NoError(t, err)
				_, err = other.Emit(t.Context(), note("A"))
				require.NoError(t, err)
			},
			"crash": func(*rapid.T) { n = node() },
			"again": func(t *rapid.T) {
				for id := range unknown {
					for _, aggregate := range []string{"A", "B"} { // it belongs to one of them
						e, err := n.Emit(t.Context(), note(aggregate, func(p *causal.EventParams) { p.ID = id }))
						if err == nil {
							require.Equal(t, id, e.ID())
							emitted[id] = true
							delete(unknown, id)
							break
						}
						require.ErrorIs(t, err, causal.ErrIDConflict)
					}
				}
			},
			"": func(t *rapid.T) {
				requireChain(t, &s, "alice")
				stored := map[causal.EventID]bool{}
				for _, e := range eventtest.LoadAll(t, &s) {
					stored[e.ID()] = true
				}
				for id := range emitted {
					require.True(t, stored[id])
				}
				for id := range refused {
					require.False(t, isHonest && stored[id], "an event is there that was refused")
				}
			},
		}
		t.Repeat(actions)
		actions["the commit"](t)
		_, err := n.Emit(t.Context(), note("A"))
		require.NoError(t, err)
		actions[""](t)
		requireExact(t, &s)
		seen := n.Seen()
		require.NoError(t, n.Close())
		require.Equal(t, seen.String(), node().Seen().String())
	})
}

// A settled event still follows everything stored when it was emitted.
func TestNodeSettlesInPlace(t *testing.T) {
	for _, isDecision := range []bool{false, true} {
		var s saves
		n := openNode(t, "alice", &s)
		for range 12 {
			emit(t, n, note("A"))
		}
		bob := openNode(t, "bob", &s.MemStore)
		if !isDecision {
			emit(t, bob, note("A"))
		}
		s.set(faults["before"])
		p := note("A", func(p *causal.EventParams) { p.ID = eventtest.ID(1) })
		var err error
		if isDecision {
			_, err = n.Decide(t.Context(), "A", func([]causal.Event) ([]causal.EventParams, error) { return []causal.EventParams{p}, nil })
		} else {
			_, err = n.Emit(t.Context(), p)
		}
		require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
		s.set(nil)
		theirs := emit(t, bob, note("A"))
		if isDecision {
			emit(t, n, note("B"))
			stored, err := s.FindEvent(t.Context(), eventtest.ID(1))
			require.NoError(t, err)
			require.True(t, stored.IsZero(), "it was decided on what is no longer so")
			continue
		}
		e := emit(t, n, p)
		require.Equal(t, []causal.EventID{theirs.ID()}, e.Parents())
		require.Greater(t, e.LamportClock(), theirs.LamportClock())
	}
}

// A store that refuses without a reason, or forgets saved events, is
// distinguished from one with other writers.
func TestNodeOnLyingStore(t *testing.T) {
	var s saves
	n := openNode(t, "alice", &s)
	emit(t, n, note("A"))
	for name, err := range map[string]error{
		"others have saved": causal.ErrConcurrentSave, "an ID of nobody": &causal.IDConflictError{IDs: []causal.EventID{eventtest.ID(9)}},
		"a typed nil": (*causal.IDConflictError)(nil), "another typed nil": (*causal.StorageError)(nil), "a wrong cursor": causal.ErrInvalidCursor,
	} {
		s.set(func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error) {
			return causal.Appended{}, err
		})
		_, got := n.Emit(t.Context(), note("A"))
		require.Error(t, got, name)
		require.NotErrorIs(t, got, causal.ErrOutcomeUnknown, name)
	}
	for name, a := range map[string]causal.Appended{"nothing": {}, "another place": {Before: causal.NewCursor([16]byte{1}, 7, [8]byte{}), New: []bool{true}}} {
		s.set(func(_ context.Context, save func() (causal.Appended, error), _ []causal.Event) (causal.Appended, error) {
			_, err := save()
			return a, err
		})
		_, err := n.Emit(t.Context(), note("A"))
		require.NoError(t, err, name)
	}
	s.set(nil)
	emit(t, n, note("A"))
	require.Len(t, eventtest.LoadAll(t, &s), 4)
	requireChain(t, &s, "alice")
	requireExact(t, &s)
}
