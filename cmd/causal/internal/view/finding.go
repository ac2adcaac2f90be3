package view

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/input"
)

// Kind is a kind of finding. The values are part of the output of the command.
type Kind string

// Kinds of findings.
const (
	BadLine       Kind = "line"          // not an event
	Twice         Kind = "twice"         // an ID with different contents
	GapFound      Kind = "gap"           // events of a node that others refer to
	ParentMissing Kind = "parent"        // an event named as a parent
	CauseMissing  Kind = "cause"         // an event named as a cause
	Fork          Kind = "fork"          // a node that ran twice, or was restored from a backup
	Contradiction Kind = "contradiction" // an impossible statement of an event about its past
	Jump          Kind = "jump"          // a Lamport clock far above everything its node had seen
	WallClock     Kind = "wall"          // a wall clock that contradicts the order
	Future        Kind = "future"        // a wall clock ahead of ours
)

// Finding is a problem, or a possible one.
type Finding struct {
	Kind  Kind
	Event int    // where it shows, or -1
	Text  string // may contain names from events: escape it
}

// Findings returns the problems in the events of a view and their inputs, each
// cause once, in the order of the events. now is the time to compare wall
// clocks with.
func (v *View) Findings(faults []input.Fault, now time.Time) []Finding {
	f := finder{View: v, isTold: map[string]bool{}}
	for _, fault := range faults {
		kind, at := BadLine, -1
		if fault.EventID != "" {
			kind = Twice
			at, _ = v.Index(fault.EventID)
		}
		f.found = append(f.found, Finding{kind, at, fault.String()})
	}
	clocks := finder{View: v, isTold: map[string]bool{}}
	var work sync.WaitGroup
	work.Go(func() { clocks.findClocks(now) })
	f.findMissing()
	f.findForks()
	for _, c := range v.Contradictions() {
		at, _ := v.Index(c.EventID)
		f.add(Contradiction, at, "its member %s names %s, which cannot have happened before it", c.Field, c.Names)
	}
	work.Wait()
	f.found = append(f.found, clocks.found...)
	slices.SortStableFunc(f.found, func(a, b Finding) int { return cmp.Compare(a.Event, b.Event) })
	return f.found
}

type finder struct {
	*View
	found  []Finding
	isTold map[string]bool // findings already reported
}

func (f *finder) add(kind Kind, at int, format string, args ...any) {
	f.found = append(f.found, Finding{kind, at, fmt.Sprintf(format, args...)})
}

// once reports whether a finding was not reported yet.
func (f *finder) once(key string) bool {
	is := !f.isTold[key]
	f.isTold[key] = true
	return is
}

func (f *finder) findMissing() {
	missing := map[causal.EventID]bool{}
	for _, gap := range f.Missing() {
		if gap.Parent != "" {
			missing[gap.Parent] = true
			continue
		}
		at, _ := f.Index(gap.KnownFrom)
		f.add(GapFound, at, "events of %s after clock %d up to %d are missing", gap.NodeID, gap.After, gap.UpTo)
	}
	times, last := map[string]map[int64]bool{}, map[string]int64{}
	hasVectors := false
	for i := range f.Len() {
		hasVectors = hasVectors || !f.At(i).VectorClock().IsZero()
	}
	for i := 0; hasVectors && i < f.Len(); i++ {
		e := f.At(i)
		if times[e.NodeID()] == nil {
			times[e.NodeID()] = map[int64]bool{}
		}
		times[e.NodeID()][e.LamportClock()], last[e.NodeID()] = true, e.LamportClock()
	}
	for i := range f.Len() {
		e := f.At(i)
		for _, id := range e.Parents() {
			if missing[id] && f.once("parent "+string(id)) {
				f.add(ParentMissing, i, "its parent %s is missing", id)
			}
		}
		if id := e.CausationID(); id != "" {
			if _, ok := f.Index(id); !ok && !missing[id] && f.once("cause "+string(id)) {
				f.add(CauseMissing, i, "its cause %s is missing", id)
			}
		}
		for node, time := range e.VectorClock().All() {
			if times[node][time] || !f.once(fmt.Sprint("time ", time, " ", node)) {
				continue
			}
			if time > last[node] {
				f.add(GapFound, i, "it has seen %s up to clock %d, and the last event of that node here is at %d: later events are missing, or the event is wrong",
					node, time, last[node])
			} else {
				f.add(GapFound, i, "the event of %s at clock %d is missing", node, time)
			}
		}
	}
}

