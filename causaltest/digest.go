package causaltest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var needsDigests = needsCapability[causal.DigestReader, causal.EventStore]

var digestCases = []eventCase{
	{
		name:  "digests/order",
		claim: "ReadDigests yields the keys of events in order, from one key up to but not including another; later calls also yield those of events saved since.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			require.Empty(t, digestsOf(t, s, causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}))
			all := manyKeys(t, c)
			require.NoError(t, causal.SaveAll(t.Context(), s, all[:len(all)/2]))
			requireDigests(t, s, all[:len(all)/2])
			require.NoError(t, causal.SaveAll(t.Context(), s, all[len(all)/2:]))
			requireDigests(t, s, all)
			if c.Peer != nil {
				peer := c.Peer(t, s)
				requireDigests(t, peer, all)
				more := event(t, 100_000)
				saveAll(t, peer, more)
				all = append(all, more)
				requireDigests(t, s, all)
			}
			if c.Reopen != nil {
				requireDigests(t, c.Reopen(t, s), all)
			}
		},
	},
	{
		name:  "digests/position",
		claim: "ReadDigests yields no keys of entries after the cursor upTo, and ReadDigestLog those between two cursors, in arrival order.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := shuffled(events(t, 0, 12))
			saveAll(t, s, all...)
			cursors := append([]causal.Cursor{{}}, cursorsOf(t, s)...)
			for _, f := range filtersForAll {
				for last, upTo := range cursors {
					d := s.(causal.DigestReader)
					require.Equal(t, sortedKeys(all[:last]), keysOf(t, d.ReadDigests(t.Context(), f, causal.SyncKey{}, causal.SyncKey{}, upTo)))
					for first, after := range cursors {
						want := syncKeys(all[min(first, last):last])
						require.Equal(t, want, keysOf(t, d.ReadDigestLog(t.Context(), f, after, upTo)), "%d to %d", first, last)
					}
				}
			}
		},
	},
	{
		name:  "digests/pages",
		claim: "ReadDigestLog yields each key of a long log once.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := manyKeys(t, c)
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			head, err := s.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			for _, f := range filtersForAll {
				log := s.(causal.DigestReader).ReadDigestLog(t.Context(), f, causal.Cursor{}, head)
				require.Equal(t, syncKeys(all), keysOf(t, log))
				require.Equal(t, syncKeys(all), keysOf(t, log), "a second range")
			}
		},
	},
	{
		name:  "digests/filter",
		claim: "A filter selects the events of a project, whatever the case of its UUID, of an aggregate, compared bytewise, and of at least a tier.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			const other = "aaaaaaaa-1234-5678-1234-567812345678"
			var all []causal.Event
			ids := append(keys(c.Limits), "A", "B", "a")
			for i, id := range ids {
				for tier := range 5 {
					all = append(all, event(t, len(all), in(id), func(p *causal.EventParams) {
						p.DataTier, p.LamportClock = tier, int64(i/3)
						if tier%2 == 1 {
							p.ProjectUUID = other
						}
					}))
				}
			}
			require.NoError(t, causal.SaveAll(t.Context(), s, shuffled(all)))
			for _, p := range []string{"", project, other, strings.ToUpper(other), "bbbbbbbb-1234-5678-1234-567812345678"} {
				for tier := range 5 {
					for _, id := range append(ids, "", "none") {
						f := causal.Filter{ProjectUUID: p, AggregateID: id, MinTier: tier}
						var want []causal.Event
						for _, e := range all {
							if f.Matches(e) {
								want = append(want, e)
							}
						}
						require.Equal(t, sortedKeys(want), digestsOf(t, s, f, causal.SyncKey{}, causal.SyncKey{}), "%+v", f)
					}
				}
				f := causal.Filter{ProjectUUID: p, AggregateID: "A", MinTier: 2}
				head, err := s.(causal.LogReader).Head(t.Context())
				require.NoError(t, err)
				log := keysOf(t, s.(causal.DigestReader).ReadDigestLog(t.Context(), f, causal.Cursor{}, head))
				require.ElementsMatch(t, digestsOf(t, s, f, causal.SyncKey{}, causal.SyncKey{}), log)
			}
		},
	},
	{
		name:  "digests/content",
		claim: "The key of an event is that of its content, however it is spelled when saved again.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			first := event(t, 1, with(`{"a":1,"b":[2.50]}`))
			saveAll(t, s, first)
			want := []causal.SyncKey{first.SyncKey()}
			require.Equal(t, want, digestsOf(t, s, causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}))
			saveAll(t, s, event(t, 1, with(`{ "b": [25e-1], "a": 1.0 }`)))
			require.ErrorIs(t, s.SaveEvent(t.Context(), event(t, 1, with(`{"a":2}`))), causal.ErrIDConflict)
			require.Equal(t, want, digestsOf(t, s, causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}))
		},
	},
	{
		name:  "digests/load",
		claim: "LoadDigests yields the events in the order of the given keys, and ends with a *StorageError if one is missing.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			d := s.(causal.DigestReader)
			all := manyKeys(t, c)
			for i := range 5 { // to fill pages
				all = append(all, event(t, 100_000+i, with(`{"x":"`+strings.Repeat("x", 300_000)+`"}`)))
			}
			all = shuffled(all)
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			want := shuffled(append(all, all[0], all[1]))
			got, err := collect(d.LoadDigests(t.Context(), syncKeys(want)))
			require.NoError(t, err)
			requireSame(t, want, got)
			got, err = collect(d.LoadDigests(t.Context(), nil))
			require.NoError(t, err)
			require.Empty(t, got)
			none := all[2].SyncKey()
			none.Digest[31] ^= 1
			for _, none := range []causal.SyncKey{none, {}, {Clock: 1 << 62}, {Clock: all[2].LamportClock() + 1, Digest: all[2].Digest()}} {
				got, err = collect(d.LoadDigests(t.Context(), []causal.SyncKey{all[0].SyncKey(), none, all[1].SyncKey()}))
				require.ErrorIs(t, err, causal.ErrStorage)
				requireSame(t, all[:1], got)
			}
		},
	},
	{
		name:  "digests/invalid",
		claim: "Invalid filters and cursors are refused, as by Validate and by ReadLog.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s, other := c.Open(t), c.Open(t)
			saveAll(t, s, events(t, 0, 3)...)
			saveAll(t, other, events(t, 0, 3)...)
			for field, f := range map[string]causal.Filter{
				"project_uuid": {ProjectUUID: "project"}, "aggregate_id": {AggregateID: "\xff"}, "min_tier": {MinTier: 5},
			} {
				requireInvalid(t, lastError(digestCalls(t, s, f, causal.Cursor{})), field)
			}
			head, err := other.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			for _, call := range digestCalls(t, s, causal.Filter{}, head) {
				require.ErrorIs(t, lastError([]iter.Seq2[causal.SyncKey, error]{call}), causal.ErrInvalidCursor)
			}
			head, err = s.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			for _, call := range digestCalls(t, s, causal.Filter{}, head.Next(eventID(9))) {
				require.ErrorIs(t, lastError([]iter.Seq2[causal.SyncKey, error]{call}), causal.ErrCursorAhead)
			}
		},
	},
	{
		name:  "digests/loop",
		claim: "A loop over keys or their events may save, may end at any time, and ends with the error of its context.",
		needs: eventNeeds{needsDigests, needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := manyKeys(t, c)
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			n := 0
			saveOrEnd := func(cancel func()) {
				within(t, "a save in the loop", func() error { return s.SaveEvent(t.Context(), event(t, 200_000+n)) })
				if n++; n%3 == 0 {
					cancel()
				}
			}
			for i := range digestCalls(t, s, causal.Filter{}, causal.Cursor{}) {
				ctx, cancel := context.WithCancel(t.Context())
				var last error
				for key, err := range digestCalls(t, s, causal.Filter{}, causal.Cursor{}, ctx)[i] {
					if last = err; err == nil {
						saveOrEnd(cancel)
						continue
					}
					require.Zero(t, key)
				}
				cancel()
				require.Equal(t, 3*(i+1), n)
				require.ErrorIs(t, last, context.Canceled)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var last error
			for e, err := range s.(causal.DigestReader).LoadDigests(ctx, syncKeys(all)) {
				if last = err; err == nil {
					saveOrEnd(cancel)
					continue
				}
				require.True(t, e.IsZero())
			}
			require.Equal(t, 12, n)
			require.ErrorIs(t, last, context.Canceled)
			for range s.(causal.DigestReader).LoadDigests(t.Context(), syncKeys(all)) {
				within(t, "a save in the loop", func() error { return s.SaveEvent(t.Context(), event(t, 300_000)) })
				break
			}
		},
	},
}

