package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spec-kitty/causal/cmd/causal/internal/input"
	"github.com/spec-kitty/causal/cmd/causal/internal/term"
)

// say writes a line to standard output.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintln(a.Stdout, term.Escape(fmt.Sprintf(format, args...)))
	return err
}

type backupCommand struct {
	Store string `arg:"" help:"A store in a file."`
	To    string `arg:"" help:"The new file." type:"path"`
}

// Run is called by kong.
func (c *backupCommand) Run(ctx context.Context, a *app) error {
	if input.IsDatabase(c.Store) {
		return errors.New("only a store in a file can be copied; pg_dump copies a database")
	}
	store, err := input.OpenForReading(ctx, c.Store, "")
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := store.Backup(ctx, c.To); err != nil {
		return fmt.Errorf("%s: %w", c.To, err)
	}
	return a.say("%s is a copy of %s", c.To, c.Store)
}

type checkCommand struct {
	Stores []string `arg:"" name:"store" help:"Stores in files, or postgres:// addresses."`
	Schema string   `help:"Schema of databases." default:"causal"`
	JSON   bool     `name:"json" help:"Write JSON, one object on each line."`
}

// checkObject is the output of check, for each store.
type checkObject struct {
	Kind    string `json:"kind"` // "check"
	Store   string `json:"store"`
	Entries uint64 `json:"entries"`
	IsWhole bool   `json:"is_whole"`
	Damage  string `json:"damage,omitempty"`
}

// Run is called by kong.
func (c *checkCommand) Run(ctx context.Context, a *app) error {
	out, isWhole := newJSONWriter(a.Stdout), true
	for _, name := range c.Stores {
		o, err := c.check(ctx, name)
		if err != nil {
			_ = out.flush()
			return err
		}
		isWhole = isWhole && o.IsWhole
		switch {
		case c.JSON:
			out.write(o)
		case o.IsWhole:
			err = a.say("%s: no damage found, entries: %d", o.Store, o.Entries)
		default:
			err = a.say("%s: %s", o.Store, o.Damage)
		}
		if err != nil {
			return err
		}
	}
	if err := out.flush(); err != nil {
		return err
	}
	if !isWhole {
		return errFindings
	}
	return nil
}

func (c *checkCommand) check(ctx context.Context, name string) (o checkObject, err error) {
	store, err := input.OpenForReading(ctx, name, c.Schema)
	if err != nil {
		return o, err
	}
	defer func() { _ = store.Close() }()
	head, err := store.Head(ctx)
	if err != nil {
		return o, fmt.Errorf("%s: %w", store.Name, err)
	}
	o = checkObject{Kind: "check", Store: store.Name, Entries: head.Position(), IsWhole: true}
	if err := store.Check(ctx, nil); err != nil {
		if ctx.Err() != nil {
			return o, err
		}
		o.IsWhole, o.Damage = false, err.Error()
	}
	return o, nil
}
