package causalnats

import (
	"context"
	"iter"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// LoadEvents returns the events of one aggregate. See [causal.EventStore].
func (s *Store) LoadEvents(ctx context.Context, aggregateID string) (events []causal.Event, err error) {
	if err := causaladapter.CheckLoadEvents(ctx, aggregateID); err != nil {
		return nil, err
	}
	err = s.read(ctx, "load events", func() error {
		events, err = s.replica.store.LoadEvents(ctx, aggregateID)
		return err
	})
	return events, err
}

// FindEvent returns the event with this ID. See [causal.EventFinder].
func (s *Store) FindEvent(ctx context.Context, id causal.EventID) (e causal.Event, err error) {
	if id, err = causaladapter.CheckFindEvent(ctx, id); err != nil {
		return causal.Event{}, err
	}
	err = s.read(ctx, "find event", func() error {
		e, err = s.replica.store.FindEvent(ctx, id)
		return err
	})
	return e, err
}

// LoadHeads returns the heads of an aggregate. See [causal.HeadLoader].
func (s *Store) LoadHeads(ctx context.Context, projectUUID, aggregateID string) (ids []causal.EventID, err error) {
	project, err := causaladapter.CheckLoadHeads(ctx, projectUUID, aggregateID)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, "load heads", func() error {
		ids, err = s.replica.store.LoadHeads(ctx, project, aggregateID)
		return err
	})
	return ids, err
}

// Head returns the cursor of the latest entry. See [causal.LogReader].
func (s *Store) Head(ctx context.Context) (head causal.Cursor, err error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return causal.Cursor{}, err
	}
	err = s.read(ctx, "read head", func() error {
		head, err = s.replica.store.Head(ctx)
		head = s.replica.cursor(head)
		return err
	})
	if err != nil {
		return causal.Cursor{}, err
	}
	return head, nil
}

// Aggregates yields the IDs of all aggregates. See [causal.AggregateLister].
func (s *Store) Aggregates(ctx context.Context) iter.Seq2[string, error] {
	return after(ctx, s, "read aggregates", s.replicaOf().Aggregates)
}

// MissingParents yields the IDs of missing parents. See [causal.HeadLoader].
func (s *Store) MissingParents(ctx context.Context, projectUUID string) iter.Seq2[causal.EventID, error] {
	return checked(ctx, func() error { _, err := causaladapter.CheckMissingParents(ctx, projectUUID); return err },
		after(ctx, s, "read missing parents", func(ctx context.Context) iter.Seq2[causal.EventID, error] {
			return s.replicaOf().MissingParents(ctx, projectUUID)
		}))
}

// AllEvents yields all events. See [causal.EventStore]. A range sees the events
// stored when it began.
func (s *Store) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	return after(ctx, s, "read events", s.replicaOf().AllEvents)
}

// ReadLog yields the entries after the cursor. See [causal.LogReader]. All
// Stores on the same streams have the same log, so a cursor is valid in each of
// them. A range sees the events stored when it began.
func (s *Store) ReadLog(ctx context.Context, cursor causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return after(ctx, s, "read log", func(ctx context.Context) iter.Seq2[causal.LogEntry, error] {
		return func(yield func(causal.LogEntry, error) bool) {
			local, err := s.local(ctx, cursor)
			if err != nil {
				yield(causal.LogEntry{}, err)
				return
			}
			for entry, err := range s.replica.store.ReadLog(ctx, local) {
				if err == nil {
					entry.Cursor = s.replica.cursor(entry.Cursor)
				}
				if !yield(entry, err) {
					return
				}
			}
		}
	})
}

// local translates a cursor of the log into one of the replica.
func (s *Store) local(ctx context.Context, c causal.Cursor) (causal.Cursor, error) {
	head, err := s.replica.store.Head(ctx)
	if err != nil {
		return causal.Cursor{}, err
	}
	return s.replica.local(c, head), nil
}

// ReadDigests yields keys in order. See [causal.DigestReader].
func (s *Store) ReadDigests(
	ctx context.Context, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor,
) iter.Seq2[causal.SyncKey, error] {
	return s.digests(ctx, f, causal.Cursor{}, upTo, func(_, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
		return s.replica.store.ReadDigests(ctx, f, from, to, upTo)
	})
}

// ReadDigestLog yields keys in arrival order. See [causal.DigestReader].
func (s *Store) ReadDigestLog(ctx context.Context, f causal.Filter, cursor, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	return s.digests(ctx, f, cursor, upTo, func(cursor, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
		return s.replica.store.ReadDigestLog(ctx, f, cursor, upTo)
	})
}

func (s *Store) digests(
	ctx context.Context, f causal.Filter, cursor, upTo causal.Cursor, read func(cursor, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error],
) iter.Seq2[causal.SyncKey, error] {
	return checked(ctx, f.Validate, after(ctx, s, "read digests", func(ctx context.Context) iter.Seq2[causal.SyncKey, error] {
		return func(yield func(causal.SyncKey, error) bool) {
			head, err := s.replica.store.Head(ctx)
			if err != nil {
				yield(causal.SyncKey{}, err)
				return
			}
			for key, err := range read(s.replica.local(cursor, head), s.replica.local(upTo, head)) {
				if !yield(key, err) {
					return
				}
			}
		}
	}))
}

// LoadDigests yields the events with these keys. See [causal.DigestReader].
func (s *Store) LoadDigests(ctx context.Context, keys []causal.SyncKey) iter.Seq2[causal.Event, error] {
	return after(ctx, s, "load digests", func(ctx context.Context) iter.Seq2[causal.Event, error] {
		return s.replicaOf().LoadDigests(ctx, keys)
	})
}

// replicaOf returns the replica's store. That of the zero value is never read.
func (s *Store) replicaOf() causal.Store {
	if s.replica == nil {
		return &causal.MemStore{}
	}
	return s.replica.store
}

// checked yields the error of a check, or all.
func checked[T any](ctx context.Context, check func() error, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := causaladapter.CheckContext(ctx)
		if err == nil {
			err = check()
		}
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		all(yield)
	}
}

// after yields the result of a read from the replica, after a fence, until the
// store is closed.
func after[T any](ctx context.Context, s *Store, op string, read func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		err := causaladapter.CheckContext(ctx)
		if err == nil {
			err = s.read(ctx, op, func() error { return nil })
		}
		if err != nil {
			yield(zero, err)
			return
		}
		for item, err := range read(ctx) {
			if err == nil {
				err = s.check(ctx, op)
			}
			if err != nil {
				yield(zero, s.client.failure(op, err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}
