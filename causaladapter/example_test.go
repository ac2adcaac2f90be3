package causaladapter_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// clocks is a storage of an adapter.
type clocks struct{ values sync.Map }

func (c *clocks) LoadClock(ctx context.Context, nodeID string) (int64, error) {
	if err := causaladapter.CheckLoadClock(ctx, nodeID); err != nil {
		return 0, err
	}
	value, _ := c.values.LoadOrStore(nodeID, int64(0))
	return value.(int64), nil
}

func (c *clocks) SaveClock(ctx context.Context, nodeID string, value int64) error {
	if err := causaladapter.CheckSaveClock(ctx, nodeID, value); err != nil {
		return err
	}
	c.values.Store(nodeID, value)
	return nil
}

func Example() {
	var s causal.ClockStorage = &clocks{}
	fmt.Println(s.SaveClock(context.Background(), "alice", 7))
	fmt.Println(s.LoadClock(context.Background(), "alice"))
	fmt.Println(s.LoadClock(context.Background(), ""))
	// Output:
	// <nil>
	// 7 <nil>
	// 0 causal: validation failed: node_id must not be empty
}

func ExampleIDConflict() {
	refused := []causal.EventID{"01HZXW5B2Q3R4S5T6V7W8X9Y02", "01HZXW5B2Q3R4S5T6V7W8X9Y01", "01HZXW5B2Q3R4S5T6V7W8X9Y02"}
	fmt.Println(causaladapter.IDConflict(refused))
	fmt.Println(causaladapter.IDConflict(nil))
	// Output:
	// causal: event ID already has different content: 01HZXW5B2Q3R4S5T6V7W8X9Y01, 01HZXW5B2Q3R4S5T6V7W8X9Y02
	// <nil>
}

func ExampleCheckFindEvent() {
	fmt.Println(causaladapter.CheckFindEvent(context.Background(), "01hzxw5b2q3r4s5t6v7w8x9y01"))
	// Output: 01HZXW5B2Q3R4S5T6V7W8X9Y01 <nil>
}

func ExampleCheckSaveCheckpoint() {
	fmt.Println(causaladapter.CheckSaveCheckpoint(context.Background(), "", causal.Checkpoint{}))
	fmt.Println(causaladapter.CheckLoadCheckpoint(context.Background(), "totals"))
	// Output:
	// causal: validation failed: name must not be empty
	// <nil>
}

func ExampleCheckSaveEventsIf() {
	c := causal.Condition{ProjectUUID: "12345678-1234-5678-1234-567812345678"}
	fmt.Println(causaladapter.CheckSaveEventsIf(context.Background(), c, nil))
	// Output: causal: validation failed: aggregates must not be empty if there is no node_id
}

func ExampleCheckAppendRejected() {
	r, err := causaladapter.CheckAppendRejected(context.Background(), causal.Rejected{
		EventID: "01hzxw5b2q3r4s5t6v7w8x9y01", Reason: "clock", Time: time.Unix(0, 0),
	})
	fmt.Println(r.EventID, r.Time, err)
	// Output: 01HZXW5B2Q3R4S5T6V7W8X9Y01 1970-01-01 00:00:00 +0000 UTC <nil>
}

func ExampleCheckLoadHeads() {
	project, err := causaladapter.CheckLoadHeads(context.Background(), "ABCDEF78-1234-5678-1234-567812345678", "task-1")
	fmt.Println(project, err)
	_, err = causaladapter.CheckLoadHeads(context.Background(), "project", "task-1")
	fmt.Println(err)
	// Output:
	// abcdef78-1234-5678-1234-567812345678 <nil>
	// causal: validation failed: project_uuid must be a UUID with hyphens
}
