package adapter

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/spec-kitty/causal"
)

// DigestBatch is the number of keys computed and stored in one transaction.
const DigestBatch = 2000

// ErrNoDigest reports a key without an event.
var ErrNoDigest = errors.New("an event is missing")

// ErrDigestsBeyond reports stored keys of entries beyond the end of the log.
var ErrDigestsBeyond = errors.New("there are digests of entries beyond the end of the log")

// CannotWrite returns the error for keys that cannot be stored. It matches
// [errors.ErrUnsupported].
func CannotWrite(err error) error {
	if failed, ok := errors.AsType[*causal.StorageError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("digests cannot be stored: %w: %w", errors.ErrUnsupported, err)
}

// DigestSource is a store for reads of keys.
type DigestSource struct {
	Source
	// Prepare stores the keys of the entries up to a position.
	Prepare func(upTo int64) error
}

// locate checks the arguments of a read of keys, and prepares it. It returns
// the positions of the cursors.
func (s DigestSource) locate(f causal.Filter, after, upTo causal.Cursor) (first, last int64, err error) {
	if err := s.Check(); err != nil {
		return 0, 0, err
	}
	if err := f.Validate(); err != nil {
		return 0, 0, err
	}
	for _, c := range []causal.Cursor{after, upTo} {
		if c != (causal.Cursor{}) {
			if _, err := s.Locate(c); err != nil {
				return 0, 0, err
			}
		}
	}
	first, last = int64(after.Position()), int64(upTo.Position())
	return first, last, s.Prepare(last)
}

// KeyPage is a page of keys in order.
type KeyPage struct {
	*Page[causal.SyncKey]
	From causal.SyncKey // the first one
	To   causal.SyncKey // the end of the read, unless zero
	Last int64          // the position of the last entry of the read

	isAfter bool // From was in the previous page
}

// Upper returns a clock and a digest, of any length, above all keys of the
// read.
func (p KeyPage) Upper() (clock int64, digest []byte) {
	if p.To == (causal.SyncKey{}) {
		return math.MaxInt64, bytes.Repeat([]byte{0xff}, len(p.To.Digest)+1)
	}
	return p.To.Clock, p.To.Digest[:]
}

// Add adds the next key, and reports whether the page has room for more.
func (p KeyPage) Add(key causal.SyncKey) bool {
	if !p.isAfter || key != p.From {
		p.Page.Add(key, 0)
	}
	return !p.IsFull()
}

// AddOfClock is like Add, for reads that are not ordered by digest through an
// index, and so must read a clock as a whole: the page includes all keys of its
// last clock, however many.
func (p KeyPage) AddOfClock(key causal.SyncKey) bool {
	if n := len(p.items); p.IsFull() && p.items[n-1].Clock != key.Clock {
		return false
	}
	p.Add(key)
	return true
}

// ReadDigests returns the keys of a range in order. fill is as for
// [YieldPages], and reads the keys selected by the filter.
func ReadDigests(
	s DigestSource, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor, fill func(KeyPage) error,
) iter.Seq2[causal.SyncKey, error] {
	return func(yield func(causal.SyncKey, error) bool) {
		_, last, err := s.locate(f, causal.Cursor{}, upTo)
		if err != nil {
			yield(causal.SyncKey{}, err)
			return
		}
		p := KeyPage{From: from, To: to, Last: last}
		YieldPages(yield, s.Check, func(page *Page[causal.SyncKey]) error {
			p.Page = page
			err := fill(p)
			if n := len(page.items); n > 0 {
				p.From, p.isAfter = page.items[n-1], true
			}
			return err
		})
	}
}

// KeyEntry is a key and its position in the log.
type KeyEntry struct {
	Position int64
	Key      causal.SyncKey
}

// ReadDigestLog returns the keys of a range in arrival order. fill is as for
// [YieldPages], and reads the keys selected by the filter after a position and
// up to last.
func ReadDigestLog(
	s DigestSource, f causal.Filter, after, upTo causal.Cursor, fill func(p *Page[KeyEntry], after, last int64) error,
) iter.Seq2[causal.SyncKey, error] {
	return func(yield func(causal.SyncKey, error) bool) {
		at, last, err := s.locate(f, after, upTo)
		if err != nil {
			yield(causal.SyncKey{}, err)
			return
		}
		YieldPages(func(e KeyEntry, err error) bool { return yield(e.Key, err) }, s.Check, func(page *Page[KeyEntry]) error {
			err := fill(page, at, last)
			if n := len(page.items); n > 0 {
				at = page.items[n-1].Position
			}
			return err
		})
	}
}

// LoadDigests returns the events with the given keys. fill is as for
// [YieldPages], and adds the events of the first of its keys; if one is
// missing, it returns [ErrNoDigest].
func LoadDigests(s DigestSource, keys []causal.SyncKey, fill func(p *Page[causal.Event], keys []causal.SyncKey) error) iter.Seq2[causal.Event, error] {
	return func(yield func(causal.Event, error) bool) {
		head, err := s.Locate(causal.Cursor{})
		if err == nil {
			err = s.Prepare(int64(head.Position()))
		}
		if err != nil {
			yield(causal.Event{}, err)
			return
		}
		left := keys
		YieldPages(yield, s.Check, func(page *Page[causal.Event]) error {
			err := fill(page, left)
			left = left[len(page.items):]
			return err
		})
	}
}