// manyKeys returns several pages of events, many of them with the same clock,
// in random order.
func manyKeys(t tester, c eventConfig) []causal.Event {
	ends := c.pageEnds()
	count := 40
	if len(ends) > 0 {
		count = ends[len(ends)-1] + 3
	}
	all := make([]causal.Event, count)
	for i := range all {
		all[i] = event(t, i, on("alice", int64(i/max(1, count/4))))
	}
	return shuffled(all)
}

func syncKeys(events []causal.Event) []causal.SyncKey {
	all := make([]causal.SyncKey, 0, len(events))
	for _, e := range events {
		all = append(all, e.SyncKey())
	}
	return all
}

func sortedKeys(events []causal.Event) []causal.SyncKey {
	all := syncKeys(events)
	slices.SortFunc(all, causal.SyncKey.Compare)
	return all
}

func keysOf(t tester, seq iter.Seq2[causal.SyncKey, error]) []causal.SyncKey {
	all := []causal.SyncKey{}
	for key, err := range seq {
		require.NoError(t, err)
		all = append(all, key)
	}
	return all
}

// digestsOf returns the keys of all stored events.
func digestsOf(t tester, s causal.EventStore, f causal.Filter, from, to causal.SyncKey) []causal.SyncKey {
	head, err := s.(causal.LogReader).Head(t.Context())
	require.NoError(t, err)
	return keysOf(t, s.(causal.DigestReader).ReadDigests(t.Context(), f, from, to, head))
}