func (f *finder) findForks() {
	for _, fork := range f.Forks() {
		i, _ := f.Index(fork.IDs[0])
		j, _ := f.Index(fork.IDs[1])
		f.add(Fork, max(i, j), "node %s has forked at clock %d, beside %s: it ran twice, or was restored from a backup",
			fork.NodeID, fork.LamportClock, f.At(min(i, j)).ID())
	}
	for i := 1; i < f.Len(); i++ { // History does not know whether plain events with the same clock are a fork
		a, b := f.At(i-1), f.At(i)
		if a.NodeID() == b.NodeID() && a.LamportClock() == b.LamportClock() && a.ProjectUUID() == b.ProjectUUID() &&
			!a.IsStamped() && !b.IsStamped() && f.once("clock "+a.NodeID()) {
			f.add(Fork, i, "node %s has two events of clock %d: it ran twice, was restored from a backup, or does not update its clock", a.NodeID(), a.LamportClock())
		}
	}
}

// The number of values that clocks may skip: maxJump, which is more than a
// killed node skips, or jumpFactor times the 99th percentile of all events. As
// a clock rises by one above everything a node has seen, a larger step means
// that someone skipped values, or that very many events are missing.
const (
	maxJump    = 2048
	jumpFactor = 50
)

// maxSkew is the acceptable difference of wall clocks.
const maxSkew = time.Hour

func (f *finder) findClocks(now time.Time) {
	last := make([]int, len(f.Lanes)) // of each lane, plus 1
	for i := range f.Len() {
		e, lane := f.At(i), f.LaneOf[i]
		for _, p := range append(f.named(e), last[lane]-1) {
			if p < 0 || f.Relation(p, i) != causal.OrderBefore {
				continue
			}
			if d := f.At(p).Timestamp().Sub(e.Timestamp()); d > maxSkew && f.once("wall "+e.NodeID()) {
				of := "that of " + f.At(p).NodeID() + ", whose event came before"
				if f.At(p).NodeID() == e.NodeID() {
					of = "that of its own previous event"
				}
				f.add(WallClock, i, "the wall clock of %s is %s behind %s", e.NodeID(), round(d), of)
			}
		}
		if d := e.Timestamp().Sub(now); d > maxSkew && f.once("future "+e.NodeID()) {
			f.add(Future, i, "the wall clock of %s was %s ahead of now", e.NodeID(), round(d))
		}
		last[lane] = i + 1
	}
	f.findJumps()
}

func (f *finder) findJumps() {
	if f.Len() == 0 {
		return
	}
	steps := make([]int64, f.Len()) // the step from the previous event, in the order of clocks
	for i := 1; i < len(steps); i++ {
		steps[i] = f.At(i).LamportClock() - f.At(i-1).LamportClock()
	}
	usual := slices.Sorted(slices.Values(steps))[(len(steps)-1)*99/100]
	for i, step := range steps {
		if step > max(maxJump, jumpFactor*usual) {
			f.add(Jump, i, "the clock of %s is %d above that of every earlier event", f.At(i).NodeID(), step)
		}
	}
}

// named returns the events named by an event and present.
func (f *finder) named(e causal.Event) (named []int) {
	for _, id := range append(e.Parents(), e.CausationID()) {
		if i, ok := f.Index(id); ok {
			named = append(named, i)
		}
	}
	return named
}

// round rounds a duration for people; the maximum duration is a lower bound.
func round(d time.Duration) string {
	if d == math.MaxInt64 {
		return "centuries"
	}
	return d.Round(time.Minute).String()
}

// All are the kinds of findings.
var All = []Kind{BadLine, Twice, GapFound, ParentMissing, CauseMissing, Fork, Contradiction, Jump, WallClock, Future}

// Count counts the findings of each kind.
func Count(findings []Finding) map[Kind]int {
	count := map[Kind]int{}
	for _, f := range findings {
		count[f.Kind]++
	}
	return count
}
