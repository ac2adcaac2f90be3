package causaltest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

var needsHeads = needsCapability[causal.HeadLoader, causal.EventStore]

// after makes an event a stamped one with the given parents.
func after(parents ...int) func(*causal.EventParams) {
	return func(p *causal.EventParams) {
		p.Parents = []causal.EventID{}
		for _, n := range parents {
			p.Parents = append(p.Parents, eventID(n))
		}
	}
}

var headCases = []eventCase{
	{
		name:  "heads/stamped",
		claim: "LoadHeads returns the stamped events not named as a parent, whatever the order of saves.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			//   1 - 2 ------ 5 - 6
			//    \- 3 - 4 -/      \- 9 (7 and 8 are missing)
			//                  8 -/
			all := []causal.Event{
				event(t, 1, after()), event(t, 2, after(1)), event(t, 3, after(1)), event(t, 4, after(3)),
				event(t, 5, after(4, 2)), event(t, 6, after(5)), event(t, 9, after(6, 7, 8)),
			}
			s := c.Open(t)
			requireHeads(t, s, "A")
			for i, want := range [][]int{{1}, {2}, {2, 3}, {2, 4}, {5}, {6}, {9}} {
				saveAll(t, s, all[i])
				requireHeads(t, s, "A", want...)
			}
			saveAll(t, s, event(t, 8, after()))
			requireHeads(t, s, "A", 9)
			saveAll(t, s, event(t, 10, after(7)))
			requireHeads(t, s, "A", 9, 10)
			saveAll(t, s, event(t, 7, after()))
			requireHeads(t, s, "A", 9, 10)

			s = c.Open(t)
			for i, want := range [][]int{{9}, {9}, {9}, {9}, {9}, {9}, {9}} {
				saveAll(t, s, all[len(all)-1-i])
				requireHeads(t, s, "A", want...)
			}
			s = c.Open(t)
			require.NoError(t, causal.SaveAll(t.Context(), s, shuffled(append(all, all[:3]...))))
			requireHeads(t, s, "A", 9)
			if c.Reopen != nil {
				s = c.Reopen(t, s)
			}
			saveAll(t, s, event(t, 11, after(9)))
			requireHeads(t, s, "A", 11)
			if c.Peer != nil {
				saveAll(t, c.Peer(t, s), event(t, 12, after(1)))
				requireHeads(t, s, "A", 11, 12)
			}
		},
	},
	{
		name:  "heads/plain",
		claim: "If there are plain events, LoadHeads returns the heads of a History of all events of the aggregate in the project.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, event(t, 1), event(t, 2, on("bob", 2)))
			requireHeads(t, s, "A", 1, 2)
			saveAll(t, s, event(t, 3))
			requireHeads(t, s, "A", 2, 3)
			saveAll(t, s, event(t, 5, on("dave", 5), after(2)), event(t, 4, on("erin", 4), after(3)))
			requireHeads(t, s, "A", 4, 5)
			saveAll(t, s, event(t, 6, on("carol", 6), after(4, 5)))
			requireHeads(t, s, "A", 6)
			saveAll(t, s, event(t, 20, in("late"), after(21)), event(t, 19, in("late"), after()), event(t, 18, in("late")))
			requireHeads(t, s, "late", 18, 19, 20)
		},
	},
	{
		name:  "heads/places",
		claim: "The heads belong to one aggregate in one project: events named as parents in another one remain heads.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			long := strings.Repeat("k", 300)
			saveAll(t, s,
				event(t, 1, after()), event(t, 2, in("B"), after(1)), event(t, 3, elsewhere, after(1)), event(t, 4, in(long+"1"), after()),
				event(t, 5, in(long+"2"), after(4)), event(t, 6, elsewhere, in("C")), event(t, 7, in("C"), after()), event(t, 8, in("C"), after(7)),
				event(t, 10, in("B"), after(9)), event(t, 9, after()), event(t, 30, after(31)), event(t, 31, after(30)))
			requireHeads(t, s, "A", 1, 9, 31)
			saveAll(t, s, event(t, 60, in("D"), after(55)), event(t, 50, in("D"), after(55)), event(t, 55, in("D"), after()))
			requireHeads(t, s, "D", 50, 60)
			saveAll(t, s, event(t, 70, in("E"), after()), event(t, 71, in("E"), on("bob", 70), after(70)))
			requireHeads(t, s, "E", 70, 71)
			requireHeads(t, s, "B", 2, 10)
			requireHeads(t, s, "C", 8)
			requireHeads(t, s, long+"1", 4)
			requireHeads(t, s, long+"2", 5)
			for aggregate, want := range map[string]int{"A": 3, "C": 6} {
				ids, err := s.(causal.HeadLoader).LoadHeads(t.Context(), strings.ToUpper(otherProject), aggregate)
				require.NoError(t, err)
				require.Equal(t, []causal.EventID{eventID(want)}, ids)
			}
			for n, id := range keys(c.Limits) {
				saveAll(t, s, event(t, 1000+2*n, in("x"+id), after()), event(t, 1001+2*n, in("x"+id), after(1000+2*n)))
			}
			for n, id := range keys(c.Limits) {
				requireHeads(t, s, "x"+id, 1001+2*n)
			}
		},
	},
	{
		name:  "heads/missing",
		claim: "MissingParents yields the missing parents of the project in order without duplicates, whatever else the aggregates contain.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			requireMissing(t, s)
			saveAll(t, s, event(t, 1, after()), event(t, 5, after(1, 3, 4)), event(t, 6, in("B"), after(2, 3)))
			requireMissing(t, s, 2, 3, 4)
			saveAll(t, s, event(t, 3, after()), event(t, 20, elsewhere, after(19)))
			requireMissing(t, s, 2, 4)
			saveAll(t, s, event(t, 7, after(5, 8)), event(t, 2, in("C"), after()), event(t, 4, elsewhere, after()))
			requireMissing(t, s, 8)
			saveAll(t, s, event(t, 10), event(t, 12, after(10, 11)), event(t, 8, after()), event(t, 14, in("B"), after(13)), event(t, 15, in("B")))
			requireMissing(t, s, 11, 13)
			saveAll(t, s, event(t, 17, in("B"), after(15, 16)), event(t, 11), event(t, 30, in("D")), event(t, 32, in("D"), after(30, 31)))
			requireMissing(t, s, 13, 16, 31)
			if c.Reopen != nil {
				s = c.Reopen(t, s)
			}
			saveAll(t, s, event(t, 16, in("B"), after()), event(t, 13, in("B")), event(t, 31, in("D"), after()))
			requireMissing(t, s)
			for i := range 150 {
				saveAll(t, s, event(t, 1000+i, in("many"), after(2000+i, 2001+i)))
			}
			var want []int
			for i := range 151 {
				want = append(want, 2000+i)
			}
			requireMissing(t, s, want...)
			for id, err := range s.(causal.HeadLoader).MissingParents(t.Context(), strings.ToUpper(otherProject)) {
				require.NoError(t, err)
				require.Equal(t, eventID(19), id)
			}
			for range s.(causal.HeadLoader).MissingParents(t.Context(), project) {
				break
			}
		},
	},
	{
		name:  "heads/batches",
		claim: "Events naming each other in one batch, and a refused batch, result in the same heads as single saves.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			if _, ok := c.Open(t).(causal.BatchSaver); !ok {
				return
			}
			s := c.Open(t)
			require.NoError(t, saveBatch(t.Context(), s, event(t, 5, after(4)), event(t, 4, after(3)), event(t, 1, in("B"), after())))
			requireHeads(t, s, "A", 5)
			require.Error(t, saveBatch(t.Context(), s, event(t, 6, after(5)), event(t, 4, with(`{}`))))
			require.Error(t, saveBatch(t.Context(), s, event(t, 7), event(t, 4, with(`{}`))))
			requireHeads(t, s, "A", 5)
			require.NoError(t, saveBatch(t.Context(), s, event(t, 3, after()), event(t, 2, after()), event(t, 2, in("C"), with(`{"n":2}`), func(p *causal.EventParams) { p.ID = eventID(50) })))
			requireHeads(t, s, "A", 2, 5)
			requireHeads(t, s, "B", 1)
			requireHeads(t, s, "C", 50)
		},
	},
	{
		name:  "heads/invalid",
		claim: "LoadHeads and MissingParents return a *ValidationError if the project is not a UUID or the aggregate is empty or not UTF-8.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			_, err := s.(causal.HeadLoader).LoadHeads(t.Context(), "project", "A")
			requireInvalid(t, err, "project_uuid")
			for _, id := range []string{"", "\xff"} {
				_, err := s.(causal.HeadLoader).LoadHeads(t.Context(), project, id)
				requireInvalid(t, err, "aggregate_id")
			}
			for id, err := range s.(causal.HeadLoader).MissingParents(t.Context(), "project") {
				requireInvalid(t, err, "project_uuid")
				require.Empty(t, id)
			}
		},
	},
	{
		name:  "heads/model",
		claim: "For any events, in any order and batches, the heads are those of a History.",
		needs: eventNeeds{needsHeads},
		run: func(t *testing.T, c eventConfig) {
			s, run := c.Open(t), 0
			rapid.Check(t, func(rt *rapid.T) {
				run++
				all := drawHistory(rt, run)
				for len(all) > 0 {
					n := min(len(all), rapid.IntRange(1, 4).Draw(rt, "batch"))
					require.NoError(rt, causal.SaveAll(context.Background(), s, all[:n]))
					all = all[n:]
					for _, aggregate := range []string{fmt.Sprint("A", run), fmt.Sprint("B", run)} {
						stored, err := s.LoadEvents(context.Background(), aggregate)
						require.NoError(rt, err)
						h, err := causal.NewHistory(slices.DeleteFunc(stored, func(e causal.Event) bool { return e.ProjectUUID() != project }))
						require.NoError(rt, err)
						want := []causal.EventID{}
						for _, e := range h.Heads() {
							want = append(want, e.ID())
						}
						slices.Sort(want)
						require.Equal(rt, want, headsOf(rt, s, aggregate))
					}
					stored := map[causal.EventID]bool{}
					missing := map[causal.EventID]bool{}
					for _, e := range readAll(rt, s) {
						stored[e.ID()] = true
					}
					for _, e := range readAll(rt, s) {
						for _, id := range e.Parents() {
							if e.ProjectUUID() == project && !stored[id] {
								missing[id] = true
							}
						}
					}
					require.Equal(rt, slices.Sorted(maps.Keys(missing)), missingOf(rt, s))
				}
			})
		},
	},
}

