package causal

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ReceiveOptions are the options of [Node.Receive]. nil and the zero value mean the defaults.
type ReceiveOptions struct {
	// Source says from whom the events come, for what is rejected: see [Rejected].
	Source string
}

// Receipt says what became of what was received. The zero value says that nothing was. The
// caller owns it.
type Receipt struct {
	// Saved is how many events are new and were stored, Known how many were stored before.
	Saved, Known int
	// Rejected are those that were not taken, in the order in which they came.
	Rejected []Rejection
	// Forks are those that the node has found since the receipt before, in these events or in
	// others that its store has: a node was restored from a backup, or is run twice. All of its
	// branches are stored. IDs has the event that shows a fork, and what goes on with a branch
	// is none: if the events come in order, each fork is told once, and otherwise each node at
	// least. Those that OpenNode finds go to OnFork only.
	Forks []ForkError
}

// add adds what a further call has done.
func (r *Receipt) add(other Receipt) {
	r.Saved += other.Saved
	r.Known += other.Known
	r.Rejected = append(r.Rejected, other.Rejected...)
	r.Forks = append(r.Forks, other.Forks...)
}

// Rejection is something that was received and not taken. The zero value is never given.
type Rejection struct {
	Rejected
	// Err says why: a [*ValidationError], an [*IDConflictError], a [*ClockJumpError],
	// [ErrClockOverflow], or an error of the store about this event. Its text is the Reason.
	Err error
	// IsStored says that the store keeps it, for [Node.RetryRejected] and for people. It
	// does not if it is no [RejectedStorage] or has no room.
	IsStored bool
}

// incoming is one thing that is received.
type incoming struct {
	event Event  // zero if it could not be read
	data  []byte // as it came, nil if it came as an event
	err   error  // why it is rejected

	stored Event // that has its ID, if it was looked for
}

// Receive stores events that come from elsewhere. It takes each one alone: one that is of
// another project, zero or beyond MaxJump, or whose ID is taken by other content, is rejected
// with its reason, kept as it came if the store is a [RejectedStorage], and does not stop the
// others. They are taken in the order of [Compare], and saved together.
//
// An event that lacks just what older peers drop of one that is stored, its parents and
// previous clock, its vector clock or all of its unknown members, is taken for known. Events of
// the node itself, which come back after its store has gone back, are events like others: its
// clock moves beyond them, and what it emits comes after them.
//
// If an error is returned, what the receipt says is done; receiving all again is safe, and
// completes it. It is a [*ValidationError] if the source is not UTF-8, [ErrClosed], a failure of
// the store, which matches [ErrOutcomeUnknown] if the events may be stored, or, with MergeAbove,
// one of Emit. Receive does not retain the slice.
func (n *Node) Receive(ctx context.Context, events []Event, o *ReceiveOptions) (Receipt, error) {
	batch := make([]incoming, len(events))
	for i, e := range events {
		batch[i] = incoming{event: e}
		if e.p == nil {
			batch[i].err = errZeroEvent()
		}
	}
	return n.receive(ctx, batch, o)
}

// receivedTogether is how many texts ReceiveJSON takes at once.
const receivedTogether = 1000

// ReceiveJSON is Receive for events in their wire format, one each: what cannot be read is
// rejected like what cannot be taken, byte by byte as it came. It takes 1000 at a time, as far
// as texts yields them, and retains none.
func (n *Node) ReceiveJSON(ctx context.Context, texts iter.Seq[[]byte], o *ReceiveOptions) (Receipt, error) {
	var all Receipt
	if texts == nil {
		return all, invalid("texts", reasonNil)
	}
	var batch []incoming
	take := func() error {
		r, err := n.receive(ctx, batch, o)
		all.add(r)
		batch = batch[:0]
		return err
	}
	for text := range texts {
		in := incoming{data: append([]byte{}, text...)}
		in.event, in.err = decodeEvent(text)
		if len(batch) == receivedTogether {
			if err := take(); err != nil {
				return all, err
			}
		}
		batch = append(batch, in)
	}
	err := take()
	return all, err
}

// receive takes a batch, keeps what is rejected, and tells forks.
func (n *Node) receive(ctx context.Context, batch []incoming, o *ReceiveOptions) (Receipt, error) {
	if o == nil {
		o = &ReceiveOptions{}
	}
	if err := n.begin(ctx); err != nil {
		return Receipt{}, err
	}
	if !utf8.ValidString(o.Source) {
		return Receipt{}, invalid("source", reasonNotUTF8)
	}
	r, err := n.take(ctx, batch)
	if err == nil {
		for _, in := range batch {
			if in.err != nil && !errors.Is(in.err, errKnown) {
				r.Rejected = append(r.Rejected, in.rejection(o.Source))
			}
		}
		err = n.keepRejected(ctx, r.Rejected)
	}
	if err == nil && n.options.MergeAbove > 0 {
		err = n.merge(ctx, batch)
	}
	return r, err
}

// mergedType is the type of events that only name the heads of their aggregate.
const mergedType = "causal.merged"

