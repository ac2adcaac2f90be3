package text

import (
	"fmt"
	"strings"

	"github.com/spec-kitty/causal/cmd/causal/internal/term"
)

// begins reports whether the next conflict begins at event i.
func (d *drawing) begins(i int) bool { return !d.isOpen && len(d.left) > 0 && d.left[0].Events[1] <= i }

// conflictSign returns the mark in the gutter beside an event.
func (d *drawing) conflictSign(i int) string {
	isEnd := false
	for len(d.left) > 0 && !d.left[0].IsOpen() && d.left[0].JoinedBy <= i {
		isEnd = isEnd || d.isOpen
		d.left, d.isOpen = d.left[1:], false
	}
	begins := d.begins(i)
	d.isOpen = d.isOpen || begins
	switch {
	case begins && isEnd:
		return "┣"
	case begins:
		return "┏"
	case isEnd:
		return "┗"
	}
	return d.bar()
}

// writeGraph draws the columns beside an event, and names its predecessors that
// are not drawn nearby.
func (d *drawing) writeGraph(row int) (stale string) {
	i, own := d.events[row], d.column(row)
	low, high := own, own
	isFrom := map[int]bool{}
	var far []string
	for _, p := range d.parents[row] {
		lane := d.view.LaneOf[p]
		if c := d.columnOf[lane]; c != own {
			isFrom[c] = true
			low, high = min(low, c), max(high, c)
			if d.shown[lane] != p || d.cell == 0 {
				far = append(far, fmt.Sprintf("%s@%d", d.view.At(p).NodeID(), d.view.At(p).LamportClock()))
			}
		}
	}
	stale = strings.Join(far, ", ")
	if d.cell == 0 {
		return stale
	}
	for c, lane := range d.columns {
		isAlive := row >= d.first[c] && row <= d.last[c]
		style, sign, fill := term.Lane(lane), " ", " "
		switch {
		case c == own:
			style, sign = d.mark(i)
		case isFrom[c]:
			sign = d.turn(c, own, row)
		case c > low && c < high && isAlive:
			style, sign = term.Faint, "┼"
		case c > low && c < high:
			style, sign = term.Faint, "─"
		case isAlive:
			sign = "│"
		}
		d.w.Sign(style, sign)
		fill = strings.Repeat(fill, d.cell-1)
		if c >= low && c < high {
			fill = d.arrow(c, own)
		}
		d.w.Sign(term.Faint, fill)
	}
	return stale
}

// mark returns the appearance of an event.
func (d *drawing) mark(i int) (term.Style, string) {
	style, sign := term.Lane(d.view.LaneOf[i]), "●"
	if d.view.IsHead[i] {
		sign = "◆"
	}
	if d.branches[i] > 0 {
		style = term.Bad
	}
	if len(d.notes[i]) > 0 {
		style, sign = term.Warn, "▲"
	}
	return style, sign
}

// turn returns the character where a line leaves its column.
func (d *drawing) turn(column, own, row int) string {
	signs := [2]string{"├", "┤"}
	if row == d.last[column] {
		signs = [2]string{"╰", "╯"}
	}
	if column < own {
		return signs[0]
	}
	return signs[1]
}

// arrow returns the text between a column and the next.
func (d *drawing) arrow(column, own int) string {
	line := strings.Repeat("─", d.cell-2)
	switch {
	case column+1 == own:
		return line + "▸"
	case column == own:
		return "◂" + line
	}
	return line + "─"
}
