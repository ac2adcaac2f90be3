package benchmarks

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/hallgren/eventsourcing/core"
	hallgrensql "github.com/hallgren/eventsourcing/eventstore/sql"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver for database/sql of the SQLite used by causalsqlite

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

// All of these flush each commit to the disk containing TMPDIR.
var diskStores = []contender{
	library[causal.Event]{name: "causalsqlite", event: causalEvent, open: openCausalSQLite},
	library[hallgrenRecord]{name: "hallgren", event: newHallgrenRecord, open: openHallgrenSQL},
	library[causal.Event]{name: "bbolt", event: causalEvent, open: openBolt},
}

func BenchmarkDisk(b *testing.B) { benchmarkStores(b, diskStores) }

func openCausalSQLite(tb testing.TB) store[causal.Event] {
	s, err := causalsqlite.Open(ctx, filepath.Join(tb.TempDir(), "events.db"), nil)
	require.NoError(tb, err)
	return causalStore{s, s.Close}
}

// hallgrenRecord is an event with its metadata not yet encoded, as passed by a
// service.
type hallgrenRecord struct {
	event    core.Event
	metadata record
}

func newHallgrenRecord(f fact) hallgrenRecord {
	return hallgrenRecord{hallgrenEvent(f), newMetadata(f)}
}

type hallgrenSQL struct{ *hallgrensql.SQLite }

// openHallgrenSQL opens a file with the settings of causalsqlite.
func openHallgrenSQL(tb testing.TB) store[hallgrenRecord] {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "events.db")+
		"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
		"&_pragma=journal_size_limit(67108864)&_pragma=cache_size(-16384)")
	require.NoError(tb, err)
	s, err := hallgrensql.NewSQLiteSingelWriter(db)
	require.NoError(tb, err)
	return hallgrenSQL{s}
}

func (s hallgrenSQL) save(records []hallgrenRecord) error {
	events := make([]core.Event, len(records))
	for i, r := range records {
		metadata, err := json.Marshal(r.metadata)
		if err != nil {
			return err
		}
		events[i] = r.event
		events[i].Metadata = metadata
	}
	return s.Save(events)
}

func (s hallgrenSQL) load(aggregate int) (int, error) {
	return s.read(s.Get(ctx, aggregateIDs[aggregate], aggregateType, 0))
}

func (s hallgrenSQL) all() (int, error) { return s.read(s.All(0)()) }

func (s hallgrenSQL) read(events core.Iterator, err error) (n int, _ error) {
	if err != nil {
		return 0, err
	}
	defer events.Close()
	for ; events.Next(); n++ {
		e, err := events.Value()
		if err != nil {
			return n, err
		}
		r := hallgrenRecord{event: e}
		if err := json.Unmarshal(e.Metadata, &r.metadata); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s hallgrenSQL) close() error { s.Close(); return nil }

// What hallgren/sql leaves out, according to the tables.

func TestHallgrenSQLReadCutShortLooksComplete(t *testing.T) {
	s := openHallgrenSQL(t).(hallgrenSQL)
	defer s.Close()
	for i := range 1000 {
		require.NoError(t, s.save([]hallgrenRecord{newHallgrenRecord(newFact(t, i, 0, i+1))}))
	}
	ended, end := context.WithCancel(ctx)
	events, err := s.Get(ended, aggregateIDs[0], aggregateType, 0)
	require.NoError(t, err)
	end()
	n := 0
	for ; events.Next(); n++ { // nothing else reports whether there is more
		time.Sleep(time.Millisecond)
	}
	require.Less(t, n, 1000)
}

func TestHallgrenSQLLosesTime(t *testing.T) {
	s := openHallgrenSQL(t).(hallgrenSQL)
	defer s.Close()
	require.NoError(t, s.save([]hallgrenRecord{newHallgrenRecord(newFact(t, 0, 0, 1))}))
	events, err := s.Get(ctx, aggregateIDs[0], aggregateType, 0)
	require.NoError(t, err)
	defer events.Close()
	require.True(t, events.Next())
	e, err := events.Value()
	require.NoError(t, err)
	require.Equal(t, testTime.Truncate(time.Second), e.Timestamp)
}
