package causal_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Features of a simulation in addition to nodes that emit and exchange at
// random.
type simOptions struct {
	plain    bool // nodes that do not stamp, or start stamping later
	restored bool // nodes whose store goes back, some of which are told and pull first
	filtered bool // replicas of one aggregate
}

// simNode is a node of the simulation, or a replica without one.
type simNode struct {
	id      string
	store   *causal.MemStore
	node    *causal.Node // nil for an emitter of plain events, and for a replica
	clock   int64        // of plain events
	only    string       // the aggregate of a replica
	forks   map[string]bool
	backups [][]causal.Event
}

// nodeSimulation runs nodes that exchange events in any order, with loss and
// duplication, and an oracle that records the events of each.
type nodeSimulation struct {
	t     *testing.T
	r     *rand.Rand
	o     simOptions
	nodes []*simNode
	all   []causal.Event
	// past has, for each event, the earlier events of its aggregate known to
	// its emitter, and everything before them.
	past map[causal.EventID]map[causal.EventID]bool
	// rewound are the nodes that resumed from a backup without being told.
	rewound map[string]bool
}

func (s *nodeSimulation) open(n *simNode) {
	n.forks = map[string]bool{}
	o := nodeOptions(func(o *causal.NodeOptions) { o.VectorClocks = s.r.IntN(2) == 0 })
	var err error
	n.node, err = causal.OpenNode(s.t.Context(), n.id, n.store, o)
	require.NoError(s.t, err)
	// Forks visible in the log are known, and not reported to receivers.
	for id := range forked(eventtest.LoadAll(s.t, n.store)) {
		n.forks[id] = true
	}
}

func newNodeSimulation(t *testing.T, seed uint64, o simOptions) *nodeSimulation {
	s := &nodeSimulation{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), o: o, //nolint:gosec // it must be reproducible
		past: map[causal.EventID]map[causal.EventID]bool{}, rewound: map[string]bool{},
	}
	for i := range 2 + s.r.IntN(4) {
		n := &simNode{id: fmt.Sprint("n", i), store: &causal.MemStore{}}
		if o.plain && s.r.IntN(3) == 0 {
			n.forks = map[string]bool{}
		} else {
			s.open(n)
		}
		s.nodes = append(s.nodes, n)
	}
	if o.filtered {
		s.nodes = append(s.nodes, &simNode{id: "replica", store: &causal.MemStore{}, only: "A"})
	}
	return s
}

// emit makes a node emit an event.
func (s *nodeSimulation) emit(n *simNode) {
	aggregate := []string{"A", "B", "C"}[s.r.IntN(3)]
	before, err := n.store.LoadEvents(s.t.Context(), aggregate)
	require.NoError(s.t, err)
	var e causal.Event
	if n.node != nil {
		e, err = n.node.Emit(s.t.Context(), note(aggregate))
		if err != nil { // an event of the node itself is missing
			require.ErrorIs(s.t, err, causal.ErrGap)
			return
		}
	} else {
		for _, o := range eventtest.LoadAll(s.t, n.store) {
			n.clock = max(n.clock, o.LamportClock())
		}
		n.clock++
		p := note(aggregate, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock, p.ProjectUUID = n.id, n.clock, eventtest.ProjectUUID
		})
		e, err = causal.NewEvent(p)
		require.NoError(s.t, err)
		require.NoError(s.t, n.store.SaveEvent(s.t.Context(), e))
	}
	past := map[causal.EventID]bool{}
	for _, o := range before {
		past[o.ID()] = true
		for id := range s.past[o.ID()] {
			past[id] = true
		}
	}
	s.past[e.ID()] = past
	s.all = append(s.all, e)
}

// receive passes events to a node.
func (s *nodeSimulation) receive(n *simNode, events []causal.Event) {
	switch {
	case n.only != "":
		events = slices.DeleteFunc(slices.Clone(events), func(e causal.Event) bool { return e.AggregateID() != n.only })
		fallthrough
	case n.node == nil:
		require.NoError(s.t, n.store.SaveEvents(s.t.Context(), events))
	default:
		r, err := n.node.Receive(s.t.Context(), events, nil)
		require.NoError(s.t, err)
		require.Empty(s.t, r.Rejected)
		for _, f := range r.Forks {
			n.forks[f.NodeID] = true
		}
	}
}

