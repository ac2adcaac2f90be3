package page

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"

	"github.com/clipperhouse/displaywidth"

	"github.com/spec-kitty/causal/cmd/causal/internal/term"
	"github.com/spec-kitty/causal/cmd/causal/internal/text"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

// MaxSVG is the maximum number of events in a picture.
const MaxSVG = 500

// Sizes in a picture, in pixels. charWidth is approximate.
const (
	rowHeight = 26
	laneWidth = 100
	headRoom  = 48
	leftRoom  = 26
	charWidth = 8
)

// svgStyle has the colors of the page, for light and dark mode.
const svgStyle = `
text{font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:#1d1f23}
.name,.agg,.tag{font-weight:600}.name{text-anchor:middle}.clock{text-anchor:end}.mut,.clock{fill:#63676e}
.bg{fill:#fff}.life{stroke:#cfd0d2;stroke-width:2}.second{stroke-dasharray:4 3}
.edge{fill:none;stroke:#8a8e96;stroke-width:1.3}.dot{stroke:#fff;stroke-width:2}.bracket{fill:none;stroke:#c9272f;stroke-width:2}
.open{fill:none;stroke:#c9272f;stroke-width:2}.found{fill:none;stroke:#9a5c00;stroke-width:1.8}.bad{fill:#c9272f}.warn{fill:#9a5c00}.good{fill:#0b7d5d}
@media(prefers-color-scheme:dark){text{fill:#e6e7ea}.mut,.clock{fill:#9ea3ab}.bg{fill:#14161a}.life{stroke:#3a3f48}.edge{stroke:#7b818b}.dot{stroke:#14161a}
.bracket,.open{stroke:#ff6b70}.found{stroke:#f2b04a}.bad{fill:#ff6b70}.warn{fill:#f2b04a}.good{fill:#3fd0a4}}
`

var hues = [...]int{212, 22, 160, 276, 45, 340, 190, 95, 250, 0, 130, 310}

// WriteSVG writes a picture of a few events.
func WriteSVG(out io.Writer, v *view.View, o Options) error {
	if len(o.Shown) > MaxSVG {
		return fmt.Errorf("%d events are more than the %d in a picture: filter them, for example with --aggregate or --since", len(o.Shown), MaxSVG)
	}
	p := picture{v: v, o: o, row: map[int]int{}, column: map[int]int{}, colour: map[string]int{}}
	p.layOut()
	p.lines()
	p.edges()
	p.brackets()
	for row, i := range o.Shown {
		p.event(row, i)
	}
	width, height := p.textX+textWidth, headRoom+len(o.Shown)*rowHeight+16
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"><style>%s</style><rect class="bg" width="100%%" height="100%%"/>%s</svg>`+"\n",
		width, height, width, height, svgStyle, p.b.Bytes())
	return err
}

// Columns of the texts, starting at textX.
const (
	clockWidth     = 48
	aggregateWidth = 72
	typeWidth      = 132
	summaryWidth   = 220
	textWidth      = clockWidth + aggregateWidth + typeWidth + summaryWidth + 120
)

type picture struct {
	b       bytes.Buffer
	v       *view.View
	o       Options
	row     map[int]int // of events
	column  map[int]int // of lanes
	lanes   []int
	parents [][]int
	textX   int
	colour  map[string]int // of aggregates
}

func (p *picture) layOut() {
	used := map[int]bool{}
	for row, i := range p.o.Shown {
		p.row[i] = row
		used[p.v.LaneOf[i]] = true
		at := p.v.At(i).ProjectUUID() + p.v.At(i).AggregateID()
		if _, ok := p.colour[at]; !ok {
			p.colour[at] = len(p.colour)
		}
	}
	for lane := range p.v.Lanes {
		if used[lane] {
			p.column[lane] = len(p.lanes)
			p.lanes = append(p.lanes, lane)
		}
	}
	p.parents = p.v.Parents(p.o.Shown)
	p.textX = leftRoom + max(1, len(p.lanes))*laneWidth
}

func (p *picture) x(lane int) int { return leftRoom + p.column[lane]*laneWidth + laneWidth/2 }
func (p *picture) y(row int) int  { return headRoom + row*rowHeight + rowHeight/2 }

func (p *picture) add(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// text writes text of limited width in pixels.
func (p *picture) text(class string, x, y, room int, s string) {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(displaywidth.TruncateString(term.Escape(s), max(1, room/charWidth), "…"))) // into memory
	p.add(`<text class="%s" x="%d" y="%d">%s</text>`, class, x, y, escaped.Bytes())
}

