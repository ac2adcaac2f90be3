package causalnats

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal/internal/adapter"
)

// value is the last message of a subject in the stream of the state: a nonce of
// its writer, and content.
type value struct {
	sequence uint64 // 0 if there is none
	nonce    nonce
	content  []byte
}

// hashed returns the last token of a subject, for a text of any kind and
// length.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func valueOf(sequence uint64, data []byte) (value, error) {
	if sequence == 0 {
		return value{}, nil
	}
	if len(data) < len(nonce{}) {
		return value{}, errStateDamaged(sequence)
	}
	return value{sequence, nonce(data), data[len(nonce{}):]}, nil
}

func errStateDamaged(sequence uint64) error {
	return errors.New("message " + strconv.FormatUint(sequence, 10) + " of the state is damaged")
}

// loadValue is getValue from a leader that has not lost its followers, so that
// nothing newer exists.
func (c *client) loadValue(ctx context.Context, stream, subject string) (value, error) {
	v, err := c.getValue(ctx, stream, subject)
	if err != nil {
		return value{}, err
	}
	_, err = c.currentInfo(ctx, stream)
	return v, err
}

// currentInfo is info from a leader that has not lost its followers.
func (c *client) currentInfo(ctx context.Context, stream string) (*streamInfo, error) {
	info, err := c.info(ctx, stream)
	if err == nil && !info.hasMajority() {
		err = errNoMajority
	}
	return info, err
}

// getValue returns the value of a subject from the leader.
func (c *client) getValue(ctx context.Context, stream, subject string) (value, error) {
	m, err := c.getMessage(ctx, stream, lastBySubject(subject))
	if err != nil {
		return value{}, err
	}
	return valueOf(m.Sequence, m.Data)
}

// Conditions of a write on the last message of the subject, or of the whole
// stream.
const (
	lastOfSubject = "Nats-Expected-Last-Subject-Sequence"
	lastOfStream  = "Nats-Expected-Last-Sequence"
)

// setValue replaces the value of a subject if the last message is the one with
// the expected sequence. Otherwise the error is errChanged.
func (c *client) setValue(ctx context.Context, subject string, id nonce, content []byte, expected string, last uint64) (uint64, error) {
	m := nats.NewMsg(subject)
	m.Data = slices.Concat(id[:], content)
	m.Header.Set(expected, strconv.FormatUint(last, 10))
	sequence, err := c.publish(ctx, m)
	if isAPI(err, codeWrongLast, codeWrongLastOther) {
		err = errChanged
	}
	return sequence, err
}

// change replaces the value of a subject by the result of next, and returns its
// sequence. If others write in between, it starts over, unless an earlier
// result of next may have been written: then the error matches
// [causal.ErrOutcomeUnknown]. If next returns a nil slice, nothing is written.
func (c *client) change(ctx context.Context, subject string, next func(old value) ([]byte, error)) (sequence uint64, err error) {
	id, tried, isUnknown := newNonce(), uint64(0), false
	err = c.retry(ctx, 0, func(ctx context.Context) error {
		old, err := c.getValue(ctx, c.names.state, subject)
		if err != nil {
			return err
		}
		if sequence = old.sequence; old.nonce == id { // from an attempt whose answer was lost
			return nil
		}
		if isUnknown && sequence != tried {
			return errReplaced
		}
		content, err := next(old)
		if err != nil || content == nil {
			isUnknown = false
			return err
		}
		tried = sequence
		sequence, err = c.setValue(ctx, subject, id, content, lastOfSubject, tried)
		isUnknown = isUnknown || err != nil && !isNotStored(err) && !errors.Is(err, errChanged)
		return err
	})
	if err != nil && isUnknown {
		err = adapter.OutcomeUnknown(err)
	}
	return sequence, err
}

var errReplaced = errors.New("another process has written, possibly after this one")

// checkSize requires that content fits into a message.
func (s *Store) checkSize(what string, size int) error {
	if size > s.maxSize-len(nonce{}) {
		return errors.New("the " + what + " is larger than a message may be: raise max_payload of the servers")
	}
	return nil
}

// readValues calls f for each value of subjects of a stream written after a
// sequence and up to the last one, in order.
func (c *client) readValues(ctx context.Context, stream, subjects string, after, last uint64, f func(v value, subject string) error) error {
	for after < last {
		var messages []*nats.Msg
		err := c.retry(ctx, 0, func(ctx context.Context) (err error) {
			messages, err = c.fetchOrGet(ctx, stream, after+1, windowCount, subjects)
			if err == nil && len(messages) == 0 {
				err = errLag
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range messages {
			var v value
			if after, err = sequenceOf(m); err == nil {
				v, err = valueOf(after, m.Data)
			}
			if err == nil {
				err = f(v, m.Header.Get("Nats-Subject"))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
