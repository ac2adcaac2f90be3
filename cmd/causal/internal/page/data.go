package page

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

// data is the input of the page, read by model.js: columns with an entry for
// each event.
type data struct {
	Sources    []string         `json:"sources"`
	Lanes      []lane           `json:"lanes"`
	Types      []string         `json:"types"`
	Projects   []string         `json:"projects"` // UUIDs
	Slugs      []string         `json:"slugs"`    // of the projects
	Aggregates []aggregate      `json:"aggregates"`
	ID         []causal.EventID `json:"id"`
	Total      int              `json:"total"` // how many events there are, also those that are not shown
	Clock      any              `json:"clock"` // numbers, above that of the event before; if they are too large for JavaScript, texts
	Lane       []int            `json:"lane"`
	Chain      []int            `json:"chain"` // each event of a chain follows the one before it in the chain
	Type       []int            `json:"type"`
	Aggregate  []int            `json:"aggregate"`
	Time       []int64          `json:"time"`    // milliseconds after the event before
	Cause      []int            `json:"cause"`   // how many events before, 0 if it is none of them
	Parents    [][]int          `json:"parents"` // how many events before; the last ones that came before
	Hidden     any              `json:"hidden"`  // see hidden; as Clock is
	IsPlain    []int            `json:"plain"`
	Heads      []int            `json:"heads"`
	Conflicts  []conflict       `json:"conflicts"`
	Findings   []finding        `json:"findings"`

	payloads []json.RawMessage // on separate lines
}

// write writes the data as one line, and a line for each payload.
func (d *data) write(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, payload := range d.payloads {
		if err := json.Compact(&lines, payload); err != nil {
			return err
		}
		lines.WriteByte('\n')
	}
	_, err := lines.WriteTo(out)
	return err
}

type lane struct {
	Node     string `json:"node"`
	IsSecond bool   `json:"second"`
}

type aggregate struct {
	ID      string `json:"id"`
	Project int    `json:"project"`
}

type conflict struct {
	Number    int   `json:"number"`
	Aggregate int   `json:"aggregate"`
	Events    []int `json:"events"` // from that on with which it began
	Branches  []int `json:"branches"`
	IsOpen    bool  `json:"open"`
	JoinedBy  int   `json:"joined"` // -1 if nobody has, or that event is not shown
	Winner    int   `json:"winner"` // -1 if it is not known
	IsCertain bool  `json:"certain"`
}

type finding struct {
	Kind  view.Kind `json:"kind"`
	Event int       `json:"event"`
	Text  string    `json:"text"`
}

// table assigns numbers to values.
type table[T comparable] struct {
	values []T
	number map[T]int
}

func (t *table[T]) add(value T) int {
	if n, ok := t.number[value]; ok {
		return n
	}
	if t.number == nil {
		t.number = map[T]int{}
	}
	t.number[value] = len(t.values)
	t.values = append(t.values, value)
	return t.number[value]
}

