package causaltest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

var modelCase = eventCase{
	name:  "model",
	claim: "In any sequence of calls, the store agrees with the one in memory.",
	run: func(t *testing.T, c eventConfig) {
		rapid.Check(t, func(rt *rapid.T) {
			m := &machine{outer: t, config: c, handles: []causal.EventStore{c.Open(t)}, cursors: []causal.Cursor{{}}}
			if c.Peer != nil {
				m.handles = append(m.handles, c.Peer(t, m.handles[0]))
			}
			actions := map[string]func(*rapid.T){
				"save": m.save, "save again": m.save, "save all": m.saveAll, "conflict": m.conflict, "load": m.load, "": m.check,
			}
			if _, ok := m.handles[0].(causal.LogReader); ok {
				actions["read log"] = m.readLog
			}
			if c.Reopen != nil {
				actions["reopen"] = m.reopen
			}
			rt.Repeat(actions)
			for _, s := range m.handles {
				closeStorage(rt, s)
			}
		})
	},
}

// machine runs a store, through several handles, and the model in memory.
type machine struct {
	outer   *testing.T
	config  eventConfig
	handles []causal.EventStore
	model   causal.MemEventStore
	arrived []causal.Event
	cursors []causal.Cursor // cursors[n] is after n entries, as far as read
}

func (m *machine) store(t *rapid.T) causal.EventStore {
	return m.handles[rapid.IntRange(0, len(m.handles)-1).Draw(t, "handle")]
}

// draw returns an event with content determined by its ID, in few aggregates
// and with few clocks.
func draw(t *rapid.T) causal.Event {
	n := rapid.IntRange(0, 40).Draw(t, "event")
	return event(t, n, on(fmt.Sprint("node", n%3), int64(n*7%5)), in(fmt.Sprint("A", n%2)))
}

// saveBoth saves to the store and the model, which must agree.
func (m *machine) saveBoth(t *rapid.T, events []causal.Event, save func(causal.EventStore) error) {
	before, err := causal.LoadAll(t.Context(), &m.model)
	require.NoError(t, err)
	known := map[causal.EventID]bool{}
	for _, e := range before {
		known[e.ID()] = true
	}
	want, got := save(&m.model), save(m.store(t))
	require.Equal(t, want, got)
	for _, e := range events {
		if want == nil && !known[e.ID()] {
			known[e.ID()] = true
			m.arrived = append(m.arrived, e)
		}
	}
}

func (m *machine) save(t *rapid.T) {
	e := draw(t)
	m.saveBoth(t, []causal.Event{e}, func(s causal.EventStore) error { return s.SaveEvent(t.Context(), e) })
}

func (m *machine) saveAll(t *rapid.T) {
	batch := make([]causal.Event, rapid.IntRange(0, 8).Draw(t, "count"))
	for i := range batch {
		batch[i] = draw(t)
	}
	m.saveBoth(t, batch, func(s causal.EventStore) error { return causal.SaveAll(t.Context(), s, batch) })
}

// conflict saves a batch with an ID that is taken. Without support for batches,
// the events before it are stored.
func (m *machine) conflict(t *rapid.T) {
	if len(m.arrived) == 0 {
		t.Skip("nothing to be in conflict with")
	}
	taken := rapid.SampledFrom(m.arrived).Draw(t, "taken")
	p := causal.EventParams{
		ID: taken.ID(), Type: "Conflict", AggregateID: "A0", NodeID: "node0", Timestamp: baseTime, ProjectUUID: project,
	}
	other, err := causal.NewEvent(p)
	require.NoError(t, err)
	requireConflict(t, m.store(t).SaveEvent(t.Context(), other), taken.ID())
	if _, ok := m.handles[0].(causal.BatchSaver); ok {
		requireConflict(t, saveBatch(t.Context(), m.store(t), draw(t), other), taken.ID())
	}
}

func (m *machine) load(t *rapid.T) {
	ctx := t.Context()
	aggregateID := rapid.SampledFrom([]string{"A0", "A1", "A2"}).Draw(t, "aggregate")
	want, err := m.model.LoadEvents(ctx, aggregateID)
	require.NoError(t, err)
	got, err := m.store(t).LoadEvents(ctx, aggregateID)
	require.NoError(t, err)
	requireSame(t, want, got)
}

func (m *machine) readLog(t *rapid.T) {
	from := rapid.IntRange(0, len(m.cursors)-1).Draw(t, "from")
	at := from
	for entry, err := range m.store(t).(causal.LogReader).ReadLog(t.Context(), m.cursors[from]) {
		require.NoError(t, err)
		require.Less(t, at, len(m.arrived), "more entries than events")
		require.True(t, m.arrived[at].Equal(entry.Event))
		if at++; at == len(m.cursors) {
			m.cursors = append(m.cursors, entry.Cursor)
		}
		require.Equal(t, m.cursors[at], entry.Cursor, "a position has one cursor")
	}
	require.Len(t, m.arrived, at)
}

func (m *machine) reopen(t *rapid.T) {
	i := rapid.IntRange(0, len(m.handles)-1).Draw(t, "handle")
	m.handles[i] = m.config.Reopen(m.outer, m.handles[i])
}

func (m *machine) check(t *rapid.T) {
	want, err := causal.LoadAll(t.Context(), &m.model)
	require.NoError(t, err)
	requireAll(t, m.store(t), want...)
}
