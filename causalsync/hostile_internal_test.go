package causalsync

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

func testEvent(t require.TestingT, n int) causal.Event {
	e, err := causal.NewEvent(causal.EventParams{
		ID: causal.EventID(fmt.Sprintf("SYNCTEST%018d", n)), Type: "Tested", AggregateID: "A", NodeID: "node", LamportClock: int64(n / 3),
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: json.RawMessage(`{}`),
	})
	require.NoError(t, err)
	return e
}

func testStore(t require.TestingT, count int) (*causal.MemStore, *Replica) {
	s := &causal.MemStore{}
	all := make([]causal.Event, count)
	for i := range all {
		all[i] = testEvent(t, i)
	}
	require.NoError(t, s.SaveEvents(context.Background(), all))
	r, err := New(s, nil)
	require.NoError(t, err)
	return s, r
}

// between returns a key inside a range, or its end if there is none.
func between(lo, hi key) key {
	k := lo
	if hi.clock > lo.clock {
		k.clock += rand.Uint64N(min(hi.clock-lo.clock, 1000))
	}
	for i := range k.digest {
		k.digest[i] = byte(rand.Uint32())
	}
	if !lo.isBefore(k) || !k.isBefore(hi) {
		return hi
	}
	return k
}

// Answers of peers that violate the protocol, to a replica with some events.
// Each Sync ends after few trips, and stores only valid events.
func TestHostileAnswers(t *testing.T) {
	const count = 3000
	invented := count
	event := func() eventOf {
		invented++
		data, err := testEvent(t, invented).MarshalJSON()
		require.NoError(t, err)
		return eventOf{data: data}
	}
	known, err := testEvent(t, 7).MarshalJSON()
	require.NoError(t, err)
	eachSum := func(q *request, f func(r rangeOf) []rangeOf) (all []rangeOf) {
		for _, r := range q.ranges {
			if r.mode == modeFingerprint {
				all = append(all, f(r)...)
			}
		}
		return all
	}
	strategies := map[string]func(q *request, a *answer){
		"always different": func(q *request, a *answer) {
			a.ranges = eachSum(q, func(r rangeOf) []rangeOf { r.fingerprint[3] ^= 1; return []rangeOf{r} })
		},
		"thousands of ranges": func(q *request, a *answer) {
			a.ranges = eachSum(q, func(r rangeOf) (all []rangeOf) {
				for range 2000 / len(q.ranges) {
					k := between(r.lo, r.hi)
					all = append(all, rangeOf{span: span{r.lo, k}, mode: modeFingerprint})
					if r.lo = k; k == r.hi {
						break
					}
				}
				return all
			})
		},
		"lists of what nobody has": func(q *request, a *answer) {
			a.ranges = eachSum(q, func(r rangeOf) []rangeOf {
				return []rangeOf{{span: r.span, mode: modeList, ids: []id{{1}, {2}, {byte(rand.Uint32())}}}}
			})
		},
		"empty lists": func(q *request, a *answer) {
			a.ranges = eachSum(q, func(r rangeOf) []rangeOf { return []rangeOf{{span: r.span, mode: modeList}} })
		},
		"an end that creeps":        func(q *request, a *answer) { a.done = between(q.ranges[0].lo, q.ranges[0].hi) },
		"an end that does not move": func(q *request, a *answer) { a.done = q.ranges[0].lo },
		"an end that goes back":     func(q *request, a *answer) { a.done = key{} },
		"ranges for lists": func(q *request, a *answer) {
			for _, r := range q.ranges {
				a.ranges = append(a.ranges, rangeOf{span: r.span, mode: modeList, ids: []id{{9}}})
			}
		},
		"ranges beyond the end": func(q *request, a *answer) {
			a.done = q.ranges[0].hi
			a.ranges = eachSum(q, func(r rangeOf) []rangeOf { return []rangeOf{{span: r.span, mode: modeList}} })
		},
		"a range over two": func(q *request, a *answer) {
			last := q.ranges[len(q.ranges)-1]
			a.ranges = []rangeOf{{span: span{q.ranges[0].lo, last.hi}, mode: modeFingerprint}}
		},
		"wanted ranges": func(q *request, a *answer) {
			a.ranges = eachSum(q, func(r rangeOf) []rangeOf { return []rangeOf{{span: r.span, mode: modeWanted, ids: []id{{1}}}} })
		},
		"events that were not asked for": func(_ *request, a *answer) { a.events = []eventOf{event()} },
		"known events": func(q *request, a *answer) {
			a.ranges = eachSum(q, func(r rangeOf) []rangeOf { return []rangeOf{{span: r.span, mode: modeList, ids: []id{{1}}}} })
			a.events = []eventOf{{data: known}}
		},
		"wants of nothing":    func(_ *request, a *answer) { a.wants = []want{{0, 1 << 20}} },
		"wants of no range":   func(_ *request, a *answer) { a.wants = []want{{1 << 20, 0}} },
		"refusals of nothing": func(_ *request, a *answer) { a.refusals = []refusal{{0, 1}, {0, 1}} },
		"a salt each time": func(_ *request, a *answer) {
			a.kind = answerSalt
			a.salt = salt{byte(rand.Uint32()), byte(rand.Uint32())}
		},
		"the same salt again": func(_ *request, a *answer) { a.kind = answerSalt; a.salt = salt{1} },
		"another filter": func(_ *request, a *answer) {
			a.kind = answerFilter
			a.filter = causal.Filter{AggregateID: fmt.Sprint(rand.Uint32())}
		},
		"no filter":             func(_ *request, a *answer) { a.kind = answerFilter },
		"the answer to another": func(_ *request, a *answer) { a.hash[0] ^= 1 },
		"no room":               func(_ *request, a *answer) { a.maxRequest = 0; a.kind = answerRefused },
		"an unknown kind":       func(_ *request, a *answer) { a.kind = 9 },
	}
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			store, r := testStore(t, count)
			trips := 0
			report, err := r.Sync(t.Context(), func(_ context.Context, text []byte) ([]byte, error) {
				trips++
				require.Less(t, trips, 100)
				q, err := decodeRequest(text)
				require.NoError(t, err)
				a := answer{hash: hashOf(text), maxRequest: 1 << 20, done: end}
				if q.salt == (salt{}) {
					a.kind, a.salt = answerSalt, salt{1}
				}
				if len(q.ranges) > 0 || q.salt == (salt{}) && (name == "another filter" || name == "no filter") {
					strategy(&q, &a)
				}
				return a.encode(), nil
			}, nil)
			switch name {
			case "always different", "thousands of ranges", "lists of what nobody has", "empty lists": // which are permitted
				require.NoError(t, err)
			case "no room":
				require.ErrorIs(t, err, ErrRefused)
			default:
				require.ErrorIs(t, err, ErrProtocol)
			}
			require.Zero(t, report.Received)
			all, err := causal.LoadAll(t.Context(), store)
			require.NoError(t, err)
			require.Len(t, all, count)
		})
	}
}

