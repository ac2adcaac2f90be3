package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/input"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

// inputs are the arguments of commands that read events.
type inputs struct {
	Files  []string `arg:"" optional:"" name:"file" help:"Files of JSON lines (- for standard input; .gz), stores in files, postgres:// addresses."`
	Schema string   `help:"Schema of databases." default:"causal"`
	JSON   bool     `name:"json" help:"Write JSON, one object on each line."`

	filters `embed:""`
}

// filters select what is shown. Relations are computed from all events.
type filters struct {
	Aggregate []string  `short:"a" sep:"none" help:"Only of this aggregate; may be repeated." placeholder:"ID"`
	Node      []string  `sep:"none" help:"Only of this node." placeholder:"ID"`
	Type      []string  `sep:"none" help:"Only of this type." placeholder:"TYPE"`
	Project   []string  `sep:"none" help:"Only of this project." placeholder:"UUID|SLUG"`
	Since     timestamp `help:"Only since this time by wall clocks: 2026-11-28, 2026-11-28T10:00:00Z, or 90m for 90 minutes ago." placeholder:"TIME"`
	Until     timestamp `help:"Only before this time." placeholder:"TIME"`
	Grep      string    `help:"Only if the JSON matches this regular expression." placeholder:"REGEXP"`
}

// timestamp is a time in a flag, or how long ago it is.
type timestamp struct {
	at    time.Time
	ago   time.Duration
	is    bool
	isAgo bool
}

// UnmarshalText is called by kong.
func (t *timestamp) UnmarshalText(text []byte) error {
	t.is = true
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			t.at = at
			return nil
		}
	}
	ago, err := time.ParseDuration(string(text))
	if err != nil || ago < 0 {
		return errors.New("not a time such as 2026-11-28T10:00:00Z, and not a duration such as 90m")
	}
	t.ago, t.isAgo = ago, true
	return nil
}

func (t timestamp) time(now time.Time) time.Time {
	if t.isAgo {
		return now.Add(-t.ago)
	}
	return t.at
}

// matcher returns the function that selects events.
func (f *filters) matcher(now time.Time) (func(causal.Event) bool, error) {
	pattern, err := regexp.Compile(f.Grep)
	if err != nil {
		return nil, fmt.Errorf("--grep: %w", err)
	}
	isOf := func(list []string, values ...string) bool {
		for _, one := range list {
			for _, value := range values {
				if one == value {
					return true
				}
			}
		}
		return len(list) == 0
	}
	since, until := f.Since.time(now), f.Until.time(now)
	return func(e causal.Event) bool {
		if !isOf(f.Aggregate, e.AggregateID()) || !isOf(f.Node, e.NodeID()) || !isOf(f.Type, e.Type()) ||
			!isOf(f.Project, e.ProjectUUID(), e.ProjectSlug()) ||
			f.Since.is && e.Timestamp().Before(since) || f.Until.is && !e.Timestamp().Before(until) {
			return false
		}
		if f.Grep == "" {
			return true
		}
		data, err := e.MarshalJSON()
		return err == nil && pattern.Match(data)
	}, nil
}

// loaded is the input of a command.
type loaded struct {
	*input.Set
	view      *view.View
	conflicts []view.Conflict
	findings  []view.Finding
	matches   func(causal.Event) bool
}

// load reads all inputs.
func (a *app) load(ctx context.Context, in *inputs) (*loaded, error) {
	matches, err := in.matcher(a.Now())
	if err != nil {
		return nil, err
	}
	set, err := a.read(ctx, in)
	if err != nil {
		return nil, err
	}
	h, err := causal.NewHistory(set.Events)
	if err != nil {
		return nil, err
	}
	l := &loaded{Set: set, view: view.New(h), matches: matches}
	var work sync.WaitGroup
	work.Go(func() { l.conflicts = l.view.Conflicts(all) })
	l.findings = l.view.Findings(set.Faults, a.Now())
	work.Wait()
	return l, nil
}

// all selects all events.
func all(causal.Event) bool { return true }

// read reads the events of all inputs.
func (a *app) read(ctx context.Context, in *inputs) (*input.Set, error) {
	if _, isTerminal := a.Terminal(a.Stdin); isTerminal && len(in.Files) == 0 {
		return nil, errors.New("name a file, or - to read events from the terminal")
	}
	r := input.Reader{Stdin: a.Stdin, Schema: in.Schema}
	p := a.newProgress()
	if p != nil {
		r.Bytes = p.bytes
	}
	set, err := r.Read(ctx, in.Files)
	p.end()
	return set, err
}

// sayFaults reports what is not shown, and returns errFindings if there is
// anything.
func (a *app) sayFaults(set *input.Set) error {
	for _, f := range set.Faults {
		a.note("%v", f)
	}
	if len(set.Faults) > 0 {
		return errFindings
	}
	return nil
}

// selected returns the events selected by the filters.
func (l *loaded) selected() []int { return l.view.Select(l.matches) }

// selectedFindings returns the findings of the selected events, and those of no
// event.
func (l *loaded) selectedFindings() (shown []view.Finding) {
	for _, f := range l.findings {
		if f.Event < 0 || l.matches(l.view.At(f.Event)) {
			shown = append(shown, f)
		}
	}
	return shown
}
