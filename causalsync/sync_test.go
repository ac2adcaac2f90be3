package causalsync_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

// Two stores with any parts of a set of events have all of them after a Sync,
// with messages of any size, and each event is sent once.
func TestSyncIsUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 31, 32, 33, 100, 600, 2000}).Draw(t, "events")
		perClock := rapid.SampledFrom([]int{1, 3, 50, 5000}).Draw(t, "events of one clock")
		share := func(name string) int { return rapid.SampledFrom([]int{0, 1, 50, 98, 100}).Draw(t, name) }
		here, there := share("per cent here"), share("per cent there")
		isClustered := rapid.Bool().Draw(t, "the first ones are missing")
		var a, b []causal.Event
		both := 0
		for i := range n {
			e := newEvent(t, i, func(p *causal.EventParams) { p.LamportClock = int64(i / perClock) })
			at := i * 37 % 100
			if isClustered {
				at = i * 100 / n
			}
			if at < here {
				a = append(a, e)
			}
			if at >= 100-there || at*7%100 < there/2 {
				b = append(b, e)
			}
			if at < here && (at >= 100-there || at*7%100 < there/2) {
				both++
			}
		}
		sa, sb := memStore(t, a), memStore(t, b)
		ra, rb := newReplica(t, sa, nil), newReplica(t, sb, nil)
		sizes := rapid.SampledFrom([]int{1500, 2000, 5000, 64 << 10, 1 << 20})
		ra.SetMaxMessage(sizes.Draw(t, "message"))
		rb.SetMaxMessage(sizes.Draw(t, "message there"))
		report := sync(t, ra, direct(rb), nil)
		requireEqual(t, sa, sb)
		require.Equal(t, len(b)-both, report.Received)
		require.Equal(t, len(a)-both, report.Sent)
		require.Zero(t, report.RefusedCount)
		again := sync(t, ra, direct(rb), nil)
		require.Equal(t, causalsync.Report{Trips: again.Trips, BytesIn: again.BytesIn, BytesOut: again.BytesOut}, again)
	})
}

// The cost of a few missing events among a million, apart from the events:
// trips, including the one for the salt, and bytes. The common part of both
// sides consists only of keys.
func TestSyncCost(t *testing.T) {
	keys := adaptertest.NewKeys(1_000_000)
	for _, missing := range []struct {
		here, there, maxTrips int
		maxBytes              int64
	}{{0, 0, 2, 1 << 10}, {1, 0, 4, 3000}, {0, 1, 4, 3000}, {1, 1, 5, 3000}, {10, 0, 4, 20_000}} {
		t.Run(fmt.Sprint(missing), func(t *testing.T) {
			a, b := &adaptertest.KeyStore{Keys: keys}, &adaptertest.KeyStore{Keys: keys}
			for i := range max(missing.here, missing.there) {
				at := func(p *causal.EventParams) { p.LamportClock = int64((2*i + 1) * len(keys) / 70) }
				if i < missing.here {
					require.NoError(t, b.SaveEvent(t.Context(), newEvent(t, i, at)))
				}
				if i < missing.there {
					require.NoError(t, a.SaveEvent(t.Context(), newEvent(t, 1000+i, at)))
				}
			}
			size := int64(len(must(newEvent(t, 0).MarshalJSON()))) + 5
			ra, rb := newReplica(t, a, nil), newReplica(t, b, nil)
			report := sync(t, ra, direct(rb), nil)
			require.Equal(t, missing.here, report.Received)
			require.Equal(t, missing.there, report.Sent)
			bytes := report.BytesIn + report.BytesOut - size*int64(report.Received+report.Sent)
			t.Logf("%d trips, %d bytes", report.Trips, bytes)
			require.LessOrEqual(t, report.Trips, missing.maxTrips)
			require.LessOrEqual(t, bytes, missing.maxBytes)

			report = sync(t, ra, direct(rb), nil)
			require.Equal(t, 1, report.Trips, "equal stores")
			require.LessOrEqual(t, report.BytesIn+report.BytesOut, int64(1<<10))
			require.NoError(t, b.SaveEvent(t.Context(), newEvent(t, 5000)))
			report = sync(t, ra, direct(rb), nil)
			require.LessOrEqual(t, report.Trips, 3, "with a salt that is known")
			require.Equal(t, 1, report.Received)
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSyncArguments(t *testing.T) {
	ctx := t.Context()
	r := newReplica(t, memStore(t), nil)
	node, err := causal.OpenNode(ctx, "alice", memStore(t), causal.NodeOptions{ProjectUUID: project})
	require.NoError(t, err)
	withNode := newReplica(t, node.Storage(), &causalsync.Options{Node: node})
	var zero *causal.MemStore
	syncWith := func(r *causalsync.Replica, e causalsync.Exchange, o *causalsync.SyncOptions) error {
		_, err := r.Sync(ctx, e, o)
		return err
	}
	newWith := func(s causal.EventStore, o *causalsync.Options) error {
		_, err := causalsync.New(s, o)
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Sync(ended, direct(r), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Answer(ended, "", causal.Filter{}, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, noContext := r.Sync(nil, direct(r), nil) //nolint:staticcheck // the nil context is tested
	_, noFilter := r.Answer(ctx, "", causal.Filter{MinTier: 5}, nil)
	_, noNode := (&causalsync.Replica{}).Answer(ctx, "", causal.Filter{}, nil)
	for want, err := range map[string]error{
		"store must not be nil":                                        newWith(nil, nil),
		"store must not be nil ":                                       newWith(zero, nil),
		"store must be the store of the node":                          newWith(memStore(t), &causalsync.Options{Node: node}),
		"node must come from OpenNode":                                 newWith(memStore(t), &causalsync.Options{Node: &causal.Node{}}),
		"max_message must be 4 KiB to 1 GiB":                           newWith(memStore(t), &causalsync.Options{MaxMessage: 1000}),
		"replica must come from New":                                   syncWith(&causalsync.Replica{}, direct(r), nil),
		"replica must come from New ":                                  noNode,
		"ctx must not be nil":                                          noContext,
		"exchange must not be nil":                                     syncWith(r, nil, nil),
		"max_events must not be negative":                              syncWith(r, direct(r), &causalsync.SyncOptions{MaxEvents: -1}),
		"aggregate_id must be valid UTF-8":                             syncWith(r, direct(r), &causalsync.SyncOptions{Filter: causal.Filter{AggregateID: "\xff"}}),
		"min_tier must be 0 to 4":                                      noFilter,
		"filter must select the project of the node, or be zero":       syncWith(withNode, direct(r), &causalsync.SyncOptions{Filter: causal.Filter{MinTier: 1}}),
		"filter must select the project of the node, or be zero ":      syncWith(withNode, direct(r), &causalsync.SyncOptions{Filter: causal.Filter{AggregateID: "A"}}),
		"filter must select the project of the node, or be zero (not)": syncWith(withNode, direct(r), &causalsync.SyncOptions{Filter: causal.Filter{ProjectUUID: "aaaaaaaa-1234-5678-1234-567812345678"}}),
	} {
		require.ErrorIs(t, err, causal.ErrValidation, want)
		require.Contains(t, want, err.Error()[len("causal: validation failed: "):])
	}
}
