package causalnats

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// clocks are those of the nodes advanced by this Store.
type clocks struct {
	mu     sync.Mutex
	byNode map[string]*clock
}

// clock is the known value of a node. A write names the message it replaces, so
// an outdated value does no harm.
type clock struct {
	advances batches[*advance]

	sequence uint64 // 0 if the value is unknown
	value    int64
	highest  uint64 // sequence ever seen
}

// advance is one call of AdvanceClock.
type advance struct {
	floor, by int64
	value     int64
	result    chan error
}

// Size returns the approximate number of bytes that a call adds to a message.
func (*advance) Size() int { return 0 }

func (s *Store) clock(nodeID string) *clock {
	s.clocks.mu.Lock()
	defer s.clocks.mu.Unlock()
	c := s.clocks.byNode[nodeID]
	if c == nil {
		c = &clock{}
		c.advances.background = &s.background
		c.advances.run = func(group []*advance) { s.advance(c, s.clockSubject(nodeID), group) }
		if s.clocks.byNode == nil {
			s.clocks.byNode = map[string]*clock{}
		}
		s.clocks.byNode[nodeID] = c
	}
	return c
}

func (s *Store) clockSubject(nodeID string) string { return s.client.names.clocks + hashed(nodeID) }

// LoadClock returns the node's value, from the leader of the stream. See
// [causal.ClockStorage].
func (s *Store) LoadClock(ctx context.Context, nodeID string) (v int64, err error) {
	if err := causaladapter.CheckLoadClock(ctx, nodeID); err != nil {
		return 0, err
	}
	err = s.call("load clock", func() error {
		return s.client.retry(ctx, 0, func(ctx context.Context) error {
			got, err := s.client.loadValue(ctx, s.client.names.state, s.clockSubject(nodeID))
			if err == nil {
				v, err = clockValue(got)
			}
			return err
		})
	})
	return v, err
}

// SaveClock replaces the node's value. See [causal.ClockStorage].
func (s *Store) SaveClock(ctx context.Context, nodeID string, v int64) error {
	if err := causaladapter.CheckSaveClock(ctx, nodeID, v); err != nil {
		return err
	}
	return s.call("save clock", func() error {
		_, err := s.client.change(ctx, s.clockSubject(nodeID), func(value) ([]byte, error) { return clockContent(v), nil })
		return err
	})
}

// AdvanceClock reserves values. See [causal.ClockAdvancer]. Calls for one node
// in one Store share messages. Calls of several processes for one node are
// slow, because each has to see the writes of the others.
func (s *Store) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	if err := causaladapter.CheckAdvanceClock(ctx, nodeID, floor, by); err != nil {
		return 0, err
	}
	a := &advance{floor: floor, by: by, result: make(chan error, 1)}
	err := s.call("advance clock", func() error {
		isUnknown, err := s.clock(nodeID).advances.do(ctx, a, a.result)
		if isUnknown {
			err = adapter.OutcomeUnknown(err)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return a.value, nil
}

// advance serves calls with one message. For each clock, only one runs at a
// time.
func (s *Store) advance(c *clock, subject string, group []*advance) {
	errs := make([]error, len(group))
	id := newNonce()
	err := s.client.retry(s.life, 0, func(ctx context.Context) error {
		for {
			wasKnown := c.sequence > 0
			if !wasKnown {
				old, err := s.client.getValue(ctx, s.client.names.state, subject)
				if err == nil && old.sequence < c.highest {
					err = s.note(errStateLost(old.sequence, c.highest))
				}
				if err != nil {
					return err
				}
				c.sequence = old.sequence // possibly by an attempt whose answer was lost; its values are then skipped
				if c.value, err = clockValue(old); err != nil {
					return err
				}
			}
			value, isMoved := reserve(group, errs, c.value)
			if !isMoved && wasKnown { // the known value may be outdated
				c.sequence = 0
				continue
			}
			if !isMoved {
				return nil
			}
			sequence, err := s.client.setValue(ctx, subject, id, clockContent(value), lastOfSubject, c.sequence)
			if c.sequence = sequence; err == nil {
				c.value, c.highest = value, sequence
			}
			return err
		}
	})
	for i, a := range group {
		if err != nil {
			errs[i] = err
		}
		a.result <- errs[i]
	}
}

// errStateLost reports that a stream has lost a value, which would be issued
// again.
func errStateLost(last, known uint64) error {
	return fmt.Errorf("%w: the last message of its state is %d, and was %d", ErrLogLost, last, known)
}

// reserve assigns each call its values after value, and returns the last one.
func reserve(group []*advance, errs []error, value int64) (_ int64, isMoved bool) {
	for i, a := range group {
		base := max(value, a.floor)
		if base > math.MaxInt64-a.by {
			errs[i] = causal.ErrClockOverflow
			continue
		}
		value, isMoved, errs[i] = base+a.by, true, nil
		a.value = value
	}
	return value, isMoved
}

func clockContent(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func clockValue(v value) (int64, error) {
	if v.sequence == 0 {
		return 0, nil
	}
	if len(v.content) != 8 || v.content[0] > 127 {
		return 0, errStateDamaged(v.sequence)
	}
	return int64(binary.BigEndian.Uint64(v.content)), nil
}
