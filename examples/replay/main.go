// Replay reads event logs, one JSON event a line, and shows for each aggregate its history in causal
// order, the events that the rule of the Python library calls in conflict, those with one clock, and how
// they resolve. A causal.History finds more.
//
//	go run ./examples/replay [-json] [-key KEY] [-priority STATE=N,...] [FILE...]
//
// Without files it reads standard input. A line that is not a valid event is
// reported with its file, its number and the member at fault; the other lines
// are still processed, and the exit status is 1. It is 2 for bad flags.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spec-kitty/causal"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings as parameters; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	r := replay{machine: causal.StateMachine{Priority: priorities{"done": 4, "for_review": 3, "doing": 2, "planned": 1}}}
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "write one JSON object")
	flags.StringVar(&r.machine.Key, "key", "state", "payload `member` that holds the state")
	flags.Func("priority", "ranking of the states, as in done=2,doing=1 (default done=4,for_review=3,doing=2,planned=1)",
		func(s string) (err error) {
			r.machine.Priority, err = parsePriorities(s)
			return err
		})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	r.readAll(ctx, flags.Args(), stdin)
	result, err := r.result(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "replay:", err)
		return 1
	}
	write := writeText
	if *asJSON {
		write = writeJSON
	}
	if err := write(stdout, result); err != nil {
		fmt.Fprintln(stderr, "replay:", err)
		return 1
	}
	for _, fault := range result.Faults {
		fmt.Fprintln(stderr, fault)
	}
	if len(result.Faults) > 0 {
		return 1
	}
	return 0
}

type priorities = map[string]int

func parsePriorities(s string) (priorities, error) {
	ranking := priorities{}
	for _, item := range strings.Split(s, ",") {
		state, number, ok := strings.Cut(item, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q is not STATE=NUMBER", item)
		}
		if _, twice := ranking[state]; twice {
			return nil, fmt.Errorf("state %q is given twice", state)
		}
		ranking[state] = n
	}
	return ranking, nil
}

// replay gathers the events of all inputs.
type replay struct {
	machine    causal.StateMachine
	store      causal.MemEventStore
	aggregates map[string]bool
	known      map[causal.EventID]bool
	totals     totals
	faults     []string
}

func (r *replay) readAll(ctx context.Context, files []string, stdin io.Reader) {
	r.known, r.aggregates = map[causal.EventID]bool{}, map[string]bool{}
	if len(files) == 0 {
		r.read(ctx, "<stdin>", stdin)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			r.faults = append(r.faults, err.Error())
			continue
		}
		r.read(ctx, name, f)
		_ = f.Close() // only read
	}
}

// read takes one input, line by line, however long the lines are.
func (r *replay) read(ctx context.Context, name string, in io.Reader) {
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			r.totals.Lines++
			if err := r.add(ctx, line); err != nil {
				r.totals.Refused++
				r.faults = append(r.faults, fmt.Sprintf("%s:%d: %v", name, number, err))
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.faults = append(r.faults, fmt.Sprintf("%s: %v", name, err))
			return
		}
	}
}

func (r *replay) add(ctx context.Context, line []byte) error {
	var e causal.Event
	if err := e.UnmarshalJSON(line); err != nil {
		return err
	}
	if err := r.store.SaveEvent(ctx, e); err != nil {
		return err
	}
	if r.known[e.ID()] {
		r.totals.Repeated++
	}
	r.known[e.ID()] = true
	r.aggregates[e.AggregateID()] = true
	return nil
}

// result is what replay writes.
type result struct {
	Aggregates []aggregate `json:"aggregates"`
	Totals     totals      `json:"totals"`
	Faults     []string    `json:"faults"`
}

type totals struct {
	Lines     int `json:"lines"`
	Events    int `json:"events"`
	Repeated  int `json:"repeated"`
	Refused   int `json:"refused"`
	Conflicts int `json:"conflicts"`
	Resolved  int `json:"resolved"`
}

type aggregate struct {
	ID        string         `json:"aggregate_id"`
	Events    []causal.Event `json:"events"`
	Conflicts []conflict     `json:"conflicts"`
}

// conflict is a group of events of one aggregate with one clock.
type conflict struct {
	LamportClock int64            `json:"lamport_clock"`
	EventIDs     []causal.EventID `json:"event_ids"`
	Winner       causal.EventID   `json:"winner,omitempty"`
	Note         string           `json:"note"`
}

func (r *replay) result(ctx context.Context) (result, error) {
	out := result{Aggregates: []aggregate{}, Faults: r.faults}
	for _, id := range slices.Sorted(maps.Keys(r.aggregates)) {
		events, err := r.store.LoadEvents(ctx, id)
		if err != nil {
			return result{}, err
		}
		a := aggregate{ID: id, Events: events, Conflicts: []conflict{}}
		if sorted, err := causal.TopologicalSort(events); err != nil {
			out.Faults = append(out.Faults, fmt.Sprintf("%s: %v; shown by clock", id, err))
		} else {
			a.Events = sorted
		}
		for len(events) > 0 {
			moment := sameMoment(events)
			events = events[len(moment):]
			if len(moment) > 1 {
				c := r.resolve(moment)
				r.totals.Conflicts++
				if c.Winner != "" {
					r.totals.Resolved++
				}
				a.Conflicts = append(a.Conflicts, c)
			}
		}
		r.totals.Events += len(a.Events)
		out.Aggregates = append(out.Aggregates, a)
	}
	out.Totals = r.totals
	if out.Faults == nil {
		out.Faults = []string{}
	}
	return out, nil
}

// sameMoment returns the events at the front that are concurrent with the first.
func sameMoment(events []causal.Event) []causal.Event {
	n := 1
	for n < len(events) && causal.IsConcurrent(events[0], events[n]) {
		n++
	}
	return events[:n]
}

func (r *replay) resolve(events []causal.Event) conflict {
	c := conflict{LamportClock: events[0].LamportClock()}
	for _, e := range events {
		c.EventIDs = append(c.EventIDs, e.ID())
	}
	resolution, err := causal.MergeStateMachine(events, r.machine)
	if err != nil {
		c.Note = "not resolved: " + err.Error()
		return c
	}
	c.Winner, c.Note = resolution.MergedEvent.ID(), resolution.ResolutionNote
	return c
}

func writeJSON(out io.Writer, r result) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

func writeText(out io.Writer, r result) error {
	w := bufio.NewWriter(out)
	for _, a := range r.Aggregates {
		fmt.Fprintf(w, "%s: %s, %s\n", plain(a.ID), count(len(a.Events), "event"), count(len(a.Conflicts), "conflict"))
		for _, e := range a.Events {
			fmt.Fprintf(w, "  %6d  %s  %s  %s\n", e.LamportClock(), e.ID(), plain(e.NodeID()), plain(e.Type()))
		}
		for _, c := range a.Conflicts {
			fmt.Fprintf(w, "  conflict of %s at %d: %s\n", count(len(c.EventIDs), "event"), c.LamportClock, c.Note)
		}
	}
	t := r.Totals
	fmt.Fprintf(w, "%s: %s, %d repeated, %d refused; %s in %s, %d resolved\n", count(t.Lines, "line"), count(t.Events, "event"),
		t.Repeated, t.Refused, count(t.Conflicts, "conflict"), count(len(r.Aggregates), "aggregate"), t.Resolved)
	return w.Flush()
}

// plain returns s, quoted if it could confuse the terminal or the reader.
func plain(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
