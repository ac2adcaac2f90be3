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

// What a replica keeps in memory at most.
const (
	maxSummaryBytes = 64 << 20
	smallSummary    = 4096 // events; summaries of fewer are made when they are needed
	maxPeers        = 1000 // whose salt is known
)

// The sizes of a message.
const (
	defaultMessage = 1 << 20
	minMessage     = 4 << 10
	maxMessage     = 1 << 30
)

// saltLife is how long a salt is used: finding events with equal sums takes longer.
const saltLife = 24 * time.Hour

const minSecret = 16

// Options are the options of [New]. nil and the zero value mean the defaults.
type Options struct {
	// Node takes what is received, so that it knows of it, and keeps what it rejects. Only its project is synced, and
	// always all of it: a Filter that selects less is refused. The store given to New is that of the node. nil means
	// that events are stored as they come, and no clock moves.
	Node *causal.Node
	// Accept returns an error for an event that is not to be stored, such as one of an author that the peer does not
	// speak for. It is called for each event that is received, also for those that are stored already, by
	// several goroutines at a time. What it refuses is reported, and not kept; to those who get later events of
	// the same node it is a gap for ever, so refuse nodes rather than single events. nil accepts all.
	Accept func(peer string, e causal.Event) error
	// OnRefused is called with each event that was not taken, here or by the peer, in Sync and Answer, by several
	// goroutines at a time. nil means that only the Report of Sync has them.
	OnRefused func(peer string, r Refusal)
	// Secret gives the same salt to replicas that share it. Replicas that answer the same peers in turn, such as the
	// processes of a service, must share one. It has at least 16 random bytes. nil means that the replica makes one up.
	Secret []byte
	// MaxMessage is how many bytes a message may have, in both directions, 4 KiB to 1 GiB. Zero means 1 MiB. An
	// event that does not fit, with 1 KiB to spare, is not synced, and reported.
	MaxMessage int
}

// Replica syncs a store. Use [New]; the zero value refuses every call. It is safe for concurrent use: several
// Syncs and Answers may run at a time. It must not be copied. It keeps nothing in the store.
type Replica struct {
	store   causal.EventStore
	options Options

	now func() time.Time

	mu        sync.Mutex // guards what follows, and is held for moments
	summaries map[summaryKey]*keptSummary
	bytes     int // of the buckets in them
	turn      uint64
	mirror    *mirror // of a store whose keys cannot be read
	peers     map[string]peer
}

// peer is what is known of a peer from the Sync before.
type peer struct {
	salt       salt
	maxRequest int
}

// New returns a replica of a store: one that is a [causal.DigestReader], as those of this library are. Of any
// other the replica keeps a copy in memory, which it reads in at first and, if the store is a
// [causal.LogReader], then only what is new. It does the same if the store is one, but is open for reading only
// and has not all of its keys. A store that cannot be written gives events, and refuses those that it is sent.
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
		return nil, causaladapter.Invalid("store", "must be that of the node")
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

// begin returns an error if nothing can be done.
func (r *Replica) begin(ctx context.Context) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	if r.store == nil {
		return causaladapter.Invalid("replica", "must come from New")
	}
	return nil
}

// ownSalt returns the salt that others are to use today.
func (r *Replica) ownSalt() salt {
	text := append([]byte("causal sync salt"), r.options.Secret...)
	day := r.now().UnixNano() / int64(saltLife)
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(day)))
	return salt(hash[:len(salt{})])
}

// peerOf returns what is known of a peer.
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

// summaryKey is what a summary is of.
type summaryKey struct {
	filter causal.Filter
	salt   salt
}

// keptSummary is a summary that is brought up to date by one call at a time.
type keptSummary struct {
	turn    chan struct{} // full while somebody does
	current atomic.Pointer[summary]

	bytes int // guarded by the replica, as is
	used  uint64
}

// summary returns a summary of what the store holds now.
func (r *Replica) summary(ctx context.Context, of summaryKey) (*summary, error) {
	kept := r.kept(of)
	defer r.weigh(of, kept)
	select {
	case kept.turn <- struct{}{}:
		defer func() { <-kept.turn }()
	case <-ctx.Done():
		return nil, causaladapter.CheckContext(ctx)
	}
	src, head, err := r.source(ctx) // after those before, so that it is not behind them
	if err != nil {
		return nil, err
	}
	m := kept.current.Load()
	if m != nil && m.source == src {
		m, err = m.advance(ctx, head)
	}
	if m == nil || m.source != src || errors.Is(err, causal.ErrInvalidCursor) || errors.Is(err, causal.ErrCursorAhead) { // another log
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

// kept returns the place of a summary.
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

// weigh drops what was not used for the longest time, until the summaries have room, and what is empty.
func (r *Replica) weigh(of summaryKey, kept *keptSummary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.summaries[of] != kept { // was dropped meanwhile
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
