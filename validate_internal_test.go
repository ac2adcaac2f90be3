package causal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The rules for valid events are those of the validate tags.
func TestRulesAgree(t *testing.T) {
	valid := EventParams{
		ID: EventID(strings.Repeat("A", 26)), Type: "a", AggregateID: "a", NodeID: "a", ProjectUUID: "12345678-1234-5678-1234-567812345678",
		Timestamp: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), SchemaVersion: "1.0.0",
	}
	accepted, refused := map[string]int{}, map[string]int{}
	check := func(name string, change func(*EventParams)) {
		p := valid
		change(&p)
		var faults eventFaults
		fields := checkFields(&p, fieldNames[:], faults[:])
		require.Equal(t, fields == nil, p.isValid(), "%s: %v", name, fields)
		if fields == nil {
			accepted[name]++
		} else {
			refused[name]++
		}
	}
	for _, id := range []string{"", strings.Repeat("Z", 26), strings.Repeat("z", 26), "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "9B1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", strings.Repeat("9", 25), strings.Repeat("0", 27), strings.Repeat("-", 26)} {
		check("event_id", func(p *EventParams) { p.ID = EventID(id) })
		check("causation_id", func(p *EventParams) { p.CausationID = EventID(id) })
		check("correlation_id", func(p *EventParams) { p.CorrelationID = EventID(id) })
	}
	for _, text := range []string{"", "b", "b\xff", "é"} {
		check("event_type", func(p *EventParams) { p.Type = text })
		check("aggregate_id", func(p *EventParams) { p.AggregateID = text })
		check("node_id", func(p *EventParams) { p.NodeID = text })
		check("project_slug", func(p *EventParams) { p.ProjectSlug = text })
	}
	for n := -2; n < 7; n++ {
		check("lamport_clock", func(p *EventParams) { p.LamportClock = int64(n) })
		check("data_tier", func(p *EventParams) { p.DataTier = n })
	}
	for _, year := range []int{-1, 0, 1, 2026, 9999, 10000} {
		for hour := -15; hour <= 15; hour++ { // the year is that of the time's own zone
			zone := time.FixedZone("", hour*60*60+30)
			check("timestamp", func(p *EventParams) { p.Timestamp = time.Date(year, 1, 1, 0, 0, 0, 0, zone) })
		}
	}
	for _, uuid := range []string{"", valid.ProjectUUID[1:], valid.ProjectUUID + "0", strings.ReplaceAll(valid.ProjectUUID, "7", "g"), strings.ReplaceAll(valid.ProjectUUID, "1", "F")} {
		check("project_uuid", func(p *EventParams) { p.ProjectUUID = uuid })
	}
	for _, version := range []string{"", "1", "1.0", "1.0.0.0", "1..0", "1.0.", ".0.0", "1.0.a", "-1.0.0", "01.10.100", "1.0.0 "} {
		check("schema_version", func(p *EventParams) { p.SchemaVersion = version })
	}
	for _, name := range fieldNames {
		if !slices.Contains([]string{"payload", "parents", "previous_clock", "vector_clock"}, name) { // which have no tag
			require.Positive(t, accepted[name], name)
			require.Positive(t, refused[name], name)
		}
	}
}