// A peer that invents valid events endlessly is stopped by MaxEvents, or by the
// context.
func TestEndlessEvents(t *testing.T) {
	_, r := testStore(t, 10)
	n := 100
	ctx, cancel := context.WithCancel(t.Context())
	endless := func(_ context.Context, text []byte) ([]byte, error) {
		q, err := decodeRequest(text)
		require.NoError(t, err)
		a := answer{hash: hashOf(text), maxRequest: 1 << 20, done: end}
		if q.salt == (salt{}) {
			a.kind, a.salt = answerSalt, salt{1}
			return a.encode(), nil
		}
		for range 10 {
			n += 3 // another clock
			e := testEvent(t, n)
			data, err := e.MarshalJSON()
			require.NoError(t, err)
			a.events = append(a.events, eventOf{data: data})
			a.done = key{clock: uint64(e.LamportClock()) + 1}
		}
		if n > 1000 {
			cancel()
		}
		return a.encode(), nil
	}
	report, err := r.Sync(ctx, endless, &SyncOptions{MaxEvents: 100})
	require.ErrorIs(t, err, ErrLimit)
	require.Equal(t, 100, report.Received)
	var store *causal.MemStore
	store, r = testStore(t, 10)
	n = 100
	report, err = r.Sync(ctx, endless, nil)
	require.ErrorIs(t, err, context.Canceled)
	all, err := causal.LoadAll(t.Context(), store)
	require.NoError(t, err)
	require.Len(t, all, 10+report.Received)
}

