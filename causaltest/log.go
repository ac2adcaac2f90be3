package causaltest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

var logCases = []eventCase{
	{
		name:  "log/resume",
		claim: "ReadLog yields the entries in arrival order: all after the zero Cursor, and those after any other cursor.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := shuffled(events(t, 0, 30))
			saveAll(t, s, all[:10]...)
			require.NoError(t, causal.SaveAll(t.Context(), s, all[10:20]))
			saveAll(t, s, all[20:]...)
			requireResume(t, s, all)
			if c.Peer != nil {
				requireResume(t, c.Peer(t, s), all)
			}
			if c.Reopen != nil {
				cursors := cursorsOf(t, s)
				s = c.Reopen(t, s)
				requireResume(t, s, all)
				for i, cursor := range cursors {
					requireSame(t, all[i+1:], readLog(t, s, cursor))
				}
			}
		},
	},
	{
		name:  "log/duplicates",
		claim: "Events not stored because they are duplicates, in conflict or refused are not entries of the log.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			ctx := t.Context()
			s := c.Open(t)
			all := events(t, 0, 6)
			saveAll(t, s, all[:3]...)
			saveAll(t, s, all[:3]...)
			require.Error(t, s.SaveEvent(ctx, event(t, 1, with(`{}`))))
			require.Error(t, s.SaveEvent(ctx, causal.Event{}))
			require.NoError(t, causal.SaveAll(ctx, s, append(all[:4:4], all[3])))
			if _, ok := s.(causal.BatchSaver); ok {
				require.Error(t, saveBatch(ctx, s, all[4], all[5], event(t, 1, with(`{}`))))
			}
			requireResume(t, s, all[:4])
			saveAll(t, s, all[4:]...)
			requireResume(t, s, all)
		},
	},
	{
		name:  "log/head",
		claim: "Reading after Head yields everything saved later.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			all := reversed(events(t, 0, 10))
			for i, e := range all {
				head, err := s.(causal.LogReader).Head(t.Context())
				require.NoError(t, err)
				require.Empty(t, readLog(t, s, head))
				saveAll(t, s, e, all[0])
				requireSame(t, all[i:i+1], readLog(t, s, head))
			}
		},
	},
	{
		name:  "log/foreign",
		claim: "A cursor of another log or of other entries is rejected with ErrInvalidCursor, and one beyond the end of this log with ErrCursorAhead.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			s, other := c.Open(t), c.Open(t)
			saveAll(t, s, events(t, 0, 3)...)
			saveAll(t, other, events(t, 0, 3)...)
			foreign := append(cursorsOf(t, other), causal.NewCursor([16]byte{1, 2, 3}, 1, [8]byte{}), causal.NewCursor([16]byte{}, 2, [8]byte{}))
			for _, cursor := range foreign {
				requireRefusedCursor(t, s, cursor, causal.ErrInvalidCursor)
			}
			for _, cursor := range cursorsOf(t, s) {
				hash := cursor.Hash()
				hash[3] ^= 1
				other := causal.NewCursor(cursor.LogID(), cursor.Position(), hash)
				requireRefusedCursor(t, s, other, causal.ErrInvalidCursor)
			}
			head, err := s.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			for range 2 {
				head = head.Next(causal.NewEventID())
				requireRefusedCursor(t, s, head, causal.ErrCursorAhead)
			}
		},
	},
	{
		name:  "log/hashes",
		claim: "The cursor of an entry is the Next of its predecessor's.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			at, err := s.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			require.Equal(t, causal.NewCursor(at.LogID(), 0, [8]byte{}), at)
			all := shuffled(events(t, 0, 8))
			uuid := event(t, 20, func(p *causal.EventParams) { p.ID = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d" })
			saveAll(t, s, all[0], uuid, all[1], uuid)
			require.NoError(t, causal.SaveAll(t.Context(), s, all))
			count := 0
			for entry, err := range s.(causal.LogReader).ReadLog(t.Context(), causal.Cursor{}) {
				require.NoError(t, err)
				at = at.Next(entry.Event.ID())
				require.Equal(t, at, entry.Cursor)
				count++
			}
			require.Equal(t, len(all)+1, count)
			head, err := s.(causal.LogReader).Head(t.Context())
			require.NoError(t, err)
			require.Equal(t, at, head)
		},
	},
	{
		name:  "log/ends",
		claim: "A range over ReadLog ends, even if its body saves an event for each entry.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			page, step := c.firstPage(), 0
			require.NoError(t, causal.SaveAll(t.Context(), s, events(t, 0, page+some)))
			for _, err := range s.(causal.LogReader).ReadLog(t.Context(), causal.Cursor{}) {
				require.NoError(t, err)
				step++
				require.LessOrEqual(t, step, 2*(page+some), "the range does not end")
				if step >= page-1 {
					saveAll(t, s, event(t, page+some+step))
				}
			}
			require.GreaterOrEqual(t, step, page+some)
		},
	},
	{
		name:  "log/writers",
		claim: "Arrival order has no gaps: new entries only ever appear at the end.",
		needs: eventNeeds{needsLog},
		run: func(t *testing.T, c eventConfig) {
			s := c.Open(t)
			handles := c.handles(t, s)
			requireTail(t, handles, shortened(400))
		},
	},
}

