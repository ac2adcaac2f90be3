// Package text draws histories of aggregates in a terminal.
package text

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

// Log is a drawing of a view.
type Log struct {
	Last    int  // draw only this many events of each aggregate, 0 for all
	HasRuns bool // draw runs of events of one node completely

	view      *view.View
	conflicts map[aggregate][]view.Conflict // in sequence
	counts    map[aggregate]int             // of events
	branches  map[int]int                   // the conflict of which an event is a branch
	closes    map[int]int                   // the conflict that it closes
	notes     map[int][]view.Kind           // the findings at it
}

type aggregate struct{ project, id string }

// NewLog returns the drawing of a view with its conflicts and findings.
func NewLog(v *view.View, conflicts []view.Conflict, findings []view.Finding) *Log {
	l := &Log{
		view: v, conflicts: map[aggregate][]view.Conflict{}, counts: map[aggregate]int{}, branches: map[int]int{}, closes: map[int]int{},
		notes: map[int][]view.Kind{},
	}
	for i := range v.Len() {
		l.counts[l.aggregateOf(i)]++
	}
	for _, c := range conflicts {
		at := aggregate{c.ProjectUUID, c.AggregateID}
		l.conflicts[at] = append(l.conflicts[at], c)
		if !c.IsOpen() {
			l.closes[c.JoinedBy] = c.Number
		}
		for _, i := range c.Branches {
			l.branches[i] = c.Number
		}
	}
	for _, f := range findings {
		if !slices.Contains(l.notes[f.Event], f.Kind) {
			l.notes[f.Event] = append(l.notes[f.Event], f.Kind)
		}
	}
	return l
}

func (l *Log) aggregateOf(i int) aggregate {
	return aggregate{l.view.At(i).ProjectUUID(), l.view.At(i).AggregateID()}
}

// minRun is the minimum number of events to fold.
const minRun = 4

// Write draws the history of an aggregate, given at least one of its events, in
// ascending order.
func (l *Log) Write(w *term.Writer, events []int) {
	at := l.aggregateOf(events[0])
	d := drawing{Log: l, w: w, events: events, parents: l.view.Parents(events), left: l.conflicts[at]}
	from := 0
	if l.Last > 0 && len(events) > l.Last {
		from = len(events) - l.Last
	}
	d.findColumns(from)
	d.writeTitle(at)
	d.writeNames()
	if from > 0 {
		for _, i := range events[:from] {
			d.conflictSign(i)
		}
		d.writeFold(from, -1, Count(from, "earlier event"))
	}
	for row := from; row < len(events); {
		if n := d.run(row); n >= minRun && !l.HasRuns {
			e := l.view.At(events[row+n-1])
			d.writeFold(row+n, d.column(row), fmt.Sprintf("%d more of %s, to %d", n, term.Escape(e.NodeID()), e.LamportClock()))
			d.shown[l.view.LaneOf[events[row]]] = events[row+n-1]
			row += n
			continue
		}
		d.writeEvent(row)
		row++
	}
	w.End()
}

// drawing is the drawing of one aggregate.
type drawing struct {
	*Log
	w       *term.Writer
	events  []int
	parents [][]int

	columns     []int       // their lanes
	columnOf    map[int]int // of lanes
	first, last []int       // the rows between which a column is drawn
	cell        int         // width of a column, 0 if there is no room
	clock, kind int         // widths
	name        int
	shown       map[int]int     // the latest event drawn of a lane
	left        []view.Conflict // conflicts not over yet
	isOpen      bool            // the first of them has begun
}

func (d *drawing) column(row int) int { return d.columnOf[d.view.LaneOf[d.events[row]]] }

// findColumns determines the columns from a row on.
func (d *drawing) findColumns(from int) {
	d.columnOf, d.shown = map[int]int{}, map[int]int{}
	first, last := map[int]int{}, map[int]int{} // rows of lanes
	for row, i := range d.events {
		lane := d.view.LaneOf[i]
		if _, ok := first[lane]; !ok {
			first[lane] = row
		}
		last[lane] = row
		for _, p := range d.parents[row] {
			last[d.view.LaneOf[p]] = row
		}
		if e := d.view.At(i); row >= from {
			d.clock = max(d.clock, len(fmt.Sprint(e.LamportClock())))
			d.kind = min(24, max(d.kind, len(e.Type())))
			d.name = min(16, max(d.name, len(e.NodeID())))
		}
	}
	for _, lane := range slices.Sorted(maps.Keys(first)) {
		if last[lane] >= from {
			d.columnOf[lane] = len(d.columns)
			d.columns, d.first, d.last = append(d.columns, lane), append(d.first, first[lane]), append(d.last, last[lane])
		}
	}
	switch room := d.w.Width / 2; {
	case 4*len(d.columns) <= room:
		d.cell = 4
	case 2*len(d.columns) <= room:
		d.cell = 2
	}
}

