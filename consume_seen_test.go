package causal_test

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Seen belongs to one project and the log up to the batch, even after a
// restart, for a name that starts at the head and for one that starts over. It
// is loaded from a checkpoint, not computed from the beginning.
func TestConsumeSeen(t *testing.T) {
	const count = 6000
	s := &causal.MemStore{}
	for n := range count {
		e := eventtest.New(t, n, func(p *causal.EventParams) {
			p.NodeID, p.LamportClock = "a", int64(n+1)
			if n%2 == 1 {
				p.NodeID = "b"
			}
			if n%3 == 2 {
				p.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678"
			}
			if n%2 == 0 && n%3 != 2 { // of a, stamped
				p.Parents, p.PreviousClock = []causal.EventID{}, int64(previousOf(n))
			}
		})
		require.NoError(t, s.SaveEvent(t.Context(), e))
	}
	project := eventtest.Params(0).ProjectUUID
	reads := 0
	counted := brokenLog{s, func(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
		return func(yield func(causal.LogEntry, error) bool) {
			for entry, err := range s.ReadLog(ctx, after) {
				reads++
				if !yield(entry, err) {
					return
				}
			}
		}
	}}
	run := func(name string, until uint64, o causal.ConsumeOptions) {
		ctx, cancel := context.WithCancel(t.Context())
		o.SeenOf = strings.ToUpper(project)
		err := causal.Consume(ctx, counted, name, func(_ context.Context, b *causal.Batch) error {
			last := b.Entries[len(b.Entries)-1].Cursor.Position()
			want := map[string]int64{}
			for n := range int(last) {
				if n%3 != 2 {
					want[[]string{"a", "b"}[n%2]] = int64(n + 1)
				}
			}
			expected, err := causal.NewVectorClock(want)
			require.NoError(t, err)
			require.Equal(t, causal.OrderSame, expected.Compare(b.Seen), "%v, want %v", b.Seen, expected)
			if last >= until {
				cancel()
			}
			return nil
		}, &o)
		require.ErrorIs(t, err, context.Canceled)
	}
	run("p", 5000, causal.ConsumeOptions{})
	reads = 0
	run("p", count, causal.ConsumeOptions{})
	require.Less(t, reads, 2100, "the log is not read from its beginning")
	c, err := s.LoadCheckpoint(t.Context(), "p")
	require.NoError(t, err)
	_, err = s.SaveCheckpoint(t.Context(), "p", causal.Checkpoint{Revision: c.Revision})
	require.NoError(t, err)
	run("p", count, causal.ConsumeOptions{BatchSize: 700})

	time.AfterFunc(10*time.Millisecond, func() {
		_ = s.SaveEvent(t.Context(), eventtest.New(t, count, func(p *causal.EventParams) { p.NodeID, p.LamportClock = "a", count+1 }))
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = causal.Consume(ctx, s, "head", func(_ context.Context, b *causal.Batch) error {
		require.Equal(t, int64(previousOf(count)), b.Seen.At("a"), "a plain event after stamped ones is not seen")
		require.Equal(t, int64(count-2), b.Seen.At("b"))
		cancel()
		return nil
	}, &causal.ConsumeOptions{FromHead: true, SeenOf: project})
	require.ErrorIs(t, err, context.Canceled)
	names := bytes.Buffer{}
	for name, err := range s.Checkpoints(t.Context()) {
		require.NoError(t, err)
		names.WriteString(name + " ")
	}
	require.Equal(t, "causal/seen/"+project+"/head causal/seen/"+project+"/p head p ", names.String())
}

// previousOf returns the clock of the event of node a before the n-th.
func previousOf(n int) int {
	for n -= 2; n >= 0; n -= 2 {
		if n%3 != 2 {
			return n + 1
		}
	}
	return 0
}

// A stored Seen is discarded if it belongs to other entries, or cannot be
// decoded.
func TestConsumeSeenOfAnotherLog(t *testing.T) {
	project := eventtest.Params(0).ProjectUUID
	s, other := newMemStore(t, 20), newMemStore(t, 30)
	name := "causal/seen/" + project + "/p"
	at := func(s causal.LogReader, n int) causal.Cursor {
		return eventtest.ReadLog(t, s, causal.Cursor{})[n-1].Cursor
	}
	_, err := s.SaveCheckpoint(t.Context(), "p", causal.Checkpoint{Cursor: at(s, 10)})
	require.NoError(t, err)
	forged := causal.NewCursor(at(s, 10).LogID(), 10, [8]byte{1})
	earlier := causal.NewCursor(at(s, 10).LogID(), 5, [8]byte{1})
	for _, stored := range []causal.Checkpoint{
		{Cursor: forged}, {Cursor: earlier}, {Cursor: at(other, 10)}, {Cursor: at(other, 5)}, {Cursor: at(s, 15)}, {Cursor: at(s, 5), State: []byte("{")},
	} {
		if stored.State == nil {
			stored.State = []byte(`{"mallory":{"Seen":77}}`)
		}
		c, err := s.LoadCheckpoint(t.Context(), name)
		require.NoError(t, err)
		stored.Revision = c.Revision
		_, err = s.SaveCheckpoint(t.Context(), name, stored)
		require.NoError(t, err)
		err = causal.Consume(t.Context(), s, "p", func(_ context.Context, b *causal.Batch) error {
			last := b.Entries[len(b.Entries)-1].Event
			require.Equal(t, last.LamportClock(), b.Seen.At(last.NodeID()))
			require.Zero(t, b.Seen.At("mallory"))
			return errEnough
		}, &causal.ConsumeOptions{SeenOf: project, Tries: 1})
		require.ErrorIs(t, err, errEnough)
	}
}

// noSeen is a store that cannot save Seen.
type noSeen struct {
	*causal.MemStore
	tries *int
}

func (s noSeen) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	if name != "p" {
		if *s.tries++; *s.tries < 3 {
			return 0, &causal.StorageError{Op: "save", Err: errDown}
		}
	}
	return s.MemStore.SaveCheckpoint(ctx, name, c)
}

func TestConsumeSavesSeenAgain(t *testing.T) {
	s := noSeen{newMemStore(t, 8000), new(int)} // 8000 are not twice as many as it takes
	consumeUntil(t, s, "p", 8000, &projection{t: t}, causal.ConsumeOptions{SeenOf: eventtest.Params(0).ProjectUUID, Pause: 1})
	require.Equal(t, 3, *s.tries)
}

// A lost event is noticed: Seen does not claim it, even if later events of
// others refer to it, and a delta brings it.
func TestLostEventIsMissed(t *testing.T) {
	ctx := t.Context()
	vectors := func(o *causal.NodeOptions) { o.VectorClocks = true }
	var carols, bobs, alices causal.MemStore
	carol, bob, alice := openNode(t, "carol", &carols, vectors), openNode(t, "bob", &bobs, vectors), openNode(t, "alice", &alices)
	tag := func(n *causal.Node, tag string) causal.Event {
		return emit(t, n, note("A", func(p *causal.EventParams) { p.Payload = map[string][]string{"tags": {tag}} }))
	}
	var all causal.GSet[string]
	first := tag(carol, "carol's") // which alice never gets
	receive(t, bob, first)
	events := []causal.Event{first, tag(bob, "1"), tag(bob, "2"), tag(bob, "3")}
	for _, e := range events {
		require.NoError(t, all.Apply(e))
	}
	all.MarkSeen(bob.Seen())

	receive(t, alice, events[1], events[3])
	gaps, err := alice.Missing(ctx)
	require.NoError(t, err)
	require.Equal(t, []causal.Gap{
		{NodeID: "bob", After: 2, UpTo: 3, KnownFrom: events[3].ID()}, {Parent: first.ID()}, {Parent: events[2].ID()},
	}, gaps)
	var set causal.GSet[string]
	stop, cancel := context.WithCancel(ctx)
	err = causal.Consume(stop, &alices, "tags", func(_ context.Context, b *causal.Batch) error {
		for _, entry := range b.Entries {
			if err := set.Apply(entry.Event); err != nil {
				return err
			}
		}
		set.MarkSeen(b.Seen)
		cancel()
		return nil
	}, &causal.ConsumeOptions{SeenOf: eventtest.ProjectUUID})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, `{"bob":2}`, set.Seen().String())
	delta, err := all.DeltaSince(set.Seen())
	require.NoError(t, err)
	require.NoError(t, set.MergeDelta(delta))
	require.Equal(t, []string{"1", "2", "3", "carol's"}, slices.Collect(set.All()))
}
