package causalsync

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// Answers to lists, and to requests for events, that violate the protocol:
// nothing in them is stored.
func TestHostileAnswersToLists(t *testing.T) {
	newEvent := func(n int) (eventOf, key) {
		e := testEvent(t, n)
		return eventOf{data: must(e.MarshalJSON())}, keyOf(e.SyncKey())
	}
	first, firstKey := newEvent(100)
	second, secondKey := newEvent(200)
	own := salt{1}
	here := make([]causal.Event, 500)
	for i := range here {
		here[i] = testEvent(t, i+1000)
	}
	unreadable := eventOf{data: []byte(strings.Repeat("x", minEvent))}
	known := eventOf{data: must(here[3].MarshalJSON())}
	for name, test := range map[string]struct {
		count  int // events present here
		answer func(q *request, a *answer)
		isOK   bool
	}{
		"honest":         {count: 10, isOK: true, answer: func(_ *request, a *answer) { a.events = []eventOf{first, second} }},
		"an event twice": {count: 10, answer: func(_ *request, a *answer) { a.events = []eventOf{first, first} }},
		"an event beyond the end": {count: 10, answer: func(_ *request, a *answer) {
			a.events, a.done = []eventOf{first, second}, secondKey
		}},
		"an end within a list without event": {count: 10, answer: func(_ *request, a *answer) { a.done = firstKey }},
		"an end within a fingerprint": {count: 500, answer: func(q *request, a *answer) {
			a.done = key{clock: q.ranges[0].hi.clock, digest: [32]byte{0: 1}}
			if !a.done.isBefore(q.ranges[1].hi) {
				a.done = key{clock: q.ranges[1].lo.clock + 1}
			}
		}},
		"an event that is on the list":     {count: 10, answer: func(_ *request, a *answer) { a.events = []eventOf{known} }},
		"an end that creeps within a list": {count: 10, answer: func(q *request, a *answer) { a.done = key{clock: q.ranges[0].lo.clock + 1} }},
		"an end within a fingerprint, and what cannot be read": {count: 500, answer: func(q *request, a *answer) {
			a.done, a.events = key{clock: q.ranges[1].lo.clock, digest: [32]byte{0xff}}, []eventOf{unreadable}
		}},
		"what cannot be read, without ranges": {count: 10, answer: func(q *request, a *answer) {
			if len(q.ranges) > 0 {
				a.wants = []want{{0, 0}}
			} else {
				a.events = []eventOf{unreadable}
			}
		}},
		"wants in no order": {count: 10, answer: func(_ *request, a *answer) { a.wants = []want{{0, 3}, {0, 2}} }},
		"a want twice": {count: 10, answer: func(q *request, a *answer) {
			if len(q.ranges) > 0 { // so that it is the only fault
				a.wants = []want{{0, 3}, {0, 3}}
			}
		}},
		"wants of fingerprints":      {count: 500, answer: func(_ *request, a *answer) { a.wants = []want{{0, 0}} }},
		"a want beyond the list":     {count: 10, answer: func(_ *request, a *answer) { a.wants = []want{{0, 10}} }},
		"a refusal of no event":      {count: 10, answer: func(_ *request, a *answer) { a.refusals = []refusal{{0, 1}} }},
		"a range within a list":      {count: 10, answer: func(_ *request, a *answer) { a.ranges = []rangeOf{{span: span{key{}, end}, mode: modeFingerprint}} }},
		"an event for a fingerprint": {count: 500, answer: func(_ *request, a *answer) { a.events = []eventOf{first} }},
		"another event than was wanted": {count: 500, answer: func(q *request, a *answer) {
			if q.ranges[0].mode == modeWanted {
				a.events = []eventOf{second}
				return
			}
			a.ranges = []rangeOf{{span: q.ranges[0].span, mode: modeList, ids: []id{{7}}}}
		}},
		"an event without ranges": {count: 10, answer: func(q *request, a *answer) {
			if len(q.ranges) > 0 {
				a.wants = []want{{0, 0}} // so that there is one more request
			} else {
				a.events = []eventOf{first}
			}
		}},
		"an end without ranges": {count: 10, answer: func(q *request, a *answer) {
			if len(q.ranges) > 0 {
				a.wants = []want{{0, 0}}
			} else {
				a.done = firstKey
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := &causal.MemStore{}
			require.NoError(t, store.SaveEvents(t.Context(), here[:test.count]))
			r := must(New(store, nil))
			trips := 0
			_, err := r.Sync(t.Context(), func(_ context.Context, text []byte) ([]byte, error) {
				trips++
				require.Less(t, trips, 20)
				q := must(decodeRequest(text))
				a := answer{hash: hashOf(text), maxRequest: 1 << 20, done: end}
				if q.salt == (salt{}) {
					a.kind, a.salt = answerSalt, own
				} else {
					test.answer(&q, &a)
				}
				return a.encode(), nil
			}, nil)
			all := must(causal.LoadAll(t.Context(), store))
			if test.isOK {
				require.NoError(t, err)
				require.Len(t, all, test.count+2)
				return
			}
			require.ErrorIs(t, err, ErrProtocol)
			require.Len(t, all, test.count)
		})
	}
}

// The ranges described by an answer lie within those of the request, even where
// there is a gap.
func TestRangesWithinWhatWasSent(t *testing.T) {
	at := func(clock uint64) key { return key{clock: clock} }
	sums := func(lo, hi uint64) said {
		return said{rangeOf: rangeOf{span: span{at(lo), at(hi)}, mode: modeFingerprint}}
	}
	sent := []said{sums(10, 20), sums(30, 40)}
	for of, isOK := range map[span]bool{
		{at(10), at(20)}: true, {at(12), at(18)}: true, {at(30), at(31)}: true,
		{at(5), at(8)}: false, {at(5), at(15)}: false, {at(15), at(25)}: false, {at(22), at(28)}: false, {at(25), at(35)}: false,
		{at(10), at(40)}: false, {at(35), at(45)}: false, {at(40), end}: false,
	} {
		c := checker{sent: sent, answer: &answer{done: end, ranges: []rangeOf{{span: of, mode: modeList}}}}
		if isOK {
			require.NoError(t, c.ranges(), of)
		} else {
			require.ErrorIs(t, c.ranges(), ErrProtocol, of)
		}
	}
}

// The IDs of a list beyond the end of an answer are not requested, or rather
// not sent.
func TestNothingIsSentTwice(t *testing.T) {
	ctx := t.Context()
	here, there := &causal.MemStore{}, &causal.MemStore{}
	for i := range 2000 {
		e := testEvent(t, i)
		require.NoError(t, there.SaveEvent(ctx, e))
		if i >= 1980 {
			require.NoError(t, here.SaveEvent(ctx, e))
		}
	}
	r, hub := must(New(here, &Options{MaxMessage: minMessage})), must(New(there, nil))
	given := 0
	report, err := r.Sync(ctx, func(ctx context.Context, q []byte) ([]byte, error) {
		reply, err := hub.Answer(ctx, "", causal.Filter{}, q)
		a := must(decodeAnswer(reply))
		given += len(a.events)
		return reply, err
	}, nil)
	require.NoError(t, err)
	require.Zero(t, report.Sent)
	require.Equal(t, 1980, report.Received)
	require.Equal(t, 1980, given)
}
