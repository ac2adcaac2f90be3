package causaltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

type (
	checkpointConfig = Config[causal.CheckpointStorage]
	checkpointCase   = testCase[causal.CheckpointStorage]
)

// TestCheckpointStorage checks a checkpoint storage.
func TestCheckpointStorage(t *testing.T, c Config[causal.CheckpointStorage]) {
	run(t, c, checkpointCases)
}

var checkpointCases = []checkpointCase{
	{
		name:  "checkpoint/values",
		claim: "LoadCheckpoint returns the cursor, state and revision saved last, and the zero Checkpoint if there is none.",
		run: func(t *testing.T, c checkpointConfig) {
			s := c.Open(t)
			requireCheckpoint(t, s, "p", causal.Checkpoint{})
			var last causal.Checkpoint
			seen := map[uint64]bool{0: true}
			for i, state := range [][]byte{nil, {}, {0}, []byte("text"), bytes.Repeat([]byte{0, 0xff, '\n'}, 100_000), make([]byte, causal.MaxCheckpointState), nil} {
				last = causal.Checkpoint{Cursor: causal.NewCursor([16]byte{1, byte(i)}, math.MaxUint64-uint64(i), [8]byte{2}), State: state, Revision: last.Revision}
				last.Revision = saveCheckpoint(t, s, "p", last)
				require.False(t, seen[last.Revision], "a revision comes twice")
				seen[last.Revision] = true
				requireCheckpoint(t, s, "p", last)
			}
			zero := causal.Checkpoint{Revision: last.Revision}
			zero.Revision = saveCheckpoint(t, s, "p", zero)
			requireCheckpoint(t, s, "p", zero)
			requireCheckpoint(t, s, "q", causal.Checkpoint{})
			if c.Peer != nil {
				requireCheckpoint(t, c.Peer(t, s), "p", zero)
			}
			if c.Reopen != nil {
				requireCheckpoint(t, c.Reopen(t, s), "p", zero)
			}
		},
	},
	{
		name:  "checkpoint/ownership",
		claim: "Modifying a state after the call does not change the stored one.",
		run: func(t *testing.T, c checkpointConfig) {
			s := c.Open(t)
			for _, size := range []int{5, 50_000} { // some databases return small values as copies
				want := strings.Repeat("s", size)
				state := []byte(want)
				name := strconv.Itoa(size)
				saveCheckpoint(t, s, name, causal.Checkpoint{State: state})
				state[0] = 'x'
				for range 2 {
					loaded, err := s.LoadCheckpoint(t.Context(), name)
					require.NoError(t, err)
					require.True(t, want == string(loaded.State), "the state of %d bytes has changed", size)
					loaded.State[0] = 'x'
				}
			}
		},
	},
	{
		name:  "checkpoint/revisions",
		claim: "SaveCheckpoint with another revision than the stored one returns an error matching ErrConcurrentSave and changes nothing, even after the checkpoint was deleted.",
		run: func(t *testing.T, c checkpointConfig) {
			ctx := t.Context()
			s := c.Open(t)
			handles := c.handles(t, s)
			refused := func(revisions ...uint64) {
				t.Helper()
				before, err := s.LoadCheckpoint(ctx, "p")
				require.NoError(t, err)
				for _, revision := range revisions {
					for _, h := range handles {
						got, err := h.SaveCheckpoint(ctx, "p", causal.Checkpoint{State: []byte("refused"), Revision: revision})
						require.ErrorIs(t, err, causal.ErrConcurrentSave, revision)
						require.Zero(t, got)
					}
				}
				requireCheckpoint(t, s, "p", before)
			}
			refused(1, 2, math.MaxInt64, math.MaxInt64+1, math.MaxUint64)
			first := saveCheckpoint(t, s, "p", causal.Checkpoint{State: []byte("first")})
			refused(0, first+1, first+1<<32, first-1)
			second := saveCheckpoint(t, handles[1], "p", causal.Checkpoint{State: []byte("second"), Revision: first})
			refused(0, first, second+1)
			require.NoError(t, s.DeleteCheckpoint(ctx, "p"))
			refused(first, second)
			third := saveCheckpoint(t, s, "p", causal.Checkpoint{State: []byte("third")})
			require.NotContains(t, []uint64{0, first, second}, third)
			refused(0, first, second)
		},
	},
	{
		name:  "checkpoint/goroutines",
		claim: "Of several concurrent saves with the same revision, one succeeds.",
		run: func(t *testing.T, c checkpointConfig) {
			ctx := t.Context()
			s := c.Open(t)
			handles := c.handles(t, s)
			const workers, each = 8, 20
			errs := make([]error, workers)
			var wg sync.WaitGroup
			for i := range workers {
				wg.Go(func() {
					for n := 0; n < each; {
						err := addOne(ctx, handles[i%2])
						if err == nil {
							n++
						} else if !errors.Is(err, causal.ErrConcurrentSave) {
							errs[i] = err
							return
						}
					}
				})
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			loaded, err := s.LoadCheckpoint(ctx, "p")
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(workers*each), string(loaded.State))
		},
	},
	{
		name:  "checkpoint/names",
		claim: "Every valid UTF-8 text is a name, different names are different checkpoints, and Checkpoints yields all except deleted ones in bytewise order.",
		run: func(t *testing.T, c checkpointConfig) {
			ctx := t.Context()
			s := c.Open(t)
			require.Empty(t, checkpointsOf(t, s))
			all := keys(c.Limits)
			for i := range 200 {
				all = append(all, "many "+string(eventID(i)))
			}
			for i, name := range shuffled(all) {
				saveCheckpoint(t, s, name, causal.Checkpoint{State: []byte(strconv.Itoa(i))})
			}
			slices.Sort(all)
			require.Equal(t, all, checkpointsOf(t, s))
			seen := map[string]bool{}
			for _, name := range all {
				loaded, err := s.LoadCheckpoint(ctx, name)
				require.NoError(t, err)
				require.False(t, seen[string(loaded.State)])
				seen[string(loaded.State)] = true
			}
			for range s.Checkpoints(ctx) {
				break
			}
			for _, name := range append(all[:10:10], "not there") {
				require.NoError(t, s.DeleteCheckpoint(ctx, name))
				requireCheckpoint(t, s, name, causal.Checkpoint{})
			}
			require.Equal(t, all[10:], checkpointsOf(t, s))
		},
	},
	{
		name:  "checkpoint/invalid",
		claim: "An empty or non-UTF-8 name, or a state that is too large, results in a *ValidationError naming the parameter, and changes nothing.",
		run: func(t *testing.T, c checkpointConfig) {
			s := c.Open(t)
			for _, name := range []string{"", "\xff"} {
				for call, f := range checkpointCalls(s, name) {
					if call != "Checkpoints" {
						requireInvalid(t, f(t.Context()), "name", call)
					}
				}
			}
			_, err := s.SaveCheckpoint(t.Context(), "p", causal.Checkpoint{State: make([]byte, causal.MaxCheckpointState+1)})
			requireInvalid(t, err, "state")
			require.Empty(t, checkpointsOf(t, s))
		},
	},
	{
		name:  "checkpoint/context",
		claim: "If the context is done before the call, nothing is written, and errors.Is finds its error and its cause.",
		run: func(t *testing.T, c checkpointConfig) {
			s := c.Open(t)
			requireEnded(t, checkpointCalls(s, "p"))
			for name, call := range checkpointCalls(s, "p") {
				requireInvalid(t, call(nil), "ctx", name)
			}
			require.Empty(t, checkpointsOf(t, s))
		},
	},
	{
		name:  "checkpoint/closed",
		claim: "Close may be called twice; every later call returns a *StorageError matching ErrClosed.",
		needs: []need[causal.CheckpointStorage]{needsCapability[io.Closer, causal.CheckpointStorage]},
		run: func(t *testing.T, c checkpointConfig) {
			s := c.Open(t)
			requireClosed(t, s, checkpointCalls(s, "p"))
		},
	},
}

