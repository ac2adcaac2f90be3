// Package eventtest creates events for the tests of this repository.
package eventtest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// ProjectUUID is the project of all events.
const ProjectUUID = "12345678-1234-5678-1234-567812345678"

// Time is the time of all events.
var Time = time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC)

// ID returns a valid event ID that depends only on n and grows with it.
func ID(n int) causal.EventID { return causal.EventID(fmt.Sprintf("TEST%022d", n)) }

// Params returns valid parameters of the n-th event of a test, with clock n.
func Params(n int) causal.EventParams {
	return causal.EventParams{
		ID: ID(n), Type: "WPStatusChanged", AggregateID: "WP001", NodeID: "alice",
		LamportClock: int64(n), Timestamp: Time, ProjectUUID: ProjectUUID,
	}
}

// New returns the n-th event of a test, with changed parameters.
func New(t require.TestingT, n int, change ...func(*causal.EventParams)) causal.Event {
	p := Params(n)
	for _, c := range change {
		c(&p)
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	return e
}

// benchPayload has 400 bytes.
var benchPayload = json.RawMessage(fmt.Sprintf(`{"from":"doing","to":"for_review","note":%q}`, strings.Repeat("x", 354)))

// NewBench returns an event of ordinary size with a new ID and clock n, by one
// of ten nodes.
func NewBench(t require.TestingT, n int) causal.Event {
	return New(t, n, func(p *causal.EventParams) {
		p.ID, p.NodeID, p.Payload = causal.NewEventID(), fmt.Sprint("node-", n%10), benchPayload
	})
}

// BenchParams returns the parameters of an event emitted in a benchmark, of
// ordinary size, on one of a hundred aggregates.
func BenchParams(n int) causal.EventParams {
	return causal.EventParams{Type: "WPStatusChanged", AggregateID: fmt.Sprint("WP", n%100), Payload: benchPayload}
}

// NewRange returns the events from..to-1.
func NewRange(t require.TestingT, from, to int, change ...func(*causal.EventParams)) []causal.Event {
	events := make([]causal.Event, 0, to-from)
	for n := from; n < to; n++ {
		events = append(events, New(t, n, change...))
	}
	return events
}

// NewChain returns n events, each caused by the one before it, with the given
// clocks.
func NewChain(t require.TestingT, n int, clock func(i int) int64) []causal.Event {
	events := make([]causal.Event, n)
	for i := range events {
		events[i] = New(t, i, func(p *causal.EventParams) {
			p.LamportClock = clock(i)
			if i > 0 {
				p.CausationID = ID(i - 1)
			}
		})
	}
	return events
}

// WithPayload changes the payload to the given JSON text.
func WithPayload(payload string) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.Payload = json.RawMessage(payload) }
}

// NewEntry returns the n-th entry of an error log.
func NewEntry(n int) causal.ErrorEntry {
	return causal.ErrorEntry{Timestamp: Time, ActionAttempted: fmt.Sprint("action ", n), ErrorMessage: "line 1\nline 2\x00", Agent: "a"}
}

// IDs returns the IDs of the events.
func IDs(events []causal.Event) []causal.EventID {
	ids := make([]causal.EventID, len(events))
	for i, e := range events {
		ids[i] = e.ID()
	}
	return ids
}

// RequireEqual requires the same events in the same order, by
// [causal.Event.Equal].
func RequireEqual(t require.TestingT, want, got []causal.Event) {
	require.Equal(t, IDs(want), IDs(got))
	for i := range want {
		require.True(t, want[i].Equal(got[i]), "event %d differs", i)
	}
}

// T is a test: a [testing.TB] or a *rapid.T.
type T interface {
	require.TestingT
	Context() context.Context
}

// LoadAll returns all events of a store in order.
func LoadAll(t T, s causal.EventStore) []causal.Event {
	events, err := causal.LoadAll(t.Context(), s)
	require.NoError(t, err)
	return events
}

// ReadLog returns the entries after a cursor.
func ReadLog(t T, s causal.LogReader, after causal.Cursor) (entries []causal.LogEntry) {
	for e, err := range s.ReadLog(t.Context(), after) {
		require.NoError(t, err)
		entries = append(entries, e)
	}
	return entries
}

// RequireStorageError requires that err is a failure of a store, and only that.
func RequireStorageError(t require.TestingT, err error) {
	var failure *causal.StorageError
	require.ErrorAs(t, err, &failure)
	require.NotEmpty(t, failure.Op)
	for _, other := range []error{causal.ErrValidation, causal.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		require.NotErrorIs(t, err, other)
	}
}

// RangeStore is a store with both ways of reading everything.
type RangeStore interface {
	causal.EventStore
	causal.LogReader
}

// Ranges are both ways of reading everything, as sequences of event IDs, by
// name.
var Ranges = map[string]func(context.Context, RangeStore) iter.Seq2[causal.EventID, error]{
	"AllEvents": func(ctx context.Context, s RangeStore) iter.Seq2[causal.EventID, error] {
		return func(yield func(causal.EventID, error) bool) {
			for e, err := range s.AllEvents(ctx) {
				if !yield(e.ID(), err) {
					return
				}
			}
		}
	},
	"ReadLog": func(ctx context.Context, s RangeStore) iter.Seq2[causal.EventID, error] {
		return func(yield func(causal.EventID, error) bool) {
			for e, err := range s.ReadLog(ctx, causal.Cursor{}) {
				if !yield(e.Event.ID(), err) {
					return
				}
			}
		}
	},
}
