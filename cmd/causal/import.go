package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/input"
)

type importCommand struct {
	Store  string `arg:"" help:"A store in a file, or a postgres:// address."`
	inputs `embed:""`
	Create bool `help:"Create the file of the store if it does not exist."`
	DryRun bool `name:"dry-run" help:"Only report what would be saved."`
}

// importObject is the output of import.
type importObject struct {
	Kind    string `json:"kind"` // "import"
	Saved   int    `json:"saved"`
	Known   int    `json:"known"`
	Refused int    `json:"refused"` // lines that are no events, and events whose ID has other content in the store
	DryRun  bool   `json:"dry_run"`
}

// Run is called by kong.
func (c *importCommand) Run(ctx context.Context, a *app) error {
	matches, err := c.matcher(a.Now())
	if err != nil {
		return err
	}
	set, err := a.read(ctx, &c.inputs)
	if err != nil {
		return err
	}
	events := slices.DeleteFunc(set.Events, func(e causal.Event) bool { return !matches(e) })
	done := importObject{Kind: "import", DryRun: c.DryRun}
	if c.DryRun {
		err = c.try(ctx, a, set, events, &done)
	} else {
		err = c.save(ctx, a, set, events, &done)
	}
	if err != nil {
		return err
	}
	done.Refused += len(set.Faults)
	if c.JSON {
		out := newJSONWriter(a.Stdout)
		out.write(done)
		err = out.flush()
	} else {
		did := "saved"
		if c.DryRun {
			did = "to be saved"
		}
		err = a.say("%d %s, %d known, %d refused", done.Saved, did, done.Known, done.Refused)
	}
	if err == nil {
		err = a.sayFaults(set)
	}
	if err == nil && done.Refused > 0 {
		err = errFindings
	}
	return err
}

// importBatch is the number of events saved in one transaction.
const importBatch = 1000

// save saves the events. If it is interrupted, events saved so far stay, and
// are known the next time.
func (c *importCommand) save(ctx context.Context, a *app, set *input.Set, events []causal.Event, done *importObject) error {
	store, closeStore, err := openStore(ctx, c.Store, c.Schema, c.Create)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(events, importBatch) {
		if err = saveBatch(ctx, a, store, set, batch, done); err != nil {
			break
		}
	}
	if closeErr := closeStore(); err == nil {
		err = closeErr
	}
	return err
}

// openStore opens a store for writing, and returns the function that closes it.
func openStore(ctx context.Context, name, schema string, mayCreate bool) (*input.Store, func() error, error) {
	if mayCreate {
		return input.OpenOrCreate(ctx, name, schema)
	}
	store, err := input.Open(ctx, name, schema)
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

// refuse reports events with other content in the store.
func refuse(a *app, set *input.Set, ids []causal.EventID) {
	for _, id := range ids {
		a.note("%s: %v", set.Place(id), &causal.IDConflictError{IDs: []causal.EventID{id}})
	}
}

// saveBatch saves events. It reports refused ones and leaves them out.
func saveBatch(ctx context.Context, a *app, store *input.Store, set *input.Set, events []causal.Event, done *importObject) error {
	for {
		appended, err := store.Append(ctx, events)
		var conflict *causal.IDConflictError
		if errors.As(err, &conflict) {
			refuse(a, set, conflict.IDs)
			done.Refused += len(conflict.IDs)
			events = slices.DeleteFunc(slices.Clone(events), func(e causal.Event) bool { return slices.Contains(conflict.IDs, e.ID()) })
			continue
		}
		for _, isNew := range appended.New {
			if isNew {
				done.Saved++
			} else {
				done.Known++
			}
		}
		return err
	}
}

// try finds out what save would do.
func (c *importCommand) try(ctx context.Context, a *app, set *input.Set, events []causal.Event, done *importObject) error {
	store, err := input.OpenForReading(ctx, c.Store, c.Schema)
	if c.Create && errors.Is(err, fs.ErrNotExist) {
		done.Saved = len(events)
		_, err = os.Stat(filepath.Dir(c.Store)) // where the file would be created
		return err
	}
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	for _, e := range events {
		stored, err := store.FindEvent(ctx, e.ID())
		switch {
		case err != nil:
			return err
		case stored.IsZero():
			done.Saved++
		case stored.Equal(e):
			done.Known++
		default:
			refuse(a, set, []causal.EventID{e.ID()})
			done.Refused++
		}
	}
	return nil
}
