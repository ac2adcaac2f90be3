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

// defects are named after real ones in other stores. Those of the log and of
// rejected events are in separate files.
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
		_ = stop // never called: the goroutine waits forever
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
	"errors of cursors are failures": {finds: "log/foreign", events: tailing(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool) {
		for entry, err := range s.ReadLog(ctx, after) {
			if err != nil && ctx.Err() == nil {
				err = &causal.StorageError{Op: "read log", Err: err}
			}
			if !yield(entry, err) {
				return
			}
		}
	})},
	"a range of the log follows it": {finds: "log/ends", events: tailing(func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool) {
		for isDone := false; !isDone; {
			isDone = true
			for entry, err := range s.ReadLog(ctx, after) {
				if !yield(entry, err) {
					return
				}
				isDone, after = err != nil, entry.Cursor
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
			if err := s.SaveEvents(ctx, part); err != nil {
				return err
			}
			if _, ok := ctx.Deadline(); ok { // which comes before the next part, however fast the machine is
				<-ctx.Done()
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

// sortingBy returns a store with another arrival order.
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

// keyed returns a store that derives keys from aggregate IDs.
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
