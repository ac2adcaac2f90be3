package causaltest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var identityCases = []eventCase{
	{
		name:  "identity/again",
		claim: "Saving an event again has no effect, even if its payload spells the same values differently.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			e := event(t, 1, with(`{"a":1,"b":[true]}`))
			saveAll(t, s, e, e, event(t, 1, with(` { "b" : [ true ] , "a" : 1.0 } `)))
			requireAll(t, s, e)
			got, err := s.LoadEvents(t.Context(), "A")
			require.NoError(t, err)
			require.JSONEq(t, `{"a":1,"b":[true]}`, string(got[0].Payload()))
		},
	},
	{
		name:  "identity/goroutines",
		claim: "An event saved concurrently by many goroutines, through several handles, is stored once.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			handles := c.handles(t, s)
			all := events(t, 0, 5)
			errs := make([]error, 32)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					for j := range all {
						errs[i] = errors.Join(errs[i], handles[i%2].SaveEvent(t.Context(), all[(i+j)%len(all)]))
					}
				})
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			requireAll(t, s, all...)
			requireAll(t, handles[1], all...)
		},
	},
	{
		name:  "identity/peer",
		claim: "An event stored by another handle is visible, is not stored again, and cannot be replaced.",
		needs: eventNeeds{needsPeer[causal.EventStore]},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			peer := c.Peer(t, s)
			all := events(t, 0, 10)
			saveAll(t, s, all[:6]...)
			requireAll(t, peer, all[:6]...)
			saveAll(t, peer, all[4:]...)
			requireAll(t, s, all...)
			requireConflicts(t, s, all)
			requireConflicts(t, peer, all)
		},
	},
	{
		name:  "identity/reopen",
		claim: "Once SaveEvent has returned nil, the event is there after the store was closed and reopened.",
		needs: eventNeeds{needsReopen[causal.EventStore]},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := events(t, 0, 10)
			saveAll(t, s, all[:5]...)
			s = c.Reopen(t, s)
			requireAll(t, s, all[:5]...)
			saveAll(t, s, all...)
			s = c.Reopen(t, s)
			requireAll(t, s, all...)
			requireConflicts(t, s, all)
		},
	},
	{
		name:  "identity/conflict",
		claim: "Saving different content under the same ID returns an *IDConflictError, and the stored event is unchanged.",
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := events(t, 0, 3)
			saveAll(t, s, all...)
			requireConflicts(t, s, all)
			past := func(previous int64) func(p *causal.EventParams) {
				return func(p *causal.EventParams) { p.Parents, p.PreviousClock = []causal.EventID{}, previous }
			}
			stamped := event(t, 9, past(3))
			saveAll(t, s, stamped)
			for _, other := range []causal.Event{event(t, 9), event(t, 9, past(4)), event(t, 9, past(0))} {
				requireConflict(t, s.SaveEvent(t.Context(), other), eventID(9))
			}
			requireAll(t, s, append(all, stamped)...)
		},
	},
	{
		name:  "identity/zero",
		claim: "Saving the zero Event returns a *ValidationError, and stores nothing.",
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			requireInvalid(t, s.SaveEvent(ctx, causal.Event{}), "event")
			requireInvalid(t, causal.SaveAll(ctx, s, []causal.Event{{}}), "event")
			requireAll(t, s)
		},
	},
	{
		name:  "identity/batch",
		claim: "Each event of a batch is treated as by SaveEvent, even one that occurs twice in the batch; a batch may be empty.",
		needs: eventNeeds{needsBatch},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := events(t, 0, 20)
			saveAll(t, s, all[3], all[7])
			batch := append(shuffled(all), all...)
			require.NoError(t, saveBatch(t.Context(), s, batch...))
			require.NoError(t, saveBatch(t.Context(), s, batch...))
			require.NoError(t, saveBatch(t.Context(), s))
			requireAll(t, s, all...)
		},
	},
	{
		name:  "identity/whole",
		claim: "A read during the save of a batch sees all of it or nothing.",
		needs: eventNeeds{needsBatch},
		run:   func(t *testing.T, c eventConfig) { requireWholeBatches(t, c.Open(t)) },
	},
	{
		name:  "identity/atomic",
		claim: "SaveEvents stores all events or, if it returns an error, none of them.",
		needs: eventNeeds{needsBatch},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			taken := event(t, 100)
			saveAll(t, s, taken)
			all := events(t, 0, 9)
			for _, bad := range []causal.Event{{}, event(t, 100, with(`{}`)), event(t, 8, with(`{}`)), event(t, 3, with(`{}`))} {
				batch := append(append(all[:4:4], bad), all[4:]...)
				err := saveBatch(t.Context(), s, batch...)
				if bad.IsZero() {
					requireInvalid(t, err, "event")
				} else {
					requireConflict(t, err, bad.ID())
				}
				requireAll(t, s, taken)
			}
			require.NoError(t, saveBatch(t.Context(), s, all...))
			requireAll(t, s, append(all, taken)...)
		},
	},
	{
		name:  "identity/culprits",
		claim: "An *IDConflictError of a batch names every refused event, in ascending order of the IDs without duplicates.",
		needs: eventNeeds{needsBatch},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, events(t, 0, 10)...)
			stored := []causal.Event{event(t, 7, with(`{}`)), event(t, 20), event(t, 3, with(`{}`)), event(t, 5), event(t, 3, with(`{}`))}
			requireConflict(t, saveBatch(t.Context(), s, stored...), eventID(3), eventID(7))
			within := []causal.Event{event(t, 21), event(t, 20), event(t, 21, with(`{}`)), event(t, 20, with(`{}`)), event(t, 22)}
			requireConflict(t, saveBatch(t.Context(), s, within...), eventID(20), eventID(21))
			requireConflict(t, saveBatch(t.Context(), s, append(within, stored...)...), eventID(3), eventID(7), eventID(20), eventID(21))
			requireAll(t, s, events(t, 0, 10)...)
		},
	},
}

