package causalsync

import (
	"context"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// An Exchange carries a request to a peer, and returns the answer of its
// [Replica.Answer]. It fails if ctx is done. A request may be lost, or arrive
// twice; an answer to another request is detected.
type Exchange func(ctx context.Context, request []byte) (answer []byte, err error)

// SyncOptions are the options of [Replica.Sync]. nil and the zero value mean
// the defaults.
type SyncOptions struct {
	// Peer names the peer in reports and rejected entries. The replica
	// remembers the salt of each name, including "", which saves the next Sync
	// a round trip. If peers share a name, this advantage is lost.
	Peer string
	// Filter selects the events to sync; the peer may allow fewer. The zero
	// value selects all. With a Node it selects the node's project, or is zero.
	Filter causal.Filter
	// MaxEvents is the approximate number of new events to store before Sync
	// stops with [ErrLimit]. Zero means no limit.
	MaxEvents int
}

// maxRestarts is the number of times a peer may change its salt during a Sync.
const maxRestarts = 3

// Sync reconciles the store with that of a peer, in both directions; see the
// guarantees in the package documentation. The report is valid even if an error
// is returned: everything received up to then is stored, and the next Sync
// continues.
//
// Sync returns a [*causal.ValidationError] if an argument is invalid,
// [ErrProtocol], a [*RefusedError], [ErrLimit], or an error of the exchange, of
// the store or of ctx.
func (r *Replica) Sync(ctx context.Context, exchange Exchange, o *SyncOptions) (Report, error) {
	if err := r.begin(ctx); err != nil {
		return Report{}, err
	}
	if o == nil {
		o = &SyncOptions{}
	}
	filter, err := r.checkSync(exchange, o)
	if err != nil {
		return Report{}, err
	}
	s := session{replica: r, exchange: exchange, peer: o.Peer, maxEvents: o.MaxEvents, report: Report{Filter: filter}}
	s.known, s.isKnown = r.peerOf(o.Peer)
	err = s.run(ctx)
	return s.report, err
}

// checkSync checks the arguments of Sync, and returns the filter in its
// canonical form.
func (r *Replica) checkSync(exchange Exchange, o *SyncOptions) (causal.Filter, error) {
	if exchange == nil {
		return o.Filter, causaladapter.Invalid("exchange", "must not be nil")
	}
	if o.MaxEvents < 0 {
		return o.Filter, causaladapter.Invalid("max_events", "must not be negative")
	}
	if err := o.Filter.Validate(); err != nil {
		return o.Filter, err
	}
	filter, ok := r.narrow(o.Filter, causal.Filter{})
	if r.options.Node != nil && (!ok || filter.AggregateID != "" || filter.MinTier != 0) {
		return o.Filter, causaladapter.Invalid("filter", "must select the project of the node, or be zero")
	}
	return filter, nil
}

// session is a running Sync.
type session struct {
	replica   *Replica
	exchange  Exchange
	peer      string
	maxEvents int
	report    Report

	known    peer
	isKnown  bool
	restarts int

	summary *summary
	pending []pending // ascending, disjoint
	window  int       // the maximum number of them in a request
	toPush  []causal.SyncKey
	pushes  []push
}

// pending is a range not known to be equal.
type pending struct {
	span
	differs bool // its fingerprint is known to differ, so it is split
	wanted  []id // by this side from the peer; nil if not known
}

// run exchanges messages until nothing is pending.
func (s *session) run(ctx context.Context) error {
	if s.isKnown {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	for !s.isKnown || len(s.pending)+len(s.toPush)+len(s.pushes) > 0 {
		if err := ctx.Err(); err != nil {
			return s.replica.begin(ctx)
		}
		if err := s.trip(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts over with all events, under the salt of the peer.
func (s *session) start(ctx context.Context) error {
	var err error
	s.summary, err = s.replica.summary(ctx, summaryKey{s.report.Filter, s.known.salt})
	s.pending, s.window = []pending{{span: span{key{}, end}, differs: true}}, 1<<30
	s.toPush, s.pushes = nil, nil
	s.report.Refused, s.report.RefusedCount = nil, 0 // they will be found again
	return err
}

// trip sends a request, and handles the answer.
func (s *session) trip(ctx context.Context) error {
	q := request{maxAnswer: uint64(s.replica.options.MaxMessage), salt: s.known.salt, filter: s.report.Filter}
	var sent []said
	var events []pushed
	if s.isKnown {
		var err error
		if sent, events, err = s.fill(ctx, &q); err != nil {
			return err
		}
	}
	text := q.encode()
	s.report.BytesOut += int64(len(text))
	hash := hashOf(text)
	reply, err := s.exchange(ctx, text)
	if err != nil {
		return err
	}
	s.report.Trips++
	s.report.BytesIn += int64(len(reply))
	if len(reply) > s.replica.options.MaxMessage+refusalSize*len(events) {
		return broken("an answer is larger than was asked for")
	}
	a, err := decodeAnswer(reply)
	switch {
	case err != nil:
		return err
	case a.hash != hash:
		return broken("an answer is to another request")
	}
	s.known.maxRequest = int(min(a.maxRequest, maxMessage))
	switch a.kind {
	case answerRefused:
		return &RefusedError{Code: a.code}
	case answerFilter:
		return s.narrowTo(ctx, a.filter)
	case answerSalt:
		return s.restart(ctx, a.salt)
	}
	if !s.isKnown {
		return broken("an answer comes without a salt")
	}
	return s.read(ctx, &a, sent, events)
}

// narrowTo continues with the filter allowed by the peer.
func (s *session) narrowTo(ctx context.Context, f causal.Filter) error {
	if both, ok := intersect(f, s.report.Filter); !ok || both != f || f == s.report.Filter {
		return broken("a peer allows other events than it was asked for")
	}
	if s.replica.options.Node != nil {
		return &RefusedError{Code: codeFilter}
	}
	s.report.Filter = f // at most a few times, because it selects less each time
	if !s.isKnown {
		return nil
	}
	return s.start(ctx)
}

// restart starts over with another salt.
func (s *session) restart(ctx context.Context, salt salt) error {
	if s.restarts++; s.restarts > maxRestarts || s.isKnown && salt == s.known.salt {
		return broken("a peer changes its salt again and again")
	}
	s.known.salt, s.isKnown = salt, true
	s.replica.setPeer(s.peer, s.known)
	return s.start(ctx)
}

// fill adds content to a request: first events, then ranges. It returns the
// ranges with their keys, and the IDs of the events.
func (s *session) fill(ctx context.Context, q *request) (sent []said, events []pushed, err error) {
	room := min(s.replica.options.MaxMessage, s.known.maxRequest) - 4*overhead - len(q.filter.AggregateID)
	if events, err = s.push(ctx, q, &room); err != nil {
		return nil, nil, err
	}
	count, differ := 0, 0
	for ; count < len(s.pending) && count < s.window; count++ {
		p := s.pending[count]
		said, err := s.say(ctx, p, differ)
		if err != nil {
			return nil, nil, err
		}
		size := 0
		for i := range said {
			size += said[i].size()
		}
		if (size > room || len(sent)+len(said) > maxRanges) && (len(sent) > 0 || len(q.events) > 0) {
			break
		}
		if p.differs {
			differ++
		}
		room -= size
		sent = append(sent, said...)
	}
	s.pending = s.pending[count:]
	for _, said := range sent {
		q.ranges = append(q.ranges, said.rangeOf)
	}
	return sent, events, nil
}

// say describes a pending range.
func (s *session) say(ctx context.Context, p pending, differ int) ([]said, error) {
	if p.wanted != nil {
		return []said{{rangeOf: rangeOf{span: p.span, mode: modeWanted, ids: p.wanted}}}, nil
	}
	total, err := s.summary.sumOf(ctx, p.lo, p.hi)
	if err != nil {
		return nil, err
	}
	parts := 1
	if p.differs {
		parts = fanOf(differ)
	}
	return s.summary.describe(ctx, part{p.span, total}, parts)
}

// read handles an answer: it stores the events, and then removes finished
// ranges from the pending ones.
func (s *session) read(ctx context.Context, a *answer, sent []said, events []pushed) error {
	check := checker{session: s, answer: a, sent: sent}
	incoming, err := check.check()
	if err != nil {
		return err
	}
	if err := s.countRefusals(a, events); err != nil {
		return err
	}
	added, err := s.replica.take(ctx, s.peer, s.report.Filter, incoming)
	s.report.Received += added
	for _, in := range incoming {
		if in.err != nil {
			s.replica.refused(&s.report, s.peer, in.refusal())
		}
	}
	if err != nil {
		return err
	}
	if err := s.goOn(ctx, a, sent, check.missing); err != nil {
		return err
	}
	if s.maxEvents > 0 && s.report.Received >= s.maxEvents && len(s.pending) > 0 {
		return ErrLimit
	}
	return nil
}

// goOn replaces the ranges of a request by those left to do after the answer.
func (s *session) goOn(ctx context.Context, a *answer, sent []said, missing map[id]bool) error {
	var next []pending
	finished, answered := 0, 0
	wants := a.wants
	for at, of := range sent {
		for len(wants) > 0 && wants[0].rangeAt == uint64(at) {
			if k := of.keys[wants[0].index]; k.isBefore(a.done) {
				s.toPush = append(s.toPush, k.syncKey())
			}
			wants = wants[1:]
		}
		switch {
		case !a.done.isBefore(of.hi):
			finished++
			if of.mode != modeFingerprint {
				continue
			}
			for ; answered < len(a.ranges) && !of.hi.isBefore(a.ranges[answered].hi); answered++ {
				more, err := s.compare(ctx, a.ranges[answered])
				if err != nil {
					return err
				}
				next = append(next, more...)
			}
			continue
		case of.lo.isBefore(a.done): // the answer ends within it
			of.lo = a.done
		}
		rest := pending{span: of.span}
		if of.mode == modeWanted {
			for _, id := range of.ids {
				if missing[id] {
					rest.wanted = append(rest.wanted, id)
				}
			}
			if len(rest.wanted) == 0 {
				continue
			}
		}
		next = append(next, rest)
	}
	if a.done == end {
		s.window = min(2*s.window, 1<<30)
	} else {
		s.window = max(1, finished)
	}
	s.pending = append(next, s.pending...)
	return nil
}

// mostWanted is the number of IDs requested together.
const mostWanted = 100

// compare returns the ranges left to do after an answer described one.
func (s *session) compare(ctx context.Context, of rangeOf) ([]pending, error) {
	if of.mode == modeFingerprint {
		total, err := s.summary.sumOf(ctx, of.lo, of.hi)
		if err != nil || total.fingerprint() == of.fingerprint {
			return nil, err
		}
		return []pending{{span: of.span, differs: true}}, nil
	}
	theirs := make(map[id]bool, len(of.ids))
	for _, id := range of.ids {
		theirs[id] = true
	}
	lacking := map[id]bool{}
	for id := range theirs {
		lacking[id] = true
	}
	hasMore := false
	for found, err := range s.summary.read(ctx, of.lo, of.hi) {
		if err != nil {
			return nil, err
		}
		own := s.summary.salt.id(keyOf(found))
		hasMore = hasMore || !theirs[own]
		if delete(lacking, own); hasMore && len(lacking) == 0 {
			break
		}
	}
	if len(lacking) > mostWanted { // from a peer with longer lists than this side's
		return []pending{{span: of.span, differs: true}}, nil
	}
	if hasMore {
		s.pushes = append(s.pushes, push{of.span, theirs})
	}
	if len(lacking) == 0 {
		return nil, nil
	}
	p := pending{span: of.span}
	for _, id := range of.ids {
		if lacking[id] {
			p.wanted = append(p.wanted, id)
			delete(lacking, id)
		}
	}
	return []pending{p}, nil
}
