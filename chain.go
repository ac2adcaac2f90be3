package causal

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// chains tracks the nodes of a project: for each one, the clock up to which no
// event is missing, and whether it has forked. The stamped events of a node
// form a chain, in which each names the clock of its predecessor; an early one
// waits. A plain event stands for all earlier events of its node, unless the
// node stamps. A plain event after a stamped one of its node is a fork: what
// counts as seen may then depend on which of them arrived first. The zero value
// has no events.
type chains struct {
	nodes   map[string]*chain
	clock   VectorClock      // of the events seen
	changed map[string]int64 // since clock was made
}

// chain is the state of one node. A stamped event covers the clocks after the
// one it names, up to its own. In a node that has not forked, no two events
// cover the same clock.
type chain struct {
	Seen     int64     // everything up to this clock is covered
	Stamped  int64     `json:",omitempty"` // the lowest clock of a stamped event, 0 if there is none
	From     int64     `json:",omitempty"` // what that one names, which is the last plain event before it
	Waiting  []stretch `json:",omitempty"` // that events cover after a hole, in ascending order
	Branches []branch  `json:",omitempty"` // of a node that has forked
	IsMixed  bool      `json:",omitempty"` // there are plain events after stamped ones, or after what those name
}

// stretch is covered by events without a hole between them: the clocks after
// Previous, up to Clock.
type stretch struct {
	Previous, Clock int64
	First           EventID // the event naming Previous, which is missing
}

// branch is a part of a forked chain, from the clock that its first event names
// to the clock of its last event.
type branch struct{ Previous, Clock int64 }

// link is an event's statement about the chain of its node.
type link struct {
	Node            string
	Clock, Previous int64
	ID              EventID
	IsStamped       bool
}

func linkOf(e Event) link { return link{e.p.NodeID, e.clock, e.p.PreviousClock, e.p.ID, e.IsStamped()} }

// maxBranches bounds the branches kept for each node.
const maxBranches = 64

// add adds an event of the project. Events may come in any order, each once.
// add reports whether the event proves a fork of its node: a stamped event does
// if it covers clocks that others cover and continues no known branch, and a
// plain event if it is the first after a stamped one.
func (c *chains) add(l link) (isFork bool) {
	node := c.nodes[l.Node]
	if node == nil {
		if c.nodes == nil {
			c.nodes, c.changed = map[string]*chain{}, map[string]int64{}
		}
		node = &chain{}
		c.nodes[l.Node] = node
	}
	before := node.Seen
	if l.IsStamped {
		isFork = node.addStamped(l)
	} else {
		isFork = node.addPlain(l)
	}
	if node.Seen > before {
		c.changed[l.Node] = node.Seen
	}
	return isFork
}

func (c *chain) addPlain(l link) (isFork bool) {
	if c.Stamped > 0 && l.Clock >= c.Stamped {
		isFork = !c.IsMixed
		c.IsMixed = true
		return isFork
	}
	if c.Stamped > 0 && l.Clock > c.From {
		isFork = !c.IsMixed
		c.IsMixed = true
	}
	c.Seen = max(c.Seen, l.Clock)
	c.seeWaiting()
	return isFork
}

func (c *chain) addStamped(l link) (isFork bool) {
	if c.Stamped == 0 || l.Clock < c.Stamped {
		c.Stamped, c.From = l.Clock, l.Previous
	}
	isFork = c.isFork(l)
	if l.Previous <= c.Seen {
		c.Seen = max(c.Seen, l.Clock)
		c.seeWaiting()
		return isFork
	}
	// Join it with the stretches it touches.
	from, _ := slices.BinarySearchFunc(c.Waiting, l.Previous, stretch.compareClock)
	to := from
	joined := stretch{l.Previous, l.Clock, l.ID}
	for ; to < len(c.Waiting) && c.Waiting[to].Previous <= l.Clock; to++ {
		next := c.Waiting[to]
		if next.Previous <= joined.Previous {
			joined.Previous, joined.First = next.Previous, next.First
		}
		joined.Clock = max(joined.Clock, next.Clock)
	}
	c.Waiting = slices.Replace(c.Waiting, from, to, joined)
	return isFork
}

