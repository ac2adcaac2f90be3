package causalsqlite_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Batches that fail midway share transactions with others, while callers give
// up: each call returns the truth.
func TestGroupsThatFail(t *testing.T) {
	ctx := t.Context()
	s := openNew(t)
	taken := eventtest.New(t, 0)
	require.NoError(t, s.SaveEvent(ctx, taken))
	conflict := eventtest.New(t, 0, eventtest.WithPayload(`{"other":true}`))
	var mu sync.Mutex
	stored := []causal.Event{taken}
	save := func(n int, fails bool) {
		short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(400))*time.Microsecond)
		defer cancel()
		batch := []causal.Event{eventtest.New(t, n)}
		if fails { // after a change, so that it spoils the transaction
			batch = append(batch, conflict)
		}
		switch err := s.SaveEvents(short, batch); {
		case fails && err == nil:
			t.Error("a batch in conflict was stored")
		case fails:
		case err == nil:
			mu.Lock()
			defer mu.Unlock()
			stored = append(stored, batch[0])
		case short.Err() == nil:
			t.Error(err)
		}
	}
	for round := range 500 { // the last of which nobody helps to save
		var calls sync.WaitGroup
		for i := range 4 {
			calls.Go(func() { save(1+4*round+i, i%2 == 0) })
		}
		done := make(chan struct{})
		go func() { calls.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("a call does not return")
		}
	}
	all := eventtest.LoadAll(t, s)
	require.Subset(t, eventtest.IDs(all), eventtest.IDs(stored))
	for _, e := range all[1:] {
		require.Zero(t, e.LamportClock()%2, "a part of a batch in conflict is there")
	}
}
