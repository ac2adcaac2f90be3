package causalnats

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// ErrLogLost reports that the stream of the events has lost acknowledged
// entries, has been replaced, or may lose entries, or that the replica has
// events from elsewhere. Once a Store has detected this, every call returns
// this error and nothing else, because its answers would differ from those of
// other Stores. For recovery see docs/nats.md, "When the log was lost".
var ErrLogLost = errors.New("causalnats: the log has lost entries, may lose them, or has been replaced (see docs/nats.md)")

// replica applies records, in the order of the stream, to a store without other
// writers.
type replica struct {
	store causal.Store
	log   [16]byte // ID of the log of the stream, used in its cursors

	mu       sync.Mutex               // held while applying records
	at       causal.Cursor            // in the store: after its last entry
	isUnsure bool                     // the store may have more, because a call has failed
	expected []causal.EventID         // events in the store that the next records must bring
	marks    []mark                   // of the last records applied
	latest   atomic.Pointer[mark]     // the last of them
	callers  map[nonce]func([]result) // callers waiting for the results of records
	recent   []recentEntry            // the last ones of the log
	saved    uint64                   // the sequence stored with the events
	revision uint64                   // of its checkpoint
}

// result is the result of a save.
type result struct {
	appended causal.Appended // with cursors of the log
	err      error
}

// maxMarks is the number of marks kept by a replica, which stores its position
// after as many records.
const maxMarks = 1024

// positionName is the name of the checkpoint, in the replica's store, with the
// position in the stream.
const positionName = "causalnats"

// openReplica resumes from the content of a store.
func openReplica(ctx context.Context, store causal.Store, log [16]byte) (*replica, error) {
	r := &replica{store: store, log: log, callers: map[nonce]func([]result){}}
	r.latest.Store(&mark{})
	c, err := store.LoadCheckpoint(ctx, positionName)
	if err != nil {
		return nil, err
	}
	if c.Revision == 0 {
		head, err := store.Head(ctx)
		if err == nil && head.Position() > 0 {
			err = fmt.Errorf("%w: the replica has events of its own", ErrLogLost)
		}
		if err == nil {
			r.at = head
			err = r.savePosition(ctx)
		}
		return r, err
	}
	if err := r.decodePosition(c.State); err != nil {
		return nil, err
	}
	r.at, r.revision, r.isUnsure = c.Cursor, c.Revision, true
	return r, r.resync(ctx)
}

// applied returns the sequence up to which the stream has been applied.
func (r *replica) applied() uint64 { return r.latest.Load().sequence }

// resync finds entries of the store that are not known, which records will
// bring again. The caller holds the lock.
func (r *replica) resync(ctx context.Context) error {
	if !r.isUnsure {
		return nil
	}
	for entry, err := range r.store.ReadLog(ctx, r.at) {
		if errors.Is(err, causal.ErrInvalidCursor) || errors.Is(err, causal.ErrCursorAhead) {
			return fmt.Errorf("%w: the replica has lost events", ErrLogLost)
		}
		if err != nil {
			return err
		}
		r.expected = append(r.expected, entry.Event.ID())
		r.remember(entry.Event)
	}
	c, err := r.store.LoadCheckpoint(ctx, positionName)
	if err != nil {
		return err
	}
	r.revision, r.isUnsure = c.Revision, false
	return nil
}

// apply applies records that follow those applied so far. The caller holds the
// lock.
func (r *replica) apply(ctx context.Context, records []record) error {
	if err := r.resync(ctx); err != nil {
		return err
	}
	var saves []save
	for i, record := range records {
		if err := r.checkWitness(records[:i], record); err != nil {
			return err
		}
		saves = append(saves, record.saves...)
	}
	results, err := r.applySaves(ctx, saves)
	if err != nil {
		return err
	}
	for _, record := range records {
		r.move(record.mark)
		if deliver := r.callers[record.nonce]; deliver != nil {
			delete(r.callers, record.nonce)
			deliver(results[:len(record.saves)])
		}
		results = results[len(record.saves):]
	}
	if r.applied()-r.saved >= maxMarks {
		return r.savePosition(ctx)
	}
	return nil
}