// filtersForAll select all events returned by events and manyKeys.
var filtersForAll = []causal.Filter{{}, {AggregateID: "A"}, {ProjectUUID: project}}

// requireDigests requires the keys of all events, and of some ranges.
func requireDigests(t tester, s causal.EventStore, events []causal.Event) {
	want := sortedKeys(events)
	for _, f := range filtersForAll {
		require.Equal(t, want, digestsOf(t, s, f, causal.SyncKey{}, causal.SyncKey{}))
		step := max(1, (len(want)+1)/2)
		for first := 0; first < len(want); first += step {
			require.Equal(t, want[first:], digestsOf(t, s, f, want[first], causal.SyncKey{}))
			for last := 0; last < len(want); last += step {
				require.Equal(t, want[min(first, last):last], digestsOf(t, s, f, want[first], want[last]))
			}
		}
		border := causal.SyncKey{Clock: want[len(want)/2].Clock} // of which there is no event
		i, _ := slices.BinarySearchFunc(want, border, causal.SyncKey.Compare)
		require.Equal(t, want[i:], digestsOf(t, s, f, border, causal.SyncKey{}))
		require.Equal(t, want[:i], digestsOf(t, s, f, causal.SyncKey{Clock: -1}, border))
	}
}

// digestCalls returns reads of keys: in order, up to the head or up to a
// nonzero cursor, and in arrival order, after and up to it.
func digestCalls(t tester, s causal.EventStore, f causal.Filter, at causal.Cursor, ctx ...context.Context) []iter.Seq2[causal.SyncKey, error] {
	ctx = append(ctx, t.Context())
	d := s.(causal.DigestReader)
	head, err := s.(causal.LogReader).Head(t.Context())
	require.NoError(t, err)
	upTo := at
	if at == (causal.Cursor{}) {
		upTo = head
	}
	return []iter.Seq2[causal.SyncKey, error]{
		d.ReadDigests(ctx[0], f, causal.SyncKey{}, causal.SyncKey{}, upTo),
		d.ReadDigestLog(ctx[0], f, at, head),
		d.ReadDigestLog(ctx[0], f, causal.Cursor{}, upTo),
	}
}

// lastError returns the error that ends all of the reads, or nil if they differ
// or have yielded something first.
func lastError(calls []iter.Seq2[causal.SyncKey, error]) (last error) {
	for i, call := range calls {
		pairs := 0
		var end error
		for _, err := range call {
			pairs++
			end = err
		}
		if pairs != 1 || i > 0 && errors.Is(end, causal.ErrValidation) != errors.Is(last, causal.ErrValidation) {
			return nil
		}
		last = end
	}
	return last
}