// checkpointCalls returns a call of each method.
func checkpointCalls(s causal.CheckpointStorage, name string) calls {
	return calls{
		"LoadCheckpoint": func(ctx context.Context) error {
			_, err := s.LoadCheckpoint(ctx, name)
			return err
		},
		"SaveCheckpoint": func(ctx context.Context) error {
			_, err := s.SaveCheckpoint(ctx, name, causal.Checkpoint{})
			return err
		},
		"DeleteCheckpoint": func(ctx context.Context) error { return s.DeleteCheckpoint(ctx, name) },
		"Checkpoints": func(ctx context.Context) (last error) {
			for _, last = range s.Checkpoints(ctx) {
			}
			return last
		},
	}
}

// addOne increments the number in the state of a checkpoint.
func addOne(ctx context.Context, s causal.CheckpointStorage) error {
	c, err := s.LoadCheckpoint(ctx, "p")
	if err != nil {
		return err
	}
	n := 0
	if len(c.State) > 0 {
		if n, err = strconv.Atoi(string(c.State)); err != nil {
			return err
		}
	}
	c.State = []byte(strconv.Itoa(n + 1))
	_, err = s.SaveCheckpoint(ctx, "p", c)
	return err
}

func saveCheckpoint(t *testing.T, s causal.CheckpointStorage, name string, c causal.Checkpoint) (revision uint64) {
	t.Helper()
	revision, err := s.SaveCheckpoint(t.Context(), name, c)
	require.NoError(t, err)
	return revision
}

func requireCheckpoint(t *testing.T, s causal.CheckpointStorage, name string, want causal.Checkpoint) {
	t.Helper()
	got, err := s.LoadCheckpoint(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, want.Revision, got.Revision)
	require.Equal(t, want.Cursor, got.Cursor)
	require.True(t, bytes.Equal(want.State, got.State), "the state differs")
}

func checkpointsOf(t *testing.T, s causal.CheckpointStorage) (names []string) {
	t.Helper()
	for name, err := range s.Checkpoints(t.Context()) {
		require.NoError(t, err)
		names = append(names, name)
	}
	return names
}
