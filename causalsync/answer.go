package causalsync

import (
	"context"
	"errors"
	"strings"

	"github.com/spec-kitty/causal"
)

// Sizes in the protocol that each side chooses for itself. A range of fewer
// than listBelow events is described by their IDs. A larger one is split into
// wideFan parts while few ranges of a message differ, and then into fan parts.
const (
	listBelow = 32
	wideFan   = 32
	fan       = 16
	fewRanges = 8
)

// overhead is the size of a message without the counted parts, and refusalSize
// the size that each event of a request may add to its answer.
const (
	overhead    = 256
	refusalSize = 16
)

// Answer is the responding side of a sync. It answers one request of a peer and
// keeps no state about it, so a request may be repeated, or sent to another
// process on the same store, if both have the same [Options.Secret]. Events in
// the request are stored before Answer returns. The caller owns the answer.
//
// peer names the sender in reports and rejected entries. allowed limits the
// events it may see and write; the zero Filter allows all. Authenticate the
// peer first, because an answer reveals whether this store has an event.
//
// Answer returns a [*causal.ValidationError] if an argument is invalid,
// [ErrProtocol] if the request does not follow this protocol, and errors of the
// store and of ctx. Anything else is part of the answer. Answer does not retain
// the request.
func (r *Replica) Answer(ctx context.Context, peer string, allowed causal.Filter, request []byte) ([]byte, error) {
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	if err := allowed.Validate(); err != nil {
		return nil, err
	}
	a := answer{hash: hashOf(request), maxRequest: uint64(r.options.MaxMessage)}
	if len(request) > r.options.MaxMessage {
		a.kind, a.code = answerRefused, codeRequestTooLarge
		return a.encode(), nil
	}
	q, err := decodeRequest(request)
	if errors.Is(err, errVersion) {
		a.kind, a.code = answerRefused, codeVersion
		return a.encode(), nil
	}
	if err != nil {
		return nil, err
	}
	own := r.ownSalt()
	filter, ok := r.narrow(q.filter, allowed)
	switch {
	case !ok:
		a.kind, a.code = answerRefused, codeFilter
	case filter != q.filter && overhead+len(filter.AggregateID) > int(min(q.maxAnswer, maxMessage)):
		a.kind, a.code = answerRefused, codeFilter
	case filter != q.filter:
		a.kind, a.filter = answerFilter, filter
	case q.salt != own:
		a.kind, a.salt = answerSalt, own
	default:
		if err := r.answer(ctx, peer, &q, &a); err != nil {
			return nil, err
		}
	}
	return a.encode(), nil
}

// narrow returns the part of a peer's filter that allowed permits. ok is false
// if there is none.
func (r *Replica) narrow(f, allowed causal.Filter) (narrowed causal.Filter, ok bool) {
	f, ok = intersect(f, allowed)
	if ok && r.options.Node != nil {
		f, ok = intersect(f, causal.Filter{ProjectUUID: r.options.Node.ProjectUUID()})
	}
	return f, ok
}

// intersect returns the filter for events selected by both a and b. ok is false
// if there can be none.
func intersect(a, b causal.Filter) (both causal.Filter, ok bool) {
	both.ProjectUUID = strings.ToLower(a.ProjectUUID)
	if both.ProjectUUID == "" {
		both.ProjectUUID = strings.ToLower(b.ProjectUUID)
	}
	both.AggregateID = a.AggregateID
	if both.AggregateID == "" {
		both.AggregateID = b.AggregateID
	}
	both.MinTier = max(a.MinTier, b.MinTier)
	return both, (b.ProjectUUID == "" || strings.EqualFold(both.ProjectUUID, b.ProjectUUID)) &&
		(b.AggregateID == "" || both.AggregateID == b.AggregateID)
}

// answer stores the events of a request, and describes the differences between
// the two sides.
func (r *Replica) answer(ctx context.Context, peer string, q *request, a *answer) error {
	incoming := decodeEvents(q.events)
	if _, err := r.take(ctx, peer, q.filter, incoming); err != nil {
		return err
	}
	for i, in := range incoming {
		if in.err != nil {
			r.refused(nil, peer, in.refusal())
			a.refusals = append(a.refusals, refusal{uint64(i), codeOf(in.err)})
		}
	}
	a.done = end
	if len(q.ranges) == 0 {
		return nil
	}
	m, err := r.summary(ctx, summaryKey{q.filter, q.salt})
	if err != nil {
		return err
	}
	limit := int(min(q.maxAnswer, uint64(r.options.MaxMessage)))
	b := answerer{replica: r, peer: peer, summary: m, answer: a, room: limit - overhead, largest: limit - 4*overhead}
	return b.compare(ctx, q.ranges)
}

