package causalnats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal/internal/adapter"
)

// fits returns a function that accepts requests for as long as they fit into
// one message.
func (s *Store) fits() func(*request) bool {
	count, size := 0, recordHead
	return func(r *request) bool {
		count++
		size += r.size + 16
		return count == 1 || size <= s.maxSize // a large one is sent alone
	}
}

// write sends a record with the saves of requests, and sends each its result,
// which is known once the record is applied, here or by a concurrent reader.
func (s *Store) write(requests []*request) {
	if err := s.writeRecord(requests); err != nil {
		for _, r := range requests {
			r.finish(result{err: err})
		}
	}
}

func (s *Store) writeRecord(requests []*request) error {
	r := s.replica
	witness := *r.latest.Load()
	id := newNonce()
	size := recordHead
	for _, q := range requests {
		size += q.size + 16
	}
	data := encodeHead(make([]byte, 0, size), id, witness)
	own := record{witness: witness}
	for _, q := range requests {
		data = encodeSave(data, q.condition, q.data)
		own.saves = append(own.saves, save{q.condition, q.events})
	}
	if len(data) > s.maxSize*maxParts {
		return fmt.Errorf("the events have %d bytes, and the servers accept %d", len(data), s.maxSize*maxParts)
	}
	isDone := make(chan []result, 1)
	r.mu.Lock()
	r.callers[id] = func(results []result) { isDone <- results }
	r.mu.Unlock()
	err := s.writeAndApply(id, data, own)
	r.mu.Lock()
	delete(r.callers, id)
	r.mu.Unlock()
	if errors.Is(err, ErrLogLost) {
		return err
	}
	select {
	case results := <-isDone: // even if something failed later
		for i, q := range requests {
			q.finish(results[i])
		}
		return nil
	default:
		if err == nil { // another record was applied at its sequence
			err = adapter.OutcomeUnknown(s.note(fmt.Errorf("%w: a new message has the position of another one", ErrLogLost)))
		}
		return err
	}
}

// writeAndApply sends a record, and applies the log up to it.
func (s *Store) writeAndApply(id nonce, data []byte, own record) error {
	parts := s.split(id, data)
	sequence, isUnknown, err := s.publish(parts)
	if err == nil && !s.isTrusted() {
		_, err = s.verify(s.life)
	}
	if err != nil {
		_ = s.note(err)
		if isUnknown || sequence > 0 { // it may be in the stream
			err = adapter.OutcomeUnknown(err)
		}
		return err
	}
	own.mark, own.messages = mark{sequence, id}, uint64(len(parts))
	if err := s.note(s.applyOwn(own)); err != nil {
		return adapter.OutcomeUnknown(err)
	}
	return nil
}

// applyOwn applies the log up to a record sent from here, which need not be
// read.
func (s *Store) applyOwn(own record) error {
	r := s.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.applyTo(s.life, own.sequence-own.messages); err != nil {
		return err
	}
	if r.applied() >= own.sequence {
		return nil
	}
	return r.apply(s.life, []record{own})
}

func newNonce() (id nonce) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// split returns the messages of a record.
func (s *Store) split(id nonce, data []byte) []*nats.Msg {
	if len(data) <= s.maxSize {
		return []*nats.Msg{{Subject: s.client.names.logSubject, Data: data}}
	}
	var parts []*nats.Msg
	count := (len(data) + s.maxSize - 1) / s.maxSize
	for i := range count {
		m := nats.NewMsg(s.client.names.logSubject)
		m.Data = data[i*s.maxSize : min((i+1)*s.maxSize, len(data))]
		m.Header.Set(partHeader, part{i + 1, count, id}.String())
		parts = append(parts, m)
	}
	return parts
}

// publish sends the messages of a record, all or none, and returns the sequence
// of the last one. It retries, so the record may be in the stream more than
// once: all but the first have no effect. If it fails, isUnknown reports
// whether the record may be there.
func (s *Store) publish(parts []*nats.Msg) (sequence uint64, isUnknown bool, err error) {
	size := 0
	for _, m := range parts {
		size += len(m.Data)
	}
	err = s.client.retry(s.life, size, func(ctx context.Context) (err error) {
		if len(parts) == 1 {
			sequence, err = s.client.publish(ctx, parts[0])
		} else {
			sequence, err = s.client.publishBatch(ctx, parts)
		}
		isUnknown = isUnknown || err != nil && !isNotStored(err)
		return err
	})
	return sequence, isUnknown, err
}

// isNotStored reports whether an error proves that the message was not stored.
func isNotStored(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, errNotThere) || isRefusal(err)
}

// publishBatch sends messages as one batch, committed by the last one.
func (c *client) publishBatch(ctx context.Context, parts []*nats.Msg) (uint64, error) {
	id := fmt.Sprintf("%x", newNonce())
	for i, m := range parts {
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		switch {
		case i == len(parts)-1:
			m.Header.Set("Nats-Batch-Commit", "1")
			return c.publish(ctx, m)
		case i == 0: // to learn early whether the server accepts the batch
			answer, err := c.requestMsg(ctx, m)
			if err == nil && len(answer.Data) > 0 {
				_, err = acknowledged(answer)
			}
			if err != nil {
				return 0, err
			}
		default:
			if err := c.conn.PublishMsg(m); err != nil {
				return 0, err
			}
		}
	}
	return 0, errAnswer
}
