package causalsqlite_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// followed starts following a log, and returns channels for the IDs of its
// entries and its error.
func followed(ctx context.Context, s causal.LogReader) (<-chan causal.EventID, <-chan error) {
	ids, ended := make(chan causal.EventID, 100), make(chan error, 1)
	go func() {
		for entry, err := range causal.Follow(ctx, s, causal.Cursor{}) {
			if err != nil {
				ended <- err
				return
			}
			ids <- entry.Event.ID()
		}
	}()
	return ids, ended
}

// A save of another process wakes waiters, even of a read-only store. The
// waiters' own checks are disabled.
func TestWaitForOthers(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	writer := openAt(t, path, &causalsqlite.Options{Synchronous: causalsqlite.SyncNormal})
	writer.Emigrate()
	require.NoError(t, writer.SaveEvent(ctx, eventtest.New(t, 0)))
	for name, o := range map[string]*causalsqlite.Options{"open for writing": {}, "read only": {ReadOnly: true}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			s := openAt(t, path, o)
			s.SetWaitLimit(time.Hour)
			ids, ended := followed(ctx, s)
			head, err := writer.Head(ctx)
			require.NoError(t, err)
			last := int(head.Position())
			for n := range last {
				require.Equal(t, eventtest.ID(n), <-ids)
			}
			for n := last; n < last+10; n++ {
				require.NoError(t, writer.SaveEvent(ctx, eventtest.New(t, n)))
				select {
				case id := <-ids:
					require.Equal(t, eventtest.ID(n), id)
				case err := <-ended:
					require.NoError(t, err)
				case <-time.After(10 * time.Second):
					require.Fail(t, "nobody was woken")
				}
			}
		})
	}
}

// A save of this process wakes waiters, of this store and of another one on the
// same file by any path, without accessing the file.
func TestWaitForOwn(t *testing.T) {
	ctx := t.Context()
	path := testPath(t)
	s := openAt(t, path, nil)
	s.SetWaitLimit(time.Hour)
	s.NeverWatch()
	link := path + ".link"
	require.NoError(t, os.Symlink(path, link))
	other := openAt(t, link, nil)
	require.NoError(t, openAt(t, path, nil).Close())
	ids, _ := followed(ctx, s)
	for n, save := range []func(e causal.Event) error{
		func(e causal.Event) error { return s.SaveEvent(ctx, e) },
		func(e causal.Event) error { return s.SaveEvents(ctx, []causal.Event{e}) },
		func(e causal.Event) error { _, err := s.Append(ctx, []causal.Event{e}); return err },
		func(e causal.Event) error { return other.SaveEvent(ctx, e) },
	} {
		require.NoError(t, save(eventtest.New(t, n)))
		select {
		case id := <-ids:
			require.Equal(t, eventtest.ID(n), id)
		case <-time.After(10 * time.Second):
			require.Fail(t, "nobody was woken")
		}
	}
}

// A waiter notices that the file was removed.
func TestWaitForRemovedFile(t *testing.T) {
	path := testPath(t)
	s := openAt(t, path, nil)
	s.SetWaitLimit(time.Hour)
	_, ended := followed(t.Context(), s)
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, os.Remove(path))
	select {
	case err := <-ended:
		eventtest.RequireStorageError(t, err)
	case <-time.After(10 * time.Second):
		require.Fail(t, "nobody was woken")
	}
}
