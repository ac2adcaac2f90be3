package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/text"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

type conflictsCommand struct {
	inputs   `embed:""`
	resolver `embed:""`
	Open     bool `help:"Only open conflicts."`
	ExitCode bool `name:"exit-code" help:"Exit with status 1 if one is open."`
}

// resolver chooses the winning branch of an open conflict.
type resolver struct {
	Policy   string   `enum:",lww,state" default:"" help:"Show the winner: lww, the last write, or state, the highest by --priority." placeholder:"lww|state"`
	Key      string   `help:"Only events whose payload has this member, which is shown (state: default state, otherwise status)." placeholder:"MEMBER"`
	Priority priority `help:"Ranking of the states, for example done=2,doing=1." placeholder:"STATE=N,..."`
}

// priority is a ranking of states.
type priority map[string]int

// UnmarshalText is called by kong.
func (p *priority) UnmarshalText(flag []byte) error {
	*p = priority{}
	for item := range strings.SplitSeq(string(flag), ",") {
		state, number, ok := strings.Cut(item, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || state == "" {
			return errors.New("not STATE=NUMBER")
		}
		if _, isTwice := (*p)[state]; isTwice {
			return errors.New("a state occurs twice")
		}
		(*p)[state] = n
	}
	return nil
}

// Validate is called by kong.
func (r *resolver) Validate() error {
	if (r.Policy == "state") != (len(r.Priority) > 0) {
		return errors.New("use --policy state together with --priority")
	}
	return nil
}

// value returns the member of an event's payload that is in conflict.
func (r *resolver) value(e causal.Event) (json.RawMessage, bool) {
	var payload map[string]json.RawMessage
	_ = json.Unmarshal(e.Payload(), &payload) // which is an object
	has := func(key string) bool { return payload[key] != nil && string(payload[key]) != "null" }
	key := r.Key
	if key == "" && r.Policy == "state" {
		if key = "state"; !has(key) {
			key = "status"
		}
	}
	if key == "" {
		return e.Payload(), true
	}
	return payload[key], has(key)
}

// takesPart reports whether an event can be in conflict.
func (r *resolver) takesPart(e causal.Event) bool {
	_, has := r.value(e)
	return has
}

// winner returns the winning branch of an open conflict, or -1 if there is no
// policy. isCertain is false if people have to decide.
func (r *resolver) winner(l *loaded, c view.Conflict) (winner int, isCertain bool, err error) {
	if !c.IsOpen() || r.Policy == "" {
		return -1, true, nil
	}
	branches := make([]causal.Event, len(c.Branches))
	for k, i := range c.Branches {
		branches[k] = l.view.At(i)
	}
	if r.Policy == "lww" {
		last, _, err := causal.MergeLWWFunc(branches, func(e causal.Event) (causal.EventID, bool, error) { return e.ID(), true, nil })
		i, _ := l.view.Index(last)
		return i, true, err
	}
	resolution, err := causal.ResolveState(branches, causal.StateMachine{Priority: r.Priority, Key: r.Key})
	if err != nil {
		return -1, false, err
	}
	ties := 0
	for _, e := range branches {
		if value, _ := r.value(e); r.Priority[text.Value(value)] == r.Priority[resolution.State] {
			ties++
		}
	}
	i, _ := l.view.Index(resolution.MergedEvent.ID())
	return i, c.IsCertain && ties == 1, nil
}

// conflictObject is a conflict in the output of conflicts.
type conflictObject struct {
	Kind        string         `json:"kind"` // "conflict"
	Number      int            `json:"number"`
	ProjectUUID string         `json:"project_uuid"`
	AggregateID string         `json:"aggregate_id"`
	IsOpen      bool           `json:"is_open"`
	IsCertain   bool           `json:"is_certain"` // the branches are known to be concurrent
	Branches    []branchObject `json:"branches"`
	JoinedBy    *branchObject  `json:"joined_by,omitempty"`
	NeedsReview bool           `json:"needs_review"` // the policy does not decide alone
	Error       string         `json:"error,omitempty"`
}

type branchObject struct {
	EventID      causal.EventID  `json:"event_id"`
	NodeID       string          `json:"node_id"`
	LamportClock int64           `json:"lamport_clock"`
	EventType    string          `json:"event_type"`
	Value        json.RawMessage `json:"value"`
	Wins         bool            `json:"wins"`
}

// Run is called by kong.
func (c *conflictsCommand) Run(ctx context.Context, a *app) error {
	l, err := a.load(ctx, &c.inputs)
	if err != nil {
		return err
	}
	var shown []conflictObject
	hasOpen, hasError := false, false
	for _, conflict := range l.view.Conflicts(c.takesPart) {
		if c.Open && !conflict.IsOpen() || !l.matchesOne(conflict.Events) {
			continue
		}
		o := c.describe(l, conflict)
		hasOpen, hasError = hasOpen || o.IsOpen, hasError || o.Error != ""
		shown = append(shown, o)
	}
	if c.JSON {
		out := newJSONWriter(a.Stdout)
		for _, o := range shown {
			out.write(o)
		}
		err = out.flush()
	} else {
		err = writeConflicts(a, l, &c.resolver, shown)
	}
	if err == nil {
		err = a.sayFaults(l.Set)
	}
	if err == nil && (hasError || c.ExitCode && hasOpen) {
		err = errFindings
	}
	return err
}

// matchesOne reports whether the filters select one of the events.
func (l *loaded) matchesOne(events []int) bool {
	for _, i := range events {
		if l.matches(l.view.At(i)) {
			return true
		}
	}
	return false
}

func (r *resolver) describe(l *loaded, c view.Conflict) conflictObject {
	o := conflictObject{
		Kind: "conflict", Number: c.Number, ProjectUUID: c.ProjectUUID, AggregateID: c.AggregateID,
		IsOpen: c.IsOpen(), IsCertain: c.IsCertain, Branches: []branchObject{},
	}
	winner, isCertain, err := r.winner(l, c)
	if o.NeedsReview = !isCertain; err != nil {
		o.Error = err.Error()
	}
	for _, i := range c.Branches {
		o.Branches = append(o.Branches, r.branch(l, i, i == winner))
	}
	if !c.IsOpen() {
		joined := r.branch(l, c.JoinedBy, false)
		o.JoinedBy = &joined
	}
	return o
}

func (r *resolver) branch(l *loaded, i int, wins bool) branchObject {
	e := l.view.At(i)
	value, _ := r.value(e)
	return branchObject{e.ID(), e.NodeID(), e.LamportClock(), e.Type(), value, wins}
}

func writeConflicts(a *app, l *loaded, r *resolver, conflicts []conflictObject) error {
	w := a.writer(a.Stdout)
	for _, o := range conflicts {
		w.Text(term.Bold, fmt.Sprintf("#%d %s", o.Number, o.AggregateID))
		switch {
		case o.Error != "":
			w.Text(term.Warn, "  "+o.Error)
		case o.IsOpen && o.NeedsReview:
			w.Text(term.Bad, "  open; the policy does not decide it alone")
		case o.IsOpen:
			w.Text(term.Bad, "  open")
		default:
			w.Text(term.Good, "  joined")
		}
		if !o.IsCertain {
			w.Text(term.Warn, "  perhaps: what may have put the branches in order is not known")
		}
		w.End()
		for _, b := range o.Branches {
			mark := "  ● "
			if b.Wins {
				mark = "  ◆ "
			}
			writeBranch(w, l, r, mark, b)
		}
		if o.JoinedBy != nil {
			writeBranch(w, l, r, "  ✔ ", *o.JoinedBy)
		}
	}
	if len(conflicts) == 0 {
		w.Text(term.Good, "no conflict")
		w.End()
	}
	return w.Flush()
}

func writeBranch(w *term.Writer, l *loaded, r *resolver, mark string, b branchObject) {
	i, _ := l.view.Index(b.EventID)
	w.Sign(term.Lane(l.view.LaneOf[i]), mark)
	w.Text(term.ID, text.Short(b.EventID)+" ")
	w.Fit(term.Lane(l.view.LaneOf[i]), fmt.Sprintf("%s@%d", b.NodeID, b.LamportClock), 24)
	w.Text(term.Plain, " "+b.EventType+" ")
	value := text.Summary(l.view.At(i))
	if r.Key != "" || r.Policy == "state" {
		value = text.Value(b.Value)
	}
	end := ""
	if b.Wins {
		end = " wins now"
	}
	w.Text(term.Faint, w.Cut(value, max(12, w.Width-w.Used()-len(end))))
	w.Text(term.Good, end)
	w.End()
}
