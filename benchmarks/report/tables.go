package main

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// cell is one figure of a table.
type cell struct {
	lib lib
	figure
}

// cells returns the figures of one operation, in the order of the libraries,
// and the fastest of ours. A library without the operation has no cell.
func (r *results) cells(g group, o op) (cells []cell, ours cell, err error) {
	for _, l := range g.libs {
		f, ok := r.figure(g.name, o.key, "lib="+l.key)
		if !ok {
			continue
		}
		c := cell{l, f}
		cells = append(cells, c)
		if l.ours && (ours.rounds == nil || f.seconds < ours.seconds) {
			ours = c
		}
	}
	if ours.rounds == nil || len(cells) < 2 {
		return nil, ours, fmt.Errorf("no results of Benchmark%s/op=%s to compare", g.name, o.key)
	}
	return cells, ours, nil
}

// allTables returns the whole page.
func allTables(r, packages *results) (string, error) {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n<!-- Made by benchmarks/report; do not edit. -->\n\n")
	fmt.Fprintf(&b, "Medians of %s, on %s. Both sides of a comparison are of one run. A second machine gives other times: compare the ratios.\n\n",
		r.rounds(), r.machine())
	b.WriteString("To make this page again, in the directory benchmarks:\n\n" +
		"    go test -bench . -count 10 | tee ../" + resultsFile + "\n    go run ./report\n\n" +
		"A round of each benchmark takes 0.3 s. The number in brackets is of allocations. Each table ends with what the libraries leave " +
		"out of the work; tests beside the benchmarks assert what the documentation of the libraries does not say.\n\n" + r.versions() + "\n")
	summary, err := fastestPeers(r)
	if err != nil {
		return "", err
	}
	b.WriteString(summary)
	for _, g := range groups {
		section, err := groupTable(r, g)
		if err != nil {
			return "", err
		}
		b.WriteString(section)
	}
	section, err := growthTable(r)
	if err != nil {
		return "", err
	}
	b.WriteString(section + packageTables(packages))
	return b.String(), nil
}

// rounds returns the number of times each benchmark was run.
func (r *results) rounds() string {
	least, most := math.MaxInt, 0
	for _, s := range r.samples {
		least, most = min(least, len(s.perOp)), max(most, len(s.perOp))
	}
	if least == most {
		return fmt.Sprint(most, " rounds")
	}
	return fmt.Sprintf("%d to %d rounds", least, most)
}

// versions lists the measured modules.
func (r *results) versions() string {
	var list []string
	for _, module := range []string{
		"github.com/hashicorp/serf", "github.com/oklog/ulid/v2", "github.com/google/uuid", "github.com/hallgren/eventsourcing",
		"github.com/hallgren/eventsourcing/core", "github.com/hallgren/eventsourcing/eventstore/sql", "github.com/looplab/eventhorizon",
		"github.com/modernice/goes", "github.com/nbd-wtf/go-nostr", "go.etcd.io/bbolt", "modernc.org/sqlite", "zombiezen.com/go/sqlite",
	} {
		list = append(list, strings.TrimPrefix(module, "github.com/")+" "+r.config[module])
	}
	return "Versions: " + strings.Join(list, ", ") + ".\n"
}

