package causalnats

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// rejectedIndex is the known content of the rejected events, up to a message of
// the state. A write names the last message, so an outdated index does no harm.
type rejectedIndex struct {
	turn  chan struct{} // holds a token while a call has the index
	last  uint64        // sequence
	byKey map[causal.RejectedKey]rejectedEntry
	bytes int64
}

type rejectedEntry struct {
	sequence uint64
	number   uint64 // in the order of first arrival
	count    uint64
	size     int64
}

// storedRejected is the stored part of a [causal.Rejected] beside its data.
type storedRejected struct {
	Number  uint64         `json:"number"`
	Count   uint64         `json:"count"`
	Source  string         `json:"source"`
	EventID causal.EventID `json:"event_id"`
	Reason  string         `json:"reason"`
	Time    time.Time      `json:"time"`
}

// rejectedOf returns the rejected event in a value, or the zero value if it was
// deleted.
func rejectedOf(v value) (r causal.Rejected, number uint64, err error) {
	if len(v.content) == 0 {
		return causal.Rejected{}, 0, nil
	}
	var stored storedRejected
	data, err := decodeContent(v, &stored)
	if err != nil {
		return causal.Rejected{}, 0, err
	}
	return causal.Rejected{
		Data: data, Source: stored.Source, EventID: stored.EventID, Reason: stored.Reason, Time: stored.Time, Count: stored.Count,
	}, stored.Number, nil
}

func (s *Store) rejectedSubject(key causal.RejectedKey) string {
	return s.client.names.rejected + hex.EncodeToString(key[:])
}

// refresh reads later messages, in the turn of the caller.
func (s *Store) refresh(ctx context.Context) error {
	x, c := &s.rejected, s.client
	var info *streamInfo
	err := c.retry(ctx, 0, func(ctx context.Context) (err error) {
		info, err = c.currentInfo(ctx, c.names.rejects)
		return err
	})
	if err == nil && info.State.LastSeq < x.last {
		err = s.note(errStateLost(info.State.LastSeq, x.last))
	}
	if err != nil {
		return err
	}
	return c.readValues(ctx, c.names.rejects, c.names.rejected+"*", x.last, info.State.LastSeq, func(v value, subject string) error {
		key, err := hex.DecodeString(strings.TrimPrefix(subject, c.names.rejected))
		if err != nil || len(key) != len(causal.RejectedKey{}) {
			return errStateDamaged(v.sequence)
		}
		r, number, err := rejectedOf(v)
		if err == nil {
			x.set(causal.RejectedKey(key), rejectedEntry{v.sequence, number, r.Count, int64(r.Size())})
		}
		return err
	})
}

// set records the message with a key that follows the last one.
func (x *rejectedIndex) set(key causal.RejectedKey, e rejectedEntry) {
	x.bytes -= x.byKey[key].size
	delete(x.byKey, key)
	if x.byKey == nil {
		x.byKey = map[causal.RejectedKey]rejectedEntry{}
	}
	if x.last = e.sequence; e.count > 0 {
		x.byKey[key] = e
		x.bytes += e.size
	}
}

// room returns the state of the storage and of the entry under a key.
func (x *rejectedIndex) room(key causal.RejectedKey) adapter.Room {
	room := adapter.Room{Count: int64(len(x.byKey)), Bytes: x.bytes}
	if old, ok := x.byKey[key]; ok {
		room.Old = &old.size
	}
	return room
}

// changeRejected replaces the entry under a key by the result of next, and
// starts over until nobody else writes in between. If next returns no entry,
// nothing is written.
func (s *Store) changeRejected(ctx context.Context, key causal.RejectedKey, next func(old rejectedEntry) (*rejectedEntry, []byte, error)) error {
	x := &s.rejected
	if err := x.begin(ctx); err != nil {
		return err
	}
	defer x.end()
	id, subject, isUnknown, isFresh := newNonce(), s.rejectedSubject(key), false, false
	pause := adapter.Backoff{First: time.Millisecond, Max: maxTurn}
	for deadline := time.Now().Add(s.client.budget); ; {
		old := x.byKey[key]
		entry, content, err := next(old)
		if err == nil && entry == nil && !isFresh { // the index may be outdated
			if isFresh, err = true, s.refresh(ctx); err == nil {
				continue
			}
		}
		if err != nil || entry == nil {
			return err
		}
		isChanged := false
		err = s.client.retry(ctx, len(content), func(ctx context.Context) (err error) {
			entry.sequence, err = s.client.setValue(ctx, subject, id, content, lastOfStream, x.last)
			if isChanged = errors.Is(err, errChanged); isChanged {
				return nil
			}
			isUnknown = isUnknown || err != nil && !isNotStored(err)
			return err
		})
		if err == nil && !isChanged {
			x.set(key, *entry)
			return nil
		}
		if err == nil {
			err = s.refresh(ctx)
		}
		if err == nil && isUnknown && x.byKey[key].sequence != old.sequence {
			var v value
			err = s.client.retry(ctx, 0, func(ctx context.Context) (err error) {
				v, err = s.client.getValue(ctx, s.client.names.rejects, subject)
				return err
			})
			if err == nil && v.nonce == id { // from an attempt whose answer was lost
				return nil
			}
			err = errors.Join(err, errReplaced)
		}
		if err == nil && time.Now().After(deadline) {
			err = errChanged
		}
		if err == nil {
			err = adapter.Sleep(ctx, jitter(pause.Next()))
		}
		if err != nil && isUnknown {
			err = adapter.OutcomeUnknown(err)
		}
		if err != nil {
			return err
		}
		isFresh = true
	}
}

