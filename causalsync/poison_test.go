package causalsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	gosync "sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
)

// told collects the arguments of OnRefused.
type told struct {
	mu  gosync.Mutex
	all []string
}

func (t *told) add(peer string, r causalsync.Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, fmt.Sprintf("%s %s %v %v", peer, r.EventID[len(r.EventID)-2:], r.ByPeer, errors.Is(r.Err, causal.ErrIDConflict)))
}

func (t *told) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.all
	t.all = nil
	return all
}

func withPayload(payload string) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.Payload = json.RawMessage(payload) }
}

// Different events with the same ID are reported on both sides, in each Sync,
// and stay where they are; all others are exchanged.
func TestConflictIsReported(t *testing.T) {
	ctx := t.Context()
	for _, sides := range []string{"stores", "nodes"} {
		t.Run(sides, func(t *testing.T) {
			a := memStore(t, newEvents(t, 0, 40), []causal.Event{newEvent(t, 70, withPayload(`{"here":1}`))})
			b := memStore(t, newEvents(t, 20, 60), []causal.Event{newEvent(t, 70, withPayload(`{"there":1}`))})
			var here, there told
			optionsA, optionsB := &causalsync.Options{OnRefused: here.add}, &causalsync.Options{OnRefused: there.add}
			if sides == "nodes" {
				var err error
				optionsA.Node, err = causal.OpenNode(ctx, "alice", a, causal.NodeOptions{ProjectUUID: project})
				require.NoError(t, err)
				optionsB.Node, err = causal.OpenNode(ctx, "bob", b, causal.NodeOptions{ProjectUUID: project})
				require.NoError(t, err)
			}
			ra, rb := newReplica(t, a, optionsA), newReplica(t, b, optionsB)
			for range 2 {
				report := sync(t, ra, direct(rb), &causalsync.SyncOptions{Peer: "hub"})
				require.Equal(t, 2, report.RefusedCount)
				for _, r := range report.Refused {
					require.Equal(t, newEvent(t, 70).ID(), r.EventID)
					require.ErrorIs(t, r.Err, causal.ErrIDConflict)
				}
				require.NotEqual(t, report.Refused[0].ByPeer, report.Refused[1].ByPeer)
				require.ElementsMatch(t, []string{"hub 70 false true", "hub 70 true true"}, here.take())
				require.Equal(t, []string{"initiator 70 false true"}, there.take())
			}
			for _, s := range []*causal.MemStore{a, b} {
				all, err := causal.LoadAll(ctx, s)
				require.NoError(t, err)
				require.Len(t, all, 61)
			}
			e, err := a.FindEvent(ctx, newEvent(t, 70).ID())
			require.NoError(t, err)
			require.JSONEq(t, `{"here":1}`, string(e.Payload()))
			if sides == "nodes" {
				for kept, err := range b.Rejected(ctx) {
					require.NoError(t, err)
					require.Equal(t, "initiator", kept.Source)
					require.Contains(t, string(kept.Data), "here")
				}
			}
		})
	}
}

// An event that is too far ahead is refused for now, by the node alone, and
// accepted once its clock has advanced.
func TestClockJumpIsTakenLater(t *testing.T) {
	ctx := t.Context()
	far := newEvent(t, 90, func(p *causal.EventParams) { p.LamportClock = 5000 })
	a, b := memStore(t, newEvents(t, 0, 50)), memStore(t, newEvents(t, 20, 80), []causal.Event{far})
	node, err := causal.OpenNode(ctx, "alice", a, causal.NodeOptions{ProjectUUID: project, MaxJump: 1000})
	require.NoError(t, err)
	ra, rb := newReplica(t, a, &causalsync.Options{Node: node}), newReplica(t, b, nil)
	report := sync(t, ra, direct(rb), nil)
	require.Equal(t, project, report.Filter.ProjectUUID)
	require.Equal(t, 30, report.Received)
	require.Len(t, report.Refused, 1)
	require.ErrorIs(t, report.Refused[0].Err, causal.ErrClockJump)
	require.Equal(t, far.ID(), report.Refused[0].EventID)
	require.NoError(t, b.SaveEvents(ctx, []causal.Event{
		newEvent(t, 100, func(p *causal.EventParams) { p.LamportClock = 4100 }), newEvent(t, 101, func(p *causal.EventParams) { p.LamportClock = 900 }),
		newEvent(t, 102, func(p *causal.EventParams) { p.LamportClock = 1800 }), newEvent(t, 103, func(p *causal.EventParams) { p.LamportClock = 2700 }),
		newEvent(t, 104, func(p *causal.EventParams) { p.LamportClock = 3500 }),
	}))
	report = sync(t, ra, direct(rb), nil)
	require.Zero(t, report.RefusedCount)
	requireEqual(t, a, b)
	require.Equal(t, node.Seen().At("node2"), int64(3500), "the node knows of them")
}

