package causalnats

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal"
)

// SetWaitLimit sets the maximum wait of WaitLog.
func (s *Store) SetWaitLimit(limit time.Duration) { s.waiters.Limit = limit }

// ReadSerially applies the whole log to another store: each window is read,
// decoded and saved before the next one.
func (s *Store) ReadSerially(ctx context.Context, into causal.Store) error {
	last, err := s.verify(ctx)
	if err != nil {
		return err
	}
	other, err := openReplica(ctx, into, s.replica.log)
	if err != nil {
		return err
	}
	for r := (reader{client: s.client, to: last}); !r.isDone(); {
		records, raw, err := r.read(ctx)
		for i := range records {
			if err == nil {
				err = records[i].decode(raw[i])
			}
		}
		if err == nil {
			err = other.apply(ctx, records)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// FetchAll reads the messages of the log, and discards them.
func (s *Store) FetchAll(ctx context.Context) (count int, err error) {
	last, err := s.verify(ctx)
	for from := uint64(1); err == nil && from <= last; {
		var messages []*nats.Msg
		messages, err = s.client.fetch(ctx, s.client.names.log, from, windowCount, "")
		from += uint64(len(messages))
		count += len(messages)
	}
	return count, err
}

// Fence asks the leader, as each read does.
func (s *Store) Fence(ctx context.Context) error { return s.fence(ctx) }

// EncodeRecord returns a record that saves one event.
func EncodeRecord(e causal.Event) []byte {
	data, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return encodeSave(encodeHead(nil, newNonce(), mark{}), nil, [][]byte{data})
}

// Distrust makes the next save ask the leader whether the log is still the
// same.
func (s *Store) Distrust() {
	s.verified.mu.Lock()
	defer s.verified.mu.Unlock()
	s.verified.at = time.Time{}
}

// SetRetry sets how long calls are retried. No call may be running.
func (s *Store) SetRetry(d time.Duration) { s.client.budget = d }
