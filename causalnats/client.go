package causalnats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/ctxerr"
)

// client sends requests to servers, and retries until they answer.
type client struct {
	conn   *nats.Conn
	names  names
	budget time.Duration // of one call
}

func newClient(nc *nats.Conn, o *Options) *client { return &client{nc, o.names(), o.retry()} }

// The time limit of an attempt, because a server that dies does not answer: a
// second, more if there is much to send, and more if earlier attempts were not
// answered.
const (
	attemptTime    = time.Second
	maxAttemptTime = 4 * time.Second
	slowest        = 1 << 20 // bytes per second
)

var (
	errAnswer     = errors.New("the server's answer cannot be read")
	errNotThere   = errors.New("there is no connection to a server")
	errLag        = errors.New("the answering server lags")
	errNoMajority = errors.New("the leader of the stream has lost its followers")
	errChanged    = errors.New("another process has written in between")
	errTime       = errors.New("the server does not answer")
)

// retry calls f until it succeeds, fails permanently, the budget is spent or
// ctx is done. size is the number of bytes sent by f.
func (c *client) retry(ctx context.Context, size int, f func(ctx context.Context) error) error {
	deadline := time.Now().Add(c.budget)
	limit := attemptTime + time.Duration(size/slowest)*time.Second
	pause := adapter.Backoff{First: 2 * time.Millisecond, Max: 250 * time.Millisecond}
	for {
		err := c.attempt(ctx, limit, f)
		if ctx.Err() != nil && err != nil {
			return ctxerr.Of(ctx)
		}
		if err == nil || !isTransient(err) || time.Now().After(deadline) {
			return err
		}
		if errors.Is(err, errTime) {
			limit = max(limit, min(2*limit, maxAttemptTime))
		}
		wait := pause.Next()
		if errors.Is(err, errChanged) { // a caller that waits longer than the others never gets to write
			wait = min(wait, maxTurn)
		}
		if err := adapter.Sleep(ctx, jitter(wait)); err != nil {
			return err
		}
	}
}

// maxTurn is the maximum time a call waits before retrying a write in conflict
// with others.
const maxTurn = 8 * time.Millisecond

// attempt calls f once. Without a connection it must not send anything: that
// would be kept, and sent when nobody expects it any more.
func (c *client) attempt(ctx context.Context, limit time.Duration, f func(ctx context.Context) error) error {
	if c.conn.IsClosed() {
		return nats.ErrConnectionClosed
	}
	if !c.conn.IsConnected() {
		return c.notThere()
	}
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(attempt)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = errTime
	}
	return err
}

// notThere returns the error for a lost connection, with the reason if known.
func (c *client) notThere() error {
	if reason := c.conn.LastError(); reason != nil {
		return fmt.Errorf("%w: %w", errNotThere, reason)
	}
	return errNotThere
}

// jitter returns a random duration from half of d to d.
func jitter(d time.Duration) time.Duration {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return d/2 + d*time.Duration(b[0])/512
}

// request sends a message, and returns the answer to it.
func (c *client) request(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	return c.requestMsg(ctx, &nats.Msg{Subject: subject, Data: data})
}

func (c *client) requestMsg(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	before := c.conn.LastError()
	answer, err := c.conn.RequestMsgWithContext(ctx, m)
	if err == nil {
		return answer, nil
	}
	// A refusal arrives separately, not as an answer.
	refused := c.conn.LastError()
	//nolint:errorlint // whether it is another one than before
	if refused != before && errors.Is(refused, nats.ErrPermissionViolation) && strings.Contains(refused.Error(), strconv.Quote(m.Subject)) {
		return nil, fmt.Errorf("the server does not permit using %s", m.Subject)
	}
	if errors.Is(err, nats.ErrNoResponders) {
		err = fmt.Errorf("%w on %s: the stream does not exist, or has no leader", err, m.Subject)
	}
	return nil, err
}

// publish sends a message to a stream, and returns its sequence.
func (c *client) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	answer, err := c.requestMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return acknowledged(answer)
}

