package causalnats

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// Keys of the metadata of each stream.
const (
	metaLog     = "causal_log"     // ID of the log, in hexadecimal
	metaVersion = "causal_version" // of the content of the streams
	version     = "1"
)

// Provision creates the streams of a store. Call it when a program is installed
// or updated. Existing streams are checked, and not changed. The connection
// remains open.
//
// Provision returns a [*causal.ValidationError] if the connection is nil or an
// option is invalid, and a [*causal.StorageError] if an existing stream differs
// from the required one, or the servers refuse to create one. Any other failure
// except the error of ctx is a StorageError, too. Run again, it completes an
// interrupted run.
func Provision(ctx context.Context, nc *nats.Conn, o *Options) error {
	const op = "provision streams"
	o = o.orDefaults()
	if err := checkOpening(ctx, nc, o); err != nil {
		return err
	}
	c := newClient(nc, o)
	return c.failure(op, c.retry(ctx, 0, func(ctx context.Context) error { return c.provision(ctx, o) }))
}

func checkOpening(ctx context.Context, nc *nats.Conn, o *Options) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	if nc == nil {
		return causaladapter.Invalid("connection", "must not be nil")
	}
	return o.check()
}

// provision creates the stream of the log first, because the others have its
// ID.
func (c *client) provision(ctx context.Context, o *Options) error {
	var log [16]byte
	if _, err := rand.Read(log[:]); err != nil {
		return err
	}
	for _, stream := range []string{c.names.log, c.names.state, c.names.rejects, c.names.errors} {
		info, err := c.info(ctx, stream)
		if isAPI(err, jetstream.JSErrCodeStreamNotFound) {
			err = c.createStream(ctx, c.streamConfig(o, stream, log))
			if err == nil || isAPI(err, jetstream.JSErrCodeStreamNameInUse) { // by another process at the same time
				if info, err = c.info(ctx, stream); isAPI(err, jetstream.JSErrCodeStreamNotFound) {
					err = errLag // this server has not heard of the stream yet
				}
			}
		}
		if err != nil {
			return err
		}
		id, err := c.checkStream(stream, info, o.replicas())
		if err != nil {
			return err
		}
		if stream == c.names.log {
			log = id
		}
		if log != id {
			return errConfig(stream, "is of another log")
		}
	}
	return nil
}

func (c *client) createStream(ctx context.Context, config jetstream.StreamConfig) error {
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	m, err := c.request(ctx, "$JS.API.STREAM.CREATE."+config.Name, data)
	if err != nil {
		return err
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return errAnswer
	}
	return apiError(answer.Error)
}

// subjects returns the subjects of a stream.
func (c *client) subjects(stream string) []string {
	switch stream {
	case c.names.log:
		return []string{c.names.logSubject}
	case c.names.state:
		return []string{c.names.clocks + "*", c.names.checkpoints + "*"}
	case c.names.rejects:
		return []string{c.names.rejected + "*"}
	}
	return []string{c.names.errorSubject}
}

func (c *client) streamConfig(o *Options, stream string, log [16]byte) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name: stream, Subjects: c.subjects(stream), Storage: jetstream.FileStorage, Replicas: o.replicas(), Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true, AllowDirect: true,
		Metadata: map[string]string{metaLog: hex.EncodeToString(log[:]), metaVersion: version},
	}
	switch stream {
	case c.names.log:
		config.MaxBytes, config.AllowAtomicPublish = o.MaxBytes, true
		config.RePublish = &jetstream.RePublish{Source: c.names.logSubject, Destination: c.names.hintSubject, HeadersOnly: true}
	case c.names.state, c.names.rejects:
		config.MaxMsgsPerSubject = 1
	default:
		config.MaxMsgs = int64(cmp.Or(o.ErrorLimit, causal.DefaultErrorLimit))
		config.Discard, config.DenyDelete, config.DenyPurge = jetstream.DiscardOld, false, false
	}
	return config
}

// isAPI reports whether an error has one of these codes of the servers.
func isAPI(err error, codes ...jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode)
}
