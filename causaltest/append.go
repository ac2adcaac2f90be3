package causaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

var needsAppend = needsCapability[causal.Appender, causal.EventStore]

const otherProject = "aaaaaaaa-1234-5678-1234-567812345678"

// of is the condition that none of the aggregates has changed.
func of(aggregates ...string) causal.Condition {
	return causal.Condition{ProjectUUID: project, Aggregates: aggregates}
}

// from is the condition that nothing of the node was saved.
func from(nodeID string) causal.Condition {
	return causal.Condition{ProjectUUID: project, NodeID: nodeID}
}

func elsewhere(p *causal.EventParams) { p.ProjectUUID = otherProject }

var appendCases = []eventCase{
	{
		name:  "append/result",
		claim: "Append stores all events or none, and returns the cursors before and after them, and which of them were new.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := events(t, 0, 10)
			requireAppended(t, s, nil)
			requireAppended(t, s, all[:1], true)
			requireAppended(t, s, all[:1], false)
			requireAppended(t, s, []causal.Event{all[3], all[2], all[1], all[2], all[0]}, true, true, true, false, false)
			a, err := s.(causal.Appender).Append(t.Context(), []causal.Event{all[4], event(t, 1, with(`{}`)), all[5], event(t, 0, with(`{}`))})
			require.Zero(t, a)
			requireConflict(t, err, eventID(0), eventID(1))
			_, err = s.(causal.Appender).Append(t.Context(), []causal.Event{all[4], event(t, 4, with(`{}`)), event(t, 3, with(`{}`))})
			requireConflict(t, err, eventID(3), eventID(4))
			_, err = s.(causal.Appender).Append(t.Context(), []causal.Event{all[4], {}})
			requireInvalid(t, err, "event")
			requireAll(t, s, all[:4]...)
			requireAppended(t, s, nil)
			requireAppended(t, s, all, false, false, false, false, true, true, true, true, true, true)
			requireResume(t, s, []causal.Event{all[0], all[3], all[2], all[1], all[4], all[5], all[6], all[7], all[8], all[9]})
			requireLargeAppend(t, s)
		},
	},
	{
		name:  "append/allowed",
		claim: "SaveEventsIf stores the events if no entry after the cursor matches the condition by its project and aggregate or node; with the zero Condition, if there is no entry.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 0, in("A")), event(t, 1, in("B")), event(t, 2, on("bob", 2)))
			head := headOf(t, s)
			saveAll(t, s, event(t, 3, in("C")), event(t, 4, in("A"), elsewhere), event(t, 5, in("A+")), event(t, 6, in("a"), on("bob", 6)))
			n := 10
			save := func(after causal.Cursor, condition causal.Condition) {
				before := headOf(t, s)
				e := event(t, n, in("new"))
				n++
				a, err := s.(causal.Appender).SaveEventsIf(t.Context(), after, condition, []causal.Event{e})
				require.NoError(t, err)
				require.Equal(t, causal.Appended{Before: before, After: before.Next(e.ID()), New: []bool{true}}, a)
				require.Equal(t, a.After, headOf(t, s))
			}
			save(head, of("A"))
			save(head, of("B", "A", "x"))
			save(head, from("carol"))
			save(causal.Cursor{}, of("x"))
			save(causal.Cursor{}, from("ali"))
			save(head, causal.Condition{ProjectUUID: strings.ToUpper(otherProject), Aggregates: []string{"B"}, NodeID: "bob"})
			save(headOf(t, s), of("A", "B", "C", "new"))
			save(headOf(t, s), causal.Condition{})
			all := events(t, 100, 140, in("many"))
			a, err := s.(causal.Appender).SaveEventsIf(t.Context(), head, of("many"), append(all, all[3]))
			require.NoError(t, err)
			require.Equal(t, append(slices.Repeat([]bool{true}, 40), false), a.New)
			requireSame(t, all, readLog(t, s, a.Before))
		},
	},
	{
		name:  "append/refused",
		claim: "SaveEventsIf stores nothing and returns ErrConcurrentSave if an entry matches.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 0, in("A")))
			head := headOf(t, s)
			other := s
			if c.Peer != nil {
				other = c.Peer(t, s)
			}
			saveAll(t, other, event(t, 1, in("B"), on("bob", 1)), event(t, 2, in("B"), elsewhere), event(t, 3, in("A+\x00"), elsewhere))
			refused := func(after causal.Cursor, condition causal.Condition) {
				before := headOf(t, s)
				a, err := s.(causal.Appender).SaveEventsIf(t.Context(), after, condition, events(t, 10, 12))
				require.ErrorIs(t, err, causal.ErrConcurrentSave)
				require.NotErrorIs(t, err, causal.ErrOutcomeUnknown)
				require.Zero(t, a)
				require.Equal(t, before, headOf(t, s))
			}
			all := func() {
				refused(head, of("B"))
				refused(head, of("A", "C", "B"))
				refused(head, from("bob"))
				refused(causal.Cursor{}, of("A"))
				refused(causal.Cursor{}, from("alice"))
				refused(head, causal.Condition{ProjectUUID: project, Aggregates: []string{"A"}, NodeID: "bob"})
				refused(head, causal.Condition{ProjectUUID: strings.ToUpper(otherProject), Aggregates: []string{"A+\x00"}})
				refused(head, causal.Condition{})
			}
			all()
			require.NoError(t, causal.SaveAll(t.Context(), s, events(t, 1000, 2500, in("other"), on("carol", 5))))
			all()
			last := headOf(t, s)
			require.NoError(t, causal.SaveAll(t.Context(), s, events(t, 3000, 4500, in("others"), on("dave", 5))))
			_, err := s.(causal.Appender).SaveEventsIf(t.Context(), last, of("other", "B"), events(t, 20, 22, in("new")))
			require.NoError(t, err, "what is at the cursor is not after it")
			long := strings.Repeat("x", 300)
			saveAll(t, s, event(t, 5000, in(long+"1")))
			refused(head, of(long+"1"))
			_, err = s.(causal.Appender).SaveEventsIf(t.Context(), head, of(long+"2"), events(t, 10, 12))
			require.NoError(t, err)
		},
	},
	{
		name:  "append/again",
		claim: "SaveEventsIf returns nil if all events are already stored, whatever was saved after them, ErrConcurrentSave if only some are, and an *IDConflictError for other content.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := events(t, 0, 6, in("A"))
			start := headOf(t, s)
			save := func(after causal.Cursor, events ...causal.Event) (causal.Appended, error) {
				return s.(causal.Appender).SaveEventsIf(t.Context(), after, of("A"), events)
			}
			_, err := save(start, all[:2]...)
			require.NoError(t, err)
			saveAll(t, s, all[2])
			for range 2 {
				for _, again := range [][]causal.Event{all[:2], {all[1]}, {all[2], all[0], all[2]}, nil} {
					a, err := save(start, again...)
					require.NoError(t, err, "all events are stored, or there are none")
					head := headOf(t, s)
					require.Equal(t, causal.Appended{Before: head, After: head, New: make([]bool, len(again))}, a)
				}
				for _, after := range []causal.Cursor{start, headOf(t, s)} {
					a, err := save(after, all[1], all[3])
					require.ErrorIs(t, err, causal.ErrConcurrentSave)
					require.Zero(t, a)
					_, err = save(after, all[4], event(t, 1, with(`{}`)), event(t, 0, with(`{}`)), all[1])
					requireConflict(t, err, eventID(0), eventID(1))
					_, err = save(after, all[4], event(t, 4, with(`{}`)))
					requireConflict(t, err, eventID(4))
				}
				requireResume(t, s, all[:3])
			}
		},
	},
	{
		name:  "append/cursors",
		claim: "SaveEventsIf returns ErrInvalidCursor for a cursor of another log or other entries, and ErrCursorAhead for one beyond the end, and stores nothing.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s, other := c.Open(t), c.Open(t)
			saveAll(t, s, events(t, 0, 2)...)
			saveAll(t, other, events(t, 0, 2)...)
			own, foreign := cursorsOf(t, s), cursorsOf(t, other)
			for cursor, want := range map[causal.Cursor]error{
				foreign[0]: causal.ErrInvalidCursor, foreign[1]: causal.ErrInvalidCursor,
				causal.NewCursor(foreign[0].LogID(), 0, [8]byte{}): causal.ErrInvalidCursor,
				causal.NewCursor(own[0].LogID(), 0, [8]byte{1}):    causal.ErrInvalidCursor,
				own[0].Next(eventID(7)):                            causal.ErrInvalidCursor, own[1].Next(eventID(7)): causal.ErrCursorAhead,
			} {
				_, err := s.(causal.Appender).SaveEventsIf(t.Context(), cursor, of("new"), events(t, 2, 3))
				require.ErrorIs(t, err, want)
			}
			requireAll(t, s, events(t, 0, 2)...)
		},
	},
	{
		name:  "append/invalid",
		claim: "For an invalid condition or the zero Event, SaveEventsIf returns a *ValidationError naming the field, and stores nothing.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			for field, condition := range map[string]causal.Condition{
				"project_uuid": {ProjectUUID: "project", NodeID: "a"}, "aggregates": {ProjectUUID: project}, "node_id": {ProjectUUID: project, NodeID: "\xff"},
			} {
				_, err := s.(causal.Appender).SaveEventsIf(t.Context(), causal.Cursor{}, condition, events(t, 0, 1))
				requireInvalid(t, err, field)
			}
			for _, id := range []string{"", "\xff"} {
				_, err := s.(causal.Appender).SaveEventsIf(t.Context(), causal.Cursor{}, of("A", id), events(t, 0, 1))
				requireInvalid(t, err, "aggregates")
			}
			_, err := s.(causal.Appender).SaveEventsIf(t.Context(), causal.Cursor{}, of("A"), []causal.Event{event(t, 0), {}})
			requireInvalid(t, err, "event")
			requireAll(t, s)
		},
	},
	{
		name:  "append/goroutines",
		claim: "If a caller reads the history, decides, and saves on the condition that nothing was added, the decision reflects everything saved before it.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			handles := c.handles(t, s)
			const workers, each = 8, 10
			errs := make([]error, workers)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for n := 0; n < each && errs[w] == nil; {
						err := saveNext(t, handles[w%2], w*1000+n)
						if err == nil {
							n++
						} else if !errors.Is(err, causal.ErrConcurrentSave) {
							errs[w] = err
						}
					}
				})
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			for i, e := range readLog(t, s, causal.Cursor{}) {
				require.JSONEq(t, fmt.Sprintf(`{"before":%d}`, i), string(e.Payload()), "it was decided by an earlier state")
			}
		},
	},
	{
		name:  "append/model",
		claim: "In any sequence of saves, with conditions and without, the result depends only on the events stored before.",
		needs: eventNeeds{needsLog, needsAppend},
		run: func(t *testing.T, c eventConfig) {
			s, run := c.Open(t), 0
			rapid.Check(t, func(rt *rapid.T) {
				run++
				m := appendModel{s: s, base: 1000 * run, cursors: []causal.Cursor{headOf(t, s)}}
				rt.Repeat(map[string]func(*rapid.T){"append": m.append, "save if": m.saveIf, "": m.check})
			})
		},
	},
}

