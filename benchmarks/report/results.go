package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// results are the samples of a run.
type results struct {
	config  map[string]string
	order   []key
	samples map[key]*samples
}

// key names a benchmark: Benchmark<name> of the package, without the number of
// processors.
type key struct{ pkg, name string }

// samples are the rounds of one benchmark.
type samples struct {
	perOp, perEvent []float64 // seconds
	allocs          []float64
	trips, bytes    []float64 // of messages
}

// figure is the median of the rounds of a benchmark.
type figure struct {
	seconds   float64
	perEvent  bool // seconds are for one event, not for one operation
	allocs    float64
	hasAllocs bool
	trips     float64 // 0 if there are no messages
	bytes     float64
	rounds    *benchmath.Sample
}

// readResults reads the output of go test -bench.
func readResults(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &results{config: map[string]string{}, samples: map[key]*samples{}}
	reader := benchfmt.NewReader(bytes.NewReader(text), path)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.Result:
			r.add(record)
		case *benchfmt.SyntaxError:
			return nil, record
		}
	}
	if len(r.order) == 0 {
		err = errors.New("no results in " + path)
	}
	return r, errors.Join(err, reader.Err())
}

func (r *results) add(result *benchfmt.Result) {
	for _, c := range result.Config {
		if c.Key != "pkg" {
			r.config[c.Key] = string(c.Value)
		}
	}
	base, parts := result.Name.Parts()
	k := key{pkg: result.GetConfig("pkg"), name: string(base)}
	for _, part := range parts {
		if part[0] == '/' {
			k.name += string(part)
		}
	}
	s := r.samples[k]
	if s == nil {
		s = &samples{}
		r.samples[k] = s
		r.order = append(r.order, k)
	}
	for _, v := range result.Values {
		switch v.Unit {
		case "sec/op":
			s.perOp = append(s.perOp, v.Value)
		case "sec/event":
			s.perEvent = append(s.perEvent, v.Value)
		case "allocs/op":
			s.allocs = append(s.allocs, v.Value)
		case "trips":
			s.trips = append(s.trips, v.Value)
		case "msgB":
			s.bytes = append(s.bytes, v.Value)
		}
	}
}

// benchmarksPackage has the comparisons with peers.
const benchmarksPackage = "github.com/spec-kitty/causal/benchmarks"

// figure returns the figure of a comparison, if it exists.
func (r *results) figure(group, op, variant string) (figure, bool) {
	s, ok := r.samples[key{benchmarksPackage, fmt.Sprintf("%s/op=%s/%s", group, op, variant)}]
	if !ok {
		return figure{}, false
	}
	return s.figure(), true
}

func (s *samples) figure() figure {
	values, perEvent := s.perOp, false
	if len(s.perEvent) > 0 {
		values, perEvent = s.perEvent, true
	}
	f := figure{rounds: benchmath.NewSample(values, &benchmath.DefaultThresholds), perEvent: perEvent}
	f.seconds = median(f.rounds)
	if len(s.allocs) > 0 {
		f.hasAllocs = true
		f.allocs = median(benchmath.NewSample(s.allocs, &benchmath.DefaultThresholds))
	}
	if len(s.trips) > 0 {
		f.trips = median(benchmath.NewSample(s.trips, &benchmath.DefaultThresholds))
		f.bytes = median(benchmath.NewSample(s.bytes, &benchmath.DefaultThresholds))
	}
	return f
}

func median(s *benchmath.Sample) float64 { return benchmath.AssumeNothing.Summary(s, 0.95).Center }

// spread returns the difference of the rounds of the benchmark in the middle,
// without the fastest and the slowest, relative to their median.
func (r *results) spread() float64 {
	var spreads []float64
	for _, s := range r.samples {
		f := s.figure()
		if v := f.rounds.Values; len(v) > 2 { // ascending
			spreads = append(spreads, (v[len(v)-2]-v[1])/f.seconds)
		}
	}
	return median(benchmath.NewSample(spreads, &benchmath.DefaultThresholds))
}

// fasterThan reports whether f is faster than g beyond the noise of the rounds.
func (f figure) fasterThan(g figure) bool {
	c := benchmath.AssumeNothing.Compare(f.rounds, g.rounds)
	return f.seconds < g.seconds && c.P < c.Alpha
}

// checkMachine returns an error if a file does not describe the machine.
func (r *results) checkMachine(file string) error {
	for _, fact := range []string{"go-version", "cores", "cpu", "goos", "goarch"} {
		if r.config[fact] == "" {
			return fmt.Errorf("%s does not state %s", file, fact)
		}
	}
	return nil
}

// machine describes the machine of the run.
func (r *results) machine() string {
	return fmt.Sprintf("%s cores of an %s, %s/%s, %s", r.config["cores"], r.config["cpu"], r.config["goos"], r.config["goarch"],
		strings.Replace(r.config["go-version"], "go", "Go ", 1))
}
