package causalsync

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// headStore calls hook once, after reading the head.
type headStore struct {
	*causal.MemStore
	hook func()
}

func (s *headStore) Head(ctx context.Context) (causal.Cursor, error) {
	head, err := s.MemStore.Head(ctx)
	if hook := s.hook; hook != nil {
		s.hook = nil
		hook()
	}
	return head, err
}

// A summary advanced by another call does not go back, and counts nothing
// twice.
func TestSummaryDoesNotGoBack(t *testing.T) {
	ctx := t.Context()
	store, _ := testStore(t, 6000)
	hooked := &headStore{MemStore: store}
	r, err := New(hooked, nil)
	require.NoError(t, err)
	of := summaryKey{salt: salt{1}}
	_, err = r.summary(ctx, of)
	require.NoError(t, err)
	done := make(chan error, 1)
	hooked.hook = func() {
		require.NoError(t, store.SaveEvent(ctx, testEvent(t, 9000)))
		go func() {
			_, err := r.summary(ctx, of)
			done <- err
		}()
	}
	_, err = r.summary(ctx, of)
	require.NoError(t, err)
	require.NoError(t, <-done)
	m, err := r.summary(ctx, of)
	require.NoError(t, err)
	require.Equal(t, uint64(6001), m.count)
	earlier, err := m.advance(ctx, causal.NewCursor(m.at.LogID(), 5, [8]byte{}))
	require.ErrorIs(t, err, causal.ErrInvalidCursor)
	require.Nil(t, earlier)
}

// plainStore can be replaced, and can only be read as a whole.
type plainStore struct{ causal.EventStore }

// A store without a log that is restored from a backup gets its lost events
// again, and does not claim to have them.
func TestRestoredStoreWithoutLog(t *testing.T) {
	ctx := t.Context()
	full, hub := testStore(t, 100)
	_ = full
	begin, _ := testStore(t, 0)
	p := &plainStore{struct{ causal.EventStore }{begin}}
	r, err := New(p, nil)
	require.NoError(t, err)
	exchange := func(ctx context.Context, q []byte) ([]byte, error) { return hub.Answer(ctx, "", causal.Filter{}, q) }
	report, err := r.Sync(ctx, exchange, nil)
	require.NoError(t, err)
	require.Equal(t, 100, report.Received)
	restored, _ := testStore(t, 0)
	p.EventStore = struct{ causal.EventStore }{restored}
	report, err = r.Sync(ctx, exchange, nil)
	require.NoError(t, err)
	require.Equal(t, 100, report.Received)
}