// saveNext saves an event that says how many were there before it.
func saveNext(t tester, s causal.EventStore, n int) error {
	ctx := t.Context()
	head, err := s.(causal.LogReader).Head(ctx)
	if err != nil {
		return err
	}
	before, err := s.LoadEvents(ctx, "A")
	if err != nil {
		return err
	}
	e := event(t, n, with(fmt.Sprintf(`{"before":%d}`, len(before))))
	_, err = s.(causal.Appender).SaveEventsIf(ctx, head, of("A"), []causal.Event{e})
	return err
}

// appendModel is the expected content of a store with an Appender since the
// start of the run.
type appendModel struct {
	s       causal.EventStore
	base    int // the first number of the run's events
	log     []causal.Event
	cursors []causal.Cursor // cursors[n] is after n entries
}

// draw returns some events with few distinct IDs, aggregates, nodes and
// contents.
func (m *appendModel) draw(t *rapid.T) []causal.Event {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) causal.Event {
		n := rapid.IntRange(0, 11).Draw(t, "event")
		content := rapid.SampledFrom([]string{`{}`, `{}`, `{}`, `{}`, `{"other":1}`}).Draw(t, "content")
		return event(t, m.base+n, in(string(rune('A'+n%3))), on(string(rune('a'+n%2)), int64(n)), with(content), func(p *causal.EventParams) {
			if n%4 == 3 {
				elsewhere(p)
			}
		})
	}), 0, 3).Draw(t, "events")
}

