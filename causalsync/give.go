package causalsync

import (
	"context"
	"errors"

	"github.com/spec-kitty/causal"
)

// giver adds events to a message while there is room. It loads them in batches
// of growing size.
type giver struct {
	source   source
	room     *int // remaining bytes in the message
	largest  int  // maximum bytes of an event
	events   *[]eventOf
	mustGive bool                 // one event, even without room
	withhold func(e causal.Event) // is called with an event that is too large
	sent     func(e causal.Event) // is called with an added event; may be nil

	waiting []causal.SyncKey
	limit   int
	stopped causal.SyncKey // the first key without room
}

const (
	firstGiven = 16
	mostGiven  = 1024
)

// add adds the event with a key, possibly later. hasRoom is false once the
// message is full.
func (g *giver) add(ctx context.Context, key causal.SyncKey) (hasRoom bool, err error) {
	g.waiting = append(g.waiting, key)
	if g.limit = max(g.limit, firstGiven); len(g.waiting) < g.limit {
		return true, nil
	}
	g.limit = min(2*g.limit, mostGiven)
	return g.flush(ctx)
}

// flush adds the waiting events.
func (g *giver) flush(ctx context.Context) (hasRoom bool, err error) {
	n := 0
	for e, err := range g.source.LoadDigests(ctx, g.waiting) {
		if err != nil {
			return false, err
		}
		if n == len(g.waiting) {
			return false, errGiven
		}
		data, err := e.MarshalJSON()
		if err != nil {
			return false, err
		}
		given := eventOf{data: data}
		if given.size() > g.largest {
			given = eventOf{large: e.ID()}
		}
		if given.size() > *g.room && (!g.mustGive || len(*g.events) > 0) {
			g.stopped = g.waiting[n]
			return false, nil
		}
		switch {
		case given.large != "":
			g.withhold(e)
		case g.sent != nil:
			g.sent(e)
		}
		*g.events = append(*g.events, given)
		*g.room -= given.size()
		n++
	}
	if n < len(g.waiting) {
		return false, errGiven
	}
	g.waiting = g.waiting[:0]
	return true, nil
}

// errGiven reports a store violating the contract of LoadDigests.
var errGiven = &causal.StorageError{Op: "load digests", Err: errors.New("the storage yielded too many events, or too few")}
