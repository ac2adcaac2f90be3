package causal

import (
	"context"
	"math"
	"sync"
)

// MemClockStorage is a [ClockStorage] and [ClockAdvancer] in memory. It lasts
// as long as the process. The zero value is empty. It is safe for concurrent
// use, and must not be copied after first use.
type MemClockStorage struct {
	mu     sync.Mutex
	values map[string]*int64
}

// LoadClock returns the node's value. See [ClockStorage].
func (s *MemClockStorage) LoadClock(ctx context.Context, nodeID string) (int64, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	if err := checkText("node_id", nodeID); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value := s.values[nodeID]; value != nil {
		return *value, nil
	}
	return 0, nil
}

// SaveClock replaces the node's value. See [ClockStorage].
func (s *MemClockStorage) SaveClock(ctx context.Context, nodeID string, value int64) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	if value < 0 {
		return invalid("value", reasonNotNegative)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.value(nodeID)
	if err != nil {
		return err
	}
	*stored = value
	return nil
}

// AdvanceClock reserves values. See [ClockAdvancer].
func (s *MemClockStorage) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	if err := checkContext(ctx); err != nil {
		return 0, err
	}
	switch {
	case floor < 0:
		return 0, invalid("floor", reasonNotNegative)
	case by < 1:
		return 0, invalid("by", reasonNotPositive)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.value(nodeID)
	if err != nil {
		return 0, err
	}
	base := max(*stored, floor)
	if base > math.MaxInt64-by {
		return 0, ErrClockOverflow
	}
	*stored = base + by
	return *stored, nil
}

// value returns the location of a node's value, which it creates if needed. The
// caller holds the lock.
func (s *MemClockStorage) value(nodeID string) (*int64, error) {
	if value := s.values[nodeID]; value != nil {
		return value, nil
	}
	if err := checkText("node_id", nodeID); err != nil {
		return nil, err
	}
	if s.values == nil {
		s.values = map[string]*int64{}
	}
	value := new(int64)
	s.values[nodeID] = value
	return value, nil
}