// stored returns the stored event with this ID.
func (m *appendModel) stored(id causal.EventID) (causal.Event, bool) {
	for _, e := range m.log {
		if e.ID() == id {
			return e, true
		}
	}
	return causal.Event{}, false
}

// outcome returns the expected result of saving events: which are new, or the
// error.
func (m *appendModel) outcome(events []causal.Event) (isNew []bool, old int, conflict bool) {
	given := map[causal.EventID]causal.Event{}
	for _, e := range events {
		if first, ok := given[e.ID()]; ok && !first.Equal(e) {
			conflict = true
		}
		stored, ok := m.stored(e.ID())
		if ok && !stored.Equal(e) {
			conflict = true
		}
		if ok {
			old++
		}
		_, again := given[e.ID()]
		isNew = append(isNew, !ok && !again)
		if !again {
			given[e.ID()] = e
		}
	}
	return isNew, old, conflict
}

// require checks the result of a successful save, and updates the model.
func (m *appendModel) require(t *rapid.T, events []causal.Event, isNew []bool, got causal.Appended) {
	before := m.cursors[len(m.log)]
	after := before
	for i, e := range events {
		if isNew[i] {
			after = after.Next(e.ID())
			m.log, m.cursors = append(m.log, e), append(m.cursors, after)
		}
	}
	require.Equal(t, before, got.Before)
	require.Equal(t, after, got.After)
	require.True(t, slices.Equal(isNew, got.New), "%v, want %v", got.New, isNew)
}

