package main

import (
	"bytes"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func chartName(group string) string { return strings.ToLower(group) + ".svg" }

// palette is the palette of Okabe and Ito, for people with any kind of color
// vision. There is one shape less, so that few pairs are alike.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	color.RGBA{0x00, 0x00, 0x00, 0xff}, color.RGBA{0x80, 0x80, 0x80, 0xff},
}

var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{},
}

func glyph(i int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: palette[i%len(palette)], Shape: shapes[i%len(shapes)], Radius: vg.Points(4)}
}

// groupChart is a dot plot: a row for each operation, a dot for each library,
// on a logarithmic scale of time.
func groupChart(g group, r *results) ([]byte, error) {
	p := newChart(g.title + ": time of an operation, less is better")
	var names []string
	points := map[string]plotter.XYs{}
	for i, o := range slices.Backward(g.ops) { // rows count from the bottom
		cells, _, err := r.cells(g, o)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			points[c.lib.key] = append(points[c.lib.key], plotter.XY{X: c.seconds, Y: float64(len(g.ops) - 1 - i)})
		}
		names = append(names, o.label)
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.5, float64(len(names))-0.5
	for i, l := range g.libs {
		s, err := plotter.NewScatter(points[l.key])
		if err != nil {
			return nil, err
		}
		s.GlyphStyle = glyph(i)
		p.Add(s)
		p.legend.Add(l.name, s)
	}
	logScale(&p.X)
	return p.render(vg.Length(max(len(names), len(g.libs)))*vg.Points(26) + vg.Points(90))
}

// growthChart has a line for each operation, both scales logarithmic.
func growthChart(r *results) ([]byte, error) {
	p := newChart("What an event costs by how many there are: flat is linear time")
	p.X.Scale = plot.LogScale{}
	p.X.Label.Text = "events"
	var ticks plot.ConstantTicks
	for _, n := range growthSizes {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: thousands(n)})
	}
	p.X.Tick.Marker = ticks
	for i, o := range growthOps {
		var points plotter.XYs
		for _, n := range growthSizes {
			f, err := r.growth(o, n)
			if err != nil {
				return nil, err
			}
			points = append(points, plotter.XY{X: float64(n), Y: f.seconds})
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		dots.GlyphStyle = glyph(i)
		line.Color = dots.Color
		p.Add(line, dots)
		p.legend.Add(strings.ReplaceAll(o.label, "`", ""), line, dots)
	}
	logScale(&p.Y)
	return p.render(vg.Points(460))
}

// chart is a plot with its legend beside it.
type chart struct {
	*plot.Plot
	legend plot.Legend
}

func newChart(title string) *chart {
	p := &chart{plot.New(), plot.NewLegend()}
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	for _, f := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font,
	} {
		f.Variant, f.Size = "Sans", vg.Points(12)
	}
	p.Add(plotter.NewGrid())
	return p
}

// logScale gives the axis seconds over whole powers of ten. The data must be
// there already.
func logScale(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	first, last := int(math.Floor(math.Log10(a.Min))), int(math.Ceil(math.Log10(a.Max)))
	a.Min, a.Max = math.Pow10(first), math.Pow10(last)
	var ticks plot.ConstantTicks
	for e := first; e <= last; e++ {
		number, unit, _ := strings.Cut(duration(math.Pow10(e)), " ")
		number, _, _ = strings.Cut(number, ".")
		ticks = append(ticks, plot.Tick{Value: math.Pow10(e), Label: number + " " + unit})
	}
	a.Tick.Marker = ticks
}

// render draws the chart, with its legend on the right.
func (p *chart) render(height vg.Length) ([]byte, error) {
	const width, legend = 960, 240
	svg := vgsvg.New(vg.Points(width), height)
	canvas := draw.New(svg)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Path())
	p.Draw(draw.Crop(canvas, vg.Points(4), vg.Points(-legend), vg.Points(4), vg.Points(-6)))
	p.legend.Top, p.legend.Left, p.legend.Padding = true, true, vg.Points(3)
	p.legend.TextStyle.Font = p.X.Label.TextStyle.Font
	p.legend.Draw(draw.Crop(canvas, vg.Points(width-legend+12), 0, 0, vg.Points(-30)))
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return nil, err
	}
	// Arial has the widths of Liberation Sans, which was used for the layout.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,sans-serif")), nil
}
