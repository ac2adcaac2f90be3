package causal

// headCache has the heads of some aggregates of the project as of the last
// entry read. The zero value is empty.
type headCache struct {
	byAggregate map[string]*aggregateHeads
	count       int // of heads and aggregates
}

// aggregateHeads are the known heads of an aggregate, even after it was
// evicted.
type aggregateHeads struct {
	now   []EventID // in ascending order
	after []EventID // after the events of an attempt
}

const maxCachedHeads = 100_000

func (c *headCache) drop(aggregateIDs ...string) {
	for _, id := range aggregateIDs {
		if h, ok := c.byAggregate[id]; ok {
			c.count -= len(h.now) + 1
			delete(c.byAggregate, id)
		}
	}
}

// trim evicts some aggregates if there are too many.
func (c *headCache) trim() {
	for id := range c.byAggregate {
		if c.count <= maxCachedHeads {
			return
		}
		c.drop(id)
	}
}

// add adds the heads of an aggregate.
func (c *headCache) add(aggregateID string, heads []EventID) *aggregateHeads {
	if c.byAggregate == nil {
		c.byAggregate = map[string]*aggregateHeads{}
	}
	h := &aggregateHeads{now: heads}
	c.byAggregate[aggregateID] = h
	c.count += len(heads) + 1
	return h
}

// replace sets the heads of an aggregate that may have been evicted.
func (c *headCache) replace(aggregateID string, h *aggregateHeads, heads []EventID) {
	if c.byAggregate[aggregateID] == h {
		c.count += len(heads) - len(h.now)
	}
	h.now = heads
}

// advance replaces the heads with those after an attempt. If h was evicted,
// someone else may have changed them, and it does nothing.
func (c *headCache) advance(aggregateID string, h *aggregateHeads) {
	if c.byAggregate[aggregateID] == h {
		c.replace(aggregateID, h, h.after)
	}
}