// For a request with as many ranges as fit, the store is read once and not for
// each range, and the answer has the requested size.
func TestHostileRequests(t *testing.T) {
	ctx := t.Context()
	store, _ := testStore(t, 20_000)
	counting := &countingStore{MemStore: store}
	r, err := New(counting, nil)
	require.NoError(t, err)
	own := r.ownSalt()
	q := request{maxAnswer: 100_000, salt: own}
	_, err = r.Answer(ctx, "", causal.Filter{}, q.encode())
	require.NoError(t, err)
	m, err := r.summary(ctx, summaryKey{salt: own})
	require.NoError(t, err)
	lo := key{}
	for i := range 20_000 {
		hi := key{clock: uint64(i/3 + 1)}
		if i%3 == 2 {
			total, err := m.sumOf(ctx, lo, hi)
			require.NoError(t, err)
			q.ranges = append(q.ranges, rangeOf{span: span{lo, hi}, mode: modeFingerprint, fingerprint: total.fingerprint()})
			lo = hi
		}
	}
	counting.keys = 0
	_, err = r.Answer(ctx, "", causal.Filter{}, q.encode())
	require.NoError(t, err)
	require.LessOrEqual(t, counting.keys, 2*20_000, "keys that were read")
	for i := range q.ranges {
		q.ranges[i].fingerprint[0] ^= 1
	}
	text, err := r.Answer(ctx, "", causal.Filter{}, q.encode())
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), 100_000)
	q.ranges = []rangeOf{{span: span{key{}, end}, mode: modeList, ids: make([]id, 30_000)}}
	for i := range q.ranges[0].ids {
		binary.LittleEndian.PutUint32(q.ranges[0].ids[i][:], uint32(i))
	}
	text, err = r.Answer(ctx, "", causal.Filter{}, q.encode())
	require.NoError(t, err)
	require.Less(t, len(text), 500_000)
}

// countingStore counts the keys read in order.
type countingStore struct {
	*causal.MemStore
	keys int
}

func (s *countingStore) ReadDigests(ctx context.Context, f causal.Filter, from, to causal.SyncKey, upTo causal.Cursor) iter.Seq2[causal.SyncKey, error] {
	return func(yield func(causal.SyncKey, error) bool) {
		for k, err := range s.MemStore.ReadDigests(ctx, f, from, to, upTo) {
			s.keys++
			if !yield(k, err) {
				return
			}
		}
	}
}

// Many filters do not fill the memory, and do not evict large summaries in use.
func TestSummariesAreBounded(t *testing.T) {
	ctx := t.Context()
	_, r := testStore(t, 6000)
	for i := range 300 {
		_, err := r.summary(ctx, summaryKey{filter: causal.Filter{AggregateID: fmt.Sprint(i)}, salt: salt{byte(i), byte(i >> 8)}})
		require.NoError(t, err)
	}
	require.Empty(t, r.summaries, "small ones are not kept")
	for i := range 150 {
		_, err := r.summary(ctx, summaryKey{salt: salt{byte(i), byte(i >> 8)}})
		require.NoError(t, err)
	}
	require.Len(t, r.summaries, 150)
	bytes := r.bytes
	require.Equal(t, 150*r.summaries[summaryKey{salt: salt{9}}].bytes, bytes)
	for _, kept := range r.summaries {
		kept.bytes += maxSummaryBytes / 100
		r.bytes += maxSummaryBytes / 100
	}
	_, err := r.summary(ctx, summaryKey{salt: salt{9}})
	require.NoError(t, err)
	require.LessOrEqual(t, r.bytes, maxSummaryBytes)
	require.Contains(t, r.summaries, summaryKey{salt: salt{9}})
	require.Less(t, len(r.summaries), 110)
	for i := range 2 * maxPeers {
		r.setPeer(fmt.Sprint(i), peer{})
	}
	require.Len(t, r.peers, maxPeers)
}
