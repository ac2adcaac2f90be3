// Package causaltest checks whether a storage adapter fulfills the contracts of
// package causal. The author of an adapter calls [TestEventStore],
// [TestClockStorage], [TestErrorStorage], [TestCheckpointStorage] and
// [TestRejectedStorage] from tests of the adapter:
//
//	func TestStore(t *testing.T) {
//		causaltest.TestEventStore(t, causaltest.Config[causal.EventStore]{
//			Open: func(t testing.TB) causal.EventStore { return mystore.Open(t.TempDir()) },
//		})
//	}
//
// Each case is a subtest, and logs a sentence of the contract. The capabilities
// of a storage ([causal.BatchSaver], [causal.Appender], [causal.LogReader],
// [causal.LogWaiter], [causal.EventFinder], [causal.AggregateLister],
// [causal.HeadLoader], [causal.DigestReader], [causal.ClockAdvancer],
// [io.Closer]) are found by type assertion. The suite logs missing ones, and
// does not test them. With the optional hooks of [Config] the suite also checks
// reopening, access by another process, and crashes.
//
// The suite itself is tested: it accepts the in-memory storages of package
// causal, and rejects more than a hundred storages, each of which violates one
// sentence.
package causaltest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// Config gives the suite access to the storage under test. S is
// [causal.EventStore], [causal.ClockStorage], [causal.ErrorStorage],
// [causal.CheckpointStorage] or [causal.RejectedStorage]. Only Open is
// required. The suite calls the functions from one goroutine at a time. They
// fail the test themselves, and clean up with t.Cleanup. The zero value is not
// valid, and a Config must not be modified while the suite runs.
type Config[S any] struct {
	// Open returns an empty storage with no other users.
	Open func(t testing.TB) S
	// Reopen closes a storage and opens its data again, as after a restart. If
	// nil, data are lost when the storage is closed.
	Reopen func(t testing.TB, s S) S
	// Peer returns a second handle on the data of s, like that of another
	// process. If nil, data belong to one handle, as in a database that only
	// one process can open.
	Peer func(t testing.TB, s S) S
	// Crash lets the suite kill a writing process. If nil, the storage does not
	// claim to survive a crash.
	Crash func(t testing.TB) Crash[S]
	// PageSizes are the sizes of the pages in which a range reads an event
	// store, in order. The last one is the size of all further pages. The suite
	// tries ranges ending before, at and after the end of each page, but cannot
	// check the sizes. If pages also end by bytes, count small events. If nil,
	// the store does not read in pages.
	PageSizes []int
	// Limits are the sizes accepted by the storage. The zero value means no
	// limits.
	Limits Limits
	// Skip lists cases known to fail, such as life/loop, with the reasons. They
	// appear as skipped tests; a careful build fails if there are any.
	Skip map[string]string
}

// Limits are sizes stated by a storage. Zero means the size tried by the suite
// by default.
type Limits struct {
	// Payload is the largest payload in bytes. Zero means 10 MB.
	Payload int
	// Text is the longest aggregate or node ID in bytes. Zero means 5,000.
	Text int
	// Entries is the number of entries kept by an error storage. Zero means
	// [causal.DefaultErrorLimit].
	Entries int
	// EntryText is the longest text of an error entry in bytes. Zero means
	// 1,000,000.
	EntryText int
}

// testCase is one sentence of a contract.
type testCase[S any] struct {
	name  string
	claim string
	needs []need[S]
	run   func(t *testing.T, c Config[S])
}

// need returns the name of something required by a case and missing, or "".
type need[S any] func(c Config[S], s S) (missing string)

func needsReopen[S any](c Config[S], _ S) string {
	if c.Reopen == nil {
		return "the hook Reopen"
	}
	return ""
}

func needsPeer[S any](c Config[S], _ S) string {
	if c.Peer == nil {
		return "the hook Peer"
	}
	return ""
}

func needsPages[S any](c Config[S], _ S) string {
	if c.PageSizes == nil {
		return "PageSizes"
	}
	return ""
}

// pageEnds returns the numbers of events at which pages end, for each page of a
// different size, and one more of the last size. There are none if the storage
// does not read in pages.
func (c Config[S]) pageEnds() (ends []int) {
	if len(c.PageSizes) == 0 {
		return nil
	}
	end := 0
	for i := range len(c.PageSizes) + 1 {
		end += c.PageSizes[min(i, len(c.PageSizes)-1)]
		ends = append(ends, end)
	}
	return ends
}

// handles returns two handles on the data of s, or s twice if there is no
// other.
func (c Config[S]) handles(t testing.TB, s S) []S {
	if c.Peer == nil {
		return []S{s, s}
	}
	return []S{s, c.Peer(t, s)}
}

// firstPage is the number of events, one page, after which a loop is
// interrupted.
func (c Config[S]) firstPage() int {
	if len(c.PageSizes) == 0 {
		return some - 2
	}
	return c.PageSizes[0]
}

func needsCrash[S any](c Config[S], _ S) string {
	if c.Crash == nil {
		return "the hook Crash"
	}
	return ""
}

