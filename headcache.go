package causal

// headCache has the heads of some aggregates of the project as of the last entry that was read.
// The zero value is empty.
type headCache struct {
	byAggregate map[string]*aggregateHeads
	count       int // of heads and aggregates
}

// aggregateHeads are heads that are known, whether they are in the cache or not any more.
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

// trim forgets the heads of some aggregates if there are too many.
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

// replace sets heads that are in the cache, or not any more.
func (c *headCache) replace(aggregateID string, h *aggregateHeads, heads []EventID) {
	if c.byAggregate[aggregateID] == h {
		c.count += len(heads) - len(h.now)
	}
	h.now = heads
}

// advance takes over what the heads are after an attempt, if they are still in the cache: so
// nobody else has changed them.
func (c *headCache) advance(aggregateID string, h *aggregateHeads) {
	if c.byAggregate[aggregateID] == h {
		c.replace(aggregateID, h, h.after)
	}
}
