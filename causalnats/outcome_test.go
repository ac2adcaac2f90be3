package causalnats_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// lossy creates connections that lose the next answer containing a text, or all
// requests containing one.
type lossy struct {
	answer   string
	isLosing atomic.Bool
	lost     chan struct{} // holds a token once the answer is lost

	request   string
	isRefuser atomic.Bool
}

func (l *lossy) Dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, time.Second)
	return lossyConn{c, l}, err
}

type lossyConn struct {
	net.Conn
	*lossy
}

func (c lossyConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.isLosing.Load() || !bytes.Contains(b[:n], []byte(c.answer)) {
			return n, err
		}
		c.isLosing.Store(false)
		c.lost <- struct{}{}
	}
}

func (c lossyConn) Write(b []byte) (int, error) {
	if c.isRefuser.Load() && bytes.Contains(b, []byte(c.request)) {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// openLossy returns a Store whose connection loses acknowledgements of a
// stream, and one without losses.
func openLossy(t *testing.T, stream string) (s, other *causalnats.Store, l *lossy) {
	c := startCluster(t, 1)
	o := provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1})
	l = &lossy{answer: `"stream":"` + o.Name + stream + `"`, lost: make(chan struct{}, 1), request: "$JS.API.STREAM.INFO."}
	return open(t, connect(t, c.urls(), nats.SetCustomDialer(l)), o), open(t, connect(t, c.urls()), o), l
}

// A write whose answer was lost is found, or was replaced by others and is not
// repeated.
func TestAnswerOfWriteIsLost(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		stream string
		call   func(s *causalnats.Store) error
		isThen func(s *causalnats.Store) bool
		others func(s *causalnats.Store) error
	}{
		"save": {
			"_LOG", func(s *causalnats.Store) error { return s.SaveEvent(ctx, eventtest.New(t, 1)) },
			func(s *causalnats.Store) bool { return len(eventtest.LoadAll(t, s)) == 1 }, nil,
		},
		"clock": {
			"_STATE", func(s *causalnats.Store) error { return s.SaveClock(ctx, "n", 5) },
			func(s *causalnats.Store) bool { v, _ := s.LoadClock(ctx, "n"); return v == 5 },
			func(s *causalnats.Store) error { return second(s.AdvanceClock(ctx, "n", 0, 10)) },
		},
		"checkpoint": {
			"_STATE", func(s *causalnats.Store) error {
				return second(s.SaveCheckpoint(ctx, "p", causal.Checkpoint{State: []byte("a")}))
			},
			func(s *causalnats.Store) bool { c, _ := s.LoadCheckpoint(ctx, "p"); return string(c.State) == "a" },
			func(s *causalnats.Store) error {
				c, err := s.LoadCheckpoint(ctx, "p")
				if err != nil {
					return err
				}
				c.State = []byte("b")
				return second(s.SaveCheckpoint(ctx, "p", c))
			},
		},
		"deletion": {
			"_STATE", func(s *causalnats.Store) error { return s.DeleteCheckpoint(ctx, "old") },
			func(s *causalnats.Store) bool { c, _ := s.LoadCheckpoint(ctx, "old"); return c.Revision == 0 },
			func(s *causalnats.Store) error {
				return second(s.SaveCheckpoint(ctx, "old", causal.Checkpoint{State: []byte("new")}))
			},
		},
		"rejected": {
			"_REJ", func(s *causalnats.Store) error {
				return second(s.AppendRejected(ctx, causal.Rejected{Reason: "r", Time: eventtest.New(t, 1).Timestamp()}))
			},
			func(s *causalnats.Store) bool {
				for r := range s.Rejected(ctx) {
					return r.Count == 1
				}
				return false
			},
			func(s *causalnats.Store) error {
				return second(s.AppendRejected(ctx, causal.Rejected{Reason: "r", Time: eventtest.New(t, 1).Timestamp()}))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, other, l := openLossy(t, test.stream)
			require.NoError(t, second(other.SaveCheckpoint(ctx, "old", causal.Checkpoint{})))
			l.isLosing.Store(true)
			require.NoError(t, test.call(s))
			<-l.lost
			require.True(t, test.isThen(other))
			if test.others == nil {
				return
			}
			s, other, l = openLossy(t, test.stream)
			require.NoError(t, second(other.SaveCheckpoint(ctx, "old", causal.Checkpoint{})))
			l.isLosing.Store(true)
			done := make(chan error)
			go func() { done <- test.call(s) }()
			<-l.lost
			require.NoError(t, test.others(other))
			err := <-done
			require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
			eventtest.RequireStorageError(t, err)
			require.False(t, test.isThen(other), "it was written again over what others have written since")
		})
	}
}

// A save whose record is acknowledged, and that fails later, may be stored.
func TestSaveIsAcknowledgedAndFails(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	o := provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1, Retry: time.Second})
	l := &lossy{request: "$JS.API.STREAM.INFO."}
	s := open(t, connect(t, c.urls(), nats.SetCustomDialer(l)), o)
	s.Distrust()
	l.isRefuser.Store(true)
	err := s.SaveEvent(ctx, eventtest.New(t, 1))
	eventtest.RequireStorageError(t, err)
	require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
	require.Len(t, eventtest.LoadAll(t, open(t, connect(t, c.urls()), o)), 1)
}

// A call waiting for another one ends when its context is done.
func TestRejectedEndsWithContext(t *testing.T) {
	c := startCluster(t, 1)
	s := open(t, connect(t, c.urls()), provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1, Retry: time.Minute}))
	c.stop(0)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for range 2 {
		go func() { ended <- second(s.AppendRejected(ctx, causal.Rejected{Reason: "r", Time: time.Now()})) }()
	}
	cancel()
	for range 2 {
		require.ErrorIs(t, <-ended, context.Canceled)
	}
}

// Events saved earlier by another Store decide, in the order of the contract.
func TestConditionLooksAtOthers(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	saved := eventtest.New(t, 2)
	other := eventtest.New(t, 2, func(p *causal.EventParams) { p.Type = "Other" })
	foreign := causal.NewCursor([16]byte{9}, 1, [8]byte{1})
	for name, test := range map[string]struct {
		cursor causal.Cursor
		event  causal.Event
		want   error
	}{
		"stored, and an entry matches":             {causal.Cursor{}, saved, nil},
		"stored, and the cursor is of another log": {foreign, saved, nil},
		"a conflict, and an entry matches":         {causal.Cursor{}, other, causal.ErrIDConflict},
		"new, and an entry matches":                {causal.Cursor{}, eventtest.New(t, 3), causal.ErrConcurrentSave},
		"new, and the cursor is of another log":    {foreign, eventtest.New(t, 3), causal.ErrInvalidCursor},
	} {
		t.Run(name, func(t *testing.T) {
			o := provision(t, nc, causalnats.Options{Replicas: 1})
			a, b := open(t, nc, o), open(t, nc, o)
			require.NoError(t, a.SaveEvent(ctx, eventtest.New(t, 1)))
			require.NoError(t, b.SaveEvent(ctx, saved))
			_, err := a.SaveEventsIf(ctx, test.cursor, causal.Condition{}, []causal.Event{test.event})
			require.ErrorIs(t, err, test.want)
		})
	}
}