// needsCapability requires an optional interface.
func needsCapability[C, S any](_ Config[S], s S) string {
	if _, ok := any(s).(C); ok {
		return ""
	}
	return fmt.Sprintf("%T", (*C)(nil))[1:]
}

// run runs the cases as subtests.
func run[S any](t *testing.T, c Config[S], cases []testCase[S]) {
	t.Helper()
	require.NotNil(t, c.Open, "Config.Open is required")
	unknown := maps.Clone(c.Skip)
	for _, tc := range cases {
		delete(unknown, tc.name)
	}
	require.Empty(t, slices.Collect(maps.Keys(unknown)), "Config.Skip names cases that do not exist")
	sample := c.Open(t)
	for _, tc := range cases {
		if missing := tc.missing(c, sample); missing != "" {
			t.Logf("%s is not tested without %s: %s", tc.name, missing, tc.claim)
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			t.Log(tc.claim)
			if reason, ok := c.Skip[tc.name]; ok {
				t.Skip(reason)
			}
			tc.run(t, c)
		})
	}
}

// missing returns the name of something the case lacks, or "".
func (tc testCase[S]) missing(c Config[S], sample S) string {
	for _, need := range tc.needs {
		if missing := need(c, sample); missing != "" {
			return missing
		}
	}
	return ""
}

// tester is a test: a *testing.T or a *rapid.T.
type tester interface {
	require.TestingT
	Context() context.Context
}

// baseTime is the time of the suite's events.
var baseTime = time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC)

const project = "12345678-1234-5678-1234-567812345678"

// event returns the n-th event of a test, changed by the options. Its clock is
// n.
func event(t tester, n int, change ...func(*causal.EventParams)) causal.Event {
	p := causal.EventParams{
		ID: eventID(n), Type: "Tested", AggregateID: "A", NodeID: "alice", LamportClock: int64(n),
		Timestamp: baseTime, ProjectUUID: project, Payload: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
	}
	for _, f := range change {
		f(&p)
	}
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	return e
}

func eventID(n int) causal.EventID { return causal.EventID(fmt.Sprintf("CAUSALTEST%016d", n)) }

// events returns the events from..to-1, changed by the options.
func events(t tester, from, to int, change ...func(*causal.EventParams)) []causal.Event {
	all := make([]causal.Event, 0, to-from)
	for n := from; n < to; n++ {
		all = append(all, event(t, n, change...))
	}
	return all
}

func in(aggregateID string) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.AggregateID = aggregateID }
}

func on(nodeID string, clock int64) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.NodeID, p.LamportClock = nodeID, clock }
}

func with(payload string) func(*causal.EventParams) {
	return func(p *causal.EventParams) { p.Payload = json.RawMessage(payload) }
}

// requireSame requires the same events in the same order.
func requireSame(t tester, want, got []causal.Event) {
	if len(want) != len(got) {
		require.Failf(t, "events are missing or too many", "%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if !want[i].Equal(got[i]) {
			require.Failf(t, "events differ", "event %d is %v, want %v", i, got[i], want[i])
		}
		if want[i].Timestamp().Format(time.RFC3339Nano) != got[i].Timestamp().Format(time.RFC3339Nano) {
			require.Failf(t, "timestamps differ", "event %d", i)
		}
	}
}

// requireAll requires that the store has exactly these events.
func requireAll(t tester, s causal.EventStore, want ...causal.Event) {
	got, err := causal.LoadAll(t.Context(), s)
	require.NoError(t, err)
	requireSame(t, inOrder(want), got)
}

// inOrder returns the events in the order of Compare.
func inOrder(events []causal.Event) []causal.Event {
	return slices.SortedFunc(slices.Values(events), causal.Compare)
}

// saveAll saves the events one by one.
func saveAll(t tester, s causal.EventStore, events ...causal.Event) {
	for _, e := range events {
		require.NoError(t, s.SaveEvent(t.Context(), e))
	}
}

// callTimeout is the maximum time for a call that must not block.
const callTimeout = 10 * time.Second

// within fails the test if f does not return, for example because of a lock.
func within(t tester, what string, f func() error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		require.NoError(t, err, what)
	case <-time.After(callTimeout):
		require.FailNow(t, what+" blocks forever")
	}
}

// requireInvalid requires the error for an invalid parameter, with its name.
func requireInvalid(t tester, err error, field string, args ...any) {
	var invalid *causal.ValidationError
	require.ErrorAs(t, err, &invalid, args...)
	require.ErrorIs(t, err, causal.ErrValidation, args...)
	require.NotErrorIs(t, err, causal.ErrStorage, args...)
	require.Equal(t, []string{field}, fieldsOf(invalid), args...)
}

// fieldsOf returns the names of the invalid fields.
func fieldsOf(err *causal.ValidationError) (names []string) {
	for _, f := range err.Fields {
		names = append(names, f.Field)
	}
	return names
}

// closeStorage closes a storage if it is an io.Closer.
func closeStorage(t tester, s any) {
	if c, ok := s.(io.Closer); ok {
		require.NoError(t, c.Close())
	}
}

// shortened returns n, or less in short tests.
func shortened(n int) int {
	if testing.Short() {
		return max(n/10, 1)
	}
	return n
}
