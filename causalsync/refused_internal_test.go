package causalsync

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// The ID of an event too large to send is no event to keep.
func TestLargeEventIsNotKept(t *testing.T) {
	ctx := t.Context()
	params := causal.EventParams{
		Type: "T", AggregateID: "A", NodeID: "n", LamportClock: 1, ProjectUUID: testEvent(t, 0).ProjectUUID(),
		Payload: map[string]string{"a": strings.Repeat("x", 6000)},
	}
	large, err := causal.NewEvent(params)
	require.NoError(t, err)
	var store, peerStore causal.MemStore
	require.NoError(t, peerStore.SaveEvent(ctx, large))
	node, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: large.ProjectUUID()})
	require.NoError(t, err)
	r, err := New(&store, &Options{Node: node, MaxMessage: 4096})
	require.NoError(t, err)
	peer, err := New(&peerStore, nil)
	require.NoError(t, err)
	for from, to := range map[*Replica]*Replica{r: peer, peer: r} {
		report, err := from.Sync(ctx, func(ctx context.Context, q []byte) ([]byte, error) { return to.Answer(ctx, "", causal.Filter{}, q) },
			&SyncOptions{Filter: causal.Filter{ProjectUUID: large.ProjectUUID()}})
		require.NoError(t, err)
		require.Equal(t, 1, report.RefusedCount)
		require.Equal(t, large.ID(), report.Refused[0].EventID)
		require.ErrorIs(t, report.Refused[0].Err, ErrTooLarge)
		require.Zero(t, report.Sent)
	}
	for rejected, err := range store.Rejected(ctx) {
		require.NoError(t, err)
		t.Errorf("kept: %+v", rejected)
	}
}

// An event of which only the ID was sent is not counted as sent, even if the
// peer does not refuse it.
func TestWithheldIsNotSent(t *testing.T) {
	_, r := testStore(t, 3)
	report, err := r.Sync(t.Context(), func(_ context.Context, text []byte) ([]byte, error) {
		q, err := decodeRequest(text)
		require.NoError(t, err)
		a := answer{hash: hashOf(text), done: end} // it takes only the smallest messages
		if q.salt == (salt{}) {
			a.kind, a.salt = answerSalt, salt{1}
			return a.encode(), nil
		}
		for i, of := range q.ranges {
			for j := range of.ids {
				a.wants = append(a.wants, want{uint64(i), uint64(j)})
			}
		}
		return a.encode(), nil
	}, nil)
	require.NoError(t, err)
	require.Zero(t, report.Sent)
	require.Equal(t, 3, report.RefusedCount)
}

// The last clock is refused with the reason, on both sides.
func TestOverflowIsRefused(t *testing.T) {
	ctx := t.Context()
	params := causal.EventParams{Type: "T", AggregateID: "A", NodeID: "n", LamportClock: math.MaxInt64, ProjectUUID: testEvent(t, 0).ProjectUUID()}
	last, err := causal.NewEvent(params)
	require.NoError(t, err)
	var store, peerStore causal.MemStore
	require.NoError(t, peerStore.SaveEvent(ctx, last))
	node, err := causal.OpenNode(ctx, "alice", &store, causal.NodeOptions{ProjectUUID: last.ProjectUUID(), MaxJump: -1})
	require.NoError(t, err)
	r, err := New(&store, &Options{Node: node})
	require.NoError(t, err)
	peer, err := New(&peerStore, nil)
	require.NoError(t, err)
	for from, to := range map[*Replica]*Replica{r: peer, peer: r} {
		report, err := from.Sync(ctx, func(ctx context.Context, q []byte) ([]byte, error) { return to.Answer(ctx, "", causal.Filter{}, q) },
			&SyncOptions{Filter: causal.Filter{ProjectUUID: last.ProjectUUID()}})
		require.NoError(t, err)
		require.Len(t, report.Refused, 1)
		if from == r {
			require.ErrorIs(t, report.Refused[0].Err, causal.ErrClockOverflow)
		} else {
			require.ErrorIs(t, report.Refused[0].Err, causal.ErrClockJump)
		}
	}
}

// A range of wanted events wants at least one.
func TestWantedIsNotEmpty(t *testing.T) {
	q := request{ranges: []rangeOf{{span: span{key{}, end}, mode: modeWanted}}}
	_, err := decodeRequest(q.encode())
	require.ErrorIs(t, err, ErrProtocol)
}
