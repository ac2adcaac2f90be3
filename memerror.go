package causal

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// DefaultErrorLimit is the default number of entries kept by an error storage.
const DefaultErrorLimit = 100

// MemErrorStorage is an [ErrorStorage] in memory. It lasts as long as the
// process. The zero value is empty and keeps [DefaultErrorLimit] entries. It is
// safe for concurrent use, and must not be copied after first use.
type MemErrorStorage struct {
	mu      sync.Mutex
	limit   int          // 0 means DefaultErrorLimit
	entries []ErrorEntry // a ring once full, when next is the oldest
	next    int
}

// NewMemErrorStorage returns a storage for the latest limit entries. It returns
// a [*ValidationError] if limit < 1.
func NewMemErrorStorage(limit int) (*MemErrorStorage, error) {
	if limit < 1 {
		return nil, invalid("limit", reasonNotPositive)
	}
	return &MemErrorStorage{limit: limit}, nil
}

// AppendError adds an entry. See [ErrorStorage].
func (s *MemErrorStorage) AppendError(ctx context.Context, e ErrorEntry) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return err
	}
	e.Timestamp = wireTime(e.Timestamp)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) < cmp.Or(s.limit, DefaultErrorLimit) {
		s.entries = append(s.entries, e)
		return nil
	}
	s.entries[s.next] = e
	s.next = (s.next + 1) % len(s.entries)
	return nil
}

// RecentErrors returns the latest entries. See [ErrorStorage].
func (s *MemErrorStorage) RecentErrors(ctx context.Context, limit int) ([]ErrorEntry, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, invalid("limit", reasonNotPositive)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	inOrder := slices.Concat(s.entries[s.next:], s.entries[:s.next])
	slices.Reverse(inOrder)
	return inOrder[:min(limit, len(inOrder))], nil
}