func TestAccept(t *testing.T) {
	secret := errors.New("the author, Alice, may not")
	accept := func(peer string, e causal.Event) error {
		if e.NodeID() == "node1" && peer != "" {
			return secret
		}
		return nil
	}
	a, b := memStore(t, newEvents(t, 0, 60)), memStore(t, newEvents(t, 30, 90))
	ra, rb := newReplica(t, a, &causalsync.Options{Accept: accept}), newReplica(t, b, &causalsync.Options{Accept: accept})
	report := sync(t, ra, direct(rb), &causalsync.SyncOptions{Peer: "hub"})
	require.Equal(t, 20, report.Received)
	require.Equal(t, 20, report.Sent)
	require.Equal(t, 20, report.RefusedCount)
	byPeer := 0
	for _, r := range report.Refused {
		require.ErrorIs(t, r.Err, causalsync.ErrNotAllowed)
		require.NotContains(t, r.Err.Error(), "Alice")
		require.Equal(t, !r.ByPeer, errors.Is(r.Err, secret))
		if r.ByPeer {
			byPeer++
		}
	}
	require.Equal(t, 10, byPeer)
}

// Each side sees and stores only what the other allows.
func TestFilters(t *testing.T) {
	ctx := t.Context()
	const other = "aaaaaaaa-1234-5678-1234-567812345678"
	var all []causal.Event
	for i := range 300 {
		all = append(all, newEvent(t, i, func(p *causal.EventParams) {
			if p.DataTier = i % 5; i%3 == 0 {
				p.ProjectUUID = other
			}
		}))
	}
	for i, test := range []struct{ asked, allowed, want causal.Filter }{
		{},
		{asked: causal.Filter{ProjectUUID: project}, want: causal.Filter{ProjectUUID: project}},
		{asked: causal.Filter{ProjectUUID: strings.ToUpper(other)}, want: causal.Filter{ProjectUUID: other}},
		{allowed: causal.Filter{ProjectUUID: strings.ToUpper(other)}, want: causal.Filter{ProjectUUID: other}},
		{
			asked: causal.Filter{ProjectUUID: project, MinTier: 1}, allowed: causal.Filter{AggregateID: "A3", MinTier: 2},
			want: causal.Filter{ProjectUUID: project, AggregateID: "A3", MinTier: 2},
		},
		{asked: causal.Filter{AggregateID: "A3"}, allowed: causal.Filter{AggregateID: "A3"}, want: causal.Filter{AggregateID: "A3"}},
	} {
		a, b := memStore(t, all[:200]), memStore(t, all[100:])
		ra, rb := newReplica(t, a, nil), newReplica(t, b, nil)
		exchange := func(ctx context.Context, request []byte) ([]byte, error) {
			return rb.Answer(ctx, "a", test.allowed, request)
		}
		report := sync(t, ra, exchange, &causalsync.SyncOptions{Filter: test.asked})
		require.Equal(t, test.want, report.Filter, i)
		for _, s := range []*causal.MemStore{a, b} {
			for j, e := range all {
				found, err := s.FindEvent(ctx, e.ID())
				require.NoError(t, err)
				had := s == a && j < 200 || s == b && j >= 100
				require.Equal(t, had || test.want.Matches(e), !found.IsZero(), "%d: event %d", i, j)
			}
		}
	}
	ra, rb := newReplica(t, memStore(t, all), nil), newReplica(t, memStore(t), nil)
	exchange := func(ctx context.Context, request []byte) ([]byte, error) {
		return rb.Answer(ctx, "a", causal.Filter{ProjectUUID: other}, request)
	}
	_, err := ra.Sync(ctx, exchange, &causalsync.SyncOptions{Filter: causal.Filter{ProjectUUID: project}})
	var refused *causalsync.RefusedError
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, err, causalsync.ErrRefused)
	require.Equal(t, uint64(2), refused.Code)
}

