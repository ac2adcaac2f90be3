package causaltest_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaltest"
)

// defect is a storage that violates one sentence of a contract, and the case
// that must find it.
type defect struct {
	finds   string
	events  func() causal.EventStore
	clocks  func() causal.ClockStorage
	entries func() causal.ErrorStorage
	points  func() causal.CheckpointStorage
	refused func() causal.RejectedStorage
}

// A suite that no storage can fail proves nothing: each broken storage must
// fail the case about its defect. A failing test in this process would fail
// this test, so each runs in a separate process.
func TestSuiteFindsDefects(t *testing.T) {
	require.Greater(t, len(defects), 100)
	for name, d := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, failed := child("TestBroken", d.finds, "CAUSALTEST_DEFECT="+name)
			require.True(t, failed, "no case has found it:\n%s", out)
			require.Contains(t, out, "--- FAIL: TestBroken/"+d.finds)
			require.NotContains(t, out, "panic:")
		})
	}
}

// child runs a test of this package in a separate process, or only a subtest.
func child(test, subtest, env string) (out string, failed bool) {
	pattern := "^" + test + "$"
	if subtest != "" {
		pattern += "/^" + subtest + "$"
	}
	cmd := exec.Command(os.Args[0], "-test.run="+pattern, "-test.v", "-test.short", "-rapid.nofailfile")
	cmd.Env = append(os.Environ(), env)
	text, err := cmd.CombinedOutput()
	return string(text), err != nil
}

// TestBroken runs the suite on the broken storage named by the environment.
func TestBroken(t *testing.T) {
	name := os.Getenv("CAUSALTEST_DEFECT")
	if name == "" {
		return
	}
	d, ok := defects[name]
	require.True(t, ok)
	switch {
	case d.events != nil:
		causaltest.TestEventStore(t, causaltest.Config[causal.EventStore]{
			Open:      func(testing.TB) causal.EventStore { return d.events() },
			PageSizes: []int{8, 16},
		})
	case d.clocks != nil:
		causaltest.TestClockStorage(t, causaltest.Config[causal.ClockStorage]{
			Open: func(testing.TB) causal.ClockStorage { return d.clocks() },
		})
	case d.points != nil:
		causaltest.TestCheckpointStorage(t, causaltest.Config[causal.CheckpointStorage]{
			Open: func(testing.TB) causal.CheckpointStorage { return d.points() },
		})
	case d.refused != nil:
		causaltest.TestRejectedStorage(t, causaltest.Config[causal.RejectedStorage]{
			Open: func(testing.TB) causal.RejectedStorage { return d.refused() },
		})
	default:
		causaltest.TestErrorStorage(t, causaltest.Config[causal.ErrorStorage]{
			Open: func(testing.TB) causal.ErrorStorage { return d.entries() },
		})
	}
}

// Broken hooks are found, too: data lost on the way to a second handle, or on
// reopening.
func TestSuiteFindsBrokenHooks(t *testing.T) {
	for _, finds := range []string{"identity/reopen", "identity/peer", "order/ties", "log/resume"} {
		out, failed := child("TestBrokenHooks", finds, "CAUSALTEST_HOOKS=1")
		require.True(t, failed, "no case has found it:\n%s", out)
		require.Contains(t, out, "--- FAIL: TestBrokenHooks/"+finds)
	}
}

func TestBrokenHooks(t *testing.T) {
	if os.Getenv("CAUSALTEST_HOOKS") == "" {
		return
	}
	empty := func(testing.TB, causal.EventStore) causal.EventStore { return &causal.MemEventStore{} }
	causaltest.TestEventStore(t, causaltest.Config[causal.EventStore]{
		Open:   func(testing.TB) causal.EventStore { return &causal.MemEventStore{} },
		Reopen: empty, Peer: empty,
	})
}

// A skipped case is logged with its reason, and a name without a case is a
// mistake.
func TestSkips(t *testing.T) {
	out, failed := child("TestSkipping", "", "CAUSALTEST_SKIP=errors/order")
	require.False(t, failed, out)
	require.Contains(t, out, "--- SKIP: TestSkipping/errors/order")
	require.Contains(t, out, "a known defect")
	out, failed = child("TestSkipping", "", "CAUSALTEST_SKIP=errors/ordre")
	require.True(t, failed, out)
	require.Contains(t, out, "names cases that do not exist")
}

