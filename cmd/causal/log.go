package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/text"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

type logCommand struct {
	inputs  `embed:""`
	Last    int  `short:"n" help:"Only the last N events of each aggregate." placeholder:"N"`
	All     bool `help:"Show runs of events of one node, which are folded otherwise."`
	OneLine bool `name:"oneline" help:"A line for each event, in causal order, without the graph."`
}

// Validate is called by kong.
func (c *logCommand) Validate() error {
	if c.Last < 0 {
		return errors.New("-n must not be negative")
	}
	return nil
}

// Run is called by kong.
func (c *logCommand) Run(ctx context.Context, a *app) error {
	l, err := a.load(ctx, &c.inputs)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = writeEvents(a, l, l.last(l.selected(), c.Last))
	case c.OneLine:
		err = writeLines(a, l, l.last(l.selected(), c.Last))
	default:
		drawn := text.NewLog(l.view, l.conflicts, l.findings)
		drawn.Last, drawn.HasRuns = c.Last, c.All
		err = draw(a, drawn, l.aggregates(l.selected()))
	}
	if err != nil {
		return err
	}
	return a.sayFaults(l.Set)
}

// draw draws aggregates in order, several at a time.
func draw(a *app, drawn *text.Log, aggregates [][]int) error {
	drawings := make(chan chan []byte, runtime.GOMAXPROCS(0))
	go func() {
		for some := range slices.Chunk(aggregates, 50) {
			drawing := make(chan []byte, 1)
			drawings <- drawing
			go func() {
				var out bytes.Buffer
				w := a.writer(&out)
				for _, one := range some {
					drawn.Write(w, one)
				}
				_ = w.Flush() // which does not fail
				drawing <- out.Bytes()
			}()
		}
		close(drawings)
	}()
	var failure error
	for drawing := range drawings {
		if out := <-drawing; failure == nil {
			_, failure = a.Stdout.Write(out)
		}
	}
	return failure
}

// aggregates returns the events of each aggregate of a project, in the order of
// their first events.
func (l *loaded) aggregates(events []int) [][]int {
	type key struct{ project, aggregate string }
	number := map[key]int{}
	var all [][]int
	for _, i := range events {
		e := l.view.At(i)
		at := key{e.ProjectUUID(), e.AggregateID()}
		k, ok := number[at]
		if !ok {
			k = len(all)
			number[at], all = k, append(all, nil)
		}
		all[k] = append(all[k], i)
	}
	return all
}

// last returns the last n events of each aggregate, in ascending order; n is 0
// for all.
func (l *loaded) last(events []int, n int) []int {
	if n == 0 {
		return events
	}
	isLast := map[int]bool{}
	for _, one := range l.aggregates(events) {
		for _, i := range one[max(0, len(one)-n):] {
			isLast[i] = true
		}
	}
	return l.view.Select(func(e causal.Event) bool {
		i, _ := l.view.Index(e.ID())
		return isLast[i]
	})
}

func writeLines(a *app, l *loaded, events []int) error {
	w := a.writer(a.Stdout)
	kinds := l.kindsOf()
	for _, i := range events {
		e := l.view.At(i)
		w.Text(term.Faint, fmt.Sprintf("%8d ", e.LamportClock()))
		w.Text(term.ID, text.Short(e.ID())+" ")
		w.Text(term.Lane(l.view.LaneOf[i]), e.NodeID()+" ")
		w.Text(term.Bold, e.AggregateID()+" ")
		w.Text(term.Plain, e.Type()+" ")
		for _, kind := range kinds[i] {
			w.Sign(term.Warn, "⚠ "+string(kind)+" ")
		}
		w.Text(term.Faint, w.Cut(text.Summary(e), max(20, w.Width-w.Used())))
		w.End()
	}
	return w.Flush()
}

// kindsOf returns the kinds of findings of events.
func (l *loaded) kindsOf() map[int][]view.Kind {
	kinds := map[int][]view.Kind{}
	for _, f := range l.findings {
		kinds[f.Event] = append(kinds[f.Event], f.Kind)
	}
	return kinds
}

// eventObject is an event in the output of log and show.
type eventObject struct {
	Kind     string           `json:"kind"` // "event"
	Event    causal.Event     `json:"event"`
	After    []causal.EventID `json:"after"` // the last of those shown that came before
	IsHead   bool             `json:"is_head"`
	Conflict int              `json:"conflict,omitempty"` // of which it is a branch
	Joins    int              `json:"joins,omitempty"`    // the conflict of which it has read all branches
	Findings []view.Kind      `json:"findings"`
}

func writeEvents(a *app, l *loaded, events []int) error {
	out := newJSONWriter(a.Stdout)
	parents, kinds := l.view.Parents(events), l.kindsOf()
	branch, joins := map[int]int{}, map[int]int{}
	for _, c := range l.conflicts {
		for _, i := range c.Branches {
			branch[i] = c.Number
		}
		joins[c.JoinedBy] = c.Number
	}
	for k, i := range events {
		object := eventObject{Kind: "event", Event: l.view.At(i), After: l.ids(parents[k]), IsHead: l.view.IsHead[i], Conflict: branch[i], Joins: joins[i], Findings: kinds[i]}
		if object.Findings == nil {
			object.Findings = []view.Kind{}
		}
		out.write(object)
	}
	return out.flush()
}

// ids returns the IDs of events. It is never nil.
func (l *loaded) ids(events []int) []causal.EventID {
	ids := make([]causal.EventID, len(events))
	for k, i := range events {
		ids[k] = l.view.At(i).ID()
	}
	return ids
}

// wallClock formats the time of a wall clock.
func wallClock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
