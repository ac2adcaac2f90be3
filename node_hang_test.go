package causal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Callers share a save. A caller who gives up returns immediately, and the
// others get their results.
func TestNodeGroups(t *testing.T) {
	var s saves
	n := openNode(t, "alice", &s)
	entered, leave := make(chan int, 100), make(chan struct{})
	s.set(func(_ context.Context, save func() (causal.Appended, error), events []causal.Event) (causal.Appended, error) {
		entered <- len(events)
		<-leave
		return save()
	})
	var wg sync.WaitGroup
	errs := make([]error, 21)
	first, cancelFirst := context.WithCancel(t.Context())
	defer cancelFirst()
	wg.Go(func() { _, errs[20] = n.Emit(first, note("A")) })
	require.Equal(t, 1, <-entered)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := n.Emit(ctx, note("gone"))
		waiting <- err
	}()
	time.Sleep(10 * time.Millisecond)
	cancel()
	err := <-waiting
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, causal.ErrOutcomeUnknown, "it was not being saved")
	ctx, cancel = context.WithCancel(t.Context())
	for i := range 20 {
		wg.Go(func() {
			c := t.Context()
			if i == 0 {
				c = ctx
			}
			_, errs[i] = n.Emit(c, note(fmt.Sprint("A", i%3), func(p *causal.EventParams) { p.ID = eventtest.ID(i) }))
		})
	}
	for deadline := time.Now().Add(5 * time.Second); n.Waiting() < 20; {
		require.True(t, time.Now().Before(deadline))
		time.Sleep(time.Millisecond)
	}
	leave <- struct{}{}
	require.Equal(t, 20, <-entered, "one save for all that waited")
	cancel()
	for deadline := time.Now().Add(5 * time.Second); n.Waiting() > 0; {
		require.True(t, time.Now().Before(deadline))
	}
	time.Sleep(10 * time.Millisecond) // until the caller has left
	close(leave)
	wg.Wait()
	require.ErrorIs(t, errs[0], context.Canceled)
	require.ErrorIs(t, errs[0], causal.ErrOutcomeUnknown)
	for _, err := range errs[1:] {
		require.NoError(t, err)
	}
	s.set(nil)
	emit(t, n, note("A"))
	require.Len(t, eventtest.LoadAll(t, &s), 22)
	requireChain(t, &s, "alice")
	requireExact(t, &s)
}

// A refused event is removed from its group, without affecting the others.
func TestNodeGroupsWithRefused(t *testing.T) {
	var s saves
	n := openNode(t, "alice", &s)
	stored := emit(t, n, note("A", func(p *causal.EventParams) { p.ID = eventtest.ID(3) }))
	entered, leave := make(chan int, 100), make(chan struct{})
	tooLarge := &causal.ValidationError{Fields: []causal.FieldError{{Field: "payload", Reason: "is too large"}}}
	s.set(func(_ context.Context, save func() (causal.Appended, error), events []causal.Event) (causal.Appended, error) {
		entered <- len(events)
		<-leave
		if slices.ContainsFunc(events, func(e causal.Event) bool { return e.Type() == "Large" }) {
			return causal.Appended{}, tooLarge
		}
		return save()
	})
	var wg sync.WaitGroup
	wg.Go(func() { emit(t, n, note("A")) })
	<-entered
	errs, events := make([]error, 12), make([]causal.Event, 12)
	for i := range 12 {
		wg.Go(func() {
			events[i], errs[i] = n.Emit(t.Context(), note(fmt.Sprint("A", i%3), func(p *causal.EventParams) {
				p.ID = eventtest.ID(100 + i)
				switch i {
				case 3: // with the same content
					p.ID, p.AggregateID = stored.ID(), "A"
				case 4: // with other content
					p.ID = stored.ID()
				case 5:
					p.Parents = []causal.EventID{eventtest.ID(999)}
				case 7:
					p.Type = "Large"
				case 8: // the same, concurrently
					p.ID, p.AggregateID = eventtest.ID(109), "A0"
				}
			}))
		})
	}
	for deadline := time.Now().Add(5 * time.Second); n.Waiting() < 12; {
		require.True(t, time.Now().Before(deadline))
		time.Sleep(time.Millisecond)
	}
	close(leave)
	wg.Wait()
	for i, err := range errs {
		switch i {
		case 4:
			require.ErrorIs(t, err, causal.ErrIDConflict)
		case 5:
			require.ErrorIs(t, err, causal.ErrValidation)
		case 7:
			require.ErrorIs(t, err, tooLarge)
		default:
			require.NoError(t, err, i)
		}
	}
	require.True(t, stored.Equal(events[3]))
	require.True(t, events[8].Equal(events[9]))
	s.set(nil)
	require.Len(t, eventtest.LoadAll(t, &s), 2+12-5)
	requireChain(t, &s, "alice")
	requireExact(t, &s)
}