func TestSkipping(t *testing.T) {
	if name := os.Getenv("CAUSALTEST_SKIP"); name != "" {
		causaltest.TestErrorStorage(t, causaltest.Config[causal.ErrorStorage]{
			Open: func(testing.TB) causal.ErrorStorage { return &causal.MemErrorStorage{} },
			Skip: map[string]string{name: "a known defect"},
		})
	}
}

// patched is the event store in memory, with some methods replaced.
type patched struct {
	*causal.MemEventStore
	save func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error
	load func(ctx context.Context, s *causal.MemEventStore, aggregateID string) ([]causal.Event, error)
	all  func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool)
	log  func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool)
	find func(ctx context.Context, s *causal.MemEventStore, id causal.EventID) (causal.Event, error)
	ids  func(ctx context.Context, s *causal.MemEventStore, yield func(string, error) bool)
	wait func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error
	plus func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) (causal.Appended, error)
	when conditional
	tops func(ctx context.Context, s *causal.MemEventStore, project, aggregateID string) ([]causal.EventID, error)
	gone func(s *causal.MemEventStore, project string, ids []causal.EventID) []causal.EventID
}

// conditional is an implementation of SaveEventsIf.
type conditional func(
	ctx context.Context, s *causal.MemEventStore, after causal.Cursor, c causal.Condition, events []causal.Event,
) (causal.Appended, error)

func (p patched) SaveEvent(ctx context.Context, e causal.Event) error {
	return p.SaveEvents(ctx, []causal.Event{e})
}

func (p patched) SaveEvents(ctx context.Context, events []causal.Event) error {
	if p.save == nil {
		return p.MemEventStore.SaveEvents(ctx, events)
	}
	return p.save(ctx, p.MemEventStore, events)
}

func (p patched) LoadEvents(ctx context.Context, aggregateID string) ([]causal.Event, error) {
	if p.load == nil {
		return p.MemEventStore.LoadEvents(ctx, aggregateID)
	}
	return p.load(ctx, p.MemEventStore, aggregateID)
}

func (p patched) AllEvents(ctx context.Context) iter.Seq2[causal.Event, error] {
	if p.all == nil {
		return p.MemEventStore.AllEvents(ctx)
	}
	return func(yield func(causal.Event, error) bool) { p.all(ctx, p.MemEventStore, yield) }
}

func (p patched) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	if p.log == nil {
		return p.MemEventStore.ReadLog(ctx, after)
	}
	return func(yield func(causal.LogEntry, error) bool) { p.log(ctx, p.MemEventStore, after, yield) }
}

func (p patched) FindEvent(ctx context.Context, id causal.EventID) (causal.Event, error) {
	if p.find == nil {
		return p.MemEventStore.FindEvent(ctx, id)
	}
	return p.find(ctx, p.MemEventStore, id)
}

func (p patched) Aggregates(ctx context.Context) iter.Seq2[string, error] {
	if p.ids == nil {
		return p.MemEventStore.Aggregates(ctx)
	}
	return func(yield func(string, error) bool) { p.ids(ctx, p.MemEventStore, yield) }
}

func (p patched) WaitLog(ctx context.Context, after causal.Cursor) error {
	if p.wait == nil {
		return p.MemEventStore.WaitLog(ctx, after)
	}
	return p.wait(ctx, p.MemEventStore, after)
}

func (p patched) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	if p.plus == nil {
		return p.MemEventStore.Append(ctx, events)
	}
	return p.plus(ctx, p.MemEventStore, events)
}

func (p patched) SaveEventsIf(ctx context.Context, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
	if p.when == nil {
		return p.MemEventStore.SaveEventsIf(ctx, after, c, events)
	}
	return p.when(ctx, p.MemEventStore, after, c, events)
}