// merge emits an event that names the heads of each aggregate which has too many.
func (n *Node) merge(ctx context.Context, batch []incoming) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	merged, err := n.tooManyHeads(ctx, batch)
	n.lock.release()
	if err == nil {
		_, err = n.EmitAll(ctx, merged)
	}
	return err
}

// tooManyHeads returns the events that are to be emitted. Heads that are too far ahead do not count,
// as no event can name them.
func (n *Node) tooManyHeads(ctx context.Context, batch []incoming) (merged []EventParams, err error) {
	heads := map[string][]EventID{}
	for _, in := range batch {
		if in.err != nil || heads[in.event.p.AggregateID] != nil {
			continue
		}
		heads[in.event.p.AggregateID], err = LoadHeads(ctx, n.storage, n.options.ProjectUUID, in.event.p.AggregateID)
		if err != nil {
			return nil, err
		}
	}
	if err := n.emitter.readOn(ctx); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(heads)) {
		followed, err := n.emitter.followedHeads(ctx, id, heads[id], false)
		if err != nil {
			return nil, err
		}
		if len(followed) > n.options.MergeAbove {
			merged = append(merged, EventParams{Type: mergedType, AggregateID: id})
		}
	}
	return merged, nil
}

// rejection returns what is kept of something that is rejected.
func (in *incoming) rejection(source string) Rejection {
	r := Rejection{Err: in.err, Rejected: Rejected{
		Data: in.data, Source: source, EventID: in.event.ID(), Reason: strings.ToValidUTF8(in.err.Error(), "\uFFFD"), Time: time.Now().UTC(), Count: 1,
	}}
	if invalid, ok := errors.AsType[*ValidationError](in.err); ok && invalid != nil && r.EventID == "" {
		r.EventID = invalid.EventID
	}
	if in.data == nil && in.event.p != nil {
		r.Data, _ = in.event.MarshalJSON() // of an event that is not zero never fails
	}
	return r
}

// keepRejected stores what was rejected. What fails does not stop the others.
func (n *Node) keepRejected(ctx context.Context, rejected []Rejection) error {
	storage, ok := n.storage.(RejectedStorage)
	if !ok {
		return nil
	}
	var errs error
	for i := range rejected {
		r := &rejected[i]
		isStored, err := storage.AppendRejected(ctx, r.Rejected)
		r.IsStored = isStored && err == nil
		if err != nil && errs == nil {
			errs = err
		}
	}
	return errs
}

// errKnown marks what is stored in a fuller form.
var errKnown = errors.New("known")

// take stores what can be taken of a batch, and gives all else its error.
func (n *Node) take(ctx context.Context, batch []incoming) (Receipt, error) {
	var r Receipt
	if err := n.enter(ctx); err != nil {
		return r, err
	}
	err := n.takeAll(ctx, n.screen(batch), &r)
	n.emitter.keep(ctx)
	r.Forks = n.emitter.tellForks()
	n.lock.release()
	n.tell(r.Forks)
	return r, err
}

// maxContents is how many contents of one ID are tried, if the store refuses one after another.
const maxContents = 4

// takeAll stores events of the project. Of those that have one ID and differ it tries one first, and
// the others are compared with what is stored then.
func (n *Node) takeAll(ctx context.Context, left []*incoming, r *Receipt) error {
	for try := 1; len(left) > 0; try++ {
		first := firstContents(left)
		good := make([]*incoming, 0, len(left))
		var others []*incoming
		for _, in := range left {
			if best := first[in.event.p.ID]; best == in || best.event.Equal(in.event) {
				good = append(good, in)
			} else {
				others = append(others, in)
			}
		}
		slices.SortStableFunc(good, func(a, b *incoming) int { return Compare(a.event, b.event) })
		if err := n.append(ctx, good, r); err != nil {
			return err
		}
		left = left[:0]
		for _, in := range others {
			best := first[in.event.p.ID]
			switch {
			case best.stored.p != nil:
				in.compare(best.stored, r)
			case best.err == nil || try == maxContents:
				in.compare(best.event, r)
			case isJump(n.emitter.clock, in.event.clock, n.emitter.maxJump):
				in.err = n.emitter.jumpError(n.emitter.clock, in.event.clock)
			default:
				left = append(left, in)
			}
		}
	}
	return nil
}

// firstContents returns of the events of each ID the first, or a fuller form of it.
func firstContents(all []*incoming) map[EventID]*incoming {
	first := make(map[EventID]*incoming, len(all))
	for _, in := range all {
		best := first[in.event.p.ID]
		if best == nil || isPart(best.event, in.event) && !best.event.Equal(in.event) {
			first[in.event.p.ID] = in
		}
	}
	return first
}

// compare rejects an event with the ID of one that is stored, or counts it as known.
func (in *incoming) compare(stored Event, r *Receipt) {
	if stored.Equal(in.event) {
		in.reject(errKnown, r)
		return
	}
	in.reject(conflictWith(in.event, stored), r)
}

// reject gives something its error, or counts it if it is known.
func (in *incoming) reject(err error, r *Receipt) {
	if in.err = err; errors.Is(err, errKnown) {
		r.Known++
	}
}

