package causal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// eventGen generates events that often conflict, with few IDs, clocks and
// nodes. The content is determined by the ID, so duplicates are equal.
func eventGen(t *rapid.T, label string) causal.Event {
	n := rapid.IntRange(0, 30).Draw(t, label)
	e, err := causal.NewEvent(causal.EventParams{
		ID: eventtest.ID(n), Type: "x", AggregateID: "A", NodeID: string(rune('a' + n%4)), LamportClock: int64(n * 7 % 5),
		Timestamp: eventtest.Time, ProjectUUID: eventtest.ProjectUUID, Payload: json.RawMessage(fmt.Sprintf(
			`{"delta":%d,"tags":["t%d","t%d"],"state":"s%d"}`, int64(n%7-3)*(math.MaxInt64/3), n%5, n%3, n%4)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func eventsGen(t *rapid.T, label string) []causal.Event {
	events := make([]causal.Event, rapid.IntRange(0, 20).Draw(t, label+" count"))
	for i := range events {
		events[i] = eventGen(t, label)
	}
	return events
}

var statePriority = map[string]int{"s0": 1, "s1": 2, "s2": 2, "s3": 0}

// sameMoment keeps events that a state machine can merge: those of one clock.
func sameMoment(events []causal.Event) []causal.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e causal.Event) bool {
		return e.LamportClock() != events[0].LamportClock()
	})
}

func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := eventsGen(t, "events")
		if len(events) == 0 {
			return
		}
		again := append(slices.Clone(events), events[:rapid.IntRange(0, len(events)).Draw(t, "repeated")]...)
		again = rapid.Permutation(again).Draw(t, "order")

		tags, err := causal.MergeGSet(events)
		require.NoError(t, err)
		tagsAgain, err := causal.MergeGSet(again)
		require.NoError(t, err)
		require.Equal(t, tags, tagsAgain)

		sum, errSum := causal.MergeCounter(events)
		sumAgain, errSumAgain := causal.MergeCounter(again)
		require.Equal(t, sum, sumAgain)
		require.Equal(t, errSum, errSumAgain)

		machine := causal.StateMachine{Priority: statePriority}
		moment := sameMoment(events)
		won, err := causal.MergeStateMachine(moment, machine)
		require.NoError(t, err)
		shuffled := rapid.Permutation(append(moment, moment[0])).Draw(t, "moment")
		wonAgain, err := causal.MergeStateMachine(shuffled, machine)
		require.NoError(t, err)
		require.Equal(t, won.MergedEvent.ID(), wonAgain.MergedEvent.ID())
		require.Equal(t, won.ResolutionNote, wonAgain.ResolutionNote)
		require.Equal(t, eventtest.IDs(won.ConflictingEvents), eventtest.IDs(wonAgain.ConflictingEvents))
	})
}

// The results for two groups of events determine the result for all of them.
func TestMergeGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byID := map[causal.EventID]causal.Event{}
		for _, e := range eventsGen(t, "events") {
			byID[e.ID()] = e
		}
		all := slices.SortedFunc(maps.Values(byID), causal.Compare)
		if len(all) == 0 {
			return
		}
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		left, right := all[:cut], all[cut:]

		tags := [3][]string{}
		var err error
		for i, group := range [][]causal.Event{left, right, all} {
			tags[i], err = causal.MergeGSet(group)
			require.NoError(t, err)
		}
		joined := slices.Concat(tags[0], tags[1])
		slices.Sort(joined)
		require.Equal(t, tags[2], slices.Compact(joined))

		small := func(e causal.Event) (int64, error) { return e.LamportClock() - 2, nil }
		sums := [3]int64{}
		for i, group := range [][]causal.Event{left, right, all} {
			sums[i], err = causal.MergeCounterFunc(group, small)
			require.NoError(t, err)
		}
		require.Equal(t, sums[2], sums[0]+sums[1])

		moment := sameMoment(all)
		machine := causal.StateMachine{Priority: statePriority}
		cut = rapid.IntRange(1, len(moment)).Draw(t, "moment cut")
		first, err := causal.MergeStateMachine(moment[:cut], machine)
		require.NoError(t, err)
		second, err := causal.MergeStateMachine(append(moment[cut:], first.MergedEvent), machine)
		require.NoError(t, err)
		whole, err := causal.MergeStateMachine(moment, machine)
		require.NoError(t, err)
		require.Equal(t, whole.MergedEvent.ID(), second.MergedEvent.ID())
	})
}

func TestEventRoundTrip(t *testing.T) {
	text := rapid.StringN(1, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		payload := map[string]any{
			text.Draw(t, "name"): text.Draw(t, "string"), "n": rapid.Int64().Draw(t, "n"), "f": rapid.Float64().Filter(
				func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }).Draw(t, "f"),
			"list": rapid.SliceOf(text).Draw(t, "list"),
		}
		e, err := causal.NewEvent(causal.EventParams{
			Type: text.Draw(t, "type"), AggregateID: text.Draw(t, "aggregate"), NodeID: text.Draw(t, "node"),
			LamportClock: rapid.Int64Min(0).Draw(t, "clock"), ProjectUUID: eventtest.ProjectUUID, ProjectSlug: text.Draw(t, "slug"),
			DataTier: rapid.IntRange(0, 4).Draw(t, "tier"), Payload: payload,
		})
		require.NoError(t, err)
		data, err := json.Marshal(e)
		require.NoError(t, err)
		var again causal.Event
		require.NoError(t, json.Unmarshal(data, &again))
		require.True(t, e.Equal(again))
		require.Zero(t, causal.Compare(e, again))
		var decoded map[string]any
		require.NoError(t, again.DecodePayload(&decoded))
		require.Len(t, decoded, len(payload))
	})
}

