package causal

import (
	"container/heap"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// chains is what a log has of a project: of each node, the clock up to which no event of its
// is missing. The stamped events of a node are a chain, in which each names the clock of the
// one before it; one that comes early waits. A plain event stands for the earlier ones of
// its node, unless the node stamps. A plain event after a stamped one of its node is a fault
// of the node: what is seen then may depend on which of them came first. The zero value has
// no events.
type chains struct {
	nodes   map[string]*chain
	clock   VectorClock      // of what is seen
	changed map[string]int64 // after that
}

type chain struct {
	Seen    int64
	Stamped int64 // the lowest clock of a stamped event, 0 if there is none
	Waiting links // for the events before them
}

// add adds an event of the project, in any order.
func (c *chains) add(e Event) {
	node := c.nodes[e.p.NodeID]
	if node == nil {
		if c.nodes == nil {
			c.nodes, c.changed = map[string]*chain{}, map[string]int64{}
		}
		node = &chain{}
		c.nodes[e.p.NodeID] = node
	}
	if node.add(e) {
		c.changed[e.p.NodeID] = node.Seen
	}
}

// add adds an event of the node, and reports whether more is seen.
func (c *chain) add(e Event) bool {
	before := c.Seen
	switch {
	case e.p.Parents != nil:
		if c.Stamped == 0 || e.clock < c.Stamped {
			c.Stamped = e.clock
		}
		if len(c.Waiting) == 0 && e.p.PreviousClock <= c.Seen {
			c.Seen = max(c.Seen, e.clock)
			return c.Seen > before
		}
		heap.Push(&c.Waiting, link{e.p.PreviousClock, e.clock})
	case c.Stamped == 0 || e.clock < c.Stamped:
		c.Seen = max(c.Seen, e.clock)
	}
	for len(c.Waiting) > 0 && c.Waiting[0].Previous <= c.Seen {
		next, _ := heap.Pop(&c.Waiting).(link)
		c.Seen = max(c.Seen, next.Clock)
	}
	return c.Seen > before
}

// seen returns what is seen.
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

// marshal returns a form that unmarshal reads.
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
		if node.Seen > 0 {
			c.changed[name] = node.Seen
		}
	}
	return nil
}

// link is a stamped event of a chain.
type link struct{ Previous, Clock int64 }

// links is a heap, by the clocks of the events before them.
type links []link

func (l links) Len() int           { return len(l) }
func (l links) Less(i, j int) bool { return l[i].Previous < l[j].Previous }
func (l links) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }

func (l *links) Push(x any) {
	added, _ := x.(link)
	*l = append(*l, added)
}

func (l *links) Pop() any {
	last := len(*l) - 1
	x := (*l)[last]
	*l = (*l)[:last]
	return x
}
