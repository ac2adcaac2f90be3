package main

import (
	"context"
	"fmt"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/text"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

type verifyCommand struct {
	inputs `embed:""`
}

// findingObject is a finding in the output of verify.
type findingObject struct {
	Kind         string         `json:"kind"` // "finding"
	Finding      view.Kind      `json:"finding"`
	EventID      causal.EventID `json:"event_id,omitempty"`
	NodeID       string         `json:"node_id,omitempty"`
	LamportClock int64          `json:"lamport_clock,omitempty"`
	Text         string         `json:"text"`
}

// Run is called by kong.
func (c *verifyCommand) Run(ctx context.Context, a *app) error {
	l, err := a.load(ctx, &c.inputs)
	if err != nil {
		return err
	}
	shown := l.selectedFindings()
	if c.JSON {
		err = writeFindingsJSON(a, l, shown)
	} else {
		err = writeFindings(a, l, shown)
	}
	if err == nil && len(shown) > 0 {
		err = errFindings
	}
	return err
}

func writeFindingsJSON(a *app, l *loaded, findings []view.Finding) error {
	out := newJSONWriter(a.Stdout)
	for _, f := range findings {
		object := findingObject{Kind: "finding", Finding: f.Kind, Text: f.Text}
		if f.Event >= 0 {
			e := l.view.At(f.Event)
			object.EventID, object.NodeID, object.LamportClock = e.ID(), e.NodeID(), e.LamportClock()
		}
		out.write(object)
	}
	return out.flush()
}

func writeFindings(a *app, l *loaded, findings []view.Finding) error {
	w := a.writer(a.Stdout)
	for _, f := range findings {
		w.Fit(term.Warn, string(f.Kind), len(view.Contradiction)+1)
		id, at := "-", ""
		if f.Event >= 0 {
			e := l.view.At(f.Event)
			id, at = text.Short(e.ID()), fmt.Sprintf("%s@%d", e.NodeID(), e.LamportClock())
		}
		w.Fit(term.ID, id, 7)
		w.Fit(term.Plain, at, 24)
		w.Text(term.Plain, " "+f.Text)
		w.End()
	}
	if len(findings) == 0 {
		selected, nodes := l.selected(), map[string]bool{}
		for _, i := range selected {
			nodes[l.view.At(i).NodeID()] = true
		}
		w.Text(term.Good, "no problems found")
		w.Text(term.Plain, fmt.Sprintf(" in %s of %s", text.Count(len(selected), "event"), text.Count(len(nodes), "node")))
		w.End()
	}
	return w.Flush()
}