func newData(v *view.View, o Options) (*data, error) {
	if len(o.Shown) > MaxEvents {
		return nil, &TooMuchError{Events: len(o.Shown)}
	}
	parents := v.Parents(o.Shown)
	chainOf, chains := findChains(v, o.Shown, func(k int) bool { return len(parents[k]) == 0 })
	if len(o.Shown)*(len(chains)/32) > maxReach {
		return nil, &TooMuchError{Events: len(o.Shown), Chains: len(chains)}
	}
	n := len(o.Shown)
	d := &data{
		Sources: nonNil(o.Sources), Lanes: []lane{}, ID: make([]causal.EventID, n), Total: v.Len(), Lane: make([]int, n), Chain: chainOf,
		Type: make([]int, n), Aggregate: make([]int, n), Time: make([]int64, n), Cause: make([]int, n), Parents: make([][]int, n),
		IsPlain: make([]int, n), payloads: make([]json.RawMessage, n), Heads: []int{}, Conflicts: []conflict{}, Findings: []finding{},
	}
	d.setClocks(v, o.Shown)
	laneOf := d.addLanes(v, o.Shown)
	var types, projects table[string]
	var aggregates table[aggregate]
	row := make(map[int]int, n) // of the events
	time := int64(0)
	for k, i := range o.Shown {
		e := v.At(i)
		row[i] = k
		d.ID[k], d.Lane[k], d.Type[k], d.payloads[k] = e.ID(), laneOf[v.LaneOf[i]], types.add(e.Type()), cut(e.Payload(), o.Payload)
		at := e.Timestamp().UnixMilli()
		d.Time[k], time = at-time, at
		project := projects.add(e.ProjectUUID())
		if project == len(d.Slugs) {
			d.Slugs = append(d.Slugs, "")
		}
		if e.ProjectSlug() != "" {
			d.Slugs[project] = e.ProjectSlug()
		}
		d.Aggregate[k] = aggregates.add(aggregate{e.AggregateID(), project})
		if !e.IsStamped() {
			d.IsPlain[k] = 1
		}
		if cause, ok := v.Index(e.CausationID()); ok && e.CausationID() != "" {
			if at, isShown := row[cause]; isShown {
				d.Cause[k] = k - at
			}
		}
		d.Parents[k] = make([]int, len(parents[k]))
		for m, p := range parents[k] {
			d.Parents[k][m] = k - row[p]
		}
		if v.IsHead[i] {
			d.Heads = append(d.Heads, k)
		}
	}
	d.Types, d.Projects, d.Aggregates, d.Slugs = nonNil(types.values), nonNil(projects.values), nonNil(aggregates.values), nonNil(d.Slugs)
	d.addConflicts(o.Conflicts, row, func(c view.Conflict) int {
		return aggregates.add(aggregate{c.AggregateID, projects.add(c.ProjectUUID)})
	})
	for _, f := range o.Findings {
		at, isShown := row[f.Event]
		if !isShown {
			if at = -1; f.Event >= 0 {
				continue
			}
		}
		d.Findings = append(d.Findings, finding{f.Kind, at, f.Text})
	}
	return d, nil
}

// addLanes adds the shown lanes, and returns the number of each.
func (d *data) addLanes(v *view.View, shown []int) map[int]int {
	number := map[int]int{}
	for _, i := range shown {
		number[v.LaneOf[i]] = 0
	}
	for k, l := range v.Lanes {
		if _, isShown := number[k]; isShown {
			number[k] = len(d.Lanes)
			d.Lanes = append(d.Lanes, lane{l.NodeID, l.IsSecond})
		}
	}
	return number
}