// readLog returns the events after the cursor.
func readLog(t tester, s any, after causal.Cursor) (all []causal.Event) {
	for entry, err := range s.(causal.LogReader).ReadLog(t.Context(), after) {
		require.NoError(t, err, "reading after position %d", after.Position())
		all = append(all, entry.Event)
	}
	return all
}

// cursorsOf returns the cursor of each entry.
func cursorsOf(t tester, s any) (cursors []causal.Cursor) {
	for entry, err := range s.(causal.LogReader).ReadLog(t.Context(), causal.Cursor{}) {
		require.NoError(t, err)
		cursors = append(cursors, entry.Cursor)
	}
	return cursors
}

// requireResume requires these events in arrival order, from every cursor, even
// after a round trip through text.
func requireResume(t tester, s causal.EventStore, all []causal.Event) {
	requireSame(t, all, readLog(t, s, causal.Cursor{}))
	for i, cursor := range cursorsOf(t, s) {
		var stored causal.Cursor
		require.NoError(t, stored.UnmarshalText([]byte(cursor.String())))
		requireSame(t, all[i+1:], readLog(t, s, stored))
	}
	head, err := s.(causal.LogReader).Head(t.Context())
	require.NoError(t, err)
	require.Empty(t, readLog(t, s, head))
}

func requireRefusedCursor(t tester, s causal.EventStore, cursor causal.Cursor, want error) {
	errs := 0
	for entry, err := range s.(causal.LogReader).ReadLog(t.Context(), cursor) {
		require.ErrorIs(t, err, want)
		require.NotErrorIs(t, err, causal.ErrStorage, "callers would retry")
		require.Zero(t, entry)
		errs++
	}
	require.Equal(t, 1, errs)
}

// requireTail lets writers save, in batches and one by one, some of them
// failing, while readers follow the log. Each event must reach each reader
// once.
func requireTail(t tester, handles []causal.EventStore, count int) {
	const writers = 4
	taken := event(t, 1_000_000)
	saveAll(t, handles[0], taken)
	var writing sync.WaitGroup
	errs := make([]error, writers+len(handles))
	for w := range writers {
		writing.Go(func() { errs[w] = write(t, handles[w%len(handles)], w*count, count) })
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()
	var reading sync.WaitGroup
	seen := make([]map[causal.EventID]int, len(handles))
	for r, s := range handles {
		seen[r] = map[causal.EventID]int{}
		reading.Go(func() { errs[writers+r] = follow(t.Context(), s, seen[r], written) })
	}
	reading.Wait()
	require.NoError(t, errors.Join(errs...))
	for _, ids := range seen {
		require.Len(t, ids, writers*count+1)
		for id, times := range ids {
			require.Equal(t, 1, times, "entry %s", id)
		}
	}
}

// write saves count events from the n-th on.
func write(t tester, s causal.EventStore, n, count int) error {
	refused := event(t, 1_000_000, with(`{}`)) // its ID is taken
	for end := n + count; n < end; {
		size := min(1+n%7, end-n)
		batch := events(t, n, n+size)
		if _, ok := s.(causal.BatchSaver); ok {
			if err := saveBatch(t.Context(), s, append(batch, refused)...); !errors.Is(err, causal.ErrIDConflict) {
				return errors.Join(errors.New("a batch in conflict was not refused"), err)
			}
		}
		if err := causal.SaveAll(t.Context(), s, batch); err != nil {
			return err
		}
		n += size
	}
	return nil
}

// follow reads the log from its last position, repeatedly, until there is
// nothing new after all writes.
func follow(ctx context.Context, s causal.EventStore, seen map[causal.EventID]int, written <-chan struct{}) error {
	var at causal.Cursor
	for {
		last := false
		select {
		case <-written:
			last = true
		default:
		}
		for entry, err := range s.(causal.LogReader).ReadLog(ctx, at) {
			if err != nil {
				return err
			}
			seen[entry.Event.ID()]++
			at = entry.Cursor
		}
		if last {
			return nil
		}
	}
}
