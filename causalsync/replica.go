package causalsync

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// Limits of a replica's memory.
const (
	maxSummaryBytes = 64 << 20
	smallSummary    = 4096 // events; smaller summaries are computed on demand
	maxPeers        = 1000 // with a known salt
)

// Sizes of messages.
const (
	defaultMessage = 1 << 20
	minMessage     = 4 << 10
	maxMessage     = 1 << 30
)

// saltLife is the lifetime of a salt. Finding events with equal sums takes
// longer.
const saltLife = 24 * time.Hour

const minSecret = 16

// Options are the options of [New]. nil and the zero value mean the defaults.
type Options struct {
	// Node receives the events, so that it can track them and keep the rejected
	// ones. Only its project is synced, and always completely: a Filter
	// selecting less is refused. The store passed to New must be that of the
	// node. If nil, events are stored as received, and no clock advances.
	Node *causal.Node
	// Accept returns an error for an event to refuse, such as one whose author
	// the peer may not represent. A peer also has events it received from
	// others, such as those of a hub, and of earlier hubs. Accept is called for
	// each received event, even if it is already stored, by several goroutines
	// at a time. Refused events are reported, and not kept. To anyone who
	// receives later events of the same node they are a permanent gap, so
	// refuse nodes rather than single events. nil accepts all.
	Accept func(peer string, e causal.Event) error
	// OnRefused is called with each event refused here or by the peer, in Sync
	// and Answer, by several goroutines at a time. If nil, only the Report of
	// Sync lists them.
	OnRefused func(peer string, r Refusal)
	// Replicas with the same Secret have the same salt. Replicas that answer
	// the same peers in turn, such as the processes of a service, must share
	// one. It has at least 16 random bytes. If nil, the replica generates one.
	Secret []byte
	// MaxMessage is the maximum size of a message in either direction, 4 KiB to
	// 1 GiB. Zero means 1 MiB. An event that does not fit, with 1 KiB to spare,
	// is reported and not synced.
	MaxMessage int
}

// A Replica syncs a store. Use [New]; the zero value refuses every call. It is
// safe for concurrent use, including several Syncs and Answers at a time. It
// must not be copied. It keeps nothing in the store.
type Replica struct {
	store   causal.EventStore
	options Options

	now func() time.Time

	mu        sync.Mutex // guards the fields below, and is held briefly
	summaries map[summaryKey]*keptSummary
	bytes     int // of the buckets in them
	turn      uint64
	mirror    *mirror // of a store without readable keys
	peers     map[string]peer
}

// peer is the knowledge about a peer from an earlier Sync.
type peer struct {
	salt       salt
	maxRequest int
}

// New returns a replica of a store, preferably a [causal.DigestReader] like the
// stores of this library. Of any other store, and of a read-only one without
// all of its keys, the replica keeps a copy in memory. It reads the whole store
// at first, and later, if the store is a [causal.LogReader], only new entries.
// A store whose saves fail with [errors.ErrUnsupported], such as a file opened
// read-only, sends events, and refuses those it receives.
//
// New returns a [*causal.ValidationError] if s is nil or an option is invalid.
func New(s causal.EventStore, o *Options) (*Replica, error) {
	if o == nil {
		o = &Options{}
	}
	r := &Replica{store: s, options: *o, now: time.Now, summaries: map[summaryKey]*keptSummary{}, peers: map[string]peer{}}
	switch {
	case s == nil || reflect.ValueOf(s).Kind() == reflect.Pointer && reflect.ValueOf(s).IsNil():
		return nil, causaladapter.Invalid("store", "must not be nil")
	case o.Node != nil && o.Node.Storage() == nil:
		return nil, causaladapter.Invalid("node", "must come from OpenNode")
	case o.Node != nil && (!reflect.TypeOf(s).Comparable() || s != causal.EventStore(o.Node.Storage())):
		return nil, causaladapter.Invalid("store", "must be the store of the node")
	case o.Secret != nil && len(o.Secret) < minSecret:
		return nil, causaladapter.Invalid("secret", "must have at least 16 bytes")
	case o.MaxMessage == 0:
		r.options.MaxMessage = defaultMessage
	case o.MaxMessage < minMessage || o.MaxMessage > maxMessage:
		return nil, causaladapter.Invalid("max_message", "must be 4 KiB to 1 GiB")
	}
	if o.Secret == nil {
		r.options.Secret = make([]byte, minSecret)
		_, _ = rand.Read(r.options.Secret) // never fails
	} else {
		r.options.Secret = slices.Clone(o.Secret)
	}
	return r, nil
}