func (d *drawing) writeTitle(at aggregate) {
	nodes := map[string]bool{}
	for _, i := range d.events {
		nodes[d.view.At(i).NodeID()] = true
	}
	open, joined := 0, 0
	for _, c := range d.conflicts[at] {
		if c.IsOpen() {
			open++
		} else {
			joined++
		}
	}
	events := Count(len(d.events), "event")
	if all := d.counts[at]; all > len(d.events) {
		events = fmt.Sprintf("%d of %s", len(d.events), Count(all, "event"))
	}
	d.w.Text(term.Bold, at.id)
	d.w.Text(term.Plain, fmt.Sprintf("  %s, %s, ", events, Count(len(nodes), "node")))
	switch {
	case open > 0:
		d.w.Text(term.Bad, Count(open, "open conflict"))
		d.w.Text(term.Plain, fmt.Sprintf(", %d joined", joined))
	case joined > 0:
		d.w.Text(term.Plain, fmt.Sprintf("%s, all joined", Count(joined, "conflict")))
	default:
		d.w.Text(term.Plain, "no conflict")
	}
	d.w.End()
	d.w.End()
}

// Count returns a number with a noun.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// LaneName returns the name of a lane.
func LaneName(l view.Lane) string {
	if l.IsSecond {
		return l.NodeID + " (second writer)"
	}
	return l.NodeID
}

// writeNames writes the name of each column, attached by a hook.
func (d *drawing) writeNames() {
	if d.cell == 0 {
		return
	}
	for c, lane := range d.columns {
		d.w.Sign(term.Faint, "   "+strings.Repeat(d.pad("│"), c)+"╭ ")
		d.w.Text(term.Lane(lane), d.w.Cut(LaneName(d.view.Lanes[lane]), d.w.Width-d.w.Used()))
		d.w.End()
	}
}

func (d *drawing) pad(sign string) string { return sign + strings.Repeat(" ", d.cell-1) }

// isQuiet reports whether an event is just the next one of its node.
func (d *drawing) isQuiet(row int) bool {
	if row == 0 || row >= len(d.events)-1 {
		return false
	}
	i, lane := d.events[row], d.view.LaneOf[d.events[row]]
	if d.view.LaneOf[d.events[row+1]] != lane ||
		len(d.notes[i]) > 0 || d.view.IsHead[i] || d.closes[i]+d.branches[i] > 0 || d.begins(i) {
		return false
	}
	isElsewhere := func(p int) bool { return d.view.LaneOf[p] != lane }
	return !slices.ContainsFunc(d.parents[row], isElsewhere) && !slices.ContainsFunc(d.parents[row+1], isElsewhere)
}

// run returns the number of quiet events that follow.
func (d *drawing) run(row int) (n int) {
	for d.isQuiet(row + n) {
		n++
	}
	return n
}

// writeFold writes a placeholder for events not drawn, before a row.
func (d *drawing) writeFold(row, column int, text string) {
	d.gutter(d.bar())
	if d.cell > 0 {
		for c, lane := range d.columns {
			switch {
			case c == column || column < 0 && d.first[c] < row:
				d.w.Sign(term.Lane(lane), d.pad("⋮"))
			case row > d.first[c] && row <= d.last[c]:
				d.w.Sign(term.Lane(lane), d.pad("│"))
			default:
				d.w.Sign(term.Plain, d.pad(" "))
			}
		}
	}
	d.w.Text(term.Faint, strings.Repeat(" ", d.clock+1)+text)
	d.w.End()
}

func (d *drawing) bar() string {
	if d.isOpen {
		return "┃"
	}
	return " "
}

func (d *drawing) gutter(sign string) { d.w.Sign(term.Bad, " "+sign+" ") }

func (d *drawing) writeEvent(row int) {
	i := d.events[row]
	e, lane := d.view.At(i), d.view.LaneOf[i]
	d.gutter(d.conflictSign(i))
	stale := d.writeGraph(row)
	d.shown[lane] = i
	d.w.Text(term.Faint, fmt.Sprintf("%*d ", d.clock, e.LamportClock()))
	d.w.Text(term.ID, Short(e.ID())+" ")
	if d.cell == 0 {
		d.w.Fit(term.Lane(lane), e.NodeID(), d.name)
		d.w.Text(term.Plain, " ")
	}
	d.w.Fit(term.Plain, e.Type(), d.kind)
	d.w.Text(term.Plain, " ")
	d.writeRest(i, stale)
	d.w.End()
}

// writeRest writes the content of an event and remarks about it.
func (d *drawing) writeRest(i int, stale string) {
	e, room := d.view.At(i), d.w.Width-d.w.Used()
	type note struct {
		style term.Style
		text  string
	}
	var notes []note
	if k := d.closes[i]; k > 0 {
		notes = append(notes, note{term.Good, fmt.Sprintf("✔ joins conflict %d", k)})
	}
	if d.view.IsHead[i] {
		notes = append(notes, note{term.Strong, "head"})
	}
	for _, kind := range d.notes[i] {
		notes = append(notes, note{term.Warn, "⚠ " + string(kind)})
	}
	if stale != "" {
		notes = append(notes, note{term.Faint, "saw " + stale})
	}
	summary := Summary(e)
	if len(notes) == 0 {
		d.w.Text(term.Faint, d.w.Cut(summary, room))
		return
	}
	width := 0
	for _, n := range notes {
		width += 1 + displaywidth.String(term.Escape(n.text))
	}
	d.w.Fit(term.Faint, summary, min(40, max(8, room-width)))
	for _, n := range notes {
		d.w.Text(term.Plain, " ")
		d.w.Sign(n.style, term.Escape(n.text))
	}
}

// Short returns the end of an ID, because ULIDs of the same time have the same
// start.
func Short(id causal.EventID) string { return string(id[len(id)-6:]) }
