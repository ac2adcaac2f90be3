package causalnats_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// requireLost requires that every kind of call reports, now and later, that the
// log was lost.
func requireLost(t *testing.T, s *causalnats.Store) {
	t.Helper()
	ctx := t.Context()
	var errs []error
	_, err := s.LoadEvents(ctx, "WP001")
	errs = append(errs, err)
	_, err = s.Head(ctx)
	errs = append(errs, err, s.SaveEvent(ctx, eventtest.New(t, 9999)), second(s.AdvanceClock(ctx, "alice", 0, 1)), second(causal.LoadAll(ctx, s)))
	for _, err := range errs {
		require.ErrorIs(t, err, causalnats.ErrLogLost)
		require.ErrorIs(t, err, causal.ErrStorage)
	}
}

func second(_ any, err error) error { return err }

// saveRange saves events one by one.
func saveRange(t *testing.T, s causal.EventStore, from, to int) {
	for _, e := range eventtest.NewRange(t, from, to) {
		require.NoError(t, s.SaveEvent(t.Context(), e))
	}
}

// goBack makes a server, which is alone, lose the writes of run, as in a loss
// of power if it is not configured to flush.
func goBack(t *testing.T, c *cluster, run func()) {
	dir, backup := c.options[0].StoreDir, filepath.Join(t.TempDir(), "backup")
	c.stop(0)
	require.NoError(t, os.CopyFS(backup, os.DirFS(dir)))
	c.start(t, 0)
	c.ready(t)
	run()
	c.stop(0)
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.CopyFS(dir, os.DirFS(backup)))
	c.start(t, 0)
	c.ready(t)
}

// A stream that goes back is detected by a Store that has seen the lost
// records, whatever was written since.
func TestStreamGoesBack(t *testing.T) {
	for name, test := range map[string]struct {
		written int // since, by another process
		call    func(t *testing.T, s *causalnats.Store) error
	}{
		"shorter, read": {0, func(t *testing.T, s *causalnats.Store) error { return second(s.LoadEvents(t.Context(), "WP001")) }},
		"shorter, save": {0, func(t *testing.T, s *causalnats.Store) error { return s.SaveEvent(t.Context(), eventtest.New(t, 99)) }},
		"as long, read": {5, func(t *testing.T, s *causalnats.Store) error { return second(s.LoadEvents(t.Context(), "WP001")) }},
		"as long, save": {5, func(t *testing.T, s *causalnats.Store) error { return s.SaveEvent(t.Context(), eventtest.New(t, 99)) }},
		"as long, save of known": {5, func(t *testing.T, s *causalnats.Store) error {
			return second(s.Append(t.Context(), eventtest.NewRange(t, 6, 7)))
		}},
		"longer, read": {9, func(t *testing.T, s *causalnats.Store) error { return second(s.Head(t.Context())) }},
		"longer, save": {9, func(t *testing.T, s *causalnats.Store) error { return s.SaveEvent(t.Context(), eventtest.New(t, 99)) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, 1)
			nc := connect(t, c.urls())
			o := provision(t, nc, causalnats.Options{Replicas: 1})
			s := open(t, nc, o)
			saveRange(t, s, 0, 5)
			goBack(t, c, func() { saveRange(t, s, 5, 10) })
			saveRange(t, open(t, connect(t, c.urls()), o), 20, 20+test.written)
			require.ErrorIs(t, test.call(t, s), causalnats.ErrLogLost)
			requireLost(t, s)
		})
	}
}

// Clock values already issued are not issued again.
func TestStateGoesBack(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func(s *causalnats.Store) error{
		"clock": func(s *causalnats.Store) error { return second(s.AdvanceClock(ctx, "alice", 0, 1)) },
		"rejected": func(s *causalnats.Store) error {
			return second(s.AppendRejected(ctx, causal.Rejected{Source: string(causal.NewEventID()), Reason: "r", Time: time.Now()}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, 1)
			s := open(t, connect(t, c.urls()), provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1}))
			require.NoError(t, call(s))
			goBack(t, c, func() { require.NoError(t, call(s)) })
			require.ErrorIs(t, call(s), causalnats.ErrLogLost)
			requireLost(t, s)
		})
	}
}

// A Store that has not seen the lost records continues, until a Store that has
// seen them writes again.
func TestWitness(t *testing.T) {
	c := startCluster(t, 1)
	o := provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1})
	s := open(t, connect(t, c.urls()), o)
	saveRange(t, s, 0, 5)
	goBack(t, c, func() { saveRange(t, s, 5, 10) })
	other := open(t, connect(t, c.urls()), o)
	saveRange(t, other, 20, 26)
	require.ErrorIs(t, s.SaveEvent(t.Context(), eventtest.New(t, 99)), causalnats.ErrLogLost) // it is in the stream, and names the last record that s had seen
	requireLost(t, other)
	for _, o := range []causalnats.Options{o, {Name: o.Name, Replicas: 1, Replica: openFile(t, newPath(t))}} {
		_, err := causalnats.New(t.Context(), connect(t, c.urls()), &o)
		require.ErrorIs(t, err, causalnats.ErrLogLost, "who reads all of it at once")
	}
}

