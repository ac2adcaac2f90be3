package causalnats

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// streamInfo is the relevant part of a leader's information about its stream.
type streamInfo struct {
	Config struct {
		Subjects          []string          `json:"subjects"`
		MaxMsgSize        int64             `json:"max_msg_size"`
		AllowDirect       bool              `json:"allow_direct"`
		AllowAtomic       bool              `json:"allow_atomic"`
		MaxMsgs           int64             `json:"max_msgs"`
		MaxAge            time.Duration     `json:"max_age"`
		MaxMsgsPerSubject int64             `json:"max_msgs_per_subject"`
		Retention         string            `json:"retention"`
		Discard           string            `json:"discard"`
		Storage           string            `json:"storage"`
		Replicas          int               `json:"num_replicas"`
		PersistMode       string            `json:"persist_mode"`
		DenyDelete        bool              `json:"deny_delete"`
		DenyPurge         bool              `json:"deny_purge"`
		Metadata          map[string]string `json:"metadata"`
	} `json:"config"`
	Created time.Time `json:"created"`
	State   struct {
		Messages uint64 `json:"messages"`
		FirstSeq uint64 `json:"first_seq"`
		LastSeq  uint64 `json:"last_seq"`
	} `json:"state"`
	Cluster *struct {
		Name        string    `json:"name"`
		Leader      string    `json:"leader"`
		LeaderSince time.Time `json:"leader_since"`
		Replicas    []struct {
			Active  time.Duration `json:"active"` // since the leader heard of it
			Offline bool          `json:"offline"`
		} `json:"replicas"`
	} `json:"cluster"`
	Error *jetstream.APIError `json:"error"`
}

// info asks the leader of a stream.
func (c *client) info(ctx context.Context, stream string) (*streamInfo, error) {
	m, err := c.request(ctx, "$JS.API.STREAM.INFO."+stream, nil)
	if err != nil {
		return nil, err
	}
	var info streamInfo
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return nil, errAnswer
	}
	if info.Error != nil {
		return nil, info.Error
	}
	return &info, nil
}

// checkStream returns the ID of the log, or the error for a stream that is not
// as it should be.
func (c *client) checkStream(stream string, i *streamInfo, replicas int) (log [16]byte, err error) {
	id, err := hex.DecodeString(i.Config.Metadata[metaLog])
	if err != nil || len(id) != len(log) {
		return log, errConfig(stream, "is not one of this package")
	}
	isErrors := stream == c.names.errors // which drops its oldest entries
	reason := ""
	switch {
	case i.Config.Metadata[metaVersion] != version:
		reason = "is of another version of this package"
	case i.Config.Storage != "file":
		reason = "is kept in memory"
	case i.Config.Replicas < replicas:
		reason = "has fewer replicas than asked for"
	case i.Config.PersistMode == "async":
		reason = "has the persist mode async, which loses what is acknowledged"
	case i.Config.MaxAge != 0 || i.Config.Retention != "limits":
		reason = "deletes messages by age or retention"
	case !isErrors && (i.Config.MaxMsgs > 0 || !i.Config.DenyDelete || !i.Config.DenyPurge || i.Config.Discard != "new"):
		reason = "may lose messages to a limit, a deletion or a purge"
	case !slices.Equal(i.Config.Subjects, c.subjects(stream)):
		reason = "has other subjects"
	case i.Config.MaxMsgSize > 0 || !isErrors && !i.Config.AllowDirect || stream == c.names.log && !i.Config.AllowAtomic:
		reason = "does not allow direct gets or atomic batches, or bounds messages"
	case stream == c.names.log && i.Config.MaxMsgsPerSubject > 0:
		reason = "may lose messages to a limit"
	case stream == c.names.log && (i.State.FirstSeq > 1 || i.State.Messages != i.State.LastSeq):
		return log, fmt.Errorf("%w: %w", ErrLogLost, errConfig(stream, "has lost messages"))
	}
	if reason != "" {
		return log, errConfig(stream, reason)
	}
	return [16]byte(id), nil
}

// errConfig reports a problem with a stream.
func errConfig(stream, reason string) error { return fmt.Errorf("the stream %s %s", stream, reason) }

// maxContact is the maximum age of the last contact with a follower that counts
// as following. Between heartbeats, sent each second, the age is up to about
// 1.9 seconds, and another leader is elected after 4 seconds without one at the
// earliest.
const maxContact = 2500 * time.Millisecond

// hasMajority reports whether the stream has a leader followed by a majority of
// its servers. A leader that is cut off from them still answers.
func (i *streamInfo) hasMajority() bool {
	if i.Cluster == nil || i.Config.Replicas == 1 {
		return true
	}
	following := 1
	for _, r := range i.Cluster.Replicas {
		if !r.Offline && r.Active < maxContact {
			following++
		}
	}
	return i.Cluster.Leader != "" && 2*following > i.Config.Replicas
}

// term identifies a period in which a stream has the same leader, during which
// it loses nothing. It is zero if the servers do not report it.
type term struct {
	created, since time.Time
	leader, server string
}

// termOf returns the term in which a stream was queried, over a connection to
// the given server.
func (i *streamInfo) termOf(server string) term {
	switch {
	case i.Cluster != nil && !i.Cluster.LeaderSince.IsZero():
		return term{i.Created, i.Cluster.LeaderSince, i.Cluster.Leader, ""}
	case i.Cluster == nil || i.Cluster.Name == "": // a single server, whose ID changes when it restarts
		return term{i.Created, time.Time{}, "", server}
	}
	return term{}
}
