package causal_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// historyNode is a node in a network that loses and delays messages. It may be
// stamped or plain, with a vector clock or without, and a plain one may be
// upgraded to a stamped one.
type historyNode struct {
	name                 string
	isStamped, hasVector bool
	clock, previous      int64
	last                 int          // its last event, -1 if there is none
	store                map[int]bool // its events
	read                 map[int]bool // the events read by a user who has not looked since
	heard                map[string]int64
	restored             *historyNode // its state when it was backed up
}

func (n *historyNode) clone() *historyNode {
	c := *n
	c.store, c.heard, c.read = maps.Clone(n.store), maps.Clone(n.heard), maps.Clone(n.read)
	return &c
}

// historySim is a run that records for each event what happened before it: the
// events at its node, and within its aggregate those that had been read.
type historySim struct {
	t        require.TestingT
	events   []causal.Event
	reach    []map[int]bool // reachable by any path
	readPast []map[int]bool // of its aggregate
	after    []int          // the previous event on the branch of its node
	byID     map[causal.EventID]int
}

type historyOptions struct {
	kinds                  []string // of nodes: stamped, vector, plain, tracker, upgraded
	isLossless, hasForks   bool
	hasReaders             bool // users who read once and edit later
	nodes, steps, maxBatch int
}

func runHistorySim(t require.TestingT, random *rand.Rand, o historyOptions) *historySim {
	s := &historySim{t: t, byID: map[causal.EventID]int{}}
	nodes := make([]*historyNode, o.nodes)
	upgraded := map[string]bool{}
	for i := range nodes {
		kind := o.kinds[random.IntN(len(o.kinds))]
		nodes[i] = &historyNode{
			name: fmt.Sprint("node-", i), last: -1, store: map[int]bool{}, read: map[int]bool{}, heard: map[string]int64{},
			isStamped: kind == "stamped" || kind == "vector", hasVector: kind == "vector" || kind == "tracker",
		}
		upgraded[nodes[i].name] = kind == "upgraded"
	}
	aggregates := []string{"A", "B", "C"}[:1+random.IntN(3)]
	for step := range o.steps {
		at := random.IntN(len(nodes))
		n := nodes[at]
		switch draw := random.IntN(100); {
		case draw < 40:
			n.isStamped = n.isStamped || upgraded[n.name] && step > o.steps/2
			s.emit(n, random, aggregates[random.IntN(len(aggregates))], o.hasReaders && random.IntN(3) == 0)
		case draw < 90:
			s.deliver(nodes[random.IntN(len(nodes))], n, random, o)
		case draw < 93:
			n.read = maps.Clone(n.store)
		case draw < 96 && o.hasForks:
			n.restored = n.clone()
		case o.hasForks && n.restored != nil:
			nodes[at] = n.restored.clone()
			nodes[at].restored = n.restored
		}
	}
	return s
}

func (s *historySim) deliver(from, to *historyNode, random *rand.Rand, o historyOptions) {
	some := slices.Sorted(maps.Keys(from.store))
	if !o.isLossless {
		random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		some = some[:random.IntN(min(len(some), o.maxBatch)+1)]
	}
	for _, i := range some {
		e := s.events[i]
		to.store[i] = true
		to.clock = max(to.clock, e.LamportClock())
		to.heard[e.NodeID()] = max(to.heard[e.NodeID()], e.LamportClock())
		for node, time := range e.VectorClock().All() {
			to.heard[node] = max(to.heard[node], time)
		}
	}
}

func (s *historySim) emit(n *historyNode, random *rand.Rand, aggregate string, isReader bool) {
	read := map[int]bool{}
	for i := range n.store {
		if s.events[i].AggregateID() == aggregate && (!isReader || n.read[i]) {
			read[i] = true
		}
	}
	n.clock++
	k := len(s.events)
	p := eventtest.Params(k)
	p.NodeID, p.LamportClock, p.AggregateID = n.name, n.clock, aggregate
	if len(n.store) > 0 && random.IntN(4) == 0 && (!n.isStamped || !isReader) {
		all := slices.Sorted(maps.Keys(n.store))
		p.CausationID = s.events[all[random.IntN(len(all))]].ID()
	}
	if n.isStamped {
		p.Parents, p.PreviousClock = []causal.EventID{}, n.previous
		var known []causal.Event
		for _, i := range slices.Sorted(maps.Keys(read)) {
			known = append(known, s.events[i])
		}
		for _, e := range must(causal.NewHistory(known)).Heads() {
			p.Parents = append(p.Parents, e.ID())
		}
	}
	if n.hasVector {
		times := n.heard
		if n.isStamped {
			times = s.seen(n)
		}
		times = maps.Clone(times)
		times[n.name] = n.clock
		p.VectorClock = must(causal.NewVectorClock(times))
	}
	e, err := causal.NewEvent(p)
	require.NoError(s.t, err)

	reach, readPast := map[int]bool{}, map[int]bool{}
	for i := range n.store {
		reach[i] = true
		maps.Copy(reach, s.reach[i])
	}
	for i := range read {
		readPast[i] = true
		maps.Copy(readPast, s.readPast[i])
	}
	if !n.isStamped {
		readPast = map[int]bool{}
		for i := range reach {
			readPast[i] = s.events[i].AggregateID() == aggregate
		}
		maps.DeleteFunc(readPast, func(_ int, ok bool) bool { return !ok })
	}
	s.events, s.reach, s.readPast, s.after = append(s.events, e), append(s.reach, reach), append(s.readPast, readPast), append(s.after, n.last)
	s.byID[e.ID()] = k
	n.store[k], n.last, n.previous = true, k, n.clock
	n.heard[n.name] = n.clock
}