// A replica in a file remembers the records it has seen.
func TestStreamGoesBackBehindFile(t *testing.T) {
	for name, written := range map[string]int{"shorter": 0, "as long": 5, "longer": 9} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, 1)
			nc := connect(t, c.urls())
			o := provision(t, nc, causalnats.Options{Replicas: 1})
			path := newPath(t)
			s := openWithFile(t, nc, o, path)
			saveRange(t, s, 0, 5)
			goBack(t, c, func() { saveRange(t, s, 5, 10) })
			require.NoError(t, s.Close())
			saveRange(t, open(t, nc, o), 20, 20+written)
			o.Replica = openFile(t, path)
			_, err := causalnats.New(t.Context(), nc, &o)
			require.ErrorIs(t, err, causalnats.ErrLogLost)
		})
	}
}

func openFile(t *testing.T, path string) *causalsqlite.Store {
	file, err := causalsqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// A replica killed before it recorded its position has more than it knows, and
// the stream must have that, too.
func TestPlaceBehind(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	path := newPath(t)
	s := openWithFile(t, nc, o, path)
	saveRange(t, s, 0, 5) // not closed, as if killed
	saveRange(t, open(t, nc, o), 5, 10)
	again := openWithFile(t, nc, o, path)
	require.Len(t, eventtest.LoadAll(t, again), 10)
	require.NoError(t, again.SaveEvent(ctx, eventtest.New(t, 10)))
	require.ErrorIs(t, s.SaveEvent(ctx, eventtest.New(t, 11)), causalnats.ErrLogLost, "two Stores on one replica")
	require.NoError(t, again.Close())

	// Now save an event that is not in the stream.
	require.NoError(t, openFile(t, path).SaveEvent(ctx, eventtest.New(t, 77)))
	o.Replica = openFile(t, path)
	_, err := causalnats.New(ctx, nc, &o)
	require.ErrorIs(t, err, causalnats.ErrLogLost)
	require.ErrorContains(t, err, "the replica has events that are not in the stream")
}

// A replica belongs to one log, and nobody else writes to it.
func TestReplicaIsChecked(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1})
	full := &causal.MemStore{}
	require.NoError(t, full.SaveEvent(ctx, eventtest.New(t, 1)))
	o.Replica = full
	_, err := causalnats.New(ctx, nc, &o)
	require.ErrorIs(t, err, causalnats.ErrLogLost)
	require.ErrorContains(t, err, "events of its own")

	more := &causal.MemStore{}
	o.Replica = more
	require.NoError(t, open(t, nc, o).Close())
	require.NoError(t, more.SaveEvent(ctx, eventtest.New(t, 1)))
	_, err = causalnats.New(ctx, nc, &o)
	require.ErrorIs(t, err, causalnats.ErrLogLost)
	require.ErrorContains(t, err, "the replica has events that are not in the stream")

	replica := &causal.MemStore{}
	o.Replica = replica
	s := open(t, nc, o)
	saveRange(t, s, 0, 5)
	other := provision(t, nc, causalnats.Options{Replicas: 1})
	other.Replica = replica
	_, err = causalnats.New(ctx, nc, &other)
	require.ErrorIs(t, err, causalnats.ErrLogLost)
	require.ErrorContains(t, err, "another log")

	require.NoError(t, replica.SaveEvent(ctx, eventtest.New(t, 50)))
	require.ErrorIs(t, s.SaveEvent(ctx, eventtest.New(t, 6)), causalnats.ErrLogLost)
	requireLost(t, s)
}