// A node needs its whole project, so there is no Sync if the peer allows less.
// A request to a node gets its project.
func TestNodeFilters(t *testing.T) {
	ctx := t.Context()
	store := memStore(t, newEvents(t, 0, 10))
	node, err := causal.OpenNode(ctx, "alice", store, causal.NodeOptions{ProjectUUID: project})
	require.NoError(t, err)
	withNode := newReplica(t, store, &causalsync.Options{Node: node})
	plain := newReplica(t, memStore(t, newEvents(t, 5, 20)), nil)
	_, err = withNode.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return plain.Answer(ctx, "alice", causal.Filter{MinTier: 1}, request)
	}, nil)
	require.ErrorIs(t, err, causalsync.ErrRefused)
	report := sync(t, plain, direct(withNode), nil)
	require.Equal(t, causal.Filter{ProjectUUID: project}, report.Filter)
	require.Equal(t, 5, report.Received)
	require.Equal(t, 10, report.Sent)
	require.Equal(t, int64(6), node.Seen().At("node0"))
}

// An event larger than a message is left out, both sides report it, and the
// others are exchanged.
func TestLargeEvents(t *testing.T) {
	large := func(n int) causal.Event {
		return newEvent(t, n, withPayload(`{"x":"`+strings.Repeat("x", 70<<10)+`"}`))
	}
	a := memStore(t, newEvents(t, 0, 300), []causal.Event{large(500), large(501)})
	b := memStore(t, newEvents(t, 200, 400), []causal.Event{large(500), large(502), large(503)})
	var there told
	ra := newReplica(t, a, &causalsync.Options{MaxMessage: 64 << 10})
	rb := newReplica(t, b, &causalsync.Options{OnRefused: there.add})
	for range 2 {
		report := sync(t, ra, direct(rb), nil)
		var ids []string
		for _, r := range report.Refused {
			require.ErrorIs(t, r.Err, causalsync.ErrTooLarge)
			ids = append(ids, fmt.Sprint(r.EventID[len(r.EventID)-3:], r.ByPeer))
		}
		require.ElementsMatch(t, []string{"501false", "502true", "503true"}, ids)
		require.ElementsMatch(t, []string{"initiator 01 true false", "initiator 02 false false", "initiator 03 false false"}, there.take())
	}
	report := sync(t, newReplica(t, a, nil), direct(rb), nil)
	require.Zero(t, report.RefusedCount)
	require.Equal(t, 2, report.Received)
	requireEqual(t, a, b)
}

// damagedStore has a stored event that cannot be decoded.
type damagedStore struct{ *causal.MemStore }

func (damagedStore) Append(context.Context, []causal.Event) (causal.Appended, error) {
	return causal.Appended{}, &causal.StorageError{Op: "append", Err: new(causal.Event).UnmarshalJSON([]byte("{}"))}
}

// A fault of the store is not blamed on received events.
func TestDamagedStore(t *testing.T) {
	r := newReplica(t, damagedStore{memStore(t)}, nil)
	report, err := r.Sync(t.Context(), direct(newReplica(t, memStore(t, newEvents(t, 0, 3)), nil)), nil)
	require.ErrorIs(t, err, causal.ErrStorage)
	require.Zero(t, report.RefusedCount)
}

// logStore is a store with arrival order and no other capability.
type logStore struct {
	causal.EventStore
	causal.LogReader
}

// Other stores can be synced, too, whatever their capabilities.
func TestStoresWithoutDigests(t *testing.T) {
	for name, of := range map[string]func(s *causal.MemStore) causal.EventStore{
		"events": func(s *causal.MemStore) causal.EventStore { return struct{ causal.EventStore }{s} },
		"log":    func(s *causal.MemStore) causal.EventStore { return logStore{s, s} },
		"read only": func(s *causal.MemStore) causal.EventStore {
			return unsupported{s}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := memStore(t, newEvents(t, 0, 5000)), memStore(t, newEvents(t, 100, 5100))
			ra, rb := newReplica(t, of(a), nil), newReplica(t, of(b), nil)
			for n := range 3 {
				report := sync(t, ra, direct(rb), nil)
				require.Positive(t, report.Received+report.Sent)
				requireEqual(t, a, b)
				require.NoError(t, a.SaveEvent(t.Context(), newEvent(t, 6000+n)))
				require.NoError(t, b.SaveEvent(t.Context(), newEvent(t, 7000+n)))
			}
			conflict := newEvent(t, 7002, withPayload(`{"other":1}`))
			require.NoError(t, a.SaveEvent(t.Context(), conflict))
			report := sync(t, ra, direct(rb), nil)
			require.Equal(t, 2, report.RefusedCount)
		})
	}
}

// unsupported is a store that cannot compute keys.
type unsupported struct{ *causal.MemStore }

func (u unsupported) ReadDigestLog(context.Context, causal.Filter, causal.Cursor, causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	return func(yield func(causal.SyncKey, error) bool) {
		yield(causal.SyncKey{}, &causal.StorageError{Op: "read digest log", Err: errors.ErrUnsupported})
	}
}
