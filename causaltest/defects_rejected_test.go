package causaltest_test

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/spec-kitty/causal"
)

func init() { maps.Copy(defects, rejectedDefects) }

// rejectedDefects are defects of storages of rejected events.
var rejectedDefects = map[string]defect{
	"rejected without a limit": {finds: "rejected/size", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		return true, s.add(ctx, r)
	})},
	"the oldest that was rejected goes": {finds: "rejected/count", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		if r.Size() > causal.MaxRejectedSize || s.size+r.Size() > causal.MaxRejectedBytes {
			return s.MemRejectedStorage.AppendRejected(ctx, r)
		}
		for {
			stored, err := s.MemRejectedStorage.AppendRejected(ctx, r)
			if stored || err != nil {
				return stored, err
			}
			for oldest := range s.Rejected(ctx) {
				if err := s.DeleteRejected(ctx, oldest.Key()); err != nil {
					return false, err
				}
				break
			}
		}
	})},
	"rejected from whomever": {finds: "rejected/again", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		for old := range s.Rejected(ctx) {
			if string(old.Data) == string(r.Data) {
				r.Source = old.Source
			}
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"rejected once is never new": {finds: "rejected/again", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		for old := range s.Rejected(ctx) {
			if old.Key() == r.Key() {
				r.Reason, r.EventID, r.Time = old.Reason, old.EventID, old.Time
			}
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"rejected at a whole second": {finds: "rejected/values", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		r.Time = r.Time.Truncate(time.Microsecond)
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"what was rejected is text": {finds: "rejected/values", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		r.Data = []byte(strings.ToValidUTF8(string(r.Data), "?"))
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"what is too large is cut": {finds: "rejected/size", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		if over := r.Size() - causal.MaxRejectedSize; over > 0 {
			r.Data = r.Data[:len(r.Data)-over]
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"anything is rejected": {finds: "rejected/invalid", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		if r.Reason == "" {
			r.Reason = "unknown"
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
}

// unlimited is a storage of rejected events that can ignore limits.
type unlimited struct {
	causal.MemRejectedStorage
	append func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error)
	size   int
	over   []causal.Rejected
}

func rejecting(f func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error)) func() causal.RejectedStorage {
	return func() causal.RejectedStorage { return &unlimited{append: f} }
}

func (s *unlimited) AppendRejected(ctx context.Context, r causal.Rejected) (bool, error) {
	stored, err := s.append(ctx, s, r)
	if stored {
		s.size += r.Size()
	}
	return stored, err
}

func (s *unlimited) add(ctx context.Context, r causal.Rejected) error {
	stored, err := s.MemRejectedStorage.AppendRejected(ctx, r)
	if !stored && err == nil {
		s.over = append(s.over, r)
	}
	return err
}