// rewind restores a node from a backup. If it is told, it first pulls all
// events of the others and of their backups: everything it has ever given away
// and not permanently lost.
func (s *nodeSimulation) rewind(n *simNode) {
	last := s.r.IntN(len(n.backups))
	backup := n.backups[last]
	n.backups = n.backups[:last+1]
	var others [][]causal.Event
	for _, o := range s.nodes {
		if o != n {
			others = append(append(others, eventtest.LoadAll(s.t, o.store)), o.backups...)
		}
	}
	n.store = &causal.MemStore{}
	require.NoError(s.t, n.store.SaveEvents(s.t.Context(), backup))
	isTold := s.r.IntN(2) == 0
	s.open(n)
	if !isTold {
		s.rewound[n.id] = true
		return
	}
	for _, events := range others {
		s.receive(n, events)
	}
}

func (s *nodeSimulation) step() {
	n := s.nodes[s.r.IntN(len(s.nodes))]
	switch q := s.r.IntN(100); {
	case q < 35 && n.only == "":
		s.emit(n)
	case q < 90:
		from := s.nodes[s.r.IntN(len(s.nodes))]
		events := eventtest.LoadAll(s.t, from.store)
		s.r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		s.receive(n, events[:min(len(events), 1+s.r.IntN(6))])
	case q < 93 && n.node != nil: // it is opened again, with or without its checkpoint
		require.NoError(s.t, n.node.Close())
		if s.r.IntN(2) == 0 {
			require.NoError(s.t, n.store.DeleteCheckpoint(s.t.Context(), "causal/node/"+eventtest.ProjectUUID+"/"+n.id))
		}
		forks := n.forks
		s.open(n)
		require.Equal(s.t, forks, n.forks)
	case q < 95 && s.o.plain && n.node == nil && n.only == "": // it starts stamping
		s.open(n)
	case q < 97 && s.o.restored && n.node != nil:
		n.backups = append(n.backups, logOf(s.t, n.store))
	case s.o.restored && n.node != nil && len(n.backups) > 0:
		s.rewind(n)
	}
}

func logOf(t *testing.T, s *causal.MemStore) (events []causal.Event) {
	for _, entry := range eventtest.ReadLog(t, s, causal.Cursor{}) {
		events = append(events, entry.Event)
	}
	return events
}

// forked returns the nodes with two stamped events covering the same clock.
func forked(events []causal.Event) map[string]bool {
	latest, isForked := map[string]int64{}, map[string]bool{}
	stamped := slices.DeleteFunc(slices.Clone(events), func(e causal.Event) bool { return !e.IsStamped() })
	slices.SortFunc(stamped, func(a, b causal.Event) int { return cmp.Compare(a.PreviousClock(), b.PreviousClock()) })
	for _, e := range stamped {
		if e.PreviousClock() < latest[e.NodeID()] {
			isForked[e.NodeID()] = true
		}
		latest[e.NodeID()] = max(latest[e.NodeID()], e.LamportClock())
	}
	return isForked
}

// seenBy computes Seen by definition: for each node the clock up to which its
// chain has no hole.
func seenBy(events []causal.Event) map[string]int64 {
	seen, lowest := map[string]int64{}, map[string]int64{}
	for _, e := range events {
		if n := e.NodeID(); e.IsStamped() && (lowest[n] == 0 || e.LamportClock() < lowest[n]) {
			lowest[n] = e.LamportClock()
		}
	}
	for changed := true; changed; {
		changed = false
		for _, e := range events {
			n := e.NodeID()
			isNext := e.IsStamped() && e.PreviousClock() <= seen[n] || !e.IsStamped() && (lowest[n] == 0 || e.LamportClock() < lowest[n])
			if isNext && e.LamportClock() > seen[n] {
				seen[n], changed = e.LamportClock(), true
			}
		}
	}
	return seen
}

// ancestors returns, for each event of an aggregate, the events reachable
// through parents, and whether none is missing.
func ancestors(events []causal.Event) (reached map[causal.EventID]map[causal.EventID]bool, isWhole map[causal.EventID]bool) {
	reached, isWhole = map[causal.EventID]map[causal.EventID]bool{}, map[causal.EventID]bool{}
	for _, e := range events { // in the order of Compare, parents come first
		past, whole := map[causal.EventID]bool{}, e.IsStamped()
		for _, id := range e.Parents() {
			past[id] = true
			for p := range reached[id] {
				past[p] = true
			}
			whole = whole && isWhole[id]
		}
		reached[e.ID()], isWhole[e.ID()] = past, whole
	}
	return reached, isWhole
}