// Two processes that answer in turn have the same salt if they share a secret.
func TestAnswersInTurn(t *testing.T) {
	ctx := t.Context()
	hub, _ := testStore(t, 3000)
	secret := []byte("a secret of 16 B")
	first, err := New(hub, &Options{Secret: secret})
	require.NoError(t, err)
	second, err := New(hub, &Options{Secret: secret})
	require.NoError(t, err)
	require.NotEqual(t, first.ownSalt(), salt{})
	_, r := testStore(t, 0)
	trips := 0
	report, err := r.Sync(ctx, func(ctx context.Context, q []byte) ([]byte, error) {
		if trips++; trips%2 == 0 {
			return first.Answer(ctx, "", causal.Filter{}, q)
		}
		return second.Answer(ctx, "", causal.Filter{}, q)
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 3000, report.Received)
	before := first.ownSalt()
	first.now = func() time.Time { return time.Now().Add(saltLife) }
	require.NotEqual(t, before, first.ownSalt(), "another day")
	_, err = New(hub, &Options{Secret: []byte("short")})
	require.ErrorContains(t, err, "secret must have at least 16 bytes")
}

// endingContext is done after being asked the given number of times.
type endingContext struct {
	context.Context
	left int
}

func (c *endingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A call that fails leaves nothing behind.
func TestFailedCallsKeepNothing(t *testing.T) {
	_, r := testStore(t, 100)
	for i := range 60 {
		q := request{
			maxAnswer: 1 << 20, salt: r.ownSalt(), filter: causal.Filter{AggregateID: fmt.Sprint(i) + strings.Repeat("x", 1000)},
			ranges: []rangeOf{{span: span{key{}, end}, mode: modeFingerprint}},
		}
		_, _ = r.Answer(&endingContext{t.Context(), i % 20}, "", causal.Filter{}, q.encode())
	}
	require.Empty(t, r.summaries)
	require.Zero(t, r.bytes)
}

// The bytes of a summary dropped while a call is using it are subtracted once.
func TestDroppedSummaryIsWeighedOnce(t *testing.T) {
	ctx := t.Context()
	_, r := testStore(t, 6000)
	of := func(i byte) summaryKey { return summaryKey{salt: salt{i}} }
	_, err := r.summary(ctx, of(1))
	require.NoError(t, err)
	held := r.kept(of(1))
	_, err = r.summary(ctx, of(2))
	require.NoError(t, err)
	r.summaries[of(2)].bytes += maxSummaryBytes
	r.bytes += maxSummaryBytes
	_, err = r.summary(ctx, of(3))
	require.NoError(t, err)
	r.weigh(of(1), held)
	total := 0
	for _, kept := range r.summaries {
		total += kept.bytes
	}
	require.Equal(t, total, r.bytes)
}

// Events refused each time do not count towards the limit of a Sync.
func TestLimitCountsWhatIsNew(t *testing.T) {
	ctx := t.Context()
	here, there := &causal.MemStore{}, &causal.MemStore{}
	for i := range 1200 {
		e := testEvent(t, i)
		require.NoError(t, there.SaveEvent(ctx, e))
		if i < 200 {
			text, err := e.MarshalJSON()
			require.NoError(t, err)
			var other causal.Event
			require.NoError(t, json.Unmarshal([]byte(strings.Replace(string(text), `"payload":{}`, `"payload":{"a":1}`, 1)), &other))
			require.NoError(t, here.SaveEvent(ctx, other))
		}
	}
	r, err := New(here, &Options{MaxMessage: minMessage})
	require.NoError(t, err)
	hub, err := New(there, nil)
	require.NoError(t, err)
	for syncs := 1; ; syncs++ {
		report, err := r.Sync(ctx, func(ctx context.Context, q []byte) ([]byte, error) { return hub.Answer(ctx, "", causal.Filter{}, q) }, &SyncOptions{MaxEvents: 100})
		if err == nil {
			break
		}
		require.ErrorIs(t, err, ErrLimit)
		require.GreaterOrEqual(t, report.Received, 100)
		require.Less(t, syncs, 40)
	}
	all, err := causal.LoadAll(ctx, here)
	require.NoError(t, err)
	require.Len(t, all, 1200)
}

// Of thousands of different contents of one ID, only a few are tried.
func TestManyContentsOfOneID(t *testing.T) {
	store, _ := testStore(t, 0)
	calls := &appendCounter{MemStore: store}
	r, err := New(calls, nil)
	require.NoError(t, err)
	q := request{maxAnswer: 1 << 20, salt: r.ownSalt()}
	const count = 1000
	for i := range count {
		text, err := testEvent(t, 1).MarshalJSON()
		require.NoError(t, err)
		q.events = append(q.events, eventOf{data: []byte(strings.Replace(string(text), `"payload":{}`, fmt.Sprintf(`"payload":{"a":%d}`, i), 1))})
	}
	reply, err := r.Answer(t.Context(), "", causal.Filter{}, q.encode())
	require.NoError(t, err)
	a, err := decodeAnswer(reply)
	require.NoError(t, err)
	require.Len(t, a.refusals, count-1)
	require.Less(t, calls.count, 10)
}

type appendCounter struct {
	*causal.MemStore
	count int
}

func (s *appendCounter) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	s.count++
	return s.MemStore.Append(ctx, events)
}

// The number of ranges in a message is limited.
func TestTooManyRanges(t *testing.T) {
	q := request{}
	lo := key{}
	for i := range maxRanges + 1 {
		hi := key{clock: uint64(i + 1)}
		q.ranges = append(q.ranges, rangeOf{span: span{lo, hi}, mode: modeList})
		lo = hi
	}
	_, err := decodeRequest(q.encode())
	require.ErrorIs(t, err, ErrProtocol)
	q.ranges = q.ranges[:maxRanges]
	_, err = decodeRequest(q.encode())
	require.NoError(t, err)
}

// A salt that changes during a Sync costs trips, and no refusal is counted
// twice.
func TestSaltChangesMeanwhile(t *testing.T) {
	ctx := t.Context()
	here, r := testStore(t, 3000)
	there, hub := testStore(t, 0)
	for i := range 3000 {
		e := testEvent(t, i)
		if i%300 == 0 {
			text, err := e.MarshalJSON()
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal([]byte(strings.Replace(string(text), `"payload":{}`, `"payload":{"a":1}`, 1)), &e))
		} else {
			var err error
			e, err = here.FindEvent(ctx, e.ID())
			require.NoError(t, err)
		}
		require.NoError(t, there.SaveEvent(ctx, e))
	}
	trips := 0
	report, err := r.Sync(ctx, func(ctx context.Context, q []byte) ([]byte, error) {
		if trips++; trips == 4 {
			hub.NewSalt()
		}
		return hub.Answer(ctx, "", causal.Filter{}, q)
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 20, report.RefusedCount)
	require.Greater(t, trips, 5)
}

// A peer that refuses everything as too large is reported.
func TestRefusedAsTooLarge(t *testing.T) {
	_, r := testStore(t, 20)
	report, err := r.Sync(t.Context(), func(_ context.Context, text []byte) ([]byte, error) {
		q, err := decodeRequest(text)
		require.NoError(t, err)
		a := answer{hash: hashOf(text), maxRequest: 1 << 20, done: end}
		if q.salt == (salt{}) {
			a.kind, a.salt = answerSalt, salt{1}
		}
		for i, of := range q.ranges {
			for j := range of.ids {
				a.wants = append(a.wants, want{uint64(i), uint64(j)})
			}
		}
		for i := range q.events {
			a.refusals = append(a.refusals, refusal{uint64(i), codeTooLarge})
		}
		return a.encode(), nil
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 20, report.RefusedCount)
	require.Zero(t, report.Sent)
	require.ErrorIs(t, report.Refused[0].Err, ErrTooLarge)
	require.True(t, report.Refused[0].ByPeer)
}

// A peer may have longer lists than ours.
func TestLongLists(t *testing.T) {
	ctx := t.Context()
	_, r := testStore(t, 500)
	other, hub := testStore(t, 900)
	own := salt{1}
	m, err := newSummary(ctx, other, causal.Filter{}, own, must(other.Head(ctx)))
	require.NoError(t, err)
	hub.options.Accept = func(string, causal.Event) error { return nil }
	trips := 0
	report, err := r.Sync(ctx, func(ctx context.Context, text []byte) ([]byte, error) {
		trips++
		require.Less(t, trips, 100)
		q, err := decodeRequest(text)
		require.NoError(t, err)
		a := answer{hash: hashOf(text), maxRequest: 1 << 20, done: end}
		if q.salt == (salt{}) {
			a.kind, a.salt = answerSalt, own
			return a.encode(), nil
		}
		b := answerer{replica: hub, summary: m, answer: &a, room: 1 << 19, largest: 1 << 18}
		for i, of := range q.ranges {
			if of.mode != modeFingerprint {
				_, err := b.giveRange(ctx, of, i)
				require.NoError(t, err)
				continue
			}
			keys, err := m.keys(ctx, of.span)
			require.NoError(t, err)
			list := rangeOf{span: of.span, mode: modeList}
			for _, k := range keys {
				list.ids = append(list.ids, own.id(k))
			}
			a.ranges = append(a.ranges, list)
		}
		return a.encode(), nil
	}, nil)
	require.NoError(t, err)
	require.Positive(t, report.Received)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The wait of Run does not overflow, and ends when its context is done.
func TestWaitIsLong(t *testing.T) {
	_, r := testStore(t, 1)
	head, err := r.head(t.Context())
	require.NoError(t, err)
	for _, d := range []time.Duration{50 * 365 * 24 * time.Hour, 1<<63 - 1} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		require.ErrorIs(t, r.wait(ctx, &head, d), context.DeadlineExceeded)
		cancel()
	}
}
