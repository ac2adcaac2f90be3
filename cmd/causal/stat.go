package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

type statCommand struct {
	inputs `embed:""`
}

// statObject is the first line of the output of stat; a nodeObject for each
// node follows.
type statObject struct {
	Kind       string            `json:"kind"` // "stat"
	Read       int               `json:"read"` // lines or stored events, also those that are no events
	Events     int               `json:"events"`
	Nodes      int               `json:"nodes"`
	Projects   int               `json:"projects"`
	Aggregates int               `json:"aggregates"`
	Types      int               `json:"types"`
	Heads      int               `json:"heads"`
	Conflicts  int               `json:"conflicts"`
	Open       int               `json:"open_conflicts"`
	Stamped    int               `json:"stamped"` // events that name their parents
	Bytes      int64             `json:"bytes"`   // of the JSON of the events
	First      *time.Time        `json:"first,omitempty"`
	Last       *time.Time        `json:"last,omitempty"`
	Findings   map[view.Kind]int `json:"findings"`
}

type nodeObject struct {
	Kind       string    `json:"kind"` // "node"
	NodeID     string    `json:"node_id"`
	Events     int       `json:"events"`
	FirstClock int64     `json:"first_clock"`
	LastClock  int64     `json:"last_clock"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Bytes      int64     `json:"bytes"`
}

// Run is called by kong.
func (c *statCommand) Run(ctx context.Context, a *app) error {
	l, err := a.load(ctx, &c.inputs)
	if err != nil {
		return err
	}
	total, nodes := l.count()
	if c.JSON {
		out := newJSONWriter(a.Stdout)
		out.write(total)
		for _, n := range nodes {
			out.write(n)
		}
		err = out.flush()
	} else {
		err = writeStat(a, total, nodes)
	}
	if err != nil {
		return err
	}
	return a.sayFaults(l.Set)
}

func (l *loaded) count() (total statObject, nodes []*nodeObject) {
	total = statObject{Kind: "stat", Read: l.Read}
	projects, types, of := map[string]bool{}, map[string]bool{}, map[string]*nodeObject{}
	events := l.selected()
	for _, i := range events {
		e := l.view.At(i)
		data, _ := e.MarshalJSON() // cannot fail for a nonzero event
		size, at := int64(len(data)), e.Timestamp()
		n := of[e.NodeID()]
		if n == nil {
			n = &nodeObject{Kind: "node", NodeID: e.NodeID(), FirstClock: e.LamportClock(), First: at, Last: at}
			of[e.NodeID()] = n
		}
		n.Events, n.Bytes, n.LastClock = n.Events+1, n.Bytes+size, e.LamportClock()
		n.First, n.Last = earlier(n.First, at), later(n.Last, at)
		projects[e.ProjectUUID()], types[e.Type()] = true, true
		if l.view.IsHead[i] {
			total.Heads++
		}
		if e.IsStamped() {
			total.Stamped++
		}
		total.Events, total.Bytes = total.Events+1, total.Bytes+size
	}
	for _, lane := range l.view.Lanes { // in the order of their names
		n := of[lane.NodeID]
		if n == nil || lane.IsSecond {
			continue
		}
		if nodes = append(nodes, n); len(nodes) == 1 {
			total.First, total.Last = &n.First, &n.Last
		}
		first, last := earlier(*total.First, n.First), later(*total.Last, n.Last)
		total.First, total.Last = &first, &last
	}
	total.Nodes, total.Projects, total.Types, total.Aggregates = len(nodes), len(projects), len(types), len(l.aggregates(events))
	for _, conflict := range l.conflicts {
		if l.matchesOne(conflict.Events) {
			total.Conflicts++
			if conflict.IsOpen() {
				total.Open++
			}
		}
	}
	total.Findings = view.Count(l.selectedFindings())
	return total, nodes
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func writeStat(a *app, total statObject, nodes []*nodeObject) error {
	w := a.writer(a.Stdout)
	line := func(name, value string) {
		w.Fit(term.Faint, name, 12)
		w.Text(term.Plain, value)
		w.End()
	}
	line("events", fmt.Sprintf("%d, %d of them name their parents; %d bytes", total.Events, total.Stamped, total.Bytes))
	line("nodes", fmt.Sprint(total.Nodes))
	line("projects", fmt.Sprint(total.Projects))
	line("aggregates", fmt.Sprintf("%d, with %d heads", total.Aggregates, total.Heads))
	line("types", fmt.Sprint(total.Types))
	line("conflicts", fmt.Sprintf("%d, %d open", total.Conflicts, total.Open))
	if total.First != nil {
		line("wall clocks", wallClock(*total.First)+" to "+wallClock(*total.Last))
	}
	for _, kind := range view.All {
		if n := total.Findings[kind]; n > 0 {
			line(string(kind), fmt.Sprint(n))
		}
	}
	for k, n := range nodes {
		w.Fit(term.Lane(k), n.NodeID, 24)
		w.Text(term.Plain, fmt.Sprintf(" %8d events, clocks %d to %d", n.Events, n.FirstClock, n.LastClock))
		w.End()
	}
	return w.Flush()
}
