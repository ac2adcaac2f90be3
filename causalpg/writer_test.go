package causalpg_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/eventtest"
)

// A caller whose context is done does not affect those sharing its transaction.
func TestContextsThatEndInAGroup(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	s := openIn(t, schema)
	release := block(t, schema)
	leader, cancelLeader := context.WithCancel(ctx)
	errs, leaderErr := make(chan error), make(chan error)
	go func() { leaderErr <- s.SaveEvent(leader, eventtest.New(t, 0)) }()
	requireWaiting(t, schema, 1)
	for n := range 3 {
		go func() { errs <- s.SaveEvent(ctx, eventtest.New(t, n+1)) }()
	}
	require.Eventually(t, func() bool { return s.Queued() == 3 }, 5*time.Second, time.Millisecond)
	cancelLeader()
	require.ErrorIs(t, <-leaderErr, context.Canceled)
	require.Eventually(t, func() bool { return s.Queued() == 0 }, 5*time.Second, time.Millisecond)
	late, cancelLate := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancelLate()
	require.ErrorIs(t, s.SaveEvent(late, eventtest.New(t, 4)), context.DeadlineExceeded)
	release()
	for range 3 {
		require.NoError(t, <-errs)
	}
	stored := eventtest.IDs(eventtest.LoadAll(t, s))
	for n := range 3 {
		require.Contains(t, stored, eventtest.ID(n+1))
	}
	require.NotContains(t, stored, eventtest.ID(4))
}
