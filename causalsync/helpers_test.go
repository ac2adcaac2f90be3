package causalsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
)

const project = "12345678-1234-5678-1234-567812345678"

// newEvent returns the n-th event of a test, changed by the options. Several
// have the same clock.
func newEvent(t require.TestingT, n int, change ...func(*causal.EventParams)) causal.Event {
	p := causal.EventParams{
		ID: causal.EventID(fmt.Sprintf("SYNCTEST%018d", n)), Type: "Tested", AggregateID: fmt.Sprint("A", n%7), NodeID: fmt.Sprint("node", n%3),
		LamportClock: int64(n / 3), Timestamp: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC), ProjectUUID: project,
		Payload: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
	}
	for _, f := range change {
		f(&p)
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	return e
}

func newEvents(t require.TestingT, from, to int) []causal.Event {
	all := make([]causal.Event, 0, to-from)
	for n := from; n < to; n++ {
		all = append(all, newEvent(t, n))
	}
	return all
}

func newReplica(t require.TestingT, s causal.EventStore, o *causalsync.Options) *causalsync.Replica {
	r, err := causalsync.New(s, o)
	require.NoError(t, err)
	return r
}

// direct returns an exchange with a replica in the same process.
func direct(r *causalsync.Replica) causalsync.Exchange {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		return r.Answer(ctx, "initiator", causal.Filter{}, request)
	}
}

func memStore(t require.TestingT, events ...[]causal.Event) *causal.MemStore {
	s := &causal.MemStore{}
	for _, all := range events {
		require.NoError(t, s.SaveEvents(context.Background(), all))
	}
	return s
}

// requireEqual requires that two stores have the same events.
func requireEqual(t require.TestingT, a, b causal.EventStore) {
	have, err := causal.LoadAll(context.Background(), a)
	require.NoError(t, err)
	want, err := causal.LoadAll(context.Background(), b)
	require.NoError(t, err)
	require.Len(t, have, len(want))
	for i := range have {
		require.True(t, have[i].Equal(want[i]))
	}
}

func sync(t require.TestingT, r *causalsync.Replica, exchange causalsync.Exchange, o *causalsync.SyncOptions) causalsync.Report {
	report, err := r.Sync(context.Background(), exchange, o)
	require.NoError(t, err)
	return report
}
