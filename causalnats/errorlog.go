package causalnats

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// AppendError adds an entry. See [causal.ErrorStorage]. The streams limit the
// number of entries: see [Options.ErrorLimit] of Provision.
func (s *Store) AppendError(ctx context.Context, e causal.ErrorEntry) error {
	if err := causaladapter.CheckAppendError(ctx, e); err != nil {
		return err
	}
	return s.call("append error", func() error {
		data, err := e.MarshalJSON()
		if err == nil {
			err = s.checkSize("error entry", len(data))
		}
		if err != nil {
			return err
		}
		m := nats.NewMsg(s.client.names.errorSubject)
		m.Data = data
		m.Header.Set("Nats-Msg-Id", fmt.Sprintf("%x", newNonce())) // sent twice, it would push out another entry
		return s.client.retry(ctx, len(data), func(ctx context.Context) error {
			_, err := s.client.publish(ctx, m)
			return err
		})
	})
}

// RecentErrors returns the latest entries, from the leader of the stream. See
// [causal.ErrorStorage].
func (s *Store) RecentErrors(ctx context.Context, limit int) (entries []causal.ErrorEntry, err error) {
	if err := causaladapter.CheckRecentErrors(ctx, limit); err != nil {
		return nil, err
	}
	err = s.call("read errors", func() error {
		var info *streamInfo
		err := s.client.retry(ctx, 0, func(ctx context.Context) (err error) {
			info, err = s.client.currentInfo(ctx, s.client.names.errors)
			return err
		})
		if err != nil {
			return err
		}
		for n := info.State.LastSeq; n >= info.State.FirstSeq && n > 0 && len(entries) < limit; n-- {
			e, isThere, err := s.loadError(ctx, n)
			if err != nil {
				return err
			}
			if !isThere { // dropped in the meantime, as are all earlier ones
				break
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

func (s *Store) loadError(ctx context.Context, n uint64) (e causal.ErrorEntry, isThere bool, err error) {
	err = s.client.retry(ctx, 0, func(ctx context.Context) error {
		m, err := s.client.getMessage(ctx, s.client.names.errors, bySequence(n))
		if isThere = m.Sequence > 0; err != nil || !isThere {
			return err
		}
		if e.UnmarshalJSON(m.Data) != nil {
			return fmt.Errorf("message %d of the error log %w", n, errDamaged)
		}
		return nil
	})
	return e, isThere, err
}