func groupTable(r *results, g group) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n![%s](%s)\n\n| operation |", g.title, g.intro, g.title, chartName(g.name))
	for _, l := range g.libs {
		b.WriteString(" " + l.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(g.libs)) + "\n")
	for _, o := range g.ops {
		cells, _, err := r.cells(g, o)
		if err != nil {
			return "", err
		}
		texts := map[string]string{}
		for _, c := range cells {
			texts[c.lib.key] = c.String()
		}
		fmt.Fprintf(&b, "| %s |", o.label)
		for _, l := range g.libs {
			b.WriteString(" " + cmp.Or(texts[l.key], "none") + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("| leaves out |")
	for _, l := range g.libs {
		b.WriteString(" " + cmp.Or(l.leavesOut, "nothing") + " |")
	}
	reasons, err := r.reasons(g)
	return b.String() + "\n\n" + reasons, err
}

// unexplained takes the place of a missing reason.
const unexplained = "not known yet"

// reasons lists the peers faster than the fastest of ours, with the operations
// and reasons.
func (r *results) reasons(g group) (string, error) {
	var b strings.Builder
	for _, l := range g.libs {
		var faster []string
		for _, o := range g.ops {
			cells, ours, err := r.cells(g, o)
			if err != nil {
				return "", err
			}
			for _, c := range cells {
				if c.lib.key == l.key && !l.ours && !l.isOther && c.fasterThan(ours.figure) {
					faster = append(faster, o.label)
				}
			}
		}
		if len(faster) > 0 {
			fmt.Fprintf(&b, "%s is faster at: %s. Why: %s.\n\n", l.name, strings.Join(faster, "; "), cmp.Or(l.faster, unexplained))
		}
	}
	return b.String(), nil
}

// fastestPeers compares ours with the fastest of the others.
func fastestPeers(r *results) (string, error) {
	var b strings.Builder
	b.WriteString("## Fastest peers\n\n| operation | ours | fastest peer | ratio |\n|---|---|---|---|\n")
	for _, g := range groups {
		for _, o := range g.ops {
			cells, ours, err := r.cells(g, o)
			if err != nil {
				return "", err
			}
			var best cell
			for _, c := range cells {
				if !c.lib.ours && !c.lib.isOther && (best.rounds == nil || c.seconds < best.seconds) {
					best = c
				}
			}
			fmt.Fprintf(&b, "| %s: %s | %s, %s | %s, %s | %s |\n", g.title, o.label,
				ours, ours.lib.name, best, best.lib.name, threeDigits(ours.seconds/best.seconds))
		}
	}
	return b.String() + "\n", nil
}

// growth returns the cost of one of n events.
func (r *results) growth(o op, n int) (figure, error) {
	f, ok := r.figure(growthGroup, o.key, fmt.Sprint("n=", n))
	if !ok || !f.perEvent {
		return f, fmt.Errorf("no results of Benchmark%s/op=%s/n=%d", growthGroup, o.key, n)
	}
	return f, nil
}

func growthTable(r *results) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "## Growth\n\nWhat one event costs by how many there are, all in memory. Sorting takes O(n log n), also that in the first read after saves in random order, and the rest O(n). The "+
		"steps above 10,000 are those of the processor's caches: events in random order are then read from memory.\n\n"+
		"![Growth](%s)\n\n| operation |", chartName(growthGroup))
	for _, n := range growthSizes {
		fmt.Fprintf(&b, " %s |", thousands(n))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(growthSizes)) + "\n")
	for _, o := range growthOps {
		fmt.Fprintf(&b, "| %s |", o.label)
		for _, n := range growthSizes {
			f, err := r.growth(o, n)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, " %s |", duration(f.seconds))
		}
		b.WriteString("\n")
	}
	return b.String() + "\n", nil
}

// packageTables lists all benchmarks of the packages themselves.
func packageTables(r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## The benchmarks of the packages\n\nMedians of %s, on %s, of `go test -run '^$' -bench . -benchtime 0.3s -count 10 . ./causalsqlite "+
		"./causalpg | tee %s` in the root directory. What is named naive or raw does the same by hand; each file says how.\n",
		r.rounds(), r.machine(), packagesFile)
	pkg := ""
	for _, k := range r.order {
		if k.pkg != pkg {
			pkg = k.pkg
			fmt.Fprintf(&b, "\n| %s | |\n|---|---|\n", strings.TrimPrefix(pkg, "github.com/spec-kitty/"))
		}
		fmt.Fprintf(&b, "| %s | %s |\n", k.name, r.samples[k].figure())
	}
	return b.String()
}

func (f figure) String() string {
	text := duration(f.seconds)
	if f.perEvent {
		text += "/event"
	}
	if f.hasAllocs {
		text += fmt.Sprintf(" (%s)", thousands(int(math.Round(f.allocs))))
	}
	if f.trips > 0 {
		text += fmt.Sprintf(", %.3g trips, %s B", f.trips, thousands(int(math.Round(f.bytes))))
	}
	return text
}

// duration formats seconds with three digits.
func duration(seconds float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"ns", 1e-9}, {"µs", 1e-6}, {"ms", 1e-3}} {
		if x := seconds / unit.size; math.Round(x) < 1000 {
			return threeDigits(x) + " " + unit.name
		}
	}
	return threeDigits(seconds) + " s"
}

// threeDigits formats x with three significant digits, or more if it has more
// before the point.
func threeDigits(x float64) string {
	for _, places := range []struct {
		below float64
		n     int
	}{{0.09995, 4}, {0.9995, 3}, {9.995, 2}, {99.95, 1}} {
		if x < places.below {
			return strconv.FormatFloat(x, 'f', places.n, 64)
		}
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// thousands formats n with a comma before each group of three digits.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
