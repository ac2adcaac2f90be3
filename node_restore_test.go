package causal_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const aliceCheckpoint = "causal/node/" + eventtest.ProjectUUID + "/alice"

// restore returns a store with the first entries of another one and all of its
// checkpoints, like a backup with a new log ID.
func restore(t testing.TB, s *causal.MemStore, entries int) *causal.MemStore {
	var restored causal.MemStore
	for _, entry := range eventtest.ReadLog(t, s, causal.Cursor{})[:entries] {
		require.NoError(t, restored.SaveEvent(t.Context(), entry.Event))
	}
	for name, err := range s.Checkpoints(t.Context()) {
		require.NoError(t, err)
		c, err := s.LoadCheckpoint(t.Context(), name)
		require.NoError(t, err)
		head, err := restored.Head(t.Context())
		require.NoError(t, err)
		if c.Cursor.Position() == 0 {
			head = causal.NewCursor(head.LogID(), 0, [8]byte{})
		}
		_, err = restored.SaveCheckpoint(t.Context(), name, causal.Checkpoint{Cursor: head, State: c.State})
		require.NoError(t, err)
	}
	return &restored
}

func TestOpenNodeOnRestoredStore(t *testing.T) {
	for name, entries := range map[string]int{"with some of its events": 2, "with none": 0} {
		t.Run(name, func(t *testing.T) {
			var s, peer causal.MemStore
			n := openNode(t, "alice", &s)
			bob := openNode(t, "bob", &peer)
			for range 4 {
				receive(t, bob, emit(t, n, note("A")))
			}
			restored := restore(t, &s, entries)
			_, err := causal.OpenNode(t.Context(), "alice", restored, nodeOptions())
			require.ErrorIs(t, err, causal.ErrRestored)
			require.ErrorIs(t, err, causal.ErrRestored, "each time")

			fresh := openNode(t, "alice 2", restored)
			receive(t, fresh, eventtest.LoadAll(t, &peer)...)
			again, err := causal.OpenNode(t.Context(), "alice", restored, nodeOptions(func(o *causal.NodeOptions) { o.AfterRestore = true }))
			require.NoError(t, err)
			e := emit(t, again, note("A"))
			require.EqualValues(t, 5, e.LamportClock())
			require.EqualValues(t, 4, e.PreviousClock())
			require.Empty(t, receive(t, bob, e).Forks)
			_, err = causal.OpenNode(t.Context(), "alice", restored, nodeOptions())
			require.NoError(t, err, "that is settled")
		})
	}
}

// A checkpoint that cannot be decoded, or belongs to a log that does not exist,
// is ignored, except for what it says about the log.
func TestOpenNodeWithOtherCheckpoints(t *testing.T) {
	var other causal.MemStore
	require.NoError(t, other.SaveEvents(t.Context(), eventtest.NewRange(t, 0, 3)))
	foreign, err := other.Head(t.Context())
	require.NoError(t, err)
	for name, damage := range map[string]func(*causal.Checkpoint){
		"no JSON":               func(c *causal.Checkpoint) { c.State = []byte("{") },
		"nothing":               func(c *causal.Checkpoint) { c.State = nil },
		"no nodes":              func(c *causal.Checkpoint) { c.State = []byte(`{"Log":"AAAAAAAAAAAAAAAAAAAAAA=="}`) },
		"another log":           func(c *causal.Checkpoint) { c.State = []byte(`{"Log":"AAAAAAAAAAAAAAAAAAAAAA==","Nodes":{}}`) },
		"a cursor of another":   func(c *causal.Checkpoint) { c.Cursor = foreign },
		"a cursor that is gone": func(c *causal.Checkpoint) { c.Cursor = c.Cursor.Next(eventtest.ID(1)) },
	} {
		var s causal.MemStore
		n := openNode(t, "alice", &s)
		emit(t, n, note("A"))
		require.NoError(t, n.Close())
		c, err := s.LoadCheckpoint(t.Context(), aliceCheckpoint)
		require.NoError(t, err)
		damage(&c)
		_, err = s.SaveCheckpoint(t.Context(), aliceCheckpoint, c)
		require.NoError(t, err)
		_, err = causal.OpenNode(t.Context(), "alice", &s, nodeOptions())
		require.ErrorIs(t, err, causal.ErrRestored, name)
		n = openNode(t, "alice", &s, func(o *causal.NodeOptions) { o.AfterRestore = true })
		require.EqualValues(t, 2, emit(t, n, note("A")).LamportClock(), name)
	}
}

