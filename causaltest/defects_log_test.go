package causaltest_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spec-kitty/causal"
)

func init() { maps.Copy(defects, logDefects) }

// logDefects are defects of heads, conditions and waiting.
var logDefects = map[string]defect{
	"no heads are nil": {finds: "heads/stamped", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			ids, err := s.LoadHeads(ctx, project, id)
			if len(ids) == 0 {
				ids = nil
			}
			return ids, err
		})},
	"the latest events are the heads": {finds: "heads/stamped", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			events, err := s.LoadEvents(ctx, id)
			if ids, invalid := s.LoadHeads(ctx, project, id); invalid != nil || err != nil || len(events) == 0 {
				return ids, errors.Join(invalid, err)
			}
			return []causal.EventID{events[len(events)-1].ID()}, nil
		})},
	"heads in the order of clocks": {finds: "heads/model", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			ids, err := s.LoadHeads(ctx, project, id)
			at := map[causal.EventID]int{}
			events, _ := s.LoadEvents(ctx, id)
			for i, e := range events {
				at[e.ID()] = i
			}
			slices.SortFunc(ids, func(a, b causal.EventID) int { return at[a] - at[b] })
			return ids, err
		})},
	"heads of all projects": {finds: "heads/places", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			all, err := s.LoadHeads(ctx, project, id)
			for _, other := range []string{"12345678-1234-5678-1234-567812345678", "aaaaaaaa-1234-5678-1234-567812345678"} {
				ids, _ := s.LoadHeads(ctx, other, id)
				all = append(all, ids...)
			}
			slices.Sort(all)
			return slices.Compact(all), err
		})},
	"who names a later event is followed": {finds: "heads/places", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			ids, err := s.LoadHeads(ctx, project, id)
			events, _ := s.LoadEvents(ctx, id)
			for _, e := range events {
				ids = slices.DeleteFunc(ids, func(id causal.EventID) bool { return slices.Contains(e.Parents(), id) })
			}
			return ids, err
		})},
	"plain events are heads": {finds: "heads/plain", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			ids, err := s.LoadHeads(ctx, project, id)
			events, _ := s.LoadEvents(ctx, id)
			for _, e := range events {
				if !e.IsStamped() {
					ids = append(ids, e.ID())
				}
			}
			slices.Sort(ids)
			return slices.Compact(ids), err
		})},
	"missing parents of all projects": {finds: "heads/missing", events: missingParents(func(s *causal.MemEventStore, project string, _ []causal.EventID) (ids []causal.EventID) {
		for _, p := range []string{project, "aaaaaaaa-1234-5678-1234-567812345678"} {
			for id := range s.MissingParents(context.Background(), p) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return slices.Compact(ids)
	})},
	"missing parents that are stored elsewhere": {finds: "heads/missing", events: missingParents(func(s *causal.MemEventStore, project string, ids []causal.EventID) []causal.EventID {
		all, _ := causal.LoadAll(context.Background(), s)
		aggregates := map[causal.EventID]string{}
		for _, e := range all {
			aggregates[e.ID()] = e.AggregateID()
		}
		for _, e := range all {
			for _, id := range e.Parents() {
				if e.ProjectUUID() == project && aggregates[id] != e.AggregateID() {
					ids = append(ids, id)
				}
			}
		}
		slices.Sort(ids)
		return slices.Compact(ids)
	})},
	"missing parents in mixed aggregates are forgotten": {finds: "heads/missing", events: missingParents(func(s *causal.MemEventStore, _ string, ids []causal.EventID) []causal.EventID {
		all, _ := causal.LoadAll(context.Background(), s)
		return slices.DeleteFunc(ids, func(id causal.EventID) bool {
			return slices.ContainsFunc(all, func(e causal.Event) bool {
				return slices.Contains(e.Parents(), id) && slices.ContainsFunc(all, func(o causal.Event) bool { return !o.IsStamped() && o.AggregateID() == e.AggregateID() })
			})
		})
	})},
	"heads of no project": {finds: "heads/invalid", events: heading(
		func(ctx context.Context, s *causal.MemEventStore, project, id string) ([]causal.EventID, error) {
			ids, err := s.LoadHeads(ctx, project, id)
			if err != nil && project == "project" {
				return []causal.EventID{}, nil
			}
			return ids, err
		})},
	"all that is appended is new": {finds: "append/result", events: func() causal.EventStore {
		return patched{MemEventStore: &causal.MemEventStore{}, plus: func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) (causal.Appended, error) {
			a, err := s.Append(ctx, events)
			for i := range a.New {
				a.New[i] = true
			}
			return a, err
		}}
	}},
	"appended one by one": {finds: "append/result", events: func() causal.EventStore {
		return patched{MemEventStore: &causal.MemEventStore{}, plus: func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) (causal.Appended, error) {
			all, err := s.Append(ctx, nil)
			for i := 0; err == nil && i < len(events); i++ {
				var one causal.Appended
				one, err = s.Append(ctx, events[i:i+1])
				all.After, all.New = one.After, append(all.New, one.New...)
			}
			return all, err
		}}
	}},
	"a condition that is always met": {finds: "append/refused", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, _ causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			head, err := s.Head(ctx)
			if err != nil {
				return causal.Appended{}, err
			}
			return s.SaveEventsIf(ctx, head, c, events)
		})},
	"a condition without its node": {finds: "append/refused", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			if c.NodeID = ""; len(c.Aggregates) == 0 {
				c.Aggregates = []string{"none"}
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"a condition on the whole log": {finds: "append/allowed", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			if head, err := s.Head(ctx); err != nil || head != after {
				return causal.Appended{}, causal.ErrConcurrentSave
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"a condition on all projects": {finds: "append/allowed", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			other := c
			if other.ProjectUUID = "12345678-1234-5678-1234-567812345678"; strings.EqualFold(c.ProjectUUID, other.ProjectUUID) {
				other.ProjectUUID = "aaaaaaaa-1234-5678-1234-567812345678"
			}
			if _, err := s.SaveEventsIf(ctx, after, other, nil); err != nil {
				return causal.Appended{}, err
			}
			for entry := range s.ReadLog(ctx, after) {
				if other.Matches(entry.Event) {
					return causal.Appended{}, causal.ErrConcurrentSave
				}
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"the zero condition is always met": {finds: "append/refused", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			if c.IsZero() {
				return s.Append(ctx, events)
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"looks at the condition, then saves": {finds: "append/goroutines", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			for entry := range s.ReadLog(ctx, after) {
				if c.Matches(entry.Event) {
					return causal.Appended{}, causal.ErrConcurrentSave
				}
			}
			runtime.Gosched()
			return s.Append(ctx, events)
		})},
	"saving again on a condition is refused": {finds: "append/again", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			if len(events) > 0 && !events[0].IsZero() && exists(s, events[0].ID()) {
				return causal.Appended{}, causal.ErrConcurrentSave
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"what is missing is added": {finds: "append/again", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			if _, err := s.SaveEventsIf(ctx, after, c, nil); err != nil {
				return causal.Appended{}, err
			}
			for _, e := range events {
				if !e.IsZero() && exists(s, e.ID()) {
					return s.Append(ctx, events)
				}
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"any cursor will do for a condition": {finds: "append/cursors", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			a, err := s.SaveEventsIf(ctx, after, c, events)
			if errors.Is(err, causal.ErrInvalidCursor) {
				return s.SaveEventsIf(ctx, causal.Cursor{}, c, events)
			}
			return a, err
		})},
	"no condition": {finds: "append/invalid", events: deciding(
		func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
			if len(c.Aggregates) == 0 && c.NodeID == "" {
				return s.Append(ctx, events)
			}
			return s.SaveEventsIf(ctx, after, c, events)
		})},
	"a reader sleeps though there are entries": {finds: "wait/there", events: waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		return s.WaitLog(ctx, after)
	})},
	"a reader polls each second": {finds: "wait/saves", events: waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
		if hasMore, err := hasMore(ctx, s, after); hasMore || err != nil {
			return err
		}
		return sleep(ctx, time.Second)
	})},
	"one save wakes one reader": {finds: "wait/saves", events: func() causal.EventStore {
		turn := make(chan struct{}, 1)
		return waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
			if hasMore, err := hasMore(ctx, s, after); hasMore || err != nil {
				return err
			}
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := s.WaitLog(ctx, after); err != nil {
				return err
			}
			return sleep(ctx, time.Second/2)
		})()
	}},
	"a reader waits for ever": {finds: "wait/bounded", events: waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
		for {
			if hasMore, err := hasMore(ctx, s, after); hasMore || err != nil {
				return err
			}
			if err := s.WaitLog(ctx, after); err != nil {
				return err
			}
		}
	})},
	"a reader never waits": {finds: "wait/bounded", events: waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
		_, err := hasMore(ctx, s, after)
		return err
	})},
	"a reader waits for any cursor": {finds: "wait/cursors", events: waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
		head, err := s.Head(ctx)
		if err != nil || after != head && after.Position() <= head.Position() {
			return err
		}
		return s.WaitLog(ctx, head)
	})},
	"a wait without its context": {finds: "wait/context", events: waiting(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error {
		if err := ctx.Err(); err != nil {
			return err // without the cause
		}
		return s.WaitLog(context.WithoutCancel(ctx), after)
	})},
}

// sleep returns after some time, or when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// hasMore reports whether a log has an entry after a cursor.
func hasMore(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) (bool, error) {
	for _, err := range s.ReadLog(ctx, after) {
		return true, err
	}
	return false, nil
}
