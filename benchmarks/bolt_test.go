package benchmarks

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
	"go.etcd.io/bbolt/errors"

	"github.com/spec-kitty/causal"
)

// boltStore is a typical store for our events on bbolt, with our JSON: by ID,
// with two more buckets for the orders of reading.
type boltStore struct{ db *bolt.DB }

var (
	bucketEvents     = []byte("events")     // event ID -> JSON
	bucketAggregates = []byte("aggregates") // aggregate, 0, order -> nothing
	bucketOrder      = []byte("order")      // order -> nothing
)

func openBolt(tb testing.TB) store[causal.Event] {
	db, err := bolt.Open(filepath.Join(tb.TempDir(), "events.bolt"), 0o600, nil)
	require.NoError(tb, err)
	require.NoError(tb, db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketEvents, bucketAggregates, bucketOrder} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	}))
	return boltStore{db}
}

// orderKey sorts as Compare does, for node IDs without a zero byte. It ends
// with the event ID.
func orderKey(e causal.Event) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(e.LamportClock()))
	key = append(append(key, e.NodeID()...), 0)
	return append(key, e.ID()...)
}

func aggregateKey(aggregate string) []byte { return append([]byte(aggregate), 0) }

func (s boltStore) save(events []causal.Event) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		byID := tx.Bucket(bucketEvents)
		for _, e := range events {
			data, err := e.MarshalJSON()
			if err != nil {
				return err
			}
			id := []byte(e.ID())
			if stored := byID.Get(id); stored != nil {
				var old causal.Event
				if err := old.UnmarshalJSON(stored); err != nil {
					return err
				}
				if !old.Equal(e) {
					return &causal.IDConflictError{IDs: []causal.EventID{e.ID()}}
				}
				continue
			}
			order := orderKey(e)
			for _, put := range []struct{ bucket, key, value []byte }{
				{bucket: bucketEvents, key: id, value: data},
				{bucket: bucketAggregates, key: append(aggregateKey(e.AggregateID()), order...)},
				{bucket: bucketOrder, key: order},
			} {
				if err := tx.Bucket(put.bucket).Put(put.key, put.value); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s boltStore) load(aggregate int) (int, error) {
	var events []causal.Event
	err := s.read(bucketAggregates, aggregateKey(aggregateIDs[aggregate]), func(e causal.Event) {
		events = append(events, e)
	})
	return len(events), err
}

func (s boltStore) all() (n int, err error) {
	err = s.read(bucketOrder, nil, func(causal.Event) { n++ })
	return n, err
}

// read yields the events named by the keys with a prefix.
func (s boltStore) read(bucket, prefix []byte, yield func(causal.Event)) error {
	return s.db.View(func(tx *bolt.Tx) error {
		byID, keys := tx.Bucket(bucketEvents), tx.Bucket(bucket).Cursor()
		for key, _ := keys.Seek(prefix); key != nil; key, _ = keys.Next() {
			if len(key) < len(prefix) || !slices.Equal(key[:len(prefix)], prefix) {
				return nil
			}
			var e causal.Event
			if err := e.UnmarshalJSON(byID.Get(key[len(key)-26:])); err != nil {
				return err
			}
			yield(e)
		}
		return nil
	})
}

func (s boltStore) close() error { return s.db.Close() }

// What bbolt leaves out, according to the tables.
func TestBoltFileHasOneProcess(t *testing.T) {
	s := openBolt(t).(boltStore)
	defer s.db.Close()
	_, err := bolt.Open(s.db.Path(), 0o600, &bolt.Options{Timeout: 1})
	require.ErrorIs(t, err, errors.ErrTimeout)
}