// answerer builds an answer of limited size.
type answerer struct {
	replica *Replica
	peer    string
	summary *summary
	answer  *answer
	room    int // remaining bytes
	largest int // maximum bytes of an event
	differ  int // ranges with a different fingerprint so far
}

// compare handles the ranges of a request in order, until there is no room.
func (b *answerer) compare(ctx context.Context, ranges []rangeOf) error {
	for i, of := range ranges {
		var isDone bool
		var err error
		if of.mode == modeFingerprint {
			isDone, err = b.compareSums(ctx, of, i == 0)
		} else {
			isDone, err = b.giveRange(ctx, of, i)
		}
		if err != nil || !isDone {
			return err
		}
	}
	return nil
}

// compareSums describes a range in more detail, if its fingerprint is different
// here.
func (b *answerer) compareSums(ctx context.Context, of rangeOf, isFirst bool) (isDone bool, err error) {
	total, err := b.summary.sumOf(ctx, of.lo, of.hi)
	if err != nil || total.fingerprint() == of.fingerprint {
		return err == nil, err
	}
	said, err := b.summary.describe(ctx, part{of.span, total}, fanOf(b.differ))
	if err != nil {
		return false, err
	}
	size := 0
	for i := range said {
		size += said[i].size()
	}
	if (size > b.room || len(b.answer.ranges)+len(said) > maxRanges) && !isFirst {
		b.answer.done = of.lo
		return false, nil
	}
	b.differ++
	b.room -= size
	for _, s := range said {
		b.answer.ranges = append(b.answer.ranges, s.rangeOf)
	}
	return true, nil
}

// fanOf returns the number of parts into which to split a range, given the
// number of ranges in the message that differ.
func fanOf(differ int) int {
	if differ < fewRanges {
		return wideFan
	}
	return fan
}

// wantSize is the maximum size of a want in bytes.
const wantSize = 10

// giveRange handles the list of a range. For a list of events the peer has, it
// gives the events missing from it, and asks for those missing here. For a list
// of wanted events, it gives those.
func (b *answerer) giveRange(ctx context.Context, of rangeOf, at int) (isDone bool, err error) {
	reserved := 0
	if of.mode == modeList {
		reserved = wantSize * len(of.ids)
	}
	if b.room < reserved && at > 0 {
		b.answer.done = of.lo
		return false, nil
	}
	b.room -= reserved
	listed := make(map[id]uint64, len(of.ids))
	for i, id := range of.ids {
		listed[id] = uint64(i)
	}
	before := len(b.answer.events)
	g := giver{
		source: b.summary.source, room: &b.room, largest: b.largest, events: &b.answer.events, mustGive: at == 0,
		withhold: func(e causal.Event) {
			b.replica.refused(nil, b.peer, Refusal{EventID: e.ID(), Err: ErrTooLarge})
		},
	}
	isDone, err = b.give(ctx, of, &g, listed)
	switch {
	case err != nil:
		return false, err
	case !isDone && len(b.answer.events) == before:
		b.answer.done = of.lo
		return false, nil
	case !isDone:
		b.answer.done = keyOf(g.stopped)
	}
	if of.mode == modeList { // even beyond the end of this answer: those keys are not known here
		for i, id := range of.ids {
			if index, isMissing := listed[id]; isMissing && index == uint64(i) {
				b.answer.wants = append(b.answer.wants, want{uint64(at), index})
			}
		}
	}
	return isDone, nil
}

// give gives the events on the list if it lists wanted events, and those not on
// it otherwise. It removes events found here from the list.
func (b *answerer) give(ctx context.Context, of rangeOf, g *giver, listed map[id]uint64) (isDone bool, err error) {
	for found, err := range b.summary.read(ctx, of.lo, of.hi) {
		if err != nil {
			return false, err
		}
		if of.mode == modeWanted && len(listed) == 0 {
			break
		}
		own := b.summary.salt.id(keyOf(found))
		_, isListed := listed[own]
		delete(listed, own)
		if isListed != (of.mode == modeWanted) {
			continue
		}
		if hasRoom, err := g.add(ctx, found); err != nil || !hasRoom {
			return false, err
		}
	}
	return g.flush(ctx)
}