func (s stretch) compareClock(clock int64) int {
	if s.Clock < clock {
		return -1
	}
	return 1
}

// seeWaiting moves Seen past the stretches that no longer wait.
func (c *chain) seeWaiting() {
	for len(c.Waiting) > 0 && c.Waiting[0].Previous <= c.Seen {
		c.Seen = max(c.Seen, c.Waiting[0].Clock)
		c.Waiting = c.Waiting[1:]
	}
}

// appendHoles appends the holes in the chain of node to gaps.
func (c *chain) appendHoles(gaps []Gap, node string) []Gap {
	after := c.Seen
	for _, s := range c.Waiting {
		gaps = append(gaps, Gap{NodeID: node, After: after, UpTo: s.Previous, KnownFrom: s.First})
		after = s.Clock
	}
	return gaps
}

// isFork reports whether a stamped event about to be added proves a fork, and
// records the branches.
func (c *chain) isFork(l link) bool {
	other, overlaps := c.overlapped(l)
	if !overlaps && c.Branches == nil {
		return false
	}
	after, before := -1, -1 // the branches that it continues, and that continue it
	for i, b := range c.Branches {
		if b.Clock == l.Previous {
			after = i
		}
		if b.Previous == l.Clock {
			before = i
		}
	}
	switch {
	case after >= 0 && before >= 0 && after != before:
		c.Branches[after].Clock = c.Branches[before].Clock
		c.Branches = slices.Delete(c.Branches, before, before+1)
	case after >= 0:
		c.Branches[after].Clock = l.Clock
	case before >= 0:
		c.Branches[before].Previous = l.Previous
	case overlaps:
		if c.Branches == nil {
			c.Branches = []branch{other}
		}
		if c.Branches = append(c.Branches, branch{l.Previous, l.Clock}); len(c.Branches) > maxBranches {
			c.Branches = c.Branches[1:]
		}
		return true
	}
	return false
}

// overlapped returns the branch or stretch covering clocks that l would cover
// as well.
func (c *chain) overlapped(l link) (other branch, overlaps bool) {
	if l.Previous < c.Seen {
		return branch{0, c.Seen}, true
	}
	i, _ := slices.BinarySearchFunc(c.Waiting, l.Previous+1, stretch.compareClock)
	if i < len(c.Waiting) && c.Waiting[i].Previous < l.Clock {
		return branch{c.Waiting[i].Previous, c.Waiting[i].Clock}, true
	}
	return branch{}, false
}

// seen returns the vector clock of the events seen.
func (c *chains) seen() VectorClock {
	if len(c.changed) > 0 {
		entries := make([]vectorEntry, 0, len(c.changed))
		for node, time := range c.changed {
			entries = append(entries, vectorEntry{node, time})
		}
		slices.SortFunc(entries, func(a, b vectorEntry) int { return strings.Compare(a.node, b.node) })
		c.clock = c.clock.Merge(VectorClock{entries})
		clear(c.changed)
	}
	return c.clock
}

// marshal encodes c for unmarshal.
func (c *chains) marshal() ([]byte, error) { return json.Marshal(c.nodes) }

func (c *chains) unmarshal(data []byte) error {
	*c = chains{changed: map[string]int64{}}
	if err := json.Unmarshal(data, &c.nodes); err != nil {
		return err
	}
	for name, node := range c.nodes {
		if node == nil {
			return errors.New("a node is null")
		}
		if err := checkVectorEntry(name, node.Seen); err != nil {
			return err
		}
		if !node.isOrdered() {
			return errors.New("the waiting events are not in order")
		}
		if node.Seen > 0 {
			c.changed[name] = node.Seen
		}
	}
	return nil
}

func (c *chain) isOrdered() bool {
	end := c.Seen
	for _, s := range c.Waiting {
		if s.Previous <= end || s.Clock <= s.Previous {
			return false
		}
		end = s.Clock
	}
	return true
}