// A forbidden change of a stream is detected by the next call, and by opening
// the store.
func TestStreamIsChanged(t *testing.T) {
	type streams struct {
		js     jetstream.JetStream
		stream jetstream.Stream
		config jetstream.StreamConfig
	}
	update := func(change func(*jetstream.StreamConfig)) func(*testing.T, streams) {
		return func(t *testing.T, s streams) {
			change(&s.config)
			_, err := s.js.UpdateStream(t.Context(), s.config)
			require.NoError(t, err)
		}
	}
	for name, change := range map[string]func(*testing.T, streams){
		"max_msgs":             update(func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 }),
		"max_msgs, discard":    update(func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 1, jetstream.DiscardOld }),
		"discard":              update(func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }),
		"max_age":              update(func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }),
		"max_msgs_per_subject": update(func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1000 }),
		"allow_atomic":         update(func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }),
		"allow_direct":         update(func(c *jetstream.StreamConfig) { c.AllowDirect = false }),
		"subjects":             update(func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, c.Name+".more") }),
		"max_msg_size":         update(func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }),
		"metadata":             update(func(c *jetstream.StreamConfig) { c.Metadata["causal_log"] = "00112233445566778899aabbccddeeff" }),
		"no metadata":          update(func(c *jetstream.StreamConfig) { c.Metadata = nil }),
		"made again": func(t *testing.T, s streams) {
			require.NoError(t, s.js.DeleteStream(t.Context(), s.config.Name))
			time.Sleep(10 * time.Millisecond)
			_, err := s.js.CreateStream(t.Context(), s.config)
			require.NoError(t, err)
			for _, id := range []string{"a", "b", "c", "d", "e"} {
				_, err := s.js.Publish(t.Context(), s.config.Subjects[0], []byte(id))
				require.NoError(t, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := startCluster(t, 1)
			nc := connect(t, c.urls())
			o := provision(t, nc, causalnats.Options{Replicas: 1})
			s := open(t, nc, o)
			saveRange(t, s, 0, 5)
			js, err := jetstream.New(nc)
			require.NoError(t, err)
			stream, err := js.Stream(ctx, o.Name+"_LOG")
			require.NoError(t, err)
			change(t, streams{js, stream, stream.CachedInfo().Config})
			requireLost(t, s)
			_, err = causalnats.New(ctx, nc, &o)
			eventtest.RequireStorageError(t, err)
			if name != "made again" { // which shows only in its records
				eventtest.RequireStorageError(t, causalnats.Provision(ctx, nc, &o))
			}
		})
	}
}

// A stream with a hole is not a log.
func TestHoles(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for hole := range uint64(3) {
		o := provision(t, nc, causalnats.Options{Replicas: 1})
		stream, err := js.Stream(ctx, o.Name+"_LOG")
		require.NoError(t, err)
		config := stream.CachedInfo().Config
		require.NoError(t, js.DeleteStream(ctx, config.Name))
		config.DenyDelete = false
		stream, err = js.CreateStream(ctx, config)
		require.NoError(t, err)
		for range 3 {
			_, err := js.Publish(ctx, o.Name+".log", nil)
			require.NoError(t, err)
		}
		require.NoError(t, stream.DeleteMsg(ctx, hole+1))
		config.DenyDelete = true
		_, err = js.UpdateStream(ctx, config)
		require.NoError(t, err)
		_, err = causalnats.New(ctx, nc, &o)
		require.ErrorIs(t, err, causalnats.ErrLogLost)
		require.ErrorContains(t, err, "has lost messages")
	}
}

// Messages other than records stop every replica, and none skips them.
func TestForeignMessages(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "later version": append([]byte{2}, make([]byte, 100)...),
		"no saves": append([]byte{1}, make([]byte, 40)...), "cut": append(append([]byte{1}, make([]byte, 40)...), 0, 2, 5),
		"many": append(append([]byte{1}, make([]byte, 40)...), 0, 255, 255, 255, 255, 255, 255, 255, 255, 1),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := startCluster(t, 1)
			nc := connect(t, c.urls())
			o := provision(t, nc, causalnats.Options{Replicas: 1})
			s := open(t, nc, o)
			saveRange(t, s, 0, 5)
			answer, err := nc.Request(o.Name+".log", data, time.Second)
			require.NoError(t, err)
			require.True(t, json.Valid(answer.Data))
			for range 2 {
				_, err = s.LoadEvents(ctx, "WP001")
				eventtest.RequireStorageError(t, err)
				require.Regexp(t, "message 6 of the log (is damaged|was written by a later version)", err.Error())
			}
			err = s.SaveEvent(ctx, eventtest.New(t, 6))
			require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
			_, err = causalnats.New(ctx, nc, &o)
			require.Regexp(t, "message 6 of the log (is damaged|was written by a later version)", err.Error())
		})
	}
	t.Run("parts", func(t *testing.T) {
		c := startCluster(t, 1)
		nc := connect(t, c.urls())
		o := provision(t, nc, causalnats.Options{Replicas: 1})
		s := open(t, nc, o)
		for i, header := range []string{"2/3/00112233445566778899aabbccddeeff", "x", "1/0/00112233445566778899aabbccddeeff", "1/2/00"} {
			m := nats.NewMsg(o.Name + ".log")
			m.Header.Set("Causal-Part", header)
			_, err := nc.RequestMsg(m, time.Second)
			require.NoError(t, err)
			_, err = s.Head(t.Context())
			require.ErrorContains(t, err, "message 1 of the log is damaged", i)
		}
	})
}