// seen returns a stamped node's vector clock of the others, as Node.Seen does.
func (s *historySim) seen(n *historyNode) map[string]int64 {
	seen := map[string]int64{}
	stamped := map[string]bool{}
	for range 2 { // events arrive in the order of clocks, except for forks
		all := slices.SortedFunc(maps.Keys(n.store), func(i, j int) int { return causal.Compare(s.events[i], s.events[j]) })
		for _, i := range all {
			e := s.events[i]
			stamped[e.NodeID()] = stamped[e.NodeID()] || e.IsStamped()
			if e.IsStamped() && e.PreviousClock() <= seen[e.NodeID()] || !e.IsStamped() && !stamped[e.NodeID()] {
				seen[e.NodeID()] = max(seen[e.NodeID()], e.LamportClock())
			}
		}
	}
	delete(seen, n.name)
	maps.DeleteFunc(seen, func(_ string, time int64) bool { return time == 0 || time >= n.clock })
	return seen
}

// truth returns the true relation of two events of the run.
func (s *historySim) truth(i, j int) causal.Order {
	isBefore := func(i, j int) bool {
		if s.events[i].AggregateID() == s.events[j].AggregateID() {
			return s.readPast[j][i]
		}
		return s.reach[j][i]
	}
	switch {
	case i == j:
		return causal.OrderSame
	case isBefore(i, j):
		return causal.OrderBefore
	case isBefore(j, i):
		return causal.OrderAfter
	}
	return causal.OrderConcurrent
}

// What check examines.
const (
	all = iota
	withinAggregates
	concurrentOnly
)

// check compares a History of some of the events with the truth, and returns
// the number of pairs with unknown relation.
func (s *historySim) check(h *causal.History, what int) (unknown int) {
	numbers := make([]int, h.Len())
	for a := range numbers {
		numbers[a] = s.byID[h.At(a).ID()]
	}
	for a, i := range numbers {
		for b, j := range numbers {
			switch got := h.Relation(a, b); {
			case what == withinAggregates && h.At(a).AggregateID() != h.At(b).AggregateID():
			case what == concurrentOnly && got != causal.OrderConcurrent:
			case got == causal.OrderUnknown:
				unknown++
			case got != s.truth(i, j):
				require.Equal(s.t, s.truth(i, j), got, "%v\n%v\nof %v", describe(h.At(a)), describe(h.At(b)), s.describe(h))
			}
		}
	}
	return unknown
}

func describe(e causal.Event) string {
	return fmt.Sprint(e.ID()[22:], " ", e.AggregateID(), " ", e.NodeID(), "@", e.LamportClock(), " previous ", e.PreviousClock(), " stamped ", e.IsStamped(),
		" parents ", e.Parents(), " cause ", e.CausationID(), " vector ", e.VectorClock())
}

func (s *historySim) describe(h *causal.History) (text string) {
	for i := range min(h.Len(), 20) {
		text += "\n" + describe(h.At(i))
	}
	return text
}

func (s *historySim) some(random *rand.Rand) []causal.Event {
	some := slices.Clone(s.events)
	random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some[:random.IntN(len(some)+1)]
}

