package causalnats

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// drawRecords draws records like those of writers: batches, duplicates,
// different contents of an ID, and conditions with cursors of the log at an
// earlier time.
func drawRecords(t *rapid.T) []record {
	model := newReplica(t, &causal.MemStore{})
	var records []record
	sequence, cursors := uint64(0), []causal.Cursor{{}}
	for i := range rapid.IntRange(1, 30).Draw(t, "records") {
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 { // sent twice
			again := records[rapid.IntRange(0, i-1).Draw(t, "which")]
			sequence += again.messages
			again.sequence = sequence
			records = append(records, again)
			continue
		}
		r := record{messages: uint64(rapid.IntRange(1, 3).Draw(t, "messages")), mark: mark{nonce: nonce{byte(i), 1}}}
		sequence += r.messages
		r.sequence = sequence
		for range rapid.IntRange(1, 3).Draw(t, "saves") {
			var s save
			if rapid.Bool().Draw(t, "conditional") {
				at := rapid.SampledFrom(cursors).Draw(t, "cursor")
				s.condition = &condition{at.Position(), at.Hash(), causal.Condition{
					ProjectUUID: eventtest.ProjectUUID, Aggregates: []string{rapid.SampledFrom([]string{"A", "B"}).Draw(t, "aggregate")},
				}}
			}
			for range rapid.IntRange(1, 3).Draw(t, "events") {
				s.events = append(s.events, eventtest.New(t, rapid.IntRange(0, 20).Draw(t, "id"), func(p *causal.EventParams) {
					p.AggregateID = []string{"A", "B", "C"}[p.LamportClock%3]
					if rapid.IntRange(0, 4).Draw(t, "other") == 0 {
						p.Type = "Other"
					}
				}))
			}
			r.saves = append(r.saves, s)
		}
		require.NoError(t, model.apply(t.Context(), []record{r}))
		head, err := model.store.Head(t.Context())
		require.NoError(t, err)
		cursors = append(cursors, model.cursor(head))
		records = append(records, r)
	}
	return records
}

func newReplica(t eventtest.T, s causal.Store) *replica {
	r, err := openReplica(t.Context(), s, [16]byte{7})
	require.NoError(t, err)
	return r
}

// failing is a store whose saves sometimes fail, before or after taking effect.
type failing struct {
	causal.Store
	next func() int // 1: before, 2: after
}

var errTest = errors.New("test")

func (s failing) around(save func() (causal.Appended, error)) (causal.Appended, error) {
	fault := s.next()
	if fault == 1 {
		return causal.Appended{}, errTest
	}
	a, err := save()
	if fault == 2 && err == nil {
		return causal.Appended{}, errTest
	}
	return a, err
}

// All replicas have the same log and refuse the same saves, however records are
// grouped into windows, and whatever crashes in between. After a crash, a
// replica applies records again that it may have applied.
func TestReplicasAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		one := newReplica(t, &causal.MemStore{})
		var want [][]result
		for _, r := range records {
			got := apply(t, one, []record{r})
			want = append(want, got[0])
		}
		store := &causal.MemStore{}
		other := newReplica(t, store)
		faults := rapid.IntRange(0, 3).Draw(t, "faults")
		isAgain := faults > 0
		other.store = failing{store, func() int {
			if faults == 0 || rapid.IntRange(0, 3).Draw(t, "fault") > 0 {
				return 0
			}
			faults--
			return rapid.IntRange(1, 2).Draw(t, "when")
		}}
		for i := 0; i < len(records); {
			n := rapid.IntRange(1, len(records)-i).Draw(t, "window")
			got := apply(t, other, records[i:i+n])
			switch rapid.IntRange(0, 5).Draw(t, "crash") {
			case 0: // its position is stored
				require.NoError(t, other.savePosition(t.Context()))
			case 1: // killed
				isAgain = true
				faulty := other.store
				other = newReplica(t, store)
				other.store = faulty
				i = slices.IndexFunc(records, func(r record) bool { return r.sequence > other.applied() })
				if i < 0 {
					i = len(records)
				}
				continue
			}
			for j := range got {
				requireResult(t, want[i+j], got[j], isAgain)
			}
			i += n
		}
		require.NoError(t, other.resync(t.Context()))
		require.NoError(t, other.checkEnd())
		require.Equal(t, eventtest.IDs(eventtest.LoadAll(t, one.store)), eventtest.IDs(eventtest.LoadAll(t, store)))
		a, err := one.store.Head(t.Context())
		require.NoError(t, err)
		b, err := store.Head(t.Context())
		require.NoError(t, err)
		require.Equal(t, one.cursor(a), other.cursor(b))
	})
}

func (s failing) Append(ctx context.Context, events []causal.Event) (causal.Appended, error) {
	return s.around(func() (causal.Appended, error) { return s.Store.Append(ctx, events) })
}

func (s failing) SaveEventsIf(ctx context.Context, after causal.Cursor, c causal.Condition, events []causal.Event) (causal.Appended, error) {
	return s.around(func() (causal.Appended, error) { return s.Store.SaveEventsIf(ctx, after, c, events) })
}

// apply applies records, repeatedly if the store fails, and returns the results
// of each.
func apply(t *rapid.T, r *replica, records []record) [][]result {
	got := make([][]result, len(records))
	for i, x := range records {
		if r.callers[x.nonce] == nil { // otherwise it is there twice, and the first one has the results
			r.callers[x.nonce] = func(results []result) { got[i] = results }
		}
	}
	for {
		err := r.apply(t.Context(), records)
		if err == nil {
			return got
		}
		require.ErrorIs(t, err, errTest)
	}
}

