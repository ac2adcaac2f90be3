package benchmarks

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/hallgren/eventsourcing/core"
	hallgren "github.com/hallgren/eventsourcing/eventstore/memory"
	"github.com/looplab/eventhorizon"
	ehmemory "github.com/looplab/eventhorizon/eventstore/memory"
	"github.com/modernice/goes/event"
	goes "github.com/modernice/goes/event/eventstore"
	"github.com/modernice/goes/event/query"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

const aggregateType = "WorkPackage"

var memoryStores = []contender{
	library[causal.Event]{name: "causal", event: causalEvent, open: func(testing.TB) store[causal.Event] {
		return causalStore{&causal.MemEventStore{}, func() error { return nil }}
	}},
	library[core.Event]{name: "hallgren", event: hallgrenEvent, open: func(testing.TB) store[core.Event] {
		return hallgrenMemory{hallgren.Create()}
	}},
	library[eventhorizon.Event]{name: "eventhorizon", event: eventhorizonEvent, open: openEventhorizon, noAll: true},
	library[event.Event]{name: "goes", event: goesEvent, open: func(testing.TB) store[event.Event] {
		return goesMemory{goes.New()}
	}},
}

func BenchmarkMemory(b *testing.B) { benchmarkStores(b, memoryStores) }

func causalEvent(f fact) causal.Event { return f.event }

// causalStore is one of our stores.
type causalStore struct {
	causal.EventStore
	closeStore func() error
}

func (s causalStore) save(events []causal.Event) error {
	if len(events) == 1 {
		return s.SaveEvent(ctx, events[0])
	}
	return causal.SaveAll(ctx, s.EventStore, events)
}

func (s causalStore) load(aggregate int) (int, error) {
	events, err := s.LoadEvents(ctx, aggregateIDs[aggregate])
	return len(events), err
}

func (s causalStore) all() (n int, err error) {
	for _, err := range s.AllEvents(ctx) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s causalStore) close() error { return s.closeStore() }

// newMetadata has the members without a field in core.Event.
func newMetadata(f fact) record {
	metadata := newRecord(f.event)
	metadata.Payload = nil // it is the event's data
	return metadata
}

func hallgrenEvent(f fact) core.Event {
	metadata, err := json.Marshal(newMetadata(f))
	if err != nil {
		panic(err)
	}
	return core.Event{
		AggregateID: f.event.AggregateID(), AggregateType: aggregateType, Version: core.Version(f.version),
		Timestamp: f.event.Timestamp(), Reason: f.event.Type(), Data: f.event.Payload(), Metadata: metadata,
	}
}

type hallgrenMemory struct{ *hallgren.Memory }

func (s hallgrenMemory) save(events []core.Event) error { return s.Save(events) }
func (s hallgrenMemory) close() error                   { return nil }

func (s hallgrenMemory) load(aggregate int) (int, error) {
	events, err := s.Get(ctx, aggregateIDs[aggregate], aggregateType, 0)
	return countHallgren(events, err)
}

func (s hallgrenMemory) all() (int, error) {
	events, err := s.All(0, total)()
	return countHallgren(events, err)
}

func countHallgren(events core.Iterator, err error) (n int, _ error) {
	if err != nil {
		return 0, err
	}
	defer events.Close()
	for events.Next() {
		if _, err := events.Value(); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// eventhorizon copies the events it stores with this function.
func init() {
	eventhorizon.RegisterEventData(eventType, func() eventhorizon.EventData { return new(record) })
}

func eventhorizonEvent(f fact) eventhorizon.Event {
	data := newRecord(f.event)
	return eventhorizon.NewEvent(eventType, &data, f.event.Timestamp(),
		eventhorizon.ForAggregate(aggregateType, uuid.MustParse(f.event.AggregateID()), f.version))
}

type eventhorizonMemory struct{ *ehmemory.EventStore }

func openEventhorizon(tb testing.TB) store[eventhorizon.Event] {
	s, err := ehmemory.NewEventStore()
	require.NoError(tb, err)
	return eventhorizonMemory{s}
}

func (s eventhorizonMemory) save(events []eventhorizon.Event) error {
	return s.Save(ctx, events, events[0].Version()-1)
}

func (s eventhorizonMemory) load(aggregate int) (int, error) {
	events, err := s.Load(ctx, aggregateUUIDs[aggregate])
	return len(events), err
}

func (s eventhorizonMemory) all() (int, error) { return 0, nil }
func (s eventhorizonMemory) close() error      { return s.Close() }

func goesEvent(f fact) event.Event {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err)
	}
	return event.New[any](eventType, newRecord(f.event), event.ID(id), event.Time(f.event.Timestamp()),
		event.Aggregate(uuid.MustParse(f.event.AggregateID()), aggregateType, f.version)).Event()
}

