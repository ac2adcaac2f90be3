package causaltest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var needsWait = needsCapability[causal.LogWaiter, causal.EventStore]

// waits is the number of waits in a case. If a store lets each wait time out,
// after a second, the case takes too long.
const waits = 30

var waitCases = []eventCase{
	{
		name:  "wait/there",
		claim: "WaitLog returns immediately if the log has an entry after the cursor.",
		needs: eventNeeds{needsLog, needsWait},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			saveAll(t, s, events(t, 0, 3)...)
			cursors := append([]causal.Cursor{{}}, cursorsOf(t, s)[:2]...)
			within(t, "to wait for what is there", func() error {
				for i := range waits {
					if err := s.(causal.LogWaiter).WaitLog(t.Context(), cursors[i%3]); err != nil {
						return err
					}
				}
				return nil
			})
		},
	},
	{
		name:  "wait/saves",
		claim: "A save ends all waits at the end of the log, including those of other handles.",
		needs: eventNeeds{needsLog, needsWait},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			handles := c.handles(t, s)
			const readers = 3
			seen := make(chan error, readers*waits)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range readers {
				go func() {
					n := 0
					for entry, err := range causal.Follow(ctx, s.(causal.LogReader), causal.Cursor{}) {
						if err == nil && entry.Event.ID() != eventID(n) {
							err = errors.New("an entry is missing")
						}
						if seen <- err; err != nil {
							return
						}
						n++
					}
				}()
			}
			within(t, "to wait for saves", func() error {
				for n := range waits {
					if err := saveSomehow(t, handles[n%2], n); err != nil {
						return err
					}
					for range readers {
						if err := <-seen; err != nil {
							return err
						}
					}
				}
				return nil
			})
		},
	},
	{
		name:  "wait/bounded",
		claim: "WaitLog returns nil after at most about a second if nothing is saved, and does not return immediately.",
		needs: eventNeeds{needsLog, needsWait},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			head, err := s.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			within(t, "to wait for nothing", func() error {
				for range 2 { // a store may wake its readers when it starts to listen
					if err := s.(causal.LogWaiter).WaitLog(t.Context(), head); err != nil {
						return err
					}
				}
				return nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), callTimeout/20)
			defer cancel()
			n := 0
			for ; err == nil && n < 1000; n++ {
				err = s.(causal.LogWaiter).WaitLog(ctx, head)
			}
			require.Less(t, n, 1000, "WaitLog does not wait")
			require.ErrorIs(t, err, context.DeadlineExceeded)
		},
	},
	{
		name:  "wait/cursors",
		claim: "WaitLog returns ErrInvalidCursor for a cursor of another log or other entries, and ErrCursorAhead for one beyond the end.",
		needs: eventNeeds{needsLog, needsWait},
		run: func(t *testing.T, c eventConfig) {
			s, other := c.Open(t), c.Open(t)
			saveAll(t, s, events(t, 0, 2)...)
			saveAll(t, other, events(t, 0, 2)...)
			own, foreign := cursorsOf(t, s), cursorsOf(t, other)
			for cursor, want := range map[causal.Cursor]error{
				foreign[0]: causal.ErrInvalidCursor, foreign[1]: causal.ErrInvalidCursor,
				own[0].Next(eventID(7)): causal.ErrInvalidCursor, own[1].Next(eventID(7)): causal.ErrCursorAhead,
			} {
				require.ErrorIs(t, s.(causal.LogWaiter).WaitLog(t.Context(), cursor), want)
			}
		},
	},
	{
		name:  "wait/context",
		claim: "A wait ends with the error of its context, and its cause.",
		needs: eventNeeds{needsLog, needsWait},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			cause := errors.New("the reason")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(callTimeout/100, func() { cancel(cause) })
			var err error
			within(t, "a wait whose context ends", func() error {
				for err == nil {
					err = s.(causal.LogWaiter).WaitLog(ctx, causal.Cursor{})
				}
				return nil
			})
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, cause)
		},
	},
	{
		name:  "wait/close",
		claim: "Close ends a wait, with a *StorageError matching ErrClosed.",
		needs: eventNeeds{needsLog, needsWait, needsClose},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			ended := make(chan error, 1)
			go func() {
				for _, err := range causal.Follow(t.Context(), s.(causal.LogReader), causal.Cursor{}) {
					ended <- err
				}
			}()
			time.Sleep(callTimeout / 100)
			within(t, "Close", func() error { closeStorage(t, s); return nil })
			select {
			case err := <-ended:
				requireClosedError(t, err)
			case <-time.After(callTimeout):
				require.Fail(t, "the wait goes on after Close")
			}
		},
	},
}

// saveSomehow saves the n-th event by one of the saving methods.
func saveSomehow(t tester, s causal.EventStore, n int) (err error) {
	a, ok := s.(causal.Appender)
	switch e := event(t, n); {
	case !ok || n/2%3 == 0:
		return s.SaveEvent(t.Context(), e)
	case n/2%3 == 1:
		_, err = a.Append(t.Context(), []causal.Event{e})
	default:
		_, err = a.SaveEventsIf(t.Context(), causal.Cursor{}, of("none"), []causal.Event{e})
	}
	return err
}