// lines draws the lane of each node, with its name.
func (p *picture) lines() {
	first, last := map[int]int{}, map[int]int{}
	for row, i := range p.o.Shown {
		lane := p.v.LaneOf[i]
		if _, ok := first[lane]; !ok {
			first[lane] = row
		}
		last[lane] = row
	}
	for _, lane := range p.lanes {
		l, class, line := p.v.Lanes[lane], "name", "life"
		if l.IsSecond {
			class, line = "name bad", "life second"
			p.text("name bad", p.x(lane), 34, laneWidth-4, "2nd writer")
		}
		p.add(`<path class="%s" d="M%d %dV%d"/>`, line, p.x(lane), p.y(first[lane]), p.y(last[lane]))
		p.text(class, p.x(lane), 20, laneWidth-4, l.NodeID)
	}
}

// edges draws arrows from direct predecessors on other lanes.
func (p *picture) edges() {
	for row, i := range p.o.Shown {
		for _, before := range p.parents[row] {
			if p.v.LaneOf[before] != p.v.LaneOf[i] {
				p.arrow(float64(p.x(p.v.LaneOf[before])), float64(p.y(p.row[before])), float64(p.x(p.v.LaneOf[i])), float64(p.y(row)))
			}
		}
	}
}

func (p *picture) arrow(x1, y1, x2, y2 float64) {
	dx, dy := x2-x1, y2-y1
	side := math.Copysign(1, dx)
	path, angle := fmt.Sprintf("L%.1f %.1f", x2-side*6, y2-min(4, dy/5)), math.Atan2(dy, dx)
	if dy > 90 {
		path, angle = fmt.Sprintf("C%.1f %.1f %.1f %.1f %.1f %.1f", x1+dx*.5, y1+24, x2-dx*.35, y2-30, x2-side*7, y2-3), math.Atan2(27, dx*.35)
	}
	hx, hy := x2-math.Cos(angle)*7, y2-math.Sin(angle)*7
	wing := func(a float64) string { return fmt.Sprintf("%.1f %.1f", hx-math.Cos(a)*6, hy-math.Sin(a)*6) }
	p.add(`<path class="edge" d="M%.1f %.1f%sM%sL%.1f %.1fL%s"/>`, x1, y1, path, wing(angle-.5), hx, hy, wing(angle+.5))
}

// brackets draws how long conflicts were open, if the picture shows one
// aggregate.
func (p *picture) brackets() {
	if len(p.colour) != 1 {
		return
	}
	for _, c := range p.o.Conflicts {
		from, isShown := p.row[c.Events[1]]
		if !isShown {
			continue
		}
		if until, ok := p.row[c.JoinedBy]; ok {
			p.add(`<path class="bracket" d="M16 %dH10V%dH16"/>`, p.y(from), p.y(until))
		} else if c.IsOpen() {
			p.add(`<path class="bracket" d="M16 %dH10V%d"/>`, p.y(from), p.y(len(p.o.Shown)-1)+rowHeight/2)
		}
	}
}

// event draws a row.
func (p *picture) event(row, i int) {
	e, x, y := p.v.At(i), p.x(p.v.LaneOf[i]), p.y(row)
	colour := p.colour[e.ProjectUUID()+e.AggregateID()]
	p.add(`<circle class="dot" cx="%d" cy="%d" r="5.5" fill="hsl(%d 58%% %d%%)"/>`, x, y, hues[colour%len(hues)], 46+(colour/len(hues)%3-1)*7)
	type tag struct{ class, text string }
	var tags []tag
	for _, c := range p.o.Conflicts {
		for _, branch := range c.Branches {
			if branch == i && c.IsOpen() {
				p.add(`<circle class="open" cx="%d" cy="%d" r="8.5"/>`, x, y)
				tags = append(tags, tag{"tag bad", fmt.Sprintf("open #%d", c.Number)})
			}
		}
		if c.JoinedBy == i {
			tags = append(tags, tag{"tag good", fmt.Sprintf("joins #%d", c.Number)})
		}
	}
	for _, f := range p.o.Findings {
		if f.Event == i {
			p.add(`<circle class="found" cx="%d" cy="%d" r="10"/>`, x, y)
			tags = append(tags, tag{"tag warn", "▲ " + string(f.Kind)})
		}
	}
	at, base := p.textX, y+4
	p.text("clock", at+clockWidth-10, base, clockWidth, fmt.Sprint(e.LamportClock()))
	p.text("agg", at+clockWidth, base, aggregateWidth-6, e.AggregateID())
	p.text("type", at+clockWidth+aggregateWidth, base, typeWidth-6, e.Type())
	at += clockWidth + aggregateWidth + typeWidth
	p.text("mut", at, base, summaryWidth-10, text.Summary(e))
	at += summaryWidth
	for _, t := range tags {
		p.text(t.class, at, base, 120, t.text)
		at += (displaywidth.String(t.text) + 2) * charWidth
	}
}