// enter takes the lock.
func (n *Node) enter(ctx context.Context) error {
	if err := n.lock.acquire(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isClosed {
		n.lock.release()
		return ErrClosed
	}
	return nil
}

// screen returns what is of the project.
func (n *Node) screen(batch []incoming) []*incoming {
	good := make([]*incoming, 0, len(batch))
	for i := range batch {
		in := &batch[i]
		if in.err == nil && in.event.p.ProjectUUID != n.options.ProjectUUID {
			in.err = &ValidationError{EventID: in.event.p.ID, Fields: []FieldError{{fieldNames[fieldProjectUUID], "must be that of the node"}}}
		}
		if in.err == nil {
			good = append(good, in)
		}
	}
	return good
}

// conflictWith returns the error for an event that has the ID of another one.
func conflictWith(e, stored Event) error {
	if isPart(e, stored) {
		return errKnown
	}
	return &IDConflictError{IDs: []EventID{e.p.ID}}
}

// isPart reports whether an event lacks just what peers drop that do not know it.
func isPart(e, stored Event) bool {
	if stored.p == nil {
		return false
	}
	part := *stored.p
	if e.p.Parents == nil {
		part.Parents, part.PreviousClock = nil, 0
	}
	if e.p.VectorClock.IsZero() {
		part.VectorClock = VectorClock{}
	}
	if e.p.extra == "" {
		part.extra = ""
	}
	return Event{clock: stored.clock, p: &part}.Equal(e)
}

func withoutErrors(good []*incoming) []*incoming {
	return slices.DeleteFunc(good, func(in *incoming) bool { return in.err != nil })
}

// screenClocks returns the events that are not too far ahead. One may lead to the next.
func (n *Node) screenClocks(ctx context.Context, good []*incoming, r *Receipt) ([]*incoming, error) {
	w := &n.emitter
	isFresh := false
	now := w.clock
	for _, in := range good {
		if isJump(now, in.event.clock, w.maxJump) && !isFresh { // the store may know better
			if err := w.readOn(ctx); err != nil {
				return nil, err
			}
			isFresh, now = true, max(now, w.clock)
		}
		if !isJump(now, in.event.clock, w.maxJump) {
			now = max(now, in.event.clock)
			continue
		}
		var err error
		in.stored, err = FindEvent(ctx, w.storage, in.event.p.ID)
		switch {
		case err != nil:
			return nil, err
		case in.stored.p != nil && (in.stored.Equal(in.event) || isPart(in.event, in.stored)):
			in.reject(errKnown, r)
		default:
			in.err = w.jumpError(now, in.event.clock)
		}
	}
	return withoutErrors(good), nil
}

// append stores events, in the order of Compare, that have IDs of their own. Those that the store
// refuses get its error, and the others are stored.
func (n *Node) append(ctx context.Context, good []*incoming, r *Receipt) error {
	w := &n.emitter
	good, err := n.screenClocks(ctx, good, r) // each time: what is refused leads to nothing
	if err != nil || len(good) == 0 {
		return err
	}
	events := make([]Event, len(good))
	for i, in := range good {
		events[i] = in.event
	}
	a, err := w.storage.Append(ctx, events)
	conflict, isConflict := errors.AsType[*IDConflictError](err)
	switch {
	case err == nil:
		n.received(ctx, events, a, r)
		return nil
	case ctx.Err() != nil || errors.Is(err, ErrOutcomeUnknown) || !isConflict && !errors.Is(err, ErrValidation):
		return err
	case isConflict && conflict != nil:
		before := len(good)
		if good, err = n.sortOut(ctx, good, conflict, r); err != nil {
			return err
		}
		if len(good) < before {
			return n.append(ctx, good, r)
		}
		err = conflict
	}
	if len(good) == 1 {
		good[0].err = err
		return nil
	}
	half := len(good) / 2
	if err := n.append(ctx, good[:half], r); err != nil {
		return err
	}
	return n.append(ctx, good[half:], r)
}

// sortOut gives the events whose IDs are taken their error, and returns the others.
func (n *Node) sortOut(ctx context.Context, good []*incoming, conflict *IDConflictError, r *Receipt) ([]*incoming, error) {
	isTaken := map[EventID]bool{}
	for _, id := range conflict.IDs {
		isTaken[id] = true
	}
	for _, in := range good {
		if !isTaken[in.event.p.ID] {
			continue
		}
		var err error
		if in.stored, err = FindEvent(ctx, n.storage, in.event.p.ID); err != nil {
			return nil, err
		}
		in.reject(conflictWith(in.event, in.stored), r)
	}
	return withoutErrors(good), nil
}

// received takes over what was stored.
func (n *Node) received(ctx context.Context, events []Event, a Appended, r *Receipt) {
	w := &n.emitter
	for i := range events {
		if i < len(a.New) && a.New[i] {
			r.Saved++
		} else {
			r.Known++
		}
	}
	if len(a.New) != len(events) || a.Before == a.After || a.Before != w.at && (w.readTo(ctx, a.Before) != nil || w.at != a.Before) {
		return // what is not known is read later
	}
	for i, e := range events {
		if a.New[i] {
			w.take(e)
		}
	}
	w.at = a.After
}
