package causaltest_test

import (
	"context"
	"crypto/sha256"
	"iter"
	"maps"
	"slices"

	"github.com/spec-kitty/causal"
)

func init() { maps.Copy(defects, digestDefects) }

type (
	keyReader   func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error]
	keyLog      func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error]
	eventLoader func(ctx context.Context, s *causal.MemEventStore, keys []causal.SyncKey) iter.Seq2[causal.Event, error]
)

// digesting is the event store in memory, with other reads of keys.
type digesting struct {
	*causal.MemEventStore
	order keyReader
	log   keyLog
	load  eventLoader
}

func (d digesting) ReadDigests(ctx context.Context, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	if d.order == nil {
		return d.MemEventStore.ReadDigests(ctx, f, from, to, upTo)
	}
	return d.order(ctx, d.MemEventStore, f, from, to, upTo)
}

func (d digesting) ReadDigestLog(ctx context.Context, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	if d.log == nil {
		return d.MemEventStore.ReadDigestLog(ctx, f, after, upTo)
	}
	return d.log(ctx, d.MemEventStore, f, after, upTo)
}

func (d digesting) LoadDigests(ctx context.Context, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
	if d.load == nil {
		return d.MemEventStore.LoadDigests(ctx, keys)
	}
	return d.load(ctx, d.MemEventStore, keys)
}

func orderingKeys(order keyReader) func() causal.EventStore {
	return func() causal.EventStore { return digesting{MemEventStore: &causal.MemEventStore{}, order: order} }
}

func loggingKeys(log keyLog) func() causal.EventStore {
	return func() causal.EventStore { return digesting{MemEventStore: &causal.MemEventStore{}, log: log} }
}

func loadingKeys(load eventLoader) func() causal.EventStore {
	return func() causal.EventStore { return digesting{MemEventStore: &causal.MemEventStore{}, load: load} }
}

// filtering returns a store with another filter.
func filtering(change func(f causal.Filter) causal.Filter) func() causal.EventStore {
	return orderingKeys(func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
		if f.Validate() == nil {
			f = change(f)
		}
		return s.ReadDigests(ctx, f, from, to, upTo)
	})
}