// setClocks sets the clocks of the events. JavaScript has no integers above
// 2^53 - 1 except those made from text.
func (d *data) setClocks(v *view.View, shown []int) {
	known := hidden(v, shown)
	clocks, texts, knownTexts := make([]int64, len(shown)), make([]string, len(shown)), make([]string, len(shown))
	last := int64(0)
	for k, i := range shown {
		clock := v.At(i).LamportClock()
		clocks[k], texts[k], knownTexts[k] = clock-last, strconv.FormatInt(clock, 10), strconv.FormatInt(known[k], 10)
		last = clock
	}
	if d.Clock, d.Hidden = clocks, known; last >= 1<<53 {
		d.Clock, d.Hidden = texts, knownTexts
	}
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// addConflicts adds the conflicts with all branches shown.
func (d *data) addConflicts(conflicts []Conflict, row map[int]int, aggregateOf func(view.Conflict) int) {
	rows := func(events []int) (rows []int, areAll bool) {
		rows = []int{}
		for _, i := range events {
			if at, ok := row[i]; ok {
				rows = append(rows, at)
			}
		}
		return rows, len(rows) == len(events)
	}
	for _, c := range conflicts {
		branches, areAll := rows(c.Branches)
		if !areAll {
			continue
		}
		events, _ := rows(c.Events[1:])
		one := conflict{Number: c.Number, Aggregate: aggregateOf(c.Conflict), Events: events, Branches: branches, IsOpen: c.IsOpen(), JoinedBy: -1, Winner: -1, IsCertain: c.IsCertain}
		if at, ok := row[c.JoinedBy]; ok {
			one.JoinedBy = at
		}
		if at, ok := row[c.Winner]; ok {
			one.Winner = at
		}
		d.Conflicts = append(d.Conflicts, one)
	}
}

// maxPayload is the number of bytes kept of a payload that is cut.
const maxPayload = 2000

// cut returns the page's copy of a payload: a string for one that is cut, null
// for none.
func cut(payload json.RawMessage, how Payload) json.RawMessage {
	if how == None {
		return json.RawMessage("null")
	}
	if how == Full || len(payload) <= maxPayload {
		return payload
	}
	end := maxPayload
	for !utf8.RuneStart(payload[end]) {
		end--
	}
	text, err := json.Marshal(string(payload[:end]))
	if err != nil {
		panic(err) // a string
	}
	return text
}

// findChains assigns events to chains, on which each follows the one before it.
// There are about as many chains as concurrent events. An event is first tried
// on the chain of the previous event on its lane. isFirst reports whether an
// event follows none.
func findChains(v *view.View, events []int, isFirst func(k int) bool) (chainOf []int, chains [][]int) {
	preferred := map[int]int{}
	chainOf = make([]int, len(events))
	for k, i := range events {
		follows := func(chain []int) bool { return v.Relation(chain[len(chain)-1], i) == causal.OrderBefore }
		chain, ok := preferred[v.LaneOf[i]]
		switch {
		case isFirst(k):
			chain = -1
		case !ok || !follows(chains[chain]):
			chain = slices.IndexFunc(chains, follows)
		}
		if chain < 0 {
			chain = len(chains)
			chains = append(chains, nil)
		}
		chains[chain] = append(chains[chain], i)
		chainOf[k], preferred[v.LaneOf[i]] = chain, chain
	}
	return chainOf, chains
}

// hidden returns, for each event, the clock from which on later events are
// known to be concurrent with it unless it is before them, in its aggregate or,
// if it is plain, its project. It is -1 if none are known to be.
func hidden(v *view.View, events []int) []int64 {
	type group struct{ project, aggregate string }
	groups := map[group][]int{}
	from := make(map[int]int64, len(events))
	for _, i := range events {
		e := v.At(i)
		for _, at := range [2]group{{e.ProjectUUID(), e.AggregateID()}, {e.ProjectUUID(), ""}} {
			groups[at] = append(groups[at], i)
		}
		from[i] = -1
	}
	for at, of := range groups {
		asks := func(i int) bool {
			e := v.At(i)
			return at.aggregate == e.AggregateID() && e.IsStamped() || at.aggregate == "" && !e.IsStamped() && !e.VectorClock().IsZero()
		}
		if !slices.ContainsFunc(of, asks) {
			continue
		}
		_, chains := findChains(v, of, func(int) bool { return false })
		for _, i := range of {
			if asks(i) {
				from[i] = knownFrom(v, chains, i)
			}
		}
	}
	clocks := make([]int64, len(events))
	for k, i := range events {
		clocks[k] = from[i]
	}
	return clocks
}

// knownFrom returns the clock after that of the last event not known to be
// before event i or concurrent with it. On each chain, events before it come
// first, then those not known.
func knownFrom(v *view.View, chains [][]int, i int) (clock int64) {
	for _, chain := range chains {
		until, _ := slices.BinarySearchFunc(chain, i, func(j, i int) int {
			if j < i && v.At(j).LamportClock() < v.At(i).LamportClock() && v.Relation(j, i) != causal.OrderConcurrent {
				return -1
			}
			return 1
		})
		if until > 0 && v.Relation(chain[until-1], i) == causal.OrderUnknown {
			clock = max(clock, v.At(chain[until-1]).LamportClock()+1)
		}
	}
	return clock
}