// requireResult requires the same results. If records were applied again, more
// events may be reported as the reason for a refusal, or have been stored by
// others.
func requireResult(t *rapid.T, want, got []result, isAgain bool) {
	if got == nil { // the record was there twice
		return
	}
	require.Len(t, got, len(want))
	for i := range want {
		if !isAgain {
			require.Equal(t, want[i], got[i])
		}
		if want[i].err == nil {
			require.NoError(t, got[i].err)
		}
	}
}

// Records of nodes, each with a condition, are stored together.
func TestConditionsAreStoredTogether(t *testing.T) {
	calls := 0
	r := newReplica(t, failing{&causal.MemStore{}, func() int { calls++; return 0 }})
	at := causal.NewCursor(r.log, 0, [8]byte{})
	var records []record
	for i := range 100 {
		e := eventtest.New(t, i)
		c := &condition{at.Position(), at.Hash(), causal.Condition{ProjectUUID: e.ProjectUUID(), NodeID: e.NodeID()}}
		records = append(records, record{mark: mark{uint64(i + 1), nonce{byte(i)}}, messages: 1, saves: []save{{c, []causal.Event{e}}}})
		at = at.Next(e.ID())
	}
	require.NoError(t, r.apply(t.Context(), records))
	require.Equal(t, 2, calls, "the first one, before which nothing is remembered, and the others")
	require.Len(t, eventtest.LoadAll(t, r.store), 100)
}

// Entries of a replica beyond the stream are not forgotten when its position is
// stored in between.
func TestPlaceIsNotStoredTooEarly(t *testing.T) {
	store := &causal.MemStore{}
	var records []record
	for i := range 4 {
		e := eventtest.New(t, i)
		records = append(records, record{mark: mark{uint64(i + 1), nonce{byte(i)}}, messages: 1, saves: []save{{nil, []causal.Event{e}}}})
	}
	r := newReplica(t, store)
	require.NoError(t, r.apply(t.Context(), records)) // and the process is killed, and the stream goes back to two records
	r = newReplica(t, store)
	require.NoError(t, r.apply(t.Context(), records[:1]))
	require.NoError(t, r.savePosition(t.Context())) // as when opening is interrupted
	r = newReplica(t, store)
	require.Zero(t, r.applied())
	require.NoError(t, r.apply(t.Context(), records[:2]))
	require.ErrorIs(t, r.checkEnd(), ErrLogLost)
}

// The bytes of a record can be read by all versions of this package.
func TestRecordBytes(t *testing.T) {
	e := eventtest.New(t, 1)
	data, err := e.MarshalJSON()
	require.NoError(t, err)
	c := &condition{300, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, causal.Condition{ProjectUUID: eventtest.ProjectUUID, Aggregates: []string{"A", "ä"}, NodeID: "n"}}
	b := encodeHead(nil, nonce{1, 2}, mark{258, nonce{3}})
	b = encodeSave(b, nil, [][]byte{data})
	b = encodeSave(b, c, [][]byte{data, data})
	text := fmt.Sprintf("%x", data)
	length := fmt.Sprintf("%02x%02x", len(data)&127|128, len(data)>>7)
	require.Equal(t, "01"+"01020000000000000000000000000000"+"0000000000000102"+"03000000000000000000000000000000"+
		"00"+"01"+length+text+
		"01"+"ac02"+"0102030405060708"+"24"+hex.EncodeToString([]byte(eventtest.ProjectUUID))+"016e"+"02"+"0141"+"02c3a4"+
		"02"+length+text+length+text, hex.EncodeToString(b))
	r, err := decodeRecord(b)
	require.NoError(t, err)
	require.Equal(t, nonce{1, 2}, r.nonce)
	require.Equal(t, mark{258, nonce{3}}, r.witness)
	require.Len(t, r.saves, 2)
	require.Nil(t, r.saves[0].condition)
	require.Equal(t, c, r.saves[1].condition)
	require.True(t, r.saves[1].events[1].Equal(e))
	_, err = parsePart(part{1, maxParts + 1, nonce{}}.String())
	require.ErrorIs(t, err, errDamaged)
	for n := range b {
		if n != recordHead+1+1+2+len(data) { // a complete save
			_, err := decodeRecord(b[:n])
			require.ErrorIs(t, err, errDamaged, n)
		}
	}
}

func FuzzRecord(f *testing.F) {
	e := eventtest.New(f, 1)
	data, err := e.MarshalJSON()
	require.NoError(f, err)
	c := &condition{3, [8]byte{1}, causal.Condition{}}
	f.Add(encodeSave(encodeHead(nil, nonce{1}, mark{}), nil, [][]byte{data}))
	f.Add(encodeSave(encodeHead(nil, nonce{1}, mark{}), c, [][]byte{data, data}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			require.True(t, errors.Is(err, errDamaged) || errors.Is(err, errVersion))
			return
		}
		again := encodeHead(nil, r.nonce, r.witness)
		for _, s := range r.saves {
			var data [][]byte
			for _, e := range s.events {
				d, err := e.MarshalJSON()
				require.NoError(t, err)
				data = append(data, d)
			}
			again = encodeSave(again, s.condition, data)
		}
		same, err := decodeRecord(again)
		require.NoError(t, err)
		require.Equal(t, len(r.saves), len(same.saves))
	})
}
