package adapter

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/spec-kitty/causal"
)

// DigestBatch is how many keys are made and stored in one transaction.
const DigestBatch = 2000

// ErrNoDigest reports a key that no event has.
var ErrNoDigest = errors.New("an event is not there")

// ErrDigestsBeyond reports stored keys of entries that the log does not have.
var ErrDigestsBeyond = errors.New("there are digests of entries beyond the end of the log")

// CannotWrite is the error for keys that cannot be stored. It matches [errors.ErrUnsupported].
func CannotWrite(err error) error {
	if failed, ok := errors.AsType[*causal.StorageError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("digests cannot be stored: %w: %w", errors.ErrUnsupported, err)
}

// DigestSource is what a read of keys needs to know of its store.
type DigestSource struct {
	Source
	// Prepare has the keys of the entries up to a position stored.
	Prepare func(upTo int64) error
}

// locate checks what a read of keys is given, and prepares it. It returns the positions of the cursors.
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

// KeyPage is a page of keys in their order.
type KeyPage struct {
	*Page[causal.SyncKey]
	From causal.SyncKey // the first that is read
	To   causal.SyncKey // before which the read ends, unless it is zero
	Last int64          // the position of the last entry of the read

	isAfter bool // From was in the page before
}

// Upper returns a clock and a digest, of any length, that all keys of the read are below.
func (p KeyPage) Upper() (clock int64, digest []byte) {
	if p.To == (causal.SyncKey{}) {
		return math.MaxInt64, bytes.Repeat([]byte{0xff}, len(p.To.Digest)+1)
	}
	return p.To.Clock, p.To.Digest[:]
}

// Add adds the key that follows, and reports whether the page takes more.
func (p KeyPage) Add(key causal.SyncKey) bool {
	if !p.isAfter || key != p.From {
		p.Page.Add(key, 0)
	}
	return !p.IsFull()
}

// AddOfClock is Add for reads whose order by digest is not that of an index, so that one clock is read at once: the
// page takes all keys of its last clock, however many.
func (p KeyPage) AddOfClock(key causal.SyncKey) bool {
	if n := len(p.items); p.IsFull() && p.items[n-1].Clock != key.Clock {
		return false
	}
	p.Add(key)
	return true
}

// ReadDigests returns the keys of a range, in their order. fill is as for [YieldPages], and reads the keys of
// the filter.
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

// ReadDigestLog returns the keys of a range, in arrival order. fill is as for [YieldPages], and reads the
// keys of the filter that are after a position and up to last.
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

// LoadDigests returns the events with the keys. fill is as for [YieldPages], and adds the events of the
// first keys that it is given; if one is not there, it returns [ErrNoDigest].
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