// requireWholeBatches reads while batches are saved.
func requireWholeBatches(t tester, s causal.EventStore) {
	ctx := t.Context()
	const size = 10
	saved := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 30 && err == nil; n++ {
			err = saveBatch(ctx, s, events(t, n*size, (n+1)*size)...)
		}
		saved <- err
	}()
	for {
		select {
		case err := <-saved:
			require.NoError(t, err)
			return
		default:
		}
		loaded, err := s.LoadEvents(ctx, "A")
		require.NoError(t, err)
		require.Zero(t, len(loaded)%size)
		for name, sequence := range sequences(s) {
			all, err := collect(sequence(ctx))
			require.NoError(t, err)
			require.Zero(t, len(all)%size, name)
		}
	}
}

// seeing sets an event's vector clock.
func seeing(t tester, times map[string]int64) func(*causal.EventParams) {
	seen, err := causal.NewVectorClock(times)
	require.NoError(t, err)
	return func(p *causal.EventParams) { p.VectorClock = seen }
}

// withMembers returns the event with additional JSON members.
func withMembers(t tester, e causal.Event, members string) causal.Event {
	text, err := e.MarshalJSON()
	require.NoError(t, err)
	plain := strings.Replace(string(text), `,"project_slug":null`, "", 1)
	var changed causal.Event
	require.NoError(t, changed.UnmarshalJSON([]byte(plain[:len(plain)-1]+","+members+"}")))
	return changed
}

func saveBatch(ctx context.Context, s causal.EventStore, events ...causal.Event) error {
	b, ok := s.(causal.BatchSaver)
	if !ok {
		return errors.New("a handle has other capabilities than the first one")
	}
	return b.SaveEvents(ctx, events)
}

// requireConflicts tries to replace the stored event 1.
func requireConflicts(t tester, s causal.EventStore, all []causal.Event) {
	ctx := t.Context()
	changes := []func(*causal.EventParams){
		with(`{"n":2}`), with(`{}`), with(`{"n":"1"}`), in("B"), on("bob", 1), on("alice", 2),
		func(p *causal.EventParams) { p.Timestamp = baseTime.Add(time.Nanosecond) },
		func(p *causal.EventParams) { p.Type = "Changed" },
		func(p *causal.EventParams) { p.ProjectSlug = "slug" },
		func(p *causal.EventParams) { p.CausationID = eventID(2) },
		func(p *causal.EventParams) { p.DataTier = 4 },
		func(p *causal.EventParams) { p.ProjectUUID = strings.Replace(project, "1", "2", 1) },
		func(p *causal.EventParams) { p.CorrelationID = eventID(2) },
		func(p *causal.EventParams) { p.SchemaVersion = "1.0.1" },
		func(p *causal.EventParams) { p.Parents = []causal.EventID{} },
		func(p *causal.EventParams) { p.Parents = []causal.EventID{eventID(2)} },
		seeing(t, map[string]int64{"alice": 1}),
	}
	others := []causal.Event{withMembers(t, event(t, 1), `"project_slug":""`), withMembers(t, event(t, 1), `"future":1`)}
	for _, change := range changes {
		others = append(others, event(t, 1, change))
	}
	for i, other := range others {
		err := s.SaveEvent(ctx, other)
		require.ErrorIs(t, err, causal.ErrIDConflict, "change %d", i)
		requireConflict(t, err, eventID(1))
	}
	requireAll(t, s, all...)
	elsewhere := event(t, 1, func(p *causal.EventParams) { p.Timestamp = baseTime.In(time.FixedZone("", 3600)) })
	require.NoError(t, s.SaveEvent(ctx, elsewhere), "the same instant at another offset is the same content")
	requireAll(t, s, all...)
}

func requireConflict(t tester, err error, ids ...causal.EventID) {
	var conflict *causal.IDConflictError
	require.ErrorAs(t, err, &conflict, "different content is under the IDs %v", ids)
	require.ErrorIs(t, err, causal.ErrIDConflict)
	require.NotErrorIs(t, err, causal.ErrStorage)
	require.Equal(t, ids, conflict.IDs)
}