// clockMachine drives clocks of one node through storage that fails before or
// after storing, and through crashes.
type clockMachine struct {
	storage *brokenStorage
	plain   bool // without AdvanceClock, so with one clock at a time
	lease   int64
	clocks  []*causal.LamportClock
	issued  map[int64]bool
	highest int64
}

func (m *clockMachine) open(t *rapid.T) *causal.LamportClock {
	m.storage.err = nil
	var s causal.ClockStorage = m.storage
	if m.plain {
		s = plainStorage{m.storage}
	}
	c, err := causal.NewLamportClock(t.Context(), "alice", s, &causal.LamportClockOptions{Lease: m.lease, MaxJump: 1 << 40})
	require.NoError(t, err)
	return c
}

func (m *clockMachine) advance(t *rapid.T, remote int64) {
	c := m.clocks[rapid.IntRange(0, len(m.clocks)-1).Draw(t, "clock")]
	m.storage.late = rapid.Bool().Draw(t, "late")
	m.storage.err = nil
	if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
		m.storage.err = errors.New("boom")
	}
	before := c.Current()
	value, err := c.Update(t.Context(), remote)
	if err != nil {
		require.ErrorIs(t, err, causal.ErrStorage)
		require.Equal(t, before, c.Current(), "a failure moved the clock")
		return
	}
	require.Greater(t, value, max(before, remote))
	require.Equal(t, value, c.Current())
	require.False(t, m.issued[value], "%d came twice", value)
	m.issued[value] = true
	m.highest = max(m.highest, value)
}

func TestClockStateMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &clockMachine{
			storage: &brokenStorage{}, plain: rapid.Bool().Draw(t, "plain"),
			lease: rapid.SampledFrom([]int64{1, 2, 5, 100}).Draw(t, "lease"), issued: map[int64]bool{},
		}
		count := 1
		if !m.plain {
			count = rapid.IntRange(1, 3).Draw(t, "clocks")
		}
		for range count {
			m.clocks = append(m.clocks, m.open(t))
		}
		t.Repeat(map[string]func(*rapid.T){
			"tick":   func(t *rapid.T) { m.advance(t, 0) },
			"update": func(t *rapid.T) { m.advance(t, rapid.Int64Range(0, 300).Draw(t, "remote")) },
			"crash": func(t *rapid.T) {
				m.clocks[rapid.IntRange(0, len(m.clocks)-1).Draw(t, "clock")] = m.open(t)
			},
			"": func(t *rapid.T) {
				stored, err := m.storage.MemClockStorage.LoadClock(t.Context(), "alice")
				require.NoError(t, err)
				require.GreaterOrEqual(t, stored, m.highest, "a value was issued before it was stored")
			},
		})
	})
}

func TestMemEventStoreStateMachine(t *testing.T) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		var s causal.MemEventStore
		var arrival []causal.Event
		known := map[causal.EventID]bool{}
		cursors := []causal.Cursor{{}}
		save := func(events ...causal.Event) {
			for _, e := range events {
				if !known[e.ID()] {
					known[e.ID()] = true
					arrival = append(arrival, e)
				}
			}
			for len(cursors) <= len(arrival) {
				cursors = append(cursors, causal.Cursor{}) // set by the read
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"save": func(t *rapid.T) {
				e := eventGen(t, "event")
				require.NoError(t, s.SaveEvent(ctx, e))
				save(e)
			},
			"save all": func(t *rapid.T) {
				events := eventsGen(t, "events")
				require.NoError(t, s.SaveEvents(ctx, events))
				save(events...)
			},
			"conflict": func(t *rapid.T) {
				if len(arrival) == 0 {
					t.Skip("nothing to be in conflict with")
				}
				p := eventtest.Params(0)
				p.ID = arrival[0].ID()
				other, err := causal.NewEvent(p)
				require.NoError(t, err)
				require.ErrorIs(t, s.SaveEvents(ctx, []causal.Event{eventGen(t, "lost"), other}), causal.ErrIDConflict)
			},
			"read log": func(t *rapid.T) {
				from := rapid.IntRange(0, len(arrival)).Draw(t, "from")
				if cursors[from] == (causal.Cursor{}) {
					from = 0
				}
				at := from
				for entry, err := range s.ReadLog(ctx, cursors[from]) {
					require.NoError(t, err)
					require.Equal(t, arrival[at].ID(), entry.Event.ID())
					at++
					cursors[at] = entry.Cursor
				}
				require.Len(t, arrival, at)
			},
			"": func(t *rapid.T) {
				want := slices.SortedFunc(slices.Values(arrival), causal.Compare)
				all, err := causal.LoadAll(ctx, &s)
				require.NoError(t, err)
				eventtest.RequireEqual(t, want, all)
				loaded, err := s.LoadEvents(ctx, "A")
				require.NoError(t, err)
				eventtest.RequireEqual(t, want, loaded)
			},
		})
	})
}
