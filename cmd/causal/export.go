package main

import (
	"context"
	"errors"
	"io"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/input"
)

type exportCommand struct {
	inputs  `embed:""`
	Output  string `short:"o" help:"Write to this file, with gzip if its name ends in .gz; it appears once it is complete." placeholder:"FILE" type:"path"`
	Arrival bool   `help:"In the arrival order of one store, not in causal order."`
}

// Run is called by kong.
func (c *exportCommand) Run(ctx context.Context, a *app) error {
	matches, err := c.matcher(a.Now())
	if err != nil {
		return err
	}
	if c.Arrival {
		if len(c.Files) != 1 || !input.IsDatabase(c.Files[0]) && !input.IsStore(c.Files[0]) {
			return errors.New("--arrival needs a single store")
		}
		return a.output(ctx, c.Output, c.Files, func(out io.Writer) error { return c.arrival(ctx, matches, out) })
	}
	set, err := a.read(ctx, &c.inputs)
	if err != nil {
		return err
	}
	h, err := causal.NewHistory(set.Events) // which sorts them
	if err != nil {
		return err
	}
	err = a.output(ctx, c.Output, c.Files, func(out io.Writer) error {
		for i := range h.Len() {
			if err := writeLine(out, h.At(i), matches); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.sayFaults(set)
}

// arrival writes the log of a store.
func (c *exportCommand) arrival(ctx context.Context, matches func(causal.Event) bool, out io.Writer) error {
	store, err := input.OpenForReading(ctx, c.Files[0], c.Schema)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	for entry, err := range store.ReadLog(ctx, causal.Cursor{}) {
		if err == nil {
			err = writeLine(out, entry.Event, matches)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeLine(out io.Writer, e causal.Event, matches func(causal.Event) bool) error {
	if !matches(e) {
		return nil
	}
	line, err := e.MarshalJSON()
	if err == nil {
		_, err = out.Write(append(line, '\n'))
	}
	return err
}
