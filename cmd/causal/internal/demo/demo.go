// Package demo simulates the events of a team working offline, for tests and
// pictures.
package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spec-kitty/causal"
)

// Options describe a team.
type Options struct {
	Events int
	Nodes  int // 5 if it is zero
	Seed   uint64
	// HasFaults makes one node run twice, the clocks of another jump, and a few
	// events be lost.
	HasFaults bool
	// IsPlain creates events that do not name their parents, with vector clocks
	// or without.
	IsPlain, HasVectorClocks bool
	// Aggregates is the number of aggregates. It is a twenty-fifth of the
	// events if it is zero.
	Aggregates int
}

var names = []string{"alice-laptop", "bob-phone", "carol-desk", "dave-tablet", "ci-runner"}

// Projects are the projects of the events.
var Projects = [2]string{"12345678-1234-5678-1234-567812345678", "9b2f6a1e-77d4-4c5e-8a10-6b1f0c2d3e4f"}

type node struct {
	name     string
	clock    int64
	previous [2]int64 // in each project
	seen     []int    // the number of events it has of each node
	heads    map[int][]int
	behind   time.Duration // of the wall clock
}

type team struct {
	Options
	random *rand.Rand
	nodes  []*node
	of     [][]int // the events of each node
	events []causal.Event
	about  []int   // the aggregate of each event
	after  [][]int // the parents of each event
	now    time.Time
}

