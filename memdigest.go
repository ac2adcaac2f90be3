package causal

import (
	"context"
	"errors"
	"iter"
)

// memDigestPage is the number of entries examined under one lock.
const memDigestPage = 1024

// digestPages returns a function that reads keys of the entries first to last
// of the log page by page. Each call, made under the lock, appends the next
// page to an empty slice, and reports whether there may be more.
type digestPages func(first, last int) func(page []SyncKey) (_ []SyncKey, more bool)

// ReadDigests yields keys in order. See [DigestReader]. The first call, and the
// first after a save, computes the keys of newly saved events.
func (s *MemEventStore) ReadDigests(ctx context.Context, f Filter, from, to SyncKey, upTo Cursor) iter.Seq2[SyncKey, error] {
	return s.readDigests(ctx, f, Cursor{}, upTo, func(_, last int) func([]SyncKey) ([]SyncKey, bool) {
		d := &s.digests
		at, isRead := from, false // whether the key at was read
		return func(page []SyncKey) ([]SyncKey, bool) {
			start := d.find(at)
			if isRead {
				start++
			}
			end := min(start+memDigestPage, len(d.order))
			for _, i := range d.order[start:end] {
				if at, isRead = d.keys[i], true; to != (SyncKey{}) && at.Compare(to) >= 0 {
					return page, false
				}
				if i < last && f.Matches(s.log[i]) {
					page = append(page, at)
				}
			}
			return page, end < len(d.order)
		}
	})
}

// ReadDigestLog yields keys in arrival order. See [DigestReader].
func (s *MemEventStore) ReadDigestLog(ctx context.Context, f Filter, after, upTo Cursor) iter.Seq2[SyncKey, error] {
	return s.readDigests(ctx, f, after, upTo, func(first, last int) func([]SyncKey) ([]SyncKey, bool) {
		return func(page []SyncKey) ([]SyncKey, bool) {
			end := min(first+memDigestPage, last)
			for ; first < end; first++ {
				if f.Matches(s.log[first]) {
					page = append(page, s.digests.keys[first])
				}
			}
			return page, end < last
		}
	})
}

func (s *MemEventStore) readDigests(ctx context.Context, f Filter, after, upTo Cursor, pages digestPages) iter.Seq2[SyncKey, error] {
	return func(yield func(SyncKey, error) bool) {
		first, last, err := s.digestRange(ctx, f, after, upTo)
		next := pages(first, last)
		var page []SyncKey
		for more := err == nil; more; {
			if err = s.makeDigests(ctx); err != nil {
				break
			}
			s.mu.Lock()
			page, more = next(page[:0])
			s.mu.Unlock()
			if err = checkContext(ctx); err != nil {
				break
			}
			for _, key := range page {
				if err = checkContext(ctx); err != nil {
					yield(SyncKey{}, err)
					return
				}
				if !yield(key, nil) {
					return
				}
			}
		}
		if err == nil {
			err = checkContext(ctx)
		}
		if err != nil {
			yield(SyncKey{}, err)
		}
	}
}

func (s *MemEventStore) digestRange(ctx context.Context, f Filter, after, upTo Cursor) (first, last int, err error) {
	if err := checkContext(ctx); err != nil {
		return 0, 0, err
	}
	if err := f.Validate(); err != nil {
		return 0, 0, err
	}
	_, cursors := s.arrivals()
	from, err := after.PositionIn(cursors.head(), cursors.hashAt)
	if err != nil {
		return 0, 0, err
	}
	to, err := upTo.PositionIn(cursors.head(), cursors.hashAt)
	return int(from), int(to), err
}

// LoadDigests yields the events with these keys. See [DigestReader].
func (s *MemEventStore) LoadDigests(ctx context.Context, keys []SyncKey) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for _, key := range keys {
			err := checkContext(ctx)
			var e Event
			if err == nil {
				e, err = s.findDigest(ctx, key)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := checkContext(ctx); err != nil {
			yield(Event{}, err)
		}
	}
}

// makeDigests computes the keys of newly saved events. Saves can continue
// between its steps.
func (s *MemEventStore) makeDigests(ctx context.Context) error {
	for {
		s.mu.Lock()
		isDone := s.digests.fill(s.log)
		s.mu.Unlock()
		if err := checkContext(ctx); isDone || err != nil {
			return err
		}
	}
}

func (s *MemEventStore) findDigest(ctx context.Context, key SyncKey) (Event, error) {
	if err := s.makeDigests(ctx); err != nil {
		return Event{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.digests
	if i := d.find(key); i < len(d.order) && d.keys[d.order[i]] == key {
		return s.log[d.order[i]], nil
	}
	return Event{}, &StorageError{Op: "load digests", Err: errors.New("an event is missing")}
}
