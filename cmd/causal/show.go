package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/text"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

type showCommand struct {
	ID     string `arg:"" help:"The event's ID, or a unique part of it."`
	inputs `embed:""`
}

// shownObject is the output of show.
type shownObject struct {
	eventObject
	Before     []causal.EventID `json:"before"`     // the first events after it
	Concurrent []causal.EventID `json:"concurrent"` // in its aggregate
	Unordered  []causal.EventID `json:"unordered"`  // in its aggregate, of which it is not known
	Texts      []string         `json:"texts"`      // of the findings
	Seen       []seenObject     `json:"seen"`
}

// seenObject is an event's knowledge of a node.
type seenObject struct {
	NodeID       string `json:"node_id"`
	IsSecond     bool   `json:"is_second_writer,omitempty"`
	LamportClock int64  `json:"lamport_clock"` // of the latest, 0 if there is none
	Events       int    `json:"events"`
	Of           int    `json:"of"`
}

// Run is called by kong.
func (c *showCommand) Run(ctx context.Context, a *app) error {
	l, err := a.load(ctx, &c.inputs)
	if err != nil {
		return err
	}
	i, err := l.find(c.ID)
	if err != nil {
		a.fail(err)
		return errFindings
	}
	s := l.show(i)
	if c.JSON {
		out := newJSONWriter(a.Stdout)
		out.write(s)
		return out.flush()
	}
	return l.writeShown(a, s)
}

// find returns the event with this ID. Otherwise, it returns the only event
// whose ID ends in part, or contains it.
func (l *loaded) find(part string) (int, error) {
	part = strings.ToUpper(part)
	has := func(f func(s, part string) bool) []int {
		return l.view.Select(func(e causal.Event) bool { return part != "" && f(strings.ToUpper(string(e.ID())), part) })
	}
	var found []int
	for _, f := range []func(s, part string) bool{func(s, part string) bool { return s == part }, strings.HasSuffix, strings.Contains} {
		if found = has(f); len(found) == 1 {
			return found[0], nil
		}
	}
	if len(found) == 0 {
		return 0, fmt.Errorf("no event has an ID with %s", part)
	}
	var ids []string
	for _, i := range found[:min(len(found), 5)] {
		ids = append(ids, string(l.view.At(i).ID()))
	}
	return 0, fmt.Errorf("%d events have an ID with %s: %s", len(found), part, strings.Join(ids, ", "))
}

// show collects information about an event.
func (l *loaded) show(i int) shownObject {
	e := l.view.At(i)
	s := shownObject{Before: []causal.EventID{}, Concurrent: []causal.EventID{}, Unordered: []causal.EventID{}, Texts: []string{}, Seen: []seenObject{}}
	parents := l.view.History.Parents(i)
	slices.Reverse(parents)
	s.eventObject = eventObject{Kind: "event", Event: e, After: l.ids(parents), IsHead: l.view.IsHead[i]}
	for _, c := range l.conflicts {
		if slices.Contains(c.Branches, i) {
			s.Conflict = c.Number
		}
		if c.JoinedBy == i {
			s.Joins = c.Number
		}
	}
	s.Findings = append([]view.Kind{}, l.kindsOf()[i]...) // not nil
	for _, f := range l.findings {
		if f.Event == i {
			s.Texts = append(s.Texts, f.Text)
		}
	}
	for j := range l.view.Future(i) {
		if slices.Contains(l.view.History.Parents(j), i) {
			s.Before = append(s.Before, l.view.At(j).ID())
		}
	}
	for j := range l.view.Len() {
		other := l.view.At(j)
		if j == i || other.AggregateID() != e.AggregateID() || other.ProjectUUID() != e.ProjectUUID() {
			continue
		}
		switch l.view.Relation(i, j) {
		case causal.OrderConcurrent:
			s.Concurrent = append(s.Concurrent, other.ID())
		case causal.OrderUnknown:
			s.Unordered = append(s.Unordered, other.ID())
		}
	}
	s.Seen = l.seen(i)
	return s
}

// seen counts the events seen by an event, for each lane.
func (l *loaded) seen(i int) []seenObject {
	seen := make([]seenObject, len(l.view.Lanes))
	for k, lane := range l.view.Lanes {
		seen[k].NodeID, seen[k].IsSecond = lane.NodeID, lane.IsSecond
	}
	for j := range l.view.Len() {
		seen[l.view.LaneOf[j]].Of++
	}
	for j := range l.view.Past(i) {
		k := l.view.LaneOf[j]
		seen[k].Events, seen[k].LamportClock = seen[k].Events+1, l.view.At(j).LamportClock()
	}
	return seen
}

func (l *loaded) writeShown(a *app, s shownObject) error {
	w := a.writer(a.Stdout)
	e := s.Event
	w.Text(term.Bold, e.Type())
	w.Text(term.Plain, " of "+e.AggregateID())
	w.End()
	field := func(name, value string) {
		if value != "" {
			w.Fit(term.Faint, name, 14)
			w.Text(term.Plain, value)
			w.End()
		}
	}
	field("ID", string(e.ID()))
	field("node", fmt.Sprintf("%s, clock %d", e.NodeID(), e.LamportClock()))
	field("wall clock", wallClock(e.Timestamp()))
	field("project", strings.TrimSpace(e.ProjectUUID()+" "+e.ProjectSlug()))
	field("correlation", string(e.CorrelationID()))
	field("cause", string(e.CausationID()))
	if s.IsHead {
		field("", "a head of the aggregate")
	}
	if s.Conflict > 0 {
		field("", fmt.Sprintf("a branch of conflict %d", s.Conflict))
	}
	if s.Joins > 0 {
		field("", fmt.Sprintf("joins conflict %d", s.Joins))
	}
	for k, text := range s.Texts {
		w.Fit(term.Warn, string(s.Findings[k]), 14)
		w.Text(term.Plain, text)
		w.End()
	}
	var payload bytes.Buffer
	if json.Indent(&payload, e.Payload(), "", "  ") == nil {
		for line := range strings.Lines(payload.String()) {
			w.Text(term.Plain, "  "+strings.TrimSuffix(line, "\n"))
			w.End()
		}
	}
	l.writeList(w, "direct predecessors", s.After)
	l.writeList(w, "direct successors", s.Before)
	l.writeList(w, "concurrent", s.Concurrent)
	l.writeList(w, "of unknown order", s.Unordered)
	w.Text(term.Bold, "it had seen")
	w.End()
	for k, seen := range s.Seen {
		w.Text(term.Plain, "  ")
		w.Fit(term.Lane(k), text.LaneName(l.view.Lanes[k]), 30)
		w.Text(term.Plain, fmt.Sprintf(" %d of %d", seen.Events, seen.Of))
		if seen.Events > 0 {
			w.Text(term.Faint, fmt.Sprintf(", up to clock %d", seen.LamportClock))
		}
		w.End()
	}
	return w.Flush()
}

// writeList lists events.
func (l *loaded) writeList(w *term.Writer, title string, ids []causal.EventID) {
	if len(ids) == 0 {
		return
	}
	w.Text(term.Bold, title)
	w.End()
	for _, id := range ids {
		i, _ := l.view.Index(id)
		e := l.view.At(i)
		w.Text(term.ID, "  "+string(id))
		w.Text(term.Lane(l.view.LaneOf[i]), fmt.Sprintf(" %s@%d", e.NodeID(), e.LamportClock()))
		w.Text(term.Plain, " "+e.AggregateID()+" "+e.Type())
		w.End()
	}
}