// applySaves applies saves in order, with as few writes to the store as
// possible.
func (r *replica) applySaves(ctx context.Context, saves []save) ([]result, error) {
	if !slices.ContainsFunc(saves, func(s save) bool { return s.condition != nil }) {
		return r.saveAll(ctx, saves)
	}
	results := make([]result, len(saves))
	p := r.newPlan()
	for i, s := range saves {
		isDecided := false
		var err error
		if len(saves) > 1 {
			isDecided, err = p.decide(ctx, s, &results[i])
		}
		if err == nil && !isDecided {
			if err = p.store(ctx); err == nil {
				results[i], err = r.saveIf(ctx, s)
			}
			p = r.newPlan()
		}
		if err != nil {
			return nil, err
		}
	}
	return results, p.store(ctx)
}

// checkWitness compares the last record applied by a record's writer with those
// applied here, and with those before it in the same window.
func (r *replica) checkWitness(before []record, of record) error {
	var here mark
	if i, ok := slices.BinarySearchFunc(r.marks, of.witness.sequence, mark.compare); ok {
		here = r.marks[i]
	} else if i, ok = slices.BinarySearchFunc(before, of.witness.sequence, record.compare); ok {
		here = before[i].mark
	}
	if here.sequence > 0 && here != of.witness {
		return fmt.Errorf("%w: the writer of the message %d has seen another message %d", ErrLogLost, of.sequence, of.witness.sequence)
	}
	return nil
}

// move records that a record has been applied.
func (r *replica) move(m mark) {
	if len(r.marks) >= 2*maxMarks {
		r.marks = slices.Delete(r.marks, 0, maxMarks)
	}
	r.marks = append(r.marks, m)
	r.latest.Store(&m)
}

// saveAll applies saves without conditions in order.
func (r *replica) saveAll(ctx context.Context, saves []save) ([]result, error) {
	if len(saves) == 0 {
		return nil, nil
	}
	var events []causal.Event
	for _, s := range saves {
		events = append(events, s.events...)
	}
	a, err := r.store.Append(ctx, events)
	switch {
	case err == nil:
		return r.split(a, saves)
	case !errors.Is(err, causal.ErrIDConflict):
		return nil, r.failed(err)
	case len(saves) == 1:
		return []result{{err: err}}, nil
	}
	var results []result // one of them is to blame; saved alone, each gets its own result
	for i := range saves {
		got, err := r.saveAll(ctx, saves[i:i+1])
		if err != nil {
			return results, err
		}
		results = append(results, got...)
	}
	return results, nil
}

// split returns the result of each save, given the result of saving them
// together.
func (r *replica) split(a causal.Appended, saves []save) ([]result, error) {
	if err := r.checkAppended(a, saves...); err != nil {
		return nil, err
	}
	results := make([]result, len(saves))
	at, isNew := r.cursor(a.Before), a.New
	for i, s := range saves {
		before := at
		for j, e := range s.events {
			if isNew[j] {
				at = at.Next(e.ID())
			}
		}
		results[i].appended = causal.Appended{Before: before, After: at, New: slices.Clone(isNew[:len(s.events)])}
		isNew = isNew[len(s.events):]
	}
	return results, nil
}

// saveIf applies a save with a condition. A refusal is permanent, so that
// records can be applied again.
func (r *replica) saveIf(ctx context.Context, s save) (result, error) {
	after := causal.NewCursor(r.at.LogID(), s.condition.position, s.condition.hash)
	if s.condition.position == 0 {
		after = causal.Cursor{}
	}
	a, err := r.store.SaveEventsIf(ctx, after, s.condition.Condition, s.events)
	for _, refusal := range []error{causal.ErrIDConflict, causal.ErrConcurrentSave, causal.ErrInvalidCursor, causal.ErrCursorAhead} {
		if errors.Is(err, refusal) {
			return result{err: err}, nil
		}
	}
	if err != nil {
		return result{}, r.failed(err)
	}
	if err := r.checkAppended(a, s); err != nil {
		return result{}, err
	}
	a.Before, a.After = r.cursor(a.Before), r.cursor(a.After)
	return result{appended: a}, nil
}

