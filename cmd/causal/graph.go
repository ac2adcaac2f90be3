package main

import (
	"context"
	"io"

	"github.com/spec-kitty/causal/cmd/causal/internal/page"
)

type graphCommand struct {
	inputs   `embed:""`
	resolver `embed:""`
	Output   string       `short:"o" help:"Write to this file instead of standard output." placeholder:"FILE" type:"path"`
	SVG      bool         `name:"svg" help:"Write a picture of up to 500 events instead of a page."`
	Payload  page.Payload `help:"Payloads in the page: cut (to 2 kB), full or none." enum:"cut,full,none" default:"cut"`
}

// Run is called by kong.
func (c *graphCommand) Run(ctx context.Context, a *app) error {
	l, err := a.load(ctx, &c.inputs)
	if err != nil {
		return err
	}
	o := page.Options{Sources: l.Sources, Shown: l.selected(), Findings: l.findings, Payload: c.Payload}
	for _, conflict := range l.view.Conflicts(c.takesPart) {
		winner, _, err := c.winner(l, conflict)
		if err != nil {
			winner = -1
		}
		o.Conflicts = append(o.Conflicts, page.Conflict{Conflict: conflict, Winner: winner})
	}
	write := page.Write
	if c.SVG {
		write = page.WriteSVG
	}
	if err := a.output(ctx, c.Output, c.Files, func(out io.Writer) error { return write(out, l.view, o) }); err != nil {
		return err
	}
	return a.sayFaults(l.Set)
}
