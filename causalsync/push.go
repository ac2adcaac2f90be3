package causalsync

import (
	"context"

	"github.com/spec-kitty/causal"
)

// pushed is an event of a request.
type pushed struct {
	id       causal.EventID
	withheld bool // too large, so only its ID was sent
}

// push is a range in which the peer has only the events of a list.
type push struct {
	span
	has map[id]bool
}

// push adds events missing from the peer to a request.
func (s *session) push(ctx context.Context, q *request, room *int) (events []pushed, err error) {
	g := giver{
		source: s.summary.source, room: room, largest: *room, events: &q.events, mustGive: true,
		withhold: func(e causal.Event) {
			events = append(events, pushed{e.ID(), true})
			s.replica.refused(&s.report, s.peer, Refusal{EventID: e.ID(), Err: ErrTooLarge})
		},
		sent: func(e causal.Event) { events = append(events, pushed{e.ID(), false}) },
	}
	for len(s.toPush) > 0 {
		n := min(len(s.toPush), mostGiven)
		g.waiting = append(g.waiting[:0], s.toPush[:n]...)
		before := len(q.events)
		hasRoom, err := g.flush(ctx)
		if err != nil {
			return nil, err
		}
		s.toPush = s.toPush[len(q.events)-before:]
		if !hasRoom {
			return events, nil
		}
	}
	for len(s.pushes) > 0 {
		hasRoom, err := s.pushRange(ctx, &g, s.pushes[0])
		if err != nil {
			return nil, err
		}
		if !hasRoom {
			s.pushes[0].lo = keyOf(g.stopped)
			break
		}
		s.pushes = s.pushes[1:]
	}
	return events, nil
}

func (s *session) pushRange(ctx context.Context, g *giver, p push) (hasRoom bool, err error) {
	for found, err := range s.summary.read(ctx, p.lo, p.hi) {
		if err != nil {
			return false, err
		}
		if p.has[s.summary.salt.id(keyOf(found))] {
			continue
		}
		if hasRoom, err := g.add(ctx, found); err != nil || !hasRoom {
			return false, err
		}
	}
	return g.flush(ctx)
}

// countRefusals reports the events refused by the peer.
func (s *session) countRefusals(a *answer, events []pushed) error {
	for _, e := range events {
		if !e.withheld {
			s.report.Sent++
		}
	}
	next := uint64(0)
	for _, refused := range a.refusals {
		if refused.index < next || refused.index >= uint64(len(events)) {
			return broken("an answer refuses what was not sent")
		}
		next = refused.index + 1
		if of := events[refused.index]; !of.withheld { // which has been reported
			s.report.Sent--
			s.replica.refused(&s.report, s.peer, Refusal{EventID: of.id, Err: errorOf(refused.code), ByPeer: true})
		}
	}
	return nil
}
