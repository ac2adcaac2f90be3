package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var ctx = context.Background()

const (
	projectUUID = "12345678-1234-5678-1234-567812345678"
	eventType   = "WPStatusChanged"
	nodes       = 10

	// The events of a full store: one large aggregate and many small ones.
	total      = 100_000
	large      = 10_000
	small      = 100
	aggregates = 1 + (total-large)/small

	largeAggregate = 0
	smallAggregate = aggregates / 2
)

var testTime = time.Date(2026, 1, 26, 10, 0, 0, 123456789, time.UTC)

// payload has 180 bytes, like the events of a work tracker.
var payload = json.RawMessage(fmt.Sprintf(`{"from":"doing","to":"for_review","note":%q}`, strings.Repeat("x", 136)))

// fact is the content of an event, for each library to convert to its own type.
type fact struct {
	event     causal.Event
	aggregate int
	version   int // of the aggregate, from 1
}

// newFact returns the i-th fact of a run, the version-th of its aggregate.
func newFact(tb testing.TB, i, aggregate, version int) fact {
	e, err := causal.NewEvent(causal.EventParams{
		Type: eventType, AggregateID: aggregateIDs[aggregate], NodeID: fmt.Sprintf("node-%d", i%nodes),
		LamportClock: int64(i + 1), Timestamp: testTime.Add(time.Duration(i) * time.Millisecond),
		ProjectUUID: projectUUID, Payload: payload,
	})
	require.NoError(tb, err)
	return fact{e, aggregate, version}
}

// The IDs of the aggregates are UUIDs, as required by some libraries.
var aggregateIDs, aggregateUUIDs = func() (texts []string, ids []uuid.UUID) {
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		ids = append(ids, uuid.MustParse(texts[i]))
	}
	return texts, ids
}()

// singles returns total facts, each of a different aggregate than its
// predecessor.
func singles(tb testing.TB) []fact {
	facts := make([]fact, total)
	for i := range facts {
		facts[i] = newFact(tb, i, i%len(aggregateIDs), 1+i/len(aggregateIDs))
	}
	return facts
}

// batches returns the first n facts of a full store, in groups of 100 of the
// same aggregate.
func batches(tb testing.TB, n int) []fact {
	facts := make([]fact, 0, n)
	version := make([]int, aggregates)
	for batch := range n / small {
		aggregate := largeAggregate
		if of := total / large; batch%of != 0 {
			aggregate = batch - batch/of
		}
		for range small {
			version[aggregate]++
			facts = append(facts, newFact(tb, len(facts), aggregate, version[aggregate]))
		}
	}
	return facts
}

// record is the content of an event except its type, aggregate, version and
// time. Libraries without a place for it get it as data or metadata.
type record struct {
	EventID       string          `json:"event_id"`
	NodeID        string          `json:"node_id"`
	LamportClock  int64           `json:"lamport_clock"`
	CausationID   string          `json:"causation_id"`
	ProjectUUID   string          `json:"project_uuid"`
	ProjectSlug   string          `json:"project_slug"`
	CorrelationID string          `json:"correlation_id"`
	SchemaVersion string          `json:"schema_version"`
	DataTier      int             `json:"data_tier"`
	Payload       json.RawMessage `json:"payload,omitempty"`
}

func newRecord(e causal.Event) record {
	return record{
		string(e.ID()), e.NodeID(), e.LamportClock(), string(e.CausationID()), e.ProjectUUID(), e.ProjectSlug(),
		string(e.CorrelationID()), e.SchemaVersion(), e.DataTier(), e.Payload(),
	}
}