// Events returns the events of a team in the order in which they were emitted.
// With faults, a few are missing.
func Events(o Options) []causal.Event {
	if o.Nodes == 0 {
		o.Nodes = len(names)
	}
	if o.Aggregates == 0 {
		o.Aggregates = max(4, o.Events/25)
	}
	t := &team{Options: o, random: rand.New(rand.NewPCG(o.Seed, 7)), now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	for i := range o.Nodes {
		name := fmt.Sprintf("node-%03d", i)
		if i < len(names) {
			name = names[i]
		}
		t.add(&node{name: name, heads: map[int][]int{}})
	}
	for len(t.events) < o.Events {
		t.step()
	}
	if !o.HasFaults {
		return t.events
	}
	lost := map[int]bool{o.Events / 5: true, o.Events / 2: true, o.Events * 4 / 5: true}
	var left []causal.Event
	for i, e := range t.events {
		if !lost[i] {
			left = append(left, e)
		}
	}
	return left
}

func (t *team) add(n *node) {
	t.nodes, t.of = append(t.nodes, n), append(t.of, nil)
	for _, n := range t.nodes {
		n.seen = append(n.seen, make([]int, len(t.nodes)-len(n.seen))...)
	}
}

// step lets two nodes meet, or one emit.
func (t *team) step() {
	n := t.nodes[t.random.IntN(len(t.nodes))]
	if t.random.IntN(6) == 0 {
		t.meet(n, t.nodes[t.random.IntN(len(t.nodes))])
		return
	}
	t.emit(n)
	if !t.HasFaults {
		return
	}
	switch len(t.events) {
	case t.Events * 9 / 20:
		old := t.nodes[3]
		twin := *old
		twin.seen, twin.heads = slices.Clone(old.seen), map[int][]int{}
		for aggregate, heads := range old.heads {
			twin.heads[aggregate] = slices.Clone(heads)
		}
		t.add(&twin)
		t.emit(old) // both continue
		t.emit(&twin)
	case t.Events * 7 / 10:
		t.nodes[1].clock += 50_000
	case t.Events * 8 / 10:
		t.nodes[2].behind = 40 * time.Hour
	}
}

// meet gives both nodes the events of the other.
func (t *team) meet(a, b *node) {
	for _, way := range [2][2]*node{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		var fresh []int
		for k := range t.of {
			fresh = append(fresh, t.of[k][min(to.seen[k], from.seen[k]):from.seen[k]]...)
			to.seen[k] = max(to.seen[k], from.seen[k])
		}
		slices.SortFunc(fresh, func(i, j int) int { return causal.Compare(t.events[i], t.events[j]) })
		for _, i := range fresh {
			to.heads[t.about[i]] = t.headsAfter(to.heads[t.about[i]], i)
			to.clock = max(to.clock, t.events[i].LamportClock())
		}
	}
}

func (t *team) headsAfter(heads []int, i int) []int {
	heads = slices.DeleteFunc(slices.Clone(heads), func(k int) bool { return k == i || slices.Contains(t.after[i], k) })
	return append(heads, i)
}

// emit lets a node change an aggregate, usually one of the current ones.
func (t *team) emit(n *node) {
	aggregate := min(t.Aggregates-1, t.Aggregates*len(t.events)/max(1, t.Events)+t.random.IntN(4))
	if t.random.IntN(4) > 0 && len(t.about) > 0 {
		aggregate = t.about[len(t.about)-1-t.random.IntN(min(len(t.about), 12))]
	}
	project, number := aggregate%2, len(t.events)
	t.now = t.now.Add(time.Duration(t.random.IntN(180)) * time.Second)
	n.clock++
	kind, payload := t.change()
	p := causal.EventParams{
		ID: causal.EventID(fmt.Sprintf("01KBDE%02X%011X%07d", t.Seed%256, int64(number)*0x9e3779b1&0xfffffffffff, number)), Type: kind, Payload: payload,
		AggregateID: fmt.Sprintf("WP%03d", aggregate+1), NodeID: n.name, LamportClock: n.clock, Timestamp: t.now.Add(-n.behind),
		ProjectUUID: Projects[project], ProjectSlug: [2]string{"billing", "website"}[project],
	}
	at := slices.Index(t.nodes, n)
	if heads := n.heads[aggregate]; len(heads) > 0 && t.random.IntN(3) == 0 {
		p.CausationID = t.events[heads[0]].ID()
	}
	t.after = append(t.after, slices.Clone(n.heads[aggregate]))
	if t.IsPlain {
		if t.HasVectorClocks {
			p.VectorClock = t.vectorClock(n)
		}
	} else {
		p.PreviousClock, p.Parents = n.previous[project], []causal.EventID{}
		for _, k := range n.heads[aggregate] {
			p.Parents = append(p.Parents, t.events[k].ID())
		}
	}
	e, err := causal.NewEvent(p)
	if err != nil {
		panic(err)
	}
	t.events, t.about, t.of[at] = append(t.events, e), append(t.about, aggregate), append(t.of[at], number)
	n.seen[at], n.previous[project] = len(t.of[at]), n.clock
	n.heads[aggregate] = []int{number}
}

func (t *team) vectorClock(n *node) causal.VectorClock {
	times := map[string]int64{}
	for k, count := range n.seen {
		if count > 0 {
			e := t.events[t.of[k][count-1]]
			times[e.NodeID()] = max(times[e.NodeID()], e.LamportClock())
		}
	}
	times[n.name] = n.clock
	v, err := causal.NewVectorClock(times)
	if err != nil {
		panic(err)
	}
	return v
}

// change makes up the content of an event.
func (t *team) change() (kind string, payload map[string]any) {
	switch r := t.random; r.IntN(7) {
	case 0:
		return "CommentAdded", map[string]any{"text": "looks good to me, ship it", "line": r.IntN(200)}
	case 1:
		return "TagsChanged", map[string]any{"add": []string{"urgent"}, "remove": []string{}}
	case 2:
		return "AssigneeSet", map[string]any{"value": names[r.IntN(len(names))]}
	case 3:
		return "EstimateChanged", map[string]any{"delta": r.IntN(8) - 2}
	default:
		return "WPStatusChanged", map[string]any{"state": []string{"planned", "doing", "for_review", "done"}[r.IntN(4)]}
	}
}

// Lines returns events as JSON lines.
func Lines(events []causal.Event) []byte {
	var out []byte
	for _, e := range events {
		line, err := e.MarshalJSON()
		if err != nil {
			panic(err)
		}
		out = append(append(out, line...), '\n')
	}
	return out
}