// all returns the items of a sequence up to its error.
func all[T any](seq iter.Seq2[T, error]) (items []T, err error) {
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

// changed yields the items of a sequence after change, and its error.
func changed[T any](seq iter.Seq2[T, error], change func([]T) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		items, err := all(seq)
		for _, item := range change(items) {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

var digestDefects = map[string]defect{
	"keys of one clock in the order of arrival": {finds: "digests/order", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			arrived, _ := all(s.ReadDigestLog(ctx, causal.Filter{}, causal.Cursor{}, upTo))
			return changed(s.ReadDigests(ctx, f, from, to, upTo), func(keys []causal.SyncKey) []causal.SyncKey {
				slices.SortStableFunc(keys, func(a, b causal.SyncKey) int {
					if a.Clock != b.Clock {
						return a.Compare(b)
					}
					return slices.Index(arrived, a) - slices.Index(arrived, b)
				})
				return keys
			})
		})},
	"keys with that of the end": {finds: "digests/order", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if to != (causal.SyncKey{}) {
				to.Digest[31]++
			}
			return s.ReadDigests(ctx, f, from, to, upTo)
		})},
	"keys without that of the start": {finds: "digests/order", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if from != (causal.SyncKey{}) {
				from.Digest[31]++
			}
			return s.ReadDigests(ctx, f, from, to, upTo)
		})},
	"keys of what was saved when they were first read": {finds: "digests/order", events: func() causal.EventStore {
		var first causal.Cursor
		return digesting{MemEventStore: &causal.MemEventStore{}, order: func(
			ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor,
		) iter.Seq2[causal.SyncKey, error] {
			if first.Position() == 0 {
				first = upTo
			}
			return s.ReadDigests(ctx, f, from, to, first)
		}}
	}},
	"keys of later entries": {finds: "digests/position", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, _ causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			head, _ := s.Head(context.Background())
			return s.ReadDigests(ctx, f, from, to, head)
		})},
	"keys of later entries of an aggregate": {finds: "digests/position", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if f.AggregateID != "" {
				upTo, _ = s.Head(context.Background())
			}
			return s.ReadDigests(ctx, f, from, to, upTo)
		})},
	"keys of an aggregate up to the end": {finds: "digests/order", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if f.AggregateID != "" {
				to = causal.SyncKey{}
			}
			return s.ReadDigests(ctx, f, from, to, upTo)
		})},
	"a key beside an error": {finds: "digests/loop", events: loggingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			return func(yield func(causal.SyncKey, error) bool) {
				for key, err := range s.ReadDigestLog(ctx, f, after, upTo) {
					if err != nil {
						key.Clock = 3
					}
					if !yield(key, err) {
						return
					}
				}
			}
		})},
	"events after the context": {finds: "digests/loop", events: loadingKeys(
		func(ctx context.Context, s *causal.MemEventStore, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
			if ctx == nil || ctx.Err() != nil {
				return s.LoadDigests(ctx, keys)
			}
			return s.LoadDigests(context.WithoutCancel(ctx), keys)
		})},
	"a log of keys beyond its end": {finds: "digests/position", events: loggingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, after, _ causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			head, _ := s.Head(context.Background())
			return s.ReadDigestLog(ctx, f, after, head)
		})},
	"a log of keys in their order": {finds: "digests/position", events: loggingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			return changed(s.ReadDigestLog(ctx, f, after, upTo), func(keys []causal.SyncKey) []causal.SyncKey {
				slices.SortFunc(keys, causal.SyncKey.Compare)
				return keys
			})
		})},
	"a log of keys of two pages": {finds: "digests/pages", events: loggingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			return changed(s.ReadDigestLog(ctx, f, after, upTo), func(keys []causal.SyncKey) []causal.SyncKey {
				return keys[:min(24, len(keys))]
			})
		})},
	"a filter for one tier": {finds: "digests/filter", events: filtering(func(f causal.Filter) causal.Filter {
		f.MinTier = max(0, f.MinTier-1)
		return f
	})},
	"a filter without aggregate": {finds: "digests/filter", events: filtering(func(f causal.Filter) causal.Filter {
		f.AggregateID = ""
		return f
	})},
	"a filter without project": {finds: "digests/filter", events: filtering(func(f causal.Filter) causal.Filter {
		f.ProjectUUID = ""
		return f
	})},
	"a filter by the case of the project": {finds: "digests/filter", events: filtering(func(f causal.Filter) causal.Filter {
		if f.ProjectUUID >= "A" && f.ProjectUUID < "G" {
			f.ProjectUUID = "bbbbbbbb-1234-5678-1234-567812345678"
		}
		return f
	})},
	"a log of keys without filter": {finds: "digests/filter", events: loggingKeys(
		func(ctx context.Context, s *causal.MemEventStore, _ causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			return s.ReadDigestLog(ctx, causal.Filter{}, after, upTo)
		})},
	"keys of the text": {finds: "digests/content", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			return changed(s.ReadDigests(ctx, f, from, to, upTo), func(keys []causal.SyncKey) []causal.SyncKey {
				for i, key := range keys {
					for e := range s.LoadDigests(ctx, []causal.SyncKey{key}) {
						text, _ := e.MarshalJSON()
						keys[i].Digest = sha256.Sum256(text)
					}
				}
				return keys
			})
		})},
	"events in the order of keys": {finds: "digests/load", events: loadingKeys(
		func(ctx context.Context, s *causal.MemEventStore, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
			return s.LoadDigests(ctx, slices.SortedFunc(slices.Values(keys), causal.SyncKey.Compare))
		})},
	"an event that is not there is left out": {finds: "digests/load", events: loadingKeys(
		func(ctx context.Context, s *causal.MemEventStore, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
			return func(yield func(causal.Event, error) bool) {
				for _, key := range keys {
					if e, err := all(s.LoadDigests(ctx, []causal.SyncKey{key})); err == nil && !yield(e[0], nil) {
						return
					}
				}
			}
		})},
	"an event with another digest": {finds: "digests/load", events: loadingKeys(
		func(ctx context.Context, s *causal.MemEventStore, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
			near := slices.Clone(keys)
			head, _ := s.Head(ctx)
			for i, key := range near {
				for found := range s.ReadDigests(ctx, causal.Filter{}, causal.SyncKey{Clock: key.Clock}, causal.SyncKey{}, head) {
					if near[i] = found; found.Compare(key) >= 0 {
						break
					}
				}
			}
			return s.LoadDigests(ctx, near)
		})},
	"a filter that is not checked": {finds: "digests/invalid", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if f.Validate() != nil {
				return func(func(causal.SyncKey, error) bool) {}
			}
			return s.ReadDigests(ctx, f, from, to, upTo)
		})},
	"a cursor of keys that is not checked": {finds: "digests/invalid", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if head, err := s.Head(ctx); err == nil && upTo.LogID() != head.LogID() {
				upTo = causal.Cursor{}
			}
			return s.ReadDigests(ctx, f, from, to, upTo)
		})},
	"the end of a log of keys that is not checked": {finds: "digests/invalid", events: loggingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, after, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if head, err := s.Head(ctx); err == nil && upTo.Position() > head.Position() {
				upTo = head
			}
			return s.ReadDigestLog(ctx, f, after, upTo)
		})},
	"a loop over keys after its context": {finds: "digests/loop", events: orderingKeys(
		func(ctx context.Context, s *causal.MemEventStore, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
			if ctx == nil || ctx.Err() != nil {
				return s.ReadDigests(ctx, f, from, to, upTo)
			}
			return s.ReadDigests(context.WithoutCancel(ctx), f, from, to, upTo)
		})},
}