// failed records that a call of the store has failed, and may have had an
// effect.
func (r *replica) failed(err error) error {
	r.isUnsure = true
	return err
}

// checkAppended requires that nobody else writes to the store, and records the
// results of saves.
func (r *replica) checkAppended(a causal.Appended, saves ...save) error {
	if a.Before != r.at {
		return fmt.Errorf("%w: the replica has another writer", ErrLogLost)
	}
	isNew := a.New
	for _, s := range saves {
		if err := r.bring(s.events, isNew); err != nil {
			return err
		}
		for i, e := range s.events {
			if isNew[i] {
				r.remember(e)
			}
		}
		isNew = isNew[len(s.events):]
	}
	return nil
}

// bring requires that records bring the store's unknown entries, before any new
// ones.
func (r *replica) bring(events []causal.Event, isNew []bool) error {
	for i, e := range events {
		switch {
		case len(r.expected) == 0:
			return nil
		case e.ID() == r.expected[0]:
			r.expected = r.expected[1:]
		case isNew[i]:
			return fmt.Errorf("%w: the replica has events that are not in the stream", ErrLogLost)
		}
	}
	return nil
}

// checkEnd requires, after all records have been applied, that the store has no
// further entries.
func (r *replica) checkEnd() error {
	if len(r.expected) > 0 {
		return fmt.Errorf("%w: the replica has events that are not in the stream", ErrLogLost)
	}
	return nil
}

// cursor translates a cursor of the store into one of the log.
func (r *replica) cursor(c causal.Cursor) causal.Cursor {
	return causal.NewCursor(r.log, c.Position(), c.Hash())
}

// local translates a cursor of the log into one of the store. A cursor of
// another log gets an ID refused by the store.
func (r *replica) local(c causal.Cursor, head causal.Cursor) causal.Cursor {
	switch c.LogID() {
	case [16]byte{}:
		return c
	case r.log:
		return causal.NewCursor(head.LogID(), c.Position(), c.Hash())
	}
	other := head.LogID()
	other[0] ^= 1
	return causal.NewCursor(other, c.Position(), c.Hash())
}

// The stored position in the stream is the ID of the log and the marks, each as
// 8 bytes of sequence, big endian, and a nonce.
//
// As long as the store has entries that records have not brought yet, its
// position stays before them.
func (r *replica) savePosition(ctx context.Context) error {
	if len(r.expected) > 0 {
		return nil
	}
	state := slices.Clone(r.log[:])
	for _, m := range r.marks[max(0, len(r.marks)-maxMarks):] {
		state = append(binary.BigEndian.AppendUint64(state, m.sequence), m.nonce[:]...)
	}
	revision, err := r.store.SaveCheckpoint(ctx, positionName, causal.Checkpoint{Cursor: r.at, State: state, Revision: r.revision})
	if err != nil {
		if errors.Is(err, causal.ErrConcurrentSave) {
			err = fmt.Errorf("%w: the replica has another writer", ErrLogLost)
		}
		return r.failed(err)
	}
	r.revision, r.saved = revision, r.applied()
	return nil
}

func (r *replica) decodePosition(state []byte) error {
	const size = 8 + len(nonce{})
	if len(state) < 16 || (len(state)-16)%size != 0 {
		return fmt.Errorf("the replica's position in the stream %w", adapter.ErrDamaged)
	}
	if [16]byte(state) != r.log {
		return fmt.Errorf("%w: the replica belongs to another log", ErrLogLost)
	}
	for b := state[16:]; len(b) > 0; b = b[size:] {
		r.move(mark{binary.BigEndian.Uint64(b), nonce(b[8:size])})
	}
	r.saved = r.applied()
	return nil
}