// drawHistory returns events of a few aggregates and projects that name each
// other, some of them wrongly, in random order and with some missing. Runs are
// independent.
func drawHistory(t *rapid.T, run int) []causal.Event {
	base := 1000 * run
	count := rapid.IntRange(1, 14).Draw(t, "count")
	isPlain := rapid.Bool().Draw(t, "with plain events")
	var all []causal.Event
	for n := range count {
		place := rapid.IntRange(0, 9).Draw(t, "place")
		clock := int64(rapid.IntRange(1, 20).Draw(t, "clock"))
		change := []func(*causal.EventParams){in(fmt.Sprint("A", run)), on(fmt.Sprint("node", n%3), clock)}
		if place > 7 {
			change = append(change, in(fmt.Sprint("B", run)))
		}
		if place == 7 {
			change = append(change, elsewhere)
		}
		if !isPlain || rapid.IntRange(0, 5).Draw(t, "plain") > 0 {
			parents := rapid.SliceOfNDistinct(rapid.IntRange(base, base+count), 0, 3, rapid.ID).Draw(t, "parents")
			change = append(change, after(slices.DeleteFunc(parents, func(p int) bool { return p == base+n })...))
		}
		all = append(all, event(t, base+n, change...))
	}
	all = rapid.Permutation(all).Draw(t, "order")
	return all[:rapid.IntRange(1, count).Draw(t, "received")]
}

func headsOf(t tester, s causal.EventStore, aggregateID string) []causal.EventID {
	ids, err := s.(causal.HeadLoader).LoadHeads(t.Context(), project, aggregateID)
	require.NoError(t, err)
	require.NotNil(t, ids, "as parents, nil would make a plain event")
	return ids
}

func readAll(t tester, s causal.EventStore) []causal.Event {
	all, err := causal.LoadAll(t.Context(), s)
	require.NoError(t, err)
	return all
}

func missingOf(t tester, s causal.EventStore) (ids []causal.EventID) {
	for id, err := range s.(causal.HeadLoader).MissingParents(t.Context(), project) {
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

func requireMissing(t tester, s causal.EventStore, want ...int) {
	var ids []causal.EventID
	for _, n := range want {
		ids = append(ids, eventID(n))
	}
	require.Equal(t, ids, missingOf(t, s))
}

func requireHeads(t tester, s causal.EventStore, aggregateID string, want ...int) {
	ids := []causal.EventID{}
	for _, n := range want {
		ids = append(ids, eventID(n))
	}
	require.Equal(t, ids, headsOf(t, s, aggregateID))
}