// Checkpoints of a node are written from time to time, unless too many events
// wait. Then the log is read from an older one.
func TestNodeCheckpoints(t *testing.T) {
	var s causal.MemStore
	n := openNode(t, "alice", &s)
	c, err := s.LoadCheckpoint(t.Context(), aliceCheckpoint)
	require.NoError(t, err)
	require.EqualValues(t, 1, c.Revision, "it is there before the first event")
	var events []causal.Event
	for i := range 5000 {
		events = append(events, from(t, i, "bob", int64(2*i), int64(2*i+2)))
	}
	receive(t, n, events...)
	c, err = s.LoadCheckpoint(t.Context(), aliceCheckpoint)
	require.NoError(t, err)
	require.EqualValues(t, 5000, c.Cursor.Position())
	events = events[:0]
	for i := range 10_001 {
		events = append(events, from(t, 10_000+i, "carol", int64(2*i+1), int64(2*i+2)))
	}
	receive(t, n, events...)
	require.NoError(t, n.Close())
	c, err = s.LoadCheckpoint(t.Context(), aliceCheckpoint)
	require.NoError(t, err)
	require.EqualValues(t, 5000, c.Cursor.Position(), "it stays before what waits")
	n = openNode(t, "alice", &s)
	require.Equal(t, `{"bob":10000}`, n.Seen().String())
	receive(t, n, from(t, 90_000, "carol", 0, 1), from(t, 90_001, "carol", 2, 3))
	require.EqualValues(t, 4, n.Seen().At("carol"))
}

// A log with too many holes for a checkpoint is read in constant time for each
// entry, and a restored store with one works nevertheless.
func TestNodeOfManyHoles(t *testing.T) {
	defer causal.SetReadingEvery(20_000)()
	var s causal.MemStore
	var events []causal.Event
	for i := range 10_100 {
		events = append(events, from(t, i, fmt.Sprint("node", i), 1, 2))
	}
	for i := range 15_000 {
		events = append(events, from(t, 20_000+i, "bob", int64(i), int64(i+1)))
	}
	require.NoError(t, s.SaveEvents(t.Context(), events))
	writes := &countedCheckpoints{MemStore: restore(t, &s, len(events))}
	n := openNode(t, "alice", writes)
	require.NoError(t, n.Close())
	require.LessOrEqual(t, writes.count, 3)
	again := restore(t, writes.MemStore, len(events))
	_, err := causal.OpenNode(t.Context(), "alice", again, nodeOptions())
	require.ErrorIs(t, err, causal.ErrRestored)
	for _, after := range []bool{true, false} {
		openNode(t, "alice", again, func(o *causal.NodeOptions) { o.AfterRestore = after })
	}
}

// countedCheckpoints counts saved checkpoints.
type countedCheckpoints struct {
	*causal.MemStore
	count int
}

func (s *countedCheckpoints) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	s.count++
	return s.MemStore.SaveCheckpoint(ctx, name, c)
}

// A store whose log was replaced under a node gets no checkpoint of the old
// one, and an existing one is not mistaken for that of another process.
func TestCheckpointOfAnotherLog(t *testing.T) {
	s := &swapped{MemStore: &causal.MemStore{}}
	old, err := causal.OpenNode(t.Context(), "alice", s, nodeOptions())
	require.NoError(t, err)
	emit(t, old, note("A"))
	s.MemStore = &causal.MemStore{}
	n := openNode(t, "alice", s)
	emit(t, n, note("A"))
	require.ErrorIs(t, old.Close(), causal.ErrInvalidCursor)
	require.NoError(t, n.Close())
	n = openNode(t, "alice", s)
	emit(t, n, note("A"))
	c, err := s.LoadCheckpoint(t.Context(), aliceCheckpoint)
	require.NoError(t, err)
	c.State = []byte(`{"Log":"AAAAAAAAAAAAAAAAAAAAAA==","Nodes":{}}`)
	_, err = s.SaveCheckpoint(t.Context(), aliceCheckpoint, c)
	require.NoError(t, err)
	require.NoError(t, n.Close())
	openNode(t, "alice", s)
}

// swapped is a store whose content can be replaced.
type swapped struct{ *causal.MemStore }

// noCheckpoints is a store that keeps neither checkpoints nor clocks while err
// is set.
type noCheckpoints struct {
	causal.MemStore
	err error
}

func (s *noCheckpoints) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.MemStore.SaveCheckpoint(ctx, name, c)
}

func (s *noCheckpoints) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.MemStore.AdvanceClock(ctx, nodeID, floor, by)
}

// A node whose store cannot keep checkpoints, or its clock, still emits, and
// reports this when it is closed.
func TestNodeWithoutCheckpoints(t *testing.T) {
	s := &noCheckpoints{}
	n, err := causal.OpenNode(t.Context(), "alice", s, nodeOptions())
	require.NoError(t, err)
	s.err = errDisk
	for range 5000 {
		emit(t, n, note("A"))
	}
	require.ErrorIs(t, n.Close(), errDisk)
	s.err = nil
	n = openNode(t, "alice", s)
	require.EqualValues(t, 5001, emit(t, n, note("A")).LamportClock())
	s.err = errDisk
	_, err = causal.OpenNode(t.Context(), "bob", s, nodeOptions())
	require.ErrorIs(t, err, errDisk, "whose backups could not be told")
	s.err = nil
}