func acknowledged(answer *nats.Msg) (uint64, error) {
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(answer.Data, &ack); {
	case err != nil:
		return 0, errAnswer
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Sequence == 0:
		return 0, errAnswer
	}
	return ack.Sequence, nil
}

// message is a message read by a leader from its stream.
type message struct {
	Subject  string `json:"subject"`
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// getMessage returns a message of a stream from its leader, or zero if there is
// none.
func (c *client) getMessage(ctx context.Context, stream, request string) (message, error) {
	answer, err := c.request(ctx, "$JS.API.STREAM.MSG.GET."+stream, []byte(request))
	if err != nil {
		return message{}, err
	}
	var got struct {
		Message message             `json:"message"`
		Error   *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(answer.Data, &got); {
	case err != nil:
		return message{}, errAnswer
	case isAPI(apiError(got.Error), jetstream.JSErrCodeMessageNotFound):
		return message{}, nil
	case got.Error != nil:
		return message{}, got.Error
	}
	return got.Message, nil
}

// apiError returns a nil error for a nil pointer.
func apiError(e *jetstream.APIError) error {
	if e == nil {
		return nil
	}
	return e
}

// lastBySubject is the request for the last message of a subject.
func lastBySubject(subject string) string { return `{"last_by_subj":` + strconv.Quote(subject) + `}` }

func bySequence(n uint64) string { return `{"seq":` + strconv.FormatUint(n, 10) + `}` }

// Codes of errors without a name in package jetstream, from the server's file
// errors.json.
const (
	codeAccountExceeded  jetstream.ErrorCode = 10002
	codeNoPeers          jetstream.ErrorCode = 10005
	codeNotAvailable     jetstream.ErrorCode = 10008
	codeNoResources      jetstream.ErrorCode = 10023
	codePeerNotMember    jetstream.ErrorCode = 10040
	codeStorageExceeded  jetstream.ErrorCode = 10047
	codeMessageTooLarge  jetstream.ErrorCode = 10054
	codeWrongLast        jetstream.ErrorCode = 10071
	codeNoReplicas       jetstream.ErrorCode = 10074
	codeStoreFailed      jetstream.ErrorCode = 10077
	codeWrongLastOther   jetstream.ErrorCode = 10164
	codeNoBatches        jetstream.ErrorCode = 10174
	codeBatchIncomplete  jetstream.ErrorCode = 10176
	codeBatchTooLarge    jetstream.ErrorCode = 10199
	codeTooManyBatches   jetstream.ErrorCode = 10210
	codeTooManyBatchesIn jetstream.ErrorCode = 10211
)

// isRefusal reports whether a server says that it has not stored the message,
// and will not.
func isRefusal(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeStoreFailed {
		return strings.Contains(api.Description, "maximum") // of bytes; otherwise the store has failed
	}
	return isAPI(err, codeAccountExceeded, codeNoResources, codeStorageExceeded, codeMessageTooLarge, codeBatchTooLarge, codeNoBatches, jetstream.JSErrCodeStreamNotFound)
}

// isTransient reports whether a retry may succeed.
func isTransient(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeNoPeers: // of servers that have just been started
			return strings.Contains(api.Description, "offline")
		case codeNoReplicas: // of a server that is alone
			return false
		}
		return !isRefusal(err) && (api.Code == 503 || api.Code == 500 || api.Code == 408 ||
			isAPI(err, codeNotAvailable, codePeerNotMember, codeBatchIncomplete, codeTooManyBatches, codeTooManyBatchesIn))
	}
	for _, known := range []error{
		errTime, errNotThere, errLag, errNoMajority, errChanged, errAnswer, nats.ErrNoResponders, nats.ErrTimeout, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// failure returns the error of an operation, in the terms of package causal.
func (c *client) failure(op string, err error) error {
	if err == nil || adapter.IsKnown(err) || errors.Is(err, causal.ErrValidation) || isContext(err) {
		return err
	}
	return &causal.StorageError{Op: op, Err: err}
}

// isContext reports whether an error is that of a caller's context.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