// A History never contradicts the truth, whatever is lost, whoever is plain,
// and whatever part of the events it has; forks are checked where nodes are
// stamped.
func TestHistoryAgreesWithOracle(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 30
	}
	mixed := []string{"stamped", "vector", "plain", "tracker", "upgraded"}
	for name, o := range map[string]historyOptions{
		"stamped":                      {kinds: []string{"stamped"}},
		"stamped, lossless":            {kinds: []string{"stamped"}, isLossless: true},
		"stamped, with readers":        {kinds: []string{"stamped", "vector"}, hasReaders: true},
		"stamped, with forks":          {kinds: []string{"stamped"}, hasForks: true},
		"vector clocks, with forks":    {kinds: []string{"stamped", "vector"}, hasForks: true, hasReaders: true},
		"plain":                        {kinds: []string{"plain"}},
		"trackers":                     {kinds: []string{"tracker"}},
		"trackers and plain":           {kinds: []string{"tracker", "plain"}},
		"all kinds":                    {kinds: mixed},
		"all kinds, with readers":      {kinds: mixed, hasReaders: true},
		"all kinds, lossless, readers": {kinds: mixed, hasReaders: true, isLossless: true},
		"many nodes":                   {kinds: mixed, hasReaders: true, nodes: 60},
		"trackers, with forks":         {kinds: []string{"stamped", "tracker"}, hasForks: true},
		"anything":                     {kinds: mixed, hasReaders: true, hasForks: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(runs) {
				random := rand.New(rand.NewPCG(seed, 0))
				o := o
				o.steps, o.maxBatch = 20+random.IntN(80), 1+random.IntN(6)
				switch {
				case o.nodes == 0:
					o.nodes = 2 + random.IntN(4)
				case seed%10 > 0:
					continue
				default:
					o.steps *= 10
				}
				s := runHistorySim(t, random, o)
				h := must(causal.NewHistory(s.events))
				if h.Len() < 50 {
					requireLaws(t, h)
				}
				if name == "anything" {
					continue
				}
				what, whatOfSome := all, all
				if o.hasForks { // not all events needed to show it may be there
					whatOfSome = withinAggregates
				}
				if name == "trackers, with forks" { // which show late, or not at all
					what, whatOfSome = concurrentOnly, concurrentOnly
				}
				s.check(h, what)
				s.check(must(causal.NewHistory(s.some(random))), whatOfSome)
				if name == "stamped" || name == "stamped, with readers" || name == "stamped, with forks" {
					s.requireExact(h)
				}
				if name == "stamped, lossless" {
					s.requireChains(h)
				}
				if name == "trackers" {
					require.Zero(t, s.check(h, all), "vector clocks say it all")
				}
				if name == "stamped, with forks" {
					s.requireForks(h)
				}
			}
		})
	}
}

// requireExact requires that nothing is unknown within aggregates.
func (s *historySim) requireExact(h *causal.History) {
	for a := range h.Len() {
		for b := range a {
			x, y := h.At(a), h.At(b)
			if x.AggregateID() == y.AggregateID() {
				require.NotEqual(s.t, causal.OrderUnknown, h.Relation(a, b), "%v\n%v", describe(x), describe(y))
			}
		}
	}
}

// requireChains requires that events of one node are ordered.
func (s *historySim) requireChains(h *causal.History) {
	for a := range h.Len() {
		for b := range a {
			if h.At(a).NodeID() == h.At(b).NodeID() {
				require.Equal(s.t, causal.OrderBefore, h.Relation(b, a))
			}
		}
	}
}

// requireForks requires that each branch after the first that begins after an
// event is reported, with an event of it and another one that follows the same
// clock.
func (s *historySim) requireForks(h *causal.History) {
	want := map[string]int{}
	branches := map[string]bool{}
	for i, e := range s.events {
		at := fmt.Sprint(e.NodeID(), " after ", s.after[i])
		if branches[at] {
			want[e.NodeID()]++
		}
		branches[at] = true
	}
	got := map[string]int{}
	for _, fork := range h.Forks() {
		got[fork.NodeID]++
		require.Len(s.t, fork.IDs, 2)
		x, y := s.byID[fork.IDs[0]], s.byID[fork.IDs[1]]
		require.Equal(s.t, s.events[x].PreviousClock(), s.events[y].PreviousClock())
		require.Equal(s.t, fork.LamportClock, max(s.events[x].LamportClock(), s.events[y].LamportClock()))
	}
	require.ElementsMatch(s.t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
	for node, n := range want {
		if clocks := s.clocks(node); len(slices.Compact(clocks)) == len(clocks) {
			require.Equal(s.t, n, got[node])
		}
		require.LessOrEqual(s.t, got[node], n, "events of one clock do not tell which of them others follow")
	}
	require.Empty(s.t, h.Missing())
	require.Empty(s.t, h.Contradictions())
}

// clocks returns the clocks of the events of a node, in ascending order.
func (s *historySim) clocks(node string) (clocks []int64) {
	for _, e := range s.events {
		if e.NodeID() == node {
			clocks = append(clocks, e.LamportClock())
		}
	}
	slices.Sort(clocks)
	return clocks
}
