package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
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
	fmt.Fprintf(&b, "%s Compare the ratios: times depend on the machine, and each round runs both sides, so that other work slows both.\n\n",
		r.medians())
	b.WriteString("Numbers of allocations are in parentheses. A ratio below 1 means that ours is faster; a difference within the noise of the rounds " +
		"counts as none. The last row of each comparison says what each library leaves out. Where its documentation does not say so, a test next " +
		"to the benchmarks shows it.\n\n" +
		"In a clone, `benchmarks/run` makes this page again in about 50 minutes. It needs PostgreSQL, and a machine without other work. The last " +
		"tables are from the benchmarks of each package, and all others from those of module benchmarks.\n\n" + r.versions() + "\n")
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

// readmeRows are the rows of the fastest peers that the README shows.
var readmeRows = []string{
	"Vector clocks: merge, 16 nodes", "Event stores on disk: append 1 event", "Event stores on disk: load an aggregate of 10,000",
	"Sync: 1,000,000, 10 missing", "Lamport clock: tick",
}

// insertRows replaces the table in the section Performance of the README.
func insertRows(readme, tables string) (string, error) {
	const head = "## Performance\n\n| operation | ours | fastest peer | ratio |\n|---|---|---|---|\n"
	before, after, ok := strings.Cut(readme, head)
	before += head
	_, after, hasEnd := strings.Cut(after, "\n\n")
	if !ok || !hasEnd {
		return "", fmt.Errorf("%s has no table of performance", readmeFile)
	}
	for _, operation := range readmeRows {
		row := regexp.MustCompile("(?m)^\\| " + regexp.QuoteMeta(operation) + " \\|.*$").FindString(tables)
		if row == "" {
			return "", fmt.Errorf("no results of %s", operation)
		}
		before += row + "\n"
	}
	return before + "\n" + after, nil
}

// medians says of what the figures are medians, and how the rounds vary.
func (r *results) medians() string {
	return fmt.Sprintf("Medians of %s, on %s. In half of the benchmarks, the rounds differ by at most %.0f %% of the median, leaving out the fastest and the slowest.",
		r.rounds(), r.machine(), 100*r.spread())
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
	b.WriteString("| omits |")
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
			fmt.Fprintf(&b, "%s is faster at: %s. Reason: %s.\n\n", l.name, strings.Join(faster, "; "), cmp.Or(l.faster, unexplained))
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
	fmt.Fprintf(&b, "## Growth\n\nThe cost of one event, by the number of events in memory. Sorting takes O(n log n) time, as does the first read after saves in random order; everything else takes O(n). The "+
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

// packageTables lists all benchmarks of the packages, with those that do the
// same by hand.
func packageTables(r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Benchmarks of the packages\n\n%s The column \"by hand\" has code that a user would write for the same work, "+
		"with the same driver: the benchmarks whose names have the words naive, raw or publish. Rows without it have no counterpart; those of "+
		"Order compare ways to assign positions in a log.\n", r.medians())
	isByHand := map[key]bool{}
	for _, k := range r.order {
		isByHand[key{k.pkg, byHand(k.name)}] = true
	}
	for i, k := range r.order {
		if i == 0 || r.order[i-1].pkg != k.pkg {
			fmt.Fprintf(&b, "\n| %s | ours | by hand | ratio |\n|---|---|---|---|\n", strings.TrimPrefix(k.pkg, "github.com/spec-kitty/"))
		}
		if !isByHand[k] {
			fmt.Fprintf(&b, "| %s | %s |%s\n", k.name, r.samples[k].figure(), r.compareByHand(k))
		}
		if i == len(r.order)-1 || r.order[i+1].pkg != k.pkg {
			b.WriteString(r.reasonsByHand(k.pkg))
		}
	}
	return b.String()
}

// compareByHand returns the last columns of the row of a benchmark.
func (r *results) compareByHand(k key) string {
	other, ok := r.samples[key{k.pkg, byHand(k.name)}]
	if !ok {
		return " | |"
	}
	return fmt.Sprintf(" %s | %s |", other.figure(), threeDigits(r.samples[k].figure().seconds/other.figure().seconds))
}

// reasonsByHand lists the benchmarks that are faster by hand, with the reasons.
func (r *results) reasonsByHand(pkg string) string {
	faster := map[string][]string{} // by reason
	for _, k := range r.order {
		other, ok := r.samples[key{pkg, byHand(k.name)}]
		if k.pkg == pkg && ok && other.figure().fasterThan(r.samples[k].figure()) {
			group, _, _ := strings.Cut(k.name, "/")
			reason := cmp.Or(fasterByHand[path.Base(pkg)+"/"+group], unexplained)
			faster[reason] = append(faster[reason], k.name)
		}
	}
	text := ""
	for _, reason := range slices.Sorted(maps.Keys(faster)) {
		text += fmt.Sprintf("\nFaster by hand: %s. Reason: %s.\n", strings.Join(faster[reason], ", "), reason)
	}
	return text
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
		trips := fmt.Sprintf("%.3g trips", f.trips)
		if f.trips == 1 {
			trips = "1 trip"
		}
		text += fmt.Sprintf(", %s, %s B", trips, thousands(int(math.Round(f.bytes))))
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