type goesMemory struct{ event.Store }

func (s goesMemory) save(events []event.Event) error { return s.Insert(ctx, events...) }
func (s goesMemory) close() error                    { return nil }

func (s goesMemory) load(aggregate int) (int, error) {
	return s.count(query.New(query.Aggregate(aggregateType, aggregateUUIDs[aggregate]), query.SortByAggregate()))
}

// all requests the order of time, because goes has no other order of all
// events.
func (s goesMemory) all() (int, error) { return s.count(query.New(query.SortByTime())) }

func (s goesMemory) count(q event.Query) (n int, err error) {
	events, errs, err := s.Query(ctx, q)
	if err != nil {
		return 0, err
	}
	for range events {
		n++
	}
	return n, <-errs
}

// What the stores leave out, according to the tables.

func TestHallgrenHasNoIdentity(t *testing.T) {
	onDisk := openHallgrenSQL(t).(hallgrenSQL)
	defer onDisk.Close()
	for _, s := range []core.EventStore{hallgren.Create(), onDisk} {
		one := newFact(t, 0, 0, 1)
		require.NoError(t, s.Save([]core.Event{hallgrenEvent(one)}))
		require.ErrorIs(t, s.Save([]core.Event{hallgrenEvent(one)}), core.ErrConcurrency) // a retry fails
		again := one
		again.version = 2
		require.NoError(t, s.Save([]core.Event{hallgrenEvent(again)})) // and the next version is accepted again
		early := newFact(t, 3, 0, 4)
		require.ErrorIs(t, s.Save([]core.Event{hallgrenEvent(early)}), core.ErrConcurrency) // the third has not arrived yet
	}
}

func TestEventhorizonReplacesHistory(t *testing.T) {
	s, err := ehmemory.NewEventStore()
	require.NoError(t, err)
	require.NoError(t, s.Save(ctx, []eventhorizon.Event{eventhorizonEvent(newFact(t, 0, 0, 1)), eventhorizonEvent(newFact(t, 1, 0, 2))}, 0))
	require.NoError(t, s.Save(ctx, []eventhorizon.Event{eventhorizonEvent(newFact(t, 2, 0, 1))}, 0))
	events, err := s.Load(ctx, aggregateUUIDs[0])
	require.NoError(t, err)
	require.Len(t, events, 1) // of three
	require.NoError(t, s.Save(ctx, []eventhorizon.Event{eventhorizonEvent(newFact(t, 3, 1, 5))}, 4))
	_, err = s.Load(ctx, aggregateUUIDs[1])
	require.ErrorIs(t, err, eventhorizon.ErrAggregateNotFound) // saving too early loses it
}

func TestGoesReadCutShortLooksComplete(t *testing.T) {
	s := goes.New(goesEvent(newFact(t, 0, 0, 1)), goesEvent(newFact(t, 1, 0, 2)))
	ended, end := context.WithCancel(ctx)
	events, errs, err := s.Query(ended, query.New())
	require.NoError(t, err)
	<-events
	end()
	for range errs { // closed without an error
		t.Fatal("an error")
	}
	require.Error(t, s.Insert(ctx, goesEvent(newFact(t, 0, 0, 1)))) // a retry fails
}