func (p patched) LoadHeads(ctx context.Context, projectUUID, aggregateID string) ([]causal.EventID, error) {
	if p.tops == nil {
		return p.MemEventStore.LoadHeads(ctx, projectUUID, aggregateID)
	}
	return p.tops(ctx, p.MemEventStore, projectUUID, aggregateID)
}

// heading returns a store with another LoadHeads.
func heading(
	tops func(ctx context.Context, s *causal.MemEventStore, project, aggregateID string) ([]causal.EventID, error),
) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, tops: tops} }
}

func (p patched) MissingParents(ctx context.Context, projectUUID string) iter.Seq2[causal.EventID, error] {
	if p.gone == nil {
		return p.MemEventStore.MissingParents(ctx, projectUUID)
	}
	return func(yield func(causal.EventID, error) bool) {
		var ids []causal.EventID
		for id, err := range p.MemEventStore.MissingParents(ctx, projectUUID) {
			if err != nil {
				yield("", err)
				return
			}
			ids = append(ids, id)
		}
		for _, id := range p.gone(p.MemEventStore, projectUUID, ids) {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// missingParents returns a store that yields other missing parents.
func missingParents(gone func(s *causal.MemEventStore, project string, ids []causal.EventID) []causal.EventID) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, gone: gone} }
}

// deciding returns a store with another SaveEventsIf.
func deciding(when conditional) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, when: when} }
}

// waiting returns a store with another WaitLog.
func waiting(wait func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor) error) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, wait: wait} }
}

// finding returns a store with another FindEvent.
func finding(find func(ctx context.Context, s *causal.MemEventStore, id causal.EventID) (causal.Event, error)) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, find: find} }
}

// listing returns a store with another Aggregates.
func listing(ids func(ctx context.Context, s *causal.MemEventStore, yield func(string, error) bool)) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, ids: ids} }
}

// changing returns a store that stores events changed by change.
func changing(change func(e causal.Event) causal.Event) func() causal.EventStore {
	return func() causal.EventStore {
		return patched{MemEventStore: &causal.MemEventStore{}, save: func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error {
			changed := make([]causal.Event, len(events))
			for i, e := range events {
				if !e.IsZero() {
					changed[i] = change(e)
				}
			}
			return s.SaveEvents(ctx, changed)
		}}
	}
}

// rebuilt returns the event with changed parameters. It drops unknown members.
func rebuilt(e causal.Event, change func(p *causal.EventParams)) causal.Event {
	p := causal.EventParams{
		ID: e.ID(), Type: e.Type(), AggregateID: e.AggregateID(), Payload: e.Payload(), Timestamp: e.Timestamp(), NodeID: e.NodeID(),
		LamportClock: e.LamportClock(), CausationID: e.CausationID(), ProjectUUID: e.ProjectUUID(), ProjectSlug: e.ProjectSlug(),
		CorrelationID: e.CorrelationID(), SchemaVersion: e.SchemaVersion(), DataTier: e.DataTier(), VectorClock: e.VectorClock(),
		Parents: e.Parents(), PreviousClock: e.PreviousClock(),
	}
	change(&p)
	changed, err := causal.NewEvent(p)
	if err != nil {
		return e // an event that cannot be changed is stored unchanged
	}
	return changed
}

// loading returns a store with another LoadEvents.
func loading(load func(ctx context.Context, s *causal.MemEventStore, aggregateID string) ([]causal.Event, error)) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, load: load} }
}

// saving returns a store with another SaveEvents.
func saving(save func(ctx context.Context, s *causal.MemEventStore, events []causal.Event) error) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, save: save} }
}

// ranging returns a store with another AllEvents.
func ranging(all func(ctx context.Context, s *causal.MemEventStore, yield func(causal.Event, error) bool)) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, all: all} }
}

// tailing returns a store with another ReadLog.
func tailing(log func(ctx context.Context, s *causal.MemEventStore, after causal.Cursor, yield func(causal.LogEntry, error) bool)) func() causal.EventStore {
	return func() causal.EventStore { return patched{MemEventStore: &causal.MemEventStore{}, log: log} }
}

var errPoisoned = errors.New("the connection is gone")