// hanging returns a fault of a store that does not answer until it is healed or
// the save is canceled.
func hanging() (
	fault func(context.Context, func() (causal.Appended, error), []causal.Event) (causal.Appended, error),
	entered, healed chan struct{},
) {
	entered, healed = make(chan struct{}, 100), make(chan struct{})
	return func(ctx context.Context, _ func() (causal.Appended, error), _ []causal.Event) (causal.Appended, error) {
		entered <- struct{}{}
		select {
		case <-healed:
		case <-ctx.Done():
		}
		return causal.Appended{}, errUnknown
	}, entered, healed
}

// A hanging store delays no caller for longer than requested.
func TestNodeOnHangingStore(t *testing.T) {
	var s saves
	n := openNode(t, "alice", &s)
	fault, _, healed := hanging()
	s.set(fault)
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, errs[i] = n.Emit(ctx, note("A"))
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.Error(t, err)
	}
	s.set(nil)
	close(healed)
	require.NoError(t, n.Close())
	requireChain(t, &s, "alice")
	require.NotEmpty(t, eventtest.LoadAll(t, &s), "Close has settled what was unknown")
}

// It does not delay Close either.
func TestCloseOnHangingStore(t *testing.T) {
	var s saves
	n, err := causal.OpenNode(t.Context(), "alice", &s, nodeOptions())
	require.NoError(t, err)
	fault, entered, healed := hanging()
	defer close(healed)
	s.set(fault)
	n.SetPatience(10 * time.Millisecond)
	go func() { _, _ = n.Emit(context.WithoutCancel(t.Context()), note("A")) }()
	<-entered
	waiting := make(chan error)
	go func() {
		_, err := n.Emit(t.Context(), note("A"))
		waiting <- err
	}()
	for n.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	require.ErrorIs(t, n.Close(), causal.ErrOutcomeUnknown)
	require.ErrorIs(t, <-waiting, causal.ErrClosed)
}

// Close reports an unknown outcome even if it cannot settle it.
func TestCloseKnowsWhatIsUnknown(t *testing.T) {
	s := &appends{}
	n, err := causal.OpenNode(t.Context(), "alice", &unknowing{appends: s}, nodeOptions())
	require.NoError(t, err)
	_, err = n.Emit(t.Context(), note("A"))
	require.ErrorIs(t, err, causal.ErrOutcomeUnknown)
	inside, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	s.hook = func() { close(inside); <-leave }
	go func() {
		_, _ = n.Receive(context.WithoutCancel(t.Context()), []causal.Event{from(t, 1, "bob", 0, 1)}, nil)
	}()
	<-inside
	n.SetPatience(10 * time.Millisecond)
	require.ErrorIs(t, n.Close(), causal.ErrOutcomeUnknown)
}

// unknowing is a store whose conditional saves all have an unknown outcome.
type unknowing struct{ *appends }

func (*unknowing) SaveEventsIf(context.Context, causal.Cursor, causal.Condition, []causal.Event) (causal.Appended, error) {
	return causal.Appended{}, errUnknown
}

// waitFor waits until a condition holds.
func waitFor(t testing.TB, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !isSo(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline))
	}
}

// A waiting caller who gives up does not affect others, and gets no event.
func TestNodeCallersAreIndependent(t *testing.T) {
	for range 200 {
		s := &appends{}
		n := openNode(t, "alice", s)
		received, leave := make(chan error), make(chan struct{})
		inside := make(chan struct{})
		s.hook = func() { close(inside); <-leave }
		go func() {
			_, err := n.Receive(t.Context(), []causal.Event{from(t, 1, "bob", 0, 1)}, nil)
			received <- err
		}()
		<-inside
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		go func() {
			e, err := n.Emit(ctx, note("A"))
			if err == nil && e.IsZero() {
				err = errors.New("no event")
			}
			results <- err
		}()
		waitFor(t, func() bool { return n.Waiting() == 1 })
		other := make(chan error)
		go func() {
			_, err := n.Emit(t.Context(), note("B"))
			other <- err
		}()
		waitFor(t, func() bool { return n.Waiting() == 2 })
		go cancel()
		close(leave)
		<-received
		if err := <-results; err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, <-other, "it has not given up")
	}
}