// begin returns an error if the replica was not created by New, or ctx is done.
func (r *Replica) begin(ctx context.Context) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	if r.store == nil {
		return causaladapter.Invalid("replica", "must come from New")
	}
	return nil
}

// ownSalt returns the salt for requests to this replica today.
func (r *Replica) ownSalt() salt {
	text := append([]byte("causal sync salt"), r.options.Secret...)
	day := r.now().UnixNano() / int64(saltLife)
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(day)))
	return salt(hash[:len(salt{})])
}

// peerOf returns the knowledge about a peer.
func (r *Replica) peerOf(name string) (p peer, isKnown bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, isKnown = r.peers[name]
	return p, isKnown
}

func (r *Replica) setPeer(name string, p peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other := range r.peers {
		if len(r.peers) < maxPeers {
			break
		}
		delete(r.peers, other)
	}
	r.peers[name] = p
}

// summaryKey identifies a summary.
type summaryKey struct {
	filter causal.Filter
	salt   salt
}

// keptSummary is a summary, updated by one call at a time.
type keptSummary struct {
	turn    chan struct{} // full during an update
	current atomic.Pointer[summary]

	bytes int // guarded by the replica, as is
	used  uint64
}

// summary returns a summary of the current content of the store.
func (r *Replica) summary(ctx context.Context, of summaryKey) (*summary, error) {
	kept := r.kept(of)
	defer r.weigh(of, kept)
	select {
	case kept.turn <- struct{}{}:
		defer func() { <-kept.turn }()
	case <-ctx.Done():
		return nil, causaladapter.CheckContext(ctx)
	}
	src, head, err := r.source(ctx) // read after waiting, so as not to be older than the summary
	if err != nil {
		return nil, err
	}
	m := kept.current.Load()
	if m != nil && m.source == src {
		m, err = m.advance(ctx, head)
	}
	if m == nil || m.source != src || errors.Is(err, causal.ErrInvalidCursor) || errors.Is(err, causal.ErrCursorAhead) { // the log has been replaced
		m, err = newSummary(ctx, src, of.filter, of.salt, head)
	}
	if err != nil {
		return nil, err
	}
	if kept.current.Store(m); m.count < smallSummary {
		kept.current.Store(nil)
	}
	return m, nil
}

// kept returns the kept summary, which may be new.
func (r *Replica) kept(of summaryKey) *keptSummary {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.summaries[of]
	if kept == nil {
		kept = &keptSummary{turn: make(chan struct{}, 1)}
		r.summaries[of] = kept
	}
	r.turn++
	kept.used = r.turn
	return kept
}

// weigh drops the least recently used summaries until there is room, and empty
// ones.
func (r *Replica) weigh(of summaryKey, kept *keptSummary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.summaries[of] != kept { // dropped in the meantime
		return
	}
	r.bytes -= kept.bytes
	kept.bytes = 0
	if m := kept.current.Load(); m != nil {
		kept.bytes = len(m.buckets)*bucketBytes + len(of.filter.AggregateID)
	} else if len(kept.turn) == 0 {
		delete(r.summaries, of)
	}
	r.bytes += kept.bytes
	for r.bytes > maxSummaryBytes {
		oldest := of
		for other, s := range r.summaries {
			if s.used < r.summaries[oldest].used {
				oldest = other
			}
		}
		r.bytes -= r.summaries[oldest].bytes
		delete(r.summaries, oldest)
		if oldest == of {
			return
		}
	}
}
