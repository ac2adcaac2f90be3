package causaltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/spec-kitty/causal"
)

var background = context.Background()

// defects are by what is wrong with them, as it was in stores of others.
var defects = map[string]defect{
	"ties in the order of arrival": {finds: "order/ties", events: sortingBy(compareClockAndNode)},
	"nodes in the order of UTF-16": {finds: "order/ties", events: sortingBy(compareUTF16)},
	"clocks as floats": {finds: "order/ties", events: changing(func(e causal.Event) causal.Event {
		return rebuilt(e, func(p *causal.EventParams) { p.LamportClock = int64(min(float64(p.LamportClock), 1<<62)) })
	})},
	"late events are not seen": {finds: "order/late", events: func() causal.EventStore { return &appendOnly{} }},
	"a silent limit of 500": {finds: "order/reverse", events: loading(func(ctx context.Context, s *causal.MemEventStore, id string) ([]causal.Event, error) {
		events, err := s.LoadEvents(ctx, id)
		return events[:min(len(events), 500)], err
	})},
	"an unknown aggregate is an error": {finds: "order/none", events: loading(func(ctx context.Context, s *causal.MemEventStore, id string) ([]causal.Event, error) {
		events, err := s.LoadEvents(ctx, id)
		if len(events) == 0 {
			err = errors.New("not found")
		}
		return events, err
	})},
	"saving again is an error": {finds: "identity/again", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		for _, e := range events {
			if exists(s, e.ID()) {
				return errors.New("duplicate key")
			}
		}
		return s.SaveEvents(ctx, events)
	})},
	"other projects are not seen":        {finds: "identity/conflict", events: blindTo("project_uuid")},
	"other slugs are not seen":           {finds: "identity/conflict", events: blindTo("project_slug")},
	"other types are not seen":           {finds: "identity/conflict", events: blindTo("event_type")},
	"other causes are not seen":          {finds: "identity/conflict", events: blindTo("causation_id")},
	"other tiers are not seen":           {finds: "identity/conflict", events: blindTo("data_tier")},
	"other timestamps are not seen":      {finds: "identity/conflict", events: blindTo("timestamp")},
	"other correlations are not seen":    {finds: "identity/conflict", events: blindTo("correlation_id")},
	"other versions are not seen":        {finds: "identity/conflict", events: blindTo("schema_version")},
	"other vector clocks are not seen":   {finds: "identity/conflict", events: blindTo("vector_clock")},
	"other parents are not seen":         {finds: "identity/conflict", events: blindTo("parents", "previous_clock")},
	"other previous clocks are not seen": {finds: "identity/conflict", events: blindTo("previous_clock")},
	"other aggregates are not seen":      {finds: "identity/conflict", events: blindTo("aggregate_id")},
	"other payloads are not seen":        {finds: "identity/conflict", events: blindTo("payload")},
	"other unknown members are not seen": {finds: "identity/conflict", events: blindTo("future")},
	"saving again replaces":              {finds: "identity/conflict", events: func() causal.EventStore { return &replacing{} }},
	"other content is dropped without an error": {finds: "identity/conflict", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		err := s.SaveEvents(ctx, events)
		if errors.Is(err, causal.ErrIDConflict) {
			return nil
		}
		return err
	})},
	"the zero Event is stored as nothing": {finds: "identity/zero", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		return s.SaveEvents(ctx, slices.DeleteFunc(slices.Clone(events), causal.Event.IsZero))
	})},
	"a batch is saved in part": {finds: "identity/atomic", events: saving(saveOneByOne)},
	"a batch names the first culprit only": {finds: "identity/culprits", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		err := s.SaveEvents(ctx, events)
		var conflict *causal.IDConflictError
		if errors.As(err, &conflict) {
			conflict.IDs = conflict.IDs[:1]
		}
		return err
	})},
	"a batch is seen in part": {finds: "identity/whole", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		for _, e := range events {
			time.Sleep(10 * time.Microsecond)
			if err := s.SaveEvent(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})},
	"numbers are written anew": {finds: "fidelity/payloads", events: changing(func(e causal.Event) causal.Event {
		var payload map[string]any
		if err := json.Unmarshal(e.Payload(), &payload); err != nil {
			return e
		}
		return rebuilt(e, func(p *causal.EventParams) { p.Payload = payload })
	})},
	"whole seconds": {finds: "fidelity/times", events: changing(func(e causal.Event) causal.Event {
		return rebuilt(e, func(p *causal.EventParams) { p.Timestamp = p.Timestamp.Truncate(time.Second) })
	})},
	"all times in UTC": {finds: "fidelity/times", events: changing(func(e causal.Event) causal.Event {
		return rebuilt(e, func(p *causal.EventParams) { p.Timestamp = p.Timestamp.UTC() })
	})},
	"unknown members are dropped": {finds: "fidelity/members", events: changing(func(e causal.Event) causal.Event {
		return rebuilt(e, func(*causal.EventParams) {})
	})},
	"vector clocks are dropped": {finds: "fidelity/members", events: changing(func(e causal.Event) causal.Event {
		if e.VectorClock().IsZero() {
			return e
		}
		return rebuilt(e, func(p *causal.EventParams) { p.VectorClock = causal.VectorClock{} })
	})},
	"the past is dropped": {finds: "fidelity/members", events: changing(func(e causal.Event) causal.Event {
		if !e.IsStamped() {
			return e
		}
		return rebuilt(e, func(p *causal.EventParams) { p.Parents, p.PreviousClock = nil, 0 })
	})},
	"no parents are no past": {finds: "fidelity/members", events: changing(func(e causal.Event) causal.Event {
		if !e.IsStamped() || len(e.Parents()) > 0 {
			return e
		}
		return rebuilt(e, func(p *causal.EventParams) { p.Parents = nil })
	})},
	"loads share memory":      {finds: "fidelity/mutation", events: func() causal.EventStore { return &sharing{} }},
	"keys joined with _":      {finds: "keys/aggregates", events: keyed(func(id string) string { return strings.ReplaceAll(id, "+", "_") })},
	"keys end at NUL":         {finds: "keys/aggregates", events: keyed(func(id string) string { head, _, _ := strings.Cut(id, "\x00"); return "x" + head })},
	"keys without their end":  {finds: "keys/aggregates", events: keyed(func(id string) string { return "x" + strings.TrimRight(id, " ") })},
	"keys without their case": {finds: "keys/aggregates", events: keyed(strings.ToLower)},
	"keys of 255 bytes":       {finds: "keys/aggregates", events: keyed(func(id string) string { return id[:min(len(id), 255)] })},
	"keys by prefix": {finds: "keys/aggregates", events: loading(func(ctx context.Context, s *causal.MemEventStore, id string) (found []causal.Event, err error) {
		for e, err := range s.AllEvents(ctx) {
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(e.AggregateID(), id) {
				found = append(found, e)
			}
		}
		return found, nil
	})},
	"a lock is held during the loop": {finds: "iteration/save", events: func() causal.EventStore { return &locking{} }},
	"a pool of 10 readers": {finds: "iteration/nested", events: func() causal.EventStore {
		pool := make(chan struct{}, 10)
		return ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
			pool <- struct{}{}
			defer func() { <-pool }()
			s.AllEvents(ctx)(yield)
		})()
	}},
	"a cut looks complete": {finds: "iteration/cancel", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		for e, err := range s.AllEvents(ctx) {
			if err != nil || !yield(e, err) {
				return
			}
		}
	})},
	"an error comes again and again": {finds: "iteration/cancel", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		for e, err := range s.AllEvents(ctx) {
			if !yield(e, err) || err != nil && !yield(e, err) {
				return
			}
		}
	})},
	"a full page is the last one": {finds: "iteration/pages", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		n := 0
		for e, err := range s.AllEvents(ctx) {
			if n++; n > 8 && err == nil || !yield(e, err) {
				return
			}
		}
	})},
	"a large page loses its last event": {finds: "iteration/large", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		size := 0
		for e, err := range s.AllEvents(ctx) {
			if size += len(e.Payload()); size > 1<<20 {
				size = 0
			} else if !yield(e, err) {
				return
			}
		}
	})},
	"all events in memory": {finds: "iteration/memory", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		var texts []json.RawMessage
		for e := range s.AllEvents(background) {
			texts = append(texts, e.Payload())
		}
		s.AllEvents(ctx)(yield)
		runtime.KeepAlive(texts)
	})},
	"a goroutine for each loop": {finds: "iteration/leaks", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		next, stop := iter.Pull2(s.AllEvents(ctx))
		_ = stop // never called: the goroutine waits for ever
		go func() { select {} }()
		for e, err, ok := next(); ok && yield(e, err); e, err, ok = next() {
		}
	})},
	"batches of 100": {finds: "many/atomic", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		for part := range slices.Chunk(events, 100) {
			if err := s.SaveEvents(ctx, part); err != nil {
				return err
			}
		}
		return nil
	})},
	"entry 2001 of a range is left out": {finds: "many/ranges", events: tailing(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool) {
		n := 0
		for entry, err := range s.ReadLog(ctx, after) {
			if n++; n != 2001 && !yield(entry, err) {
				return
			}
		}
	})},
	"a range by offsets": {finds: "many/save", events: ranging(rangeByOffset)},
	"a cut behind the 100th event looks complete": {finds: "many/cancel", events: ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		n := 0
		for e, err := range s.AllEvents(ctx) {
			if n++; n > 100 && err != nil || !yield(e, err) {
				return
			}
		}
	})},
	"a limit of 1000 aggregates": {finds: "many/aggregates", events: loading(func(ctx context.Context, s *causal.MemEventStore, id string) ([]causal.Event, error) {
		if len(id) > len("A999") {
			return nil, nil
		}
		return s.LoadEvents(ctx, id)
	})},
	"a duplicate is an entry of the log": {finds: "log/duplicates", events: func() causal.EventStore { return &repeating{} }},
	"the log in the order of clocks":     {finds: "log/resume", events: func() causal.EventStore { return &logByClock{} }},
	"any cursor will do": {finds: "log/foreign", events: tailing(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool) {
		for _, err := range s.ReadLog(ctx, after) {
			if errors.Is(err, causal.ErrInvalidCursor) {
				return // the end, as if there were nothing new
			}
			break
		}
		s.ReadLog(ctx, after)(yield)
	})},
	"cursors of another history will do": {finds: "log/foreign", events: tailing(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool) {
		position := uint64(0)
		for entry, err := range s.ReadLog(ctx, causal.Cursor{}) {
			if err != nil || after != (causal.Cursor{}) && after.LogID() != entry.Cursor.LogID() {
				s.ReadLog(ctx, after)(yield)
				return
			}
			if position++; position == after.Position() {
				after = entry.Cursor
			}
		}
		s.ReadLog(ctx, after)(yield)
	})},
	"cursors without hashes": {finds: "log/hashes", events: tailing(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool) {
		for entry, err := range s.ReadLog(ctx, after) {
			entry.Cursor = causal.NewCursor(entry.Cursor.LogID(), entry.Cursor.Position(), [8]byte{})
			if !yield(entry, err) {
				return
			}
		}
	})},
	"positions before the commit": {finds: "log/writers", events: func() causal.EventStore { return &gapped{} }},
	"ended contexts are not looked at": {finds: "context/ended", events: saving(func(_ context.Context, s *causal.MemEventStore, events []causal.Event) error {
		return s.SaveEvents(background, events)
	})},
	"the cause of the context is lost": {finds: "context/ended", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		if ctx != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		return s.SaveEvents(ctx, events)
	})},
	"a load is cut by its context": {finds: "context/many", events: loading(func(ctx context.Context, s *causal.MemEventStore, id string) ([]causal.Event, error) {
		events, err := s.LoadEvents(ctx, id)
		time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
		if ctx != nil && ctx.Err() != nil {
			return events[:len(events)/2], err
		}
		return events, err
	})},
	"a save ends with its context though it is stored": {finds: "context/during", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		if err := s.SaveEvents(ctx, events); err != nil {
			return err
		}
		if _, ok := ctx.Deadline(); !ok {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})},
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
	"events are found by the case of their IDs": {finds: "find/events", events: finding(func(ctx context.Context, s *causal.MemEventStore, id causal.EventID) (causal.Event, error) {
		e, err := s.FindEvent(ctx, id)
		if e.ID() != id {
			return causal.Event{}, err
		}
		return e, err
	})},
	"what is not there is an error": {finds: "find/events", events: finding(func(ctx context.Context, s *causal.MemEventStore, id causal.EventID) (causal.Event, error) {
		e, err := s.FindEvent(ctx, id)
		if err == nil && e.IsZero() {
			err = &causal.StorageError{Op: "find event", Err: errPoisoned}
		}
		return e, err
	})},
	"no ID is invalid": {finds: "find/invalid", events: finding(func(ctx context.Context, s *causal.MemEventStore, id causal.EventID) (causal.Event, error) {
		e, err := s.FindEvent(ctx, id)
		if ctx != nil && ctx.Err() == nil {
			err = nil
		}
		return e, err
	})},
	"a limit of 100 aggregates": {finds: "find/aggregates", events: listing(func(ctx context.Context, s *causal.MemEventStore, yield func(string, error) bool) {
		n := 0
		for id, err := range s.Aggregates(ctx) {
			if n++; n > 100 || !yield(id, err) {
				return
			}
		}
	})},
	"an aggregate for each event": {finds: "find/aggregates", events: listing(func(ctx context.Context, s *causal.MemEventStore, yield func(string, error) bool) {
		for e, err := range s.AllEvents(ctx) {
			if !yield(e.AggregateID(), err) {
				return
			}
		}
	})},
	"aggregates without those of long IDs": {finds: "find/aggregates", events: listing(func(ctx context.Context, s *causal.MemEventStore, yield func(string, error) bool) {
		for id, err := range s.Aggregates(ctx) {
			if len(id) < 250 && !yield(id, err) {
				return
			}
		}
	})},
	"a cut of aggregates looks complete": {finds: "find/loop", events: listing(func(ctx context.Context, s *causal.MemEventStore, yield func(string, error) bool) {
		n := 0
		for id, err := range s.Aggregates(ctx) {
			if n++; n > 1 && err != nil || !yield(id, err) {
				return
			}
		}
	})},
	"a batch is cut by its context": {finds: "context/during", events: saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
		if err := s.SaveEvents(ctx, nil); err != nil {
			return err
		}
		for part := range slices.Chunk(events, 10) {
			time.Sleep(20 * time.Microsecond)
			if err := s.SaveEvents(ctx, part); err != nil {
				return err
			}
		}
		return nil
	})},
	"an ended context breaks the connection": {finds: "context/many", events: func() causal.EventStore {
		var poisoned bool
		return saving(func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
			if poisoned {
				return errPoisoned
			}
			err := s.SaveEvents(ctx, events)
			poisoned = errors.Is(err, context.DeadlineExceeded)
			return err
		})()
	}},
	"usable after Close":          {finds: "life/closed", events: func() causal.EventStore { return closable{&causal.MemEventStore{}} }},
	"closed without an operation": {finds: "life/closed", events: func() causal.EventStore { return &barelyClosed{} }},
	"its own error during Close":  {finds: "life/saves", events: func() causal.EventStore { return &abrupt{} }},
	"a loop goes on after Close":  {finds: "life/loop", events: func() causal.EventStore { return closable{&causal.MemEventStore{}} }},

	"a clock never goes back":  {finds: "clock/values", clocks: func() causal.ClockStorage { return maxClocks{&causal.MemClockStorage{}} }},
	"one clock for all nodes":  {finds: "clock/keys", clocks: func() causal.ClockStorage { return oneClock{&causal.MemClockStorage{}} }},
	"a negative clock is 0":    {finds: "clock/invalid", clocks: func() causal.ClockStorage { return clampedClocks{&causal.MemClockStorage{}} }},
	"load, then save":          {finds: "advance/shared", clocks: func() causal.ClockStorage { return loadThenSave{&causal.MemClockStorage{}} }},
	"bad input is overflow":    {finds: "clock/model", clocks: func() causal.ClockStorage { return overflowing{&causal.MemClockStorage{}} }},
	"bad input without a name": {finds: "clock/invalid", clocks: func() causal.ClockStorage { return nameless{&causal.MemClockStorage{}} }},
	"a clock wraps":            {finds: "advance/range", clocks: func() causal.ClockStorage { return wrapping{&causal.MemClockStorage{}} }},

	"the last save wins": {finds: "checkpoint/revisions", points: checkpoints(func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error) {
		stored, err := s.LoadCheckpoint(ctx, name)
		if err == nil {
			c.Revision = stored.Revision
		}
		return s.SaveCheckpoint(ctx, name, c)
	})},
	"revisions of each name from 1": {finds: "checkpoint/revisions", points: func() causal.CheckpointStorage { return &countedCheckpoints{} }},
	"looks, then saves": {finds: "checkpoint/goroutines", points: checkpoints(func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error) {
		stored, err := s.LoadCheckpoint(ctx, name)
		if err != nil || stored.Revision != c.Revision {
			return s.SaveCheckpoint(ctx, name, c)
		}
		time.Sleep(time.Millisecond)
		if stored, err = s.LoadCheckpoint(ctx, name); err != nil {
			return 0, err
		}
		c.Revision = stored.Revision
		return s.SaveCheckpoint(ctx, name, c)
	})},
	"a state is text": {finds: "checkpoint/values", points: checkpoints(func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error) {
		c.State = []byte(strings.ToValidUTF8(string(c.State), "?"))
		return s.SaveCheckpoint(ctx, name, c)
	})},
	"a state has a limit of 1 MB": {finds: "checkpoint/values", points: checkpoints(func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error) {
		c.State = c.State[:min(len(c.State), 1_000_000)]
		return s.SaveCheckpoint(ctx, name, c)
	})},
	"a state without a limit": {finds: "checkpoint/invalid", points: checkpoints(func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error) {
		c.State = c.State[:min(len(c.State), causal.MaxCheckpointState)]
		return s.SaveCheckpoint(ctx, name, c)
	})},
	"names without case": {finds: "checkpoint/names", points: checkpoints(func(ctx context.Context, s *causal.MemCheckpointStorage, name string, c causal.Checkpoint) (uint64, error) {
		stored, err := s.LoadCheckpoint(ctx, strings.ToUpper(name))
		if err == nil {
			c.Revision = stored.Revision
		}
		return s.SaveCheckpoint(ctx, strings.ToUpper(name), c)
	})},
	"the caller's state is kept": {finds: "checkpoint/ownership", points: func() causal.CheckpointStorage { return &sharingCheckpoints{} }},

	"rejected without a limit": {finds: "rejected/size", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		return true, s.add(ctx, r)
	})},
	"the oldest that was rejected goes": {finds: "rejected/count", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		if r.Size() > causal.MaxRejectedSize || s.size+r.Size() > causal.MaxRejectedBytes {
			return s.MemRejectedStorage.AppendRejected(ctx, r)
		}
		for {
			stored, err := s.MemRejectedStorage.AppendRejected(ctx, r)
			if stored || err != nil {
				return stored, err
			}
			for oldest := range s.Rejected(ctx) {
				if err := s.DeleteRejected(ctx, oldest.Key()); err != nil {
					return false, err
				}
				break
			}
		}
	})},
	"rejected from whomever": {finds: "rejected/again", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		for old := range s.Rejected(ctx) {
			if string(old.Data) == string(r.Data) {
				r.Source = old.Source
			}
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"rejected once is never new": {finds: "rejected/again", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		for old := range s.Rejected(ctx) {
			if old.Key() == r.Key() {
				r.Reason, r.EventID, r.Time = old.Reason, old.EventID, old.Time
			}
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"rejected at a whole second": {finds: "rejected/values", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		r.Time = r.Time.Truncate(time.Microsecond)
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"what was rejected is text": {finds: "rejected/values", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		r.Data = []byte(strings.ToValidUTF8(string(r.Data), "?"))
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"what is too large is cut": {finds: "rejected/size", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		if over := r.Size() - causal.MaxRejectedSize; over > 0 {
			r.Data = r.Data[:len(r.Data)-over]
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},
	"anything is rejected": {finds: "rejected/invalid", refused: rejecting(func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error) {
		if r.Reason == "" {
			r.Reason = "unknown"
		}
		return s.MemRejectedStorage.AppendRejected(ctx, r)
	})},

	"one entry too many":           {finds: "errors/retention", entries: func() causal.ErrorStorage { return limited(causal.DefaultErrorLimit + 1) }},
	"entries in the order of time": {finds: "errors/order", entries: func() causal.ErrorStorage { return byTime{limited(causal.DefaultErrorLimit)} }},
	"a limit of 0 means 10":        {finds: "errors/invalid", entries: func() causal.ErrorStorage { return tenEntries{limited(causal.DefaultErrorLimit)} }},
}

func exists(s causal.EventStore, id causal.EventID) bool {
	for e := range s.AllEvents(background) {
		if e.ID() == id {
			return true
		}
	}
	return false
}

func compareClockAndNode(a, b causal.Event) int {
	if a.LamportClock() != b.LamportClock() {
		return causal.Compare(a, b)
	}
	return strings.Compare(a.NodeID(), b.NodeID())
}

func compareUTF16(a, b causal.Event) int {
	if a.LamportClock() != b.LamportClock() || a.NodeID() == b.NodeID() {
		return causal.Compare(a, b)
	}
	return slices.Compare(utf16.Encode([]rune(a.NodeID())), utf16.Encode([]rune(b.NodeID())))
}

// sortingBy returns a store that sorts the order of arrival by its own rule.
func sortingBy(compare func(a, b causal.Event) int) func() causal.EventStore {
	return ranging(func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool) {
		var events []causal.Event
		for entry, err := range s.ReadLog(ctx, causal.Cursor{}) {
			if err != nil {
				yield(causal.Event{}, err)
				return
			}
			events = append(events, entry.Event)
		}
		slices.SortStableFunc(events, compare)
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	})
}

func saveOneByOne(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
	for _, e := range events {
		if err := s.SaveEvent(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// keyed returns a store that makes keys of aggregate IDs.
func keyed(key func(string) string) func() causal.EventStore {
	return loading(func(ctx context.Context, s *causal.MemEventStore, id string) (found []causal.Event, err error) {
		if id == "" {
			return s.LoadEvents(ctx, id)
		}
		for e, err := range s.AllEvents(ctx) {
			if err != nil {
				return nil, err
			}
			if key(e.AggregateID()) == key(id) {
				found = append(found, e)
			}
		}
		return found, nil
	})
}

// sleep returns after some time, or when ctx ends.
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

// unlimited is a storage of what was rejected that can do without limits.
type unlimited struct {
	causal.MemRejectedStorage
	append func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error)
	size   int
	over   []causal.Rejected
}

func rejecting(f func(ctx context.Context, s *unlimited, r causal.Rejected) (bool, error)) func() causal.RejectedStorage {
	return func() causal.RejectedStorage { return &unlimited{append: f} }
}

func (s *unlimited) AppendRejected(ctx context.Context, r causal.Rejected) (bool, error) {
	stored, err := s.append(ctx, s, r)
	if stored {
		s.size += r.Size()
	}
	return stored, err
}

func (s *unlimited) add(ctx context.Context, r causal.Rejected) error {
	stored, err := s.MemRejectedStorage.AppendRejected(ctx, r)
	if !stored && err == nil {
		s.over = append(s.over, r)
	}
	return err
}
