package causal

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
)

// MemRejectedStorage is a [RejectedStorage] in memory. It lasts as long as the
// process. The zero value is empty. It is safe for concurrent use, and must not
// be copied after first use.
type MemRejectedStorage struct {
	mu     sync.Mutex
	byKey  map[RejectedKey]*memRejected
	all    []*memRejected // by number
	latest uint64         // number
	bytes  int
}

type memRejected struct {
	Rejected
	number uint64 // from 1, in the order of arrival
}

// compareNumber orders entries by their numbers.
func compareNumber(r *memRejected, number uint64) int { return cmp.Compare(r.number, number) }

// AppendRejected stores r. See [RejectedStorage].
func (s *MemRejectedStorage) AppendRejected(ctx context.Context, r Rejected) (stored bool, err error) {
	if err := checkContext(ctx); err != nil {
		return false, err
	}
	if err := r.Validate(); err != nil {
		return false, err
	}
	key := r.Key()
	r.EventID, _ = r.EventID.canonical()
	r.Time = r.Time.UTC().Round(0) // without a monotonic reading
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byKey[key]
	size, count := s.bytes+r.Size(), len(s.all)
	if old != nil {
		size -= old.Size()
	} else {
		count++
	}
	if r.Size() > MaxRejectedSize || size > MaxRejectedBytes || count > MaxRejected {
		return false, nil
	}
	s.bytes = size
	if old != nil {
		old.EventID, old.Reason, old.Time = r.EventID, r.Reason, r.Time
		old.Count++
		return true, nil
	}
	if s.byKey == nil {
		s.byKey = map[RejectedKey]*memRejected{}
	}
	r.Data, r.Count = bytes.Clone(r.Data), 1
	s.latest++
	added := &memRejected{r, s.latest}
	s.byKey[key] = added
	s.all = append(s.all, added)
	return true, nil
}

// Rejected yields the stored entries. See [RejectedStorage].
func (s *MemRejectedStorage) Rejected(ctx context.Context) iter.Seq2[Rejected, error] {
	return func(yield func(Rejected, error) bool) {
		number := uint64(0)
		for {
			if err := checkContext(ctx); err != nil {
				yield(Rejected{}, err)
				return
			}
			next, ok := s.after(number)
			if !ok || !yield(next.Rejected, nil) {
				return
			}
			number = next.number
		}
	}
}

// after returns the first entry after a number.
func (s *MemRejectedStorage) after(number uint64) (next memRejected, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearchFunc(s.all, number+1, compareNumber)
	if i == len(s.all) {
		return memRejected{}, false
	}
	next = *s.all[i]
	next.Data = bytes.Clone(next.Data)
	return next, true
}

// DeleteRejected deletes the entry with this key. See [RejectedStorage].
func (s *MemRejectedStorage) DeleteRejected(ctx context.Context, key RejectedKey) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byKey[key]
	if old == nil {
		return nil
	}
	delete(s.byKey, key)
	i, _ := slices.BinarySearchFunc(s.all, old.number, compareNumber)
	s.all = slices.Delete(s.all, i, i+1)
	s.bytes -= old.Size()
	return nil
}
