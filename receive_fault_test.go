package causal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// A stored event that cannot be decoded is a fault of the store.
func TestReceiveIntoDamagedStore(t *testing.T) {
	s := appends{fault: "is damaged"}
	n := openNode(t, "alice", &s)
	r, err := n.Receive(t.Context(), []causal.Event{from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2)}, nil)
	require.ErrorIs(t, err, causal.ErrStorage)
	require.Empty(t, r.Rejected)
}

// The cause of a done context does not affect events.
func TestReceiveCanceledWithCause(t *testing.T) {
	for _, cause := range []error{causal.ErrConcurrentSave, causal.ErrValidation, causal.ErrIDConflict, causal.ErrInvalidCursor} {
		var s appends
		n := openNode(t, "alice", &s)
		ctx, cancel := context.WithCancelCause(t.Context())
		s.hook = func() { cancel(cause) }
		r, err := n.Receive(ctx, []causal.Event{from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2)}, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, r.Rejected)
		s.hook = nil
		require.Equal(t, 2, receive(t, n, from(t, 1, "bob", 0, 1), from(t, 2, "bob", 1, 2)).Saved)
	}
}

// In any batches and order, and although the store fails, finally each good
// event is stored once, and Seen equals that of a node that reads the log.
func TestReceiveOnFaultyStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &appends{}
		n, err := causal.OpenNode(t.Context(), "alice", s, nodeOptions(func(o *causal.NodeOptions) { o.MaxJump = 1000 }))
		require.NoError(t, err)
		require.NoError(t, s.SaveEvent(t.Context(), from(t, 102, "carol", 0, 3)))
		var good, all []causal.Event
		clocks := map[string]int64{}
		for i := range rapid.IntRange(1, 15).Draw(t, "events") {
			node := rapid.SampledFrom([]string{"bob", "dave"}).Draw(t, "node")
			clock := clocks[node] + rapid.Int64Range(1, 3).Draw(t, "step")
			good = append(good, from(t, i, node, clocks[node], clock))
			clocks[node] = clock
		}
		for _, e := range badEvents(t) {
			all = append(all, e)
		}
		all = rapid.Permutation(append(all, good...)).Draw(t, "order")
		for len(all) > 0 {
			batch := all[:rapid.IntRange(1, len(all)).Draw(t, "batch")]
			s.fault = rapid.SampledFrom([]string{"", "", "fails", "fails after", "blames one", "blames another", "names nobody", "short", "beside"}).Draw(t, "fault")
			r, err := n.Receive(t.Context(), batch, nil)
			if s.fault = ""; err != nil {
				require.ErrorIs(t, err, causal.ErrStorage)
				continue
			}
			require.Equal(t, len(batch), r.Saved+r.Known+len(r.Rejected))
			if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
				require.NoError(t, n.Close())
				n, err = causal.OpenNode(t.Context(), "alice", s, nodeOptions(func(o *causal.NodeOptions) { o.MaxJump = 1000 }))
				require.NoError(t, err)
			}
			all = all[len(batch):]
		}
		r, err := n.RetryRejected(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(r.Rejected), 4)
		stored := map[causal.EventID]bool{}
		for _, e := range eventtest.LoadAll(t, s) {
			stored[e.ID()] = true
		}
		for _, e := range good {
			require.True(t, stored[e.ID()] || s.blamed[e.ID()], "%v", e)
		}
		last, err := n.Emit(t.Context(), note("A"))
		require.NoError(t, err)
		fresh, err := causal.OpenNode(t.Context(), "other", &s.MemStore, nodeOptions(func(o *causal.NodeOptions) { o.MaxJump = 1000 }))
		require.NoError(t, err)
		require.Equal(t, fresh.Seen().String(), n.Seen().String())
		require.Equal(t, last.LamportClock(), n.Seen().At("alice"))
	})
}

// appends is a store whose appends fail.
type appends struct {
	causal.MemStore
	hook   func()
	calls  int // of Append and FindEvent
	fault  string
	blamed map[causal.EventID]bool
	others int
}

func (s *appends) FindEvent(ctx context.Context, id causal.EventID) (causal.Event, error) {
	s.calls++
	return s.MemStore.FindEvent(ctx, id)
}

func (s *appends) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	s.calls++
	if s.hook != nil {
		s.hook()
		return causal.Appended{}, &causal.StorageError{Op: "append", Err: fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))}
	}
	switch s.fault {
	case "fails":
		return causal.Appended{}, errDisk
	case "is damaged":
		return causal.Appended{}, &causal.StorageError{Op: "append", Err: json.Unmarshal([]byte("{}"), new(causal.Event))}
	case "fails after":
		_, _ = s.MemStore.Append(ctx, events)
		return causal.Appended{}, errUnknown
	case "blames one", "blames another":
		for _, e := range events {
			if e.ID() == eventtest.ID(1) {
				err := &causal.ValidationError{Fields: []causal.FieldError{{Field: "event", Reason: "is not liked"}}}
				if s.fault == "blames one" {
					err.EventID = e.ID()
				}
				s.blamed = map[causal.EventID]bool{e.ID(): true}
				return causal.Appended{}, err
			}
		}
	case "names nobody":
		if len(events) > 1 {
			return causal.Appended{}, &causal.IDConflictError{IDs: []causal.EventID{eventtest.ID(500)}}
		}
	case "short":
		a, err := s.MemStore.Append(ctx, events)
		if len(a.New) > 0 {
			a.New = a.New[1:]
		}
		return a, err
	case "beside":
		s.others++
		p := eventtest.Params(1000 + s.others)
		p.NodeID, p.LamportClock = "erin", int64(s.others)
		e, err := causal.NewEvent(p)
		if err == nil {
			err = s.SaveEvent(ctx, e)
		}
		if err != nil {
			return causal.Appended{}, err
		}
	}
	return s.MemStore.Append(ctx, events)
}
