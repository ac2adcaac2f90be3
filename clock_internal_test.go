package causal

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// savesCounted is a clock storage that counts saves.
type savesCounted struct {
	MemClockStorage
	saves int
}

func (s *savesCounted) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	s.saves++
	return s.MemClockStorage.AdvanceClock(ctx, nodeID, floor, by)
}

// A caller that has waited for the lock uses values reserved by its holder.
// Reserving again would set the clock to a value that others may be issuing
// from the reserved ones.
func TestClockTakesWhatWasReservedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var s savesCounted
		c, err := NewLamportClock(ctx, "alice", &s, nil)
		require.NoError(t, err)
		require.NoError(t, c.lock.acquire(ctx))
		ticked := make(chan int64)
		go func() {
			value, _ := c.Tick(ctx)
			ticked <- value
		}()
		synctest.Wait() // it waits for the lock
		c.limit.Store(10)
		c.lock.release()
		require.EqualValues(t, 1, <-ticked)
		require.Zero(t, s.saves)
	})
}