// check compares the results of a node with the definitions, and with the
// oracle.
func (s *nodeSimulation) check(n *simNode) {
	events := eventtest.LoadAll(s.t, n.store)
	if n.node != nil {
		want, err := causal.NewVectorClock(seenBy(events))
		require.NoError(s.t, err)
		require.Equal(s.t, want.String(), n.node.Seen().String())
		require.Equal(s.t, forked(events), n.forks)
		s.checkMissing(n, events)
	}
	for id := range forked(events) {
		require.True(s.t, s.rewound[id], "no other node has forked")
	}
	for _, aggregate := range []string{"A", "B", "C"} {
		events, err := n.store.LoadEvents(s.t.Context(), aggregate)
		require.NoError(s.t, err)
		reached, isWhole := ancestors(events)
		for _, a := range events {
			for _, b := range events {
				if !b.IsStamped() {
					continue
				}
				truth := s.past[b.ID()][a.ID()]
				if reached[b.ID()][a.ID()] {
					require.True(s.t, truth, "an order that is not")
				} else if isWhole[b.ID()] {
					require.False(s.t, truth, "an order is missing")
				}
			}
		}
	}
}

// checkMissing compares the missing events with the definition: stamped events
// whose predecessor is not covered, and absent parents.
func (s *nodeSimulation) checkMissing(n *simNode, events []causal.Event) {
	isStored := map[causal.EventID]bool{}
	for _, e := range events {
		isStored[e.ID()] = true
	}
	seen := seenBy(events)
	want := map[causal.Gap]bool{}
	for _, e := range events {
		for _, id := range e.Parents() {
			if !isStored[id] {
				want[causal.Gap{Parent: id}] = true
			}
		}
		isCovered := !e.IsStamped() || e.PreviousClock() <= seen[e.NodeID()]
		for _, o := range events {
			isCovered = isCovered || o.IsStamped() && o.NodeID() == e.NodeID() &&
				o.PreviousClock() < e.PreviousClock() && e.PreviousClock() <= o.LamportClock()
		}
		if !isCovered {
			want[causal.Gap{NodeID: e.NodeID(), UpTo: e.PreviousClock()}] = true
		}
	}
	gaps, err := n.node.Missing(s.t.Context())
	require.NoError(s.t, err)
	got := map[causal.Gap]bool{}
	for _, g := range gaps {
		require.True(s.t, g.Parent != "" || g.After < g.UpTo && isStored[g.KnownFrom])
		g.After, g.KnownFrom = 0, ""
		got[g] = true
	}
	require.Equal(s.t, want, got)
}

// heal makes all nodes receive everything, and requires that they agree.
func (s *nodeSimulation) heal() {
	isLeft := map[causal.EventID]bool{}
	for _, n := range s.nodes {
		for _, e := range eventtest.LoadAll(s.t, n.store) {
			isLeft[e.ID()] = true
		}
	}
	s.all = slices.DeleteFunc(s.all, func(e causal.Event) bool { return !isLeft[e.ID()] })
	for _, n := range s.nodes {
		for range 2 {
			all := slices.Clone(s.all)
			s.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			s.receive(n, all)
		}
		s.check(n)
	}
	var first *simNode
	for _, n := range s.nodes {
		switch {
		case n.node == nil:
		case first == nil:
			first = n
		default:
			require.Equal(s.t, first.node.Seen().String(), n.node.Seen().String())
			eventtest.RequireEqual(s.t, eventtest.LoadAll(s.t, first.store), eventtest.LoadAll(s.t, n.store))
		}
	}
	// By now each fork shows as two events with the same previous clock, unless
	// the first of a branch is lost.
	type link struct {
		node     string
		previous int64
	}
	next, truth := map[link]bool{}, map[string]bool{}
	for _, e := range s.all {
		if at := (link{e.NodeID(), e.PreviousClock()}); e.IsStamped() {
			if next[at] {
				truth[e.NodeID()] = true
			}
			next[at] = true
		}
	}
	if first != nil {
		for id := range truth {
			require.True(s.t, first.forks[id])
		}
		_, err := first.node.Emit(s.t.Context(), note("A"))
		seen, isWhole := seenBy(s.all), true
		for _, e := range s.all {
			isWhole = isWhole && (e.NodeID() != first.id || e.LamportClock() <= seen[first.id])
		}
		if isWhole {
			require.NoError(s.t, err, "the network goes on")
		} else { // an event of its own is permanently lost: it needs a new ID
			require.ErrorIs(s.t, err, causal.ErrGap)
			require.True(s.t, s.o.restored)
		}
	}
}

func TestNodeSimulation(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 30
	}
	for name, o := range map[string]simOptions{
		"stamped": {}, "plain nodes": {plain: true}, "restored nodes": {restored: true}, "filtered replicas": {filtered: true},
		"all": {restored: true, filtered: true, plain: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range runs {
				s := newNodeSimulation(t, uint64(seed), o)
				for range 20 + s.r.IntN(100) {
					s.step()
				}
				for _, n := range s.nodes {
					s.check(n)
				}
				s.heal()
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}