// begin waits until no other call has the index.
func (x *rejectedIndex) begin(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return causaladapter.CheckContext(ctx)
	}
}

func (x *rejectedIndex) end() { <-x.turn }

// AppendRejected stores r. See [causal.RejectedStorage]. It does not store r if
// it does not fit into one message of the servers.
func (s *Store) AppendRejected(ctx context.Context, r causal.Rejected) (stored bool, err error) {
	r, err = causaladapter.CheckAppendRejected(ctx, r)
	if err != nil {
		return false, err
	}
	key := r.Key()
	err = s.call("append rejected", func() error {
		return s.changeRejected(ctx, key, func(old rejectedEntry) (*rejectedEntry, []byte, error) {
			stored = false
			entry := rejectedEntry{number: old.number, count: old.count + 1, size: int64(r.Size())}
			if old.count == 0 {
				entry.number = s.rejected.last + 1
			}
			content, err := encodeContent(storedRejected{entry.number, entry.count, r.Source, r.EventID, r.Reason, r.Time}, r.Data)
			if err != nil || !s.rejected.room(key).Has(r) || s.checkSize("", len(content)) != nil {
				return nil, nil, err
			}
			stored = true
			return &entry, content, nil
		})
	})
	return stored && err == nil, err
}

// DeleteRejected deletes the entry with this key. See [causal.RejectedStorage].
// A few bytes of it remain.
func (s *Store) DeleteRejected(ctx context.Context, key causal.RejectedKey) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	return s.call("delete rejected", func() error {
		return s.changeRejected(ctx, key, func(old rejectedEntry) (*rejectedEntry, []byte, error) {
			if old.count == 0 {
				return nil, nil, nil
			}
			return &rejectedEntry{}, nil, nil
		})
	})
}

// Rejected yields the entries. See [causal.RejectedStorage].
func (s *Store) Rejected(ctx context.Context) iter.Seq2[causal.Rejected, error] {
	const op = "read rejected"
	return func(yield func(causal.Rejected, error) bool) {
		var keys []causal.RejectedKey
		err := causaladapter.CheckContext(ctx)
		if err == nil {
			err = s.call(op, func() (err error) {
				keys, err = s.rejectedKeys(ctx)
				return err
			})
		}
		for i := 0; err == nil && i < len(keys); i++ {
			var r causal.Rejected
			if r, err = s.loadRejected(ctx, op, keys[i]); err == nil && r.Count > 0 && !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(causal.Rejected{}, err)
		}
	}
}

// rejectedKeys returns the keys in the order of first arrival.
func (s *Store) rejectedKeys(ctx context.Context) ([]causal.RejectedKey, error) {
	x := &s.rejected
	if err := x.begin(ctx); err != nil {
		return nil, err
	}
	defer x.end()
	err := s.refresh(ctx)
	return slices.SortedFunc(maps.Keys(x.byKey), func(a, b causal.RejectedKey) int {
		return cmp.Compare(x.byKey[a].number, x.byKey[b].number)
	}), err
}

// loadRejected returns the entry under a key, or the zero value if it was
// deleted.
func (s *Store) loadRejected(ctx context.Context, op string, key causal.RejectedKey) (r causal.Rejected, err error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return causal.Rejected{}, err
	}
	err = s.call(op, func() error {
		return s.client.retry(ctx, 0, func(ctx context.Context) error {
			v, err := s.client.getValue(ctx, s.client.names.rejects, s.rejectedSubject(key))
			if err == nil {
				r, _, err = rejectedOf(v)
			}
			if err == nil && r.Count > 0 && r.Key() != key {
				err = errStateDamaged(v.sequence)
			}
			return err
		})
	})
	return r, err
}