func (m *appendModel) append(t *rapid.T) {
	events := m.draw(t)
	isNew, _, conflict := m.outcome(events)
	got, err := m.s.(causal.Appender).Append(context.Background(), events)
	if conflict {
		require.ErrorIs(t, err, causal.ErrIDConflict)
		return
	}
	require.NoError(t, err)
	m.require(t, events, isNew, got)
}

func (m *appendModel) saveIf(t *rapid.T) {
	events := m.draw(t)
	after := rapid.IntRange(0, len(m.log)).Draw(t, "after")
	condition := causal.Condition{
		Aggregates: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"A", "B", "C"}), 0, 2, rapid.ID).Draw(t, "aggregates"),
		NodeID:     rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "node"),
	}
	if !condition.IsZero() {
		condition.ProjectUUID = rapid.SampledFrom([]string{project, otherProject}).Draw(t, "project")
	}
	isNew, old, conflict := m.outcome(events)
	got, err := m.s.(causal.Appender).SaveEventsIf(context.Background(), m.cursors[after], condition, events)
	switch {
	case conflict:
		require.ErrorIs(t, err, causal.ErrIDConflict)
	case old == len(events):
		require.NoError(t, err)
		m.require(t, events, isNew, got)
	case old > 0 || slices.ContainsFunc(m.log[after:], condition.Matches):
		require.ErrorIs(t, err, causal.ErrConcurrentSave)
	default:
		require.NoError(t, err)
		m.require(t, events, isNew, got)
	}
}

func (m *appendModel) check(t *rapid.T) { requireSame(t, m.log, readLog(t, m.s, m.cursors[0])) }

// requireAppended appends the events, and checks the result.
func requireAppended(t tester, s causal.EventStore, events []causal.Event, isNew ...bool) {
	before := headOf(t, s)
	a, err := s.(causal.Appender).Append(t.Context(), events)
	require.NoError(t, err)
	want := causal.Appended{Before: before, After: before, New: append([]bool{}, isNew...)}
	var added []causal.Event
	for i, e := range events {
		if isNew[i] {
			want.After = want.After.Next(e.ID())
			added = append(added, e)
		}
	}
	require.Equal(t, want.Before, a.Before)
	require.Equal(t, want.After, a.After)
	require.True(t, slices.Equal(isNew, a.New))
	require.Equal(t, a.After, headOf(t, s))
	requireSame(t, added, readLog(t, s, before))
}

// requireLargeAppend appends more than fits in one message, in both ways.
func requireLargeAppend(t tester, s causal.EventStore) {
	large, err := json.Marshal(strings.Repeat("x", 20_000))
	require.NoError(t, err)
	all := events(t, 1000, 1040, in("large"), with(`{"text":`+string(large)+`}`))
	requireAppended(t, s, all[:20], slices.Repeat([]bool{true}, 20)...)
	before := headOf(t, s)
	_, err = s.(causal.Appender).SaveEventsIf(t.Context(), before, of("large"), all[19:])
	require.ErrorIs(t, err, causal.ErrConcurrentSave)
	_, err = s.(causal.Appender).SaveEventsIf(t.Context(), causal.Cursor{}, of("large"), all[20:])
	require.ErrorIs(t, err, causal.ErrConcurrentSave)
	_, err = s.(causal.Appender).SaveEventsIf(t.Context(), before, of("large"), all[20:])
	require.NoError(t, err)
	requireSame(t, all[20:], readLog(t, s, before))
}

func headOf(t tester, s causal.EventStore) causal.Cursor {
	head, err := s.(causal.LogReader).Head(t.Context())
	require.NoError(t, err)
	return head
}
