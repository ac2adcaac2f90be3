package causal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

func ExampleFilter() {
	f := causal.Filter{AggregateID: "WP1", MinTier: 2}
	for tier := range 4 {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "Moved", AggregateID: "WP1", NodeID: "alice", ProjectUUID: "12345678-1234-5678-1234-567812345678", DataTier: tier,
		})
		fmt.Println(f.Matches(e), err)
	}
	fmt.Println(causal.Filter{MinTier: 9}.Validate())
	// Output:
	// false <nil>
	// false <nil>
	// true <nil>
	// true <nil>
	// causal: validation failed: min_tier must be 0 to 4
}

const filterProject = "12345678-1234-5678-1234-567812345678"

func TestFilterFields(t *testing.T) {
	require.NoError(t, causal.Filter{}.Validate())
	require.NoError(t, causal.Filter{ProjectUUID: strings.ToUpper(filterProject), AggregateID: "a\x00b", MinTier: 4}.Validate())
	for _, f := range []causal.Filter{{ProjectUUID: "x", AggregateID: "\xff", MinTier: -1}, {ProjectUUID: " " + filterProject, AggregateID: "\xff", MinTier: 5}} {
		var invalid *causal.ValidationError
		require.ErrorAs(t, f.Validate(), &invalid)
		require.Equal(t, "causal: validation failed: project_uuid must be a UUID with hyphens; aggregate_id must be valid UTF-8; min_tier must be 0 to 4", invalid.Error())
	}
	require.False(t, causal.Filter{}.Matches(causal.Event{}))
}

// A filter selects what each of its parts alone selects.
func TestFilterMatchesEachPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "T", AggregateID: rapid.SampledFrom([]string{"A", "B", "a"}).Draw(t, "aggregate"), NodeID: "n",
			ProjectUUID: rapid.SampledFrom([]string{filterProject, "aaaaaaaa-1234-5678-1234-567812345678"}).Draw(t, "project"),
			DataTier:    rapid.IntRange(0, 4).Draw(t, "tier"), Payload: json.RawMessage(`{}`),
		})
		require.NoError(t, err)
		f := causal.Filter{
			ProjectUUID: rapid.SampledFrom([]string{"", filterProject, "AAAAAAAA-1234-5678-1234-567812345678"}).Draw(t, "of project"),
			AggregateID: rapid.SampledFrom([]string{"", "A", "a"}).Draw(t, "of aggregate"),
			MinTier:     rapid.IntRange(0, 4).Draw(t, "from tier"),
		}
		isOf := f.ProjectUUID == "" || strings.ToLower(f.ProjectUUID) == e.ProjectUUID()
		require.Equal(t, isOf && (f.AggregateID == "" || f.AggregateID == e.AggregateID()) && f.MinTier <= e.DataTier(), f.Matches(e))
	})
}

func ExampleEvent_SyncKey() {
	first, _ := causal.NewEvent(causal.EventParams{
		ID: "01JDXK5Z0000000000000000AA", Type: "Moved", AggregateID: "WP1", NodeID: "alice", LamportClock: 7,
		ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: json.RawMessage(`{"lane":"doing","n":1}`),
	})
	text, _ := json.Marshal(first)
	var same causal.Event
	if err := json.Unmarshal([]byte(strings.Replace(string(text), `{"lane":"doing","n":1}`, `{"n":1.0,"lane":"doing"}`, 1)), &same); err != nil {
		fmt.Println(err)
	}
	fmt.Println(first.SyncKey().Clock, first.SyncKey() == same.SyncKey(), first.SyncKey().Compare(causal.SyncKey{}))
	// Output: 7 true 1
}

func ExampleSyncKey() {
	keys := []causal.SyncKey{{Clock: 2}, {Clock: 1, Digest: [32]byte{9}}, {Clock: 1, Digest: [32]byte{3}}}
	slices.SortFunc(keys, causal.SyncKey.Compare)
	for _, key := range keys {
		fmt.Println(key.Clock, key.Digest[0])
	}
	// Output:
	// 1 3
	// 1 9
	// 2 0
}

func ExampleDigestReader() {
	ctx := context.Background()
	var s causal.MemStore
	e, _ := causal.NewEvent(causal.EventParams{
		ID: "01JDXK5Z0000000000000000AA", Type: "Moved", AggregateID: "WP1", NodeID: "alice", LamportClock: 7, ProjectUUID: "12345678-1234-5678-1234-567812345678",
	})
	if err := s.SaveEvent(ctx, e); err != nil {
		fmt.Println(err)
	}
	head, _ := s.Head(ctx)
	for key, err := range s.ReadDigests(ctx, causal.Filter{}, causal.SyncKey{}, causal.SyncKey{}, head) {
		fmt.Println(key.Clock, err)
		for e, err := range s.LoadDigests(ctx, []causal.SyncKey{key}) {
			fmt.Println(e.ID(), err)
		}
	}
	for key, err := range s.ReadDigestLog(ctx, causal.Filter{MinTier: 1}, causal.Cursor{}, head) {
		fmt.Println("not shared so widely", key, err)
	}
	// Output:
	// 7 <nil>
	// 01JDXK5Z0000000000000000AA <nil>
}

func ExampleSyncKey_Compare() {
	fmt.Println(causal.SyncKey{Clock: 1, Digest: [32]byte{9}}.Compare(causal.SyncKey{Clock: 2}))
	// Output: -1
}
