package causalnats_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// writer saves continuously, and records the acknowledged events.
type writer struct {
	store  *causalnats.Store
	number int
	shared *sharedEvents
	acked  map[causal.EventID]causal.Event
	calls  atomic.Int64 // that succeeded
	ticks  []int64
	links  int
}

// sharedEvents are IDs used by all writers, with equal or different content.
type sharedEvents struct {
	mu     sync.Mutex
	latest causal.Event
}

func (s *sharedEvents) get() causal.Event { s.mu.Lock(); defer s.mu.Unlock(); return s.latest }

func (s *sharedEvents) set(e causal.Event) { s.mu.Lock(); defer s.mu.Unlock(); s.latest = e }

func (w *writer) event(t *testing.T, n int, change ...func(*causal.EventParams)) causal.Event {
	return eventtest.New(t, n*10+w.number, append(change, func(p *causal.EventParams) {
		p.ID, p.NodeID = causal.NewEventID(), fmt.Sprint("writer", w.number)
	})...)
}

// call makes the n-th call.
func (w *writer) call(t *testing.T, n int) error {
	ctx := t.Context()
	var events []causal.Event
	var err error
	switch n % 10 {
	case 3: // a batch
		for i := range 20 {
			events = append(events, w.event(t, n, func(p *causal.EventParams) { p.AggregateID = fmt.Sprint("A", i) }))
		}
		err = w.store.SaveEvents(ctx, events)
	case 5: // an ID of others, half of the time with different content
		e := w.shared.get()
		if e.IsZero() || n%40 == 5 {
			e = w.event(t, n)
			w.shared.set(e)
		} else if n%20 == 5 {
			e = eventtest.New(t, 1, func(p *causal.EventParams) { p.ID, p.Type = e.ID(), "Other" })
		}
		if err = w.store.SaveEvent(ctx, e); errors.Is(err, causal.ErrIDConflict) {
			return nil
		}
		events = []causal.Event{e}
	case 7:
		var value int64
		if value, err = w.store.AdvanceClock(ctx, "shared", 0, 1); err == nil {
			w.ticks = append(w.ticks, value)
		}
	case 9:
		return w.link(t, n)
	default:
		events = []causal.Event{w.event(t, n)}
		err = w.store.SaveEvent(ctx, events[0])
	}
	if err == nil {
		for _, e := range events {
			if old, ok := w.acked[e.ID()]; ok {
				require.True(t, old.Equal(e), "two contents of one ID were acknowledged")
			}
			w.acked[e.ID()] = e
		}
	}
	return err
}

// link adds an event to the aggregate "chain" unless another writer has since
// this one read it.
func (w *writer) link(t *testing.T, n int) error {
	ctx := t.Context()
	head, err := w.store.Head(ctx)
	if err != nil {
		return err
	}
	e := w.event(t, n, func(p *causal.EventParams) {
		p.AggregateID, p.Payload = "chain", map[string]uint64{"after": head.Position()}
	})
	condition := causal.Condition{ProjectUUID: e.ProjectUUID(), Aggregates: []string{"chain"}}
	a, err := w.store.SaveEventsIf(ctx, head, condition, []causal.Event{e})
	if errors.Is(err, causal.ErrConcurrentSave) {
		return nil
	}
	if err == nil {
		require.Greater(t, a.After.Position(), head.Position())
		w.acked[e.ID()] = e
		w.links++
	}
	return err
}

// startWriters lets writers write until stop is closed. goOn waits until each
// of them has made some more calls.
func startWriters(t *testing.T, writers []*writer) (stop chan struct{}, goOn func(what string), wait func()) {
	stop = make(chan struct{})
	var group sync.WaitGroup
	for _, w := range writers {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.call(t, n); err != nil {
					t.Errorf("writer %d: %v", w.number, err)
					return
				}
				w.calls.Add(1)
			}
		})
	}
	return stop, func(what string) {
		start := time.Now()
		for _, w := range writers {
			until := w.calls.Load() + 20
			require.Eventually(t, func() bool { return w.calls.Load() > until || t.Failed() }, 2*time.Minute, 10*time.Millisecond)
		}
		t.Logf("%s: went on after %v", what, time.Since(start).Round(10*time.Millisecond))
	}, group.Wait
}

// Servers are killed while four processes' worth of writers save. No
// acknowledged event is lost, wrong or duplicated, and all replicas have the
// same log.
func TestServersAreKilled(t *testing.T) {
	p := startProcesses(t, 3, false)
	nc := connect(t, p.urls())
	o := provision(t, nc, causalnats.Options{Retry: 2 * time.Minute})
	shared := &sharedEvents{}
	var writers []*writer
	for i := range 4 {
		s := open(t, connect(t, p.urls()), o)
		writers = append(writers, &writer{store: s, number: i, shared: shared, acked: map[causal.EventID]causal.Event{}})
	}
	stop, goOn, wait := startWriters(t, writers)
	goOn("at first")
	for range 2 {
		i := leader(t, nc, o.Name+"_LOG")
		p.kill(i)
		goOn("leader killed")
		p.start(t, i)
		goOn("leader back")
	}
	i := (leader(t, nc, o.Name+"_LOG") + 1) % 3
	p.kill(i)
	goOn("follower killed")
	p.start(t, i)
	for i := range 3 {
		p.kill(i)
	}
	for i := range 3 {
		p.start(t, i)
	}
	goOn("all killed")
	close(stop)
	wait()
	requireWritten(t, writers, open(t, nc, o))
}

// requireWritten requires that a newly opened store, and those of the writers,
// have the acknowledged events.
func requireWritten(t *testing.T, writers []*writer, fresh *causalnats.Store) {
	ctx := t.Context()
	acked, ticks, links := map[causal.EventID]causal.Event{}, map[int64]bool{}, 0
	for _, w := range writers {
		for id, e := range w.acked {
			old, ok := acked[id]
			require.True(t, !ok || old.Equal(e), "two contents of one ID were acknowledged")
			acked[id] = e
		}
		for _, tick := range w.ticks {
			require.False(t, ticks[tick], "a clock value twice")
			ticks[tick] = true
		}
		links += w.links
	}
	stored := map[causal.EventID]causal.Event{}
	log := eventtest.ReadLog(t, fresh, causal.Cursor{})
	latest, found := uint64(0), 0
	for _, entry := range log {
		e := entry.Event
		require.True(t, stored[e.ID()].IsZero(), "an event twice")
		stored[e.ID()] = e
		if e.AggregateID() != "chain" {
			continue
		}
		var payload struct{ After uint64 }
		require.NoError(t, e.DecodePayload(&payload))
		require.GreaterOrEqual(t, payload.After, latest, "a condition was not kept")
		latest = entry.Cursor.Position()
		if _, ok := acked[e.ID()]; ok {
			found++
		}
	}
	require.Equal(t, links, found)
	for id, e := range acked {
		require.True(t, stored[id].Equal(e), "what was acknowledged is lost or wrong")
	}
	require.NotEmpty(t, ticks)
	require.NotZero(t, links)
	for _, w := range writers {
		other := eventtest.ReadLog(t, w.store, causal.Cursor{})
		require.Len(t, other, len(log))
		for i, entry := range log {
			require.True(t, entry.Cursor == other[i].Cursor && entry.Event.Equal(other[i].Event), "the logs of two replicas differ")
		}
	}
	value, err := fresh.LoadClock(ctx, "shared")
	require.NoError(t, err)
	require.GreaterOrEqual(t, value, int64(len(ticks)))
	t.Logf("%d events acknowledged, %d stored, %d clock values, %d links", len(acked), len(stored), len(ticks), links)
}
