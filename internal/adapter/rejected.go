package adapter

import (
	"fmt"
	"iter"
	"time"

	"github.com/spec-kitty/causal"
)

// Room is the content of a [causal.RejectedStorage].
type Room struct {
	Count, Bytes int64
	Old          *int64 // size of the entry under the key, nil if there is none
}

// Has reports whether there is room for r, replacing the entry under its key.
func (s Room) Has(r causal.Rejected) bool {
	size := int64(r.Size())
	if s.Old != nil {
		return size <= causal.MaxRejectedSize && s.Bytes-*s.Old+size <= causal.MaxRejectedBytes
	}
	return size <= causal.MaxRejectedSize && s.Bytes+size <= causal.MaxRejectedBytes && s.Count < causal.MaxRejected
}

// LoadRejected returns the entry with this number and key: r, with its stored
// time and count. If they do not belong together, the error matches
// [ErrDamaged].
func LoadRejected(number int64, key []byte, r causal.Rejected, at string, count int64) (causal.Rejected, error) {
	var err error
	if r.Time, err = time.Parse(time.RFC3339Nano, at); err != nil || count < 1 || string(key) != string(keyOf(r)) {
		return causal.Rejected{}, fmt.Errorf("rejected event %d %w", number, ErrDamaged)
	}
	r.Count = uint64(count)
	return r, nil
}

func keyOf(r causal.Rejected) []byte {
	key := r.Key()
	return key[:]
}

// ReadRejected returns the rejected entries in pages. fill resets a page, fills
// it with the entries after a number, and returns the last number. check is as
// for [YieldPages].
func ReadRejected(
	check func() error, fill func(p *Page[causal.Rejected], after int64) (last int64, err error),
) iter.Seq2[causal.Rejected, error] {
	return func(yield func(causal.Rejected, error) bool) {
		if err := check(); err != nil {
			yield(causal.Rejected{}, err)
			return
		}
		after := int64(0)
		YieldPages(yield, check, func(p *Page[causal.Rejected]) (err error) {
			after, err = fill(p, after)
			return err
		})
	}
}
