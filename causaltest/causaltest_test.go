package causaltest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaltest"
)

// same is the hook Peer of a storage in memory, which has one handle.
func same[S any](_ testing.TB, s S) S { return s }

func TestMemory(t *testing.T) {
	causaltest.TestEventStore(t, causaltest.Config[causal.EventStore]{
		Open:      func(testing.TB) causal.EventStore { return &causal.MemEventStore{} },
		Peer:      same[causal.EventStore],
		PageSizes: []int{8, 16}, // which it does not use: that makes no difference
	})
	causaltest.TestClockStorage(t, causaltest.Config[causal.ClockStorage]{
		Open: func(testing.TB) causal.ClockStorage { return &causal.MemClockStorage{} },
		Peer: same[causal.ClockStorage],
	})
	causaltest.TestCheckpointStorage(t, causaltest.Config[causal.CheckpointStorage]{
		Open: func(testing.TB) causal.CheckpointStorage { return &causal.MemCheckpointStorage{} },
		Peer: same[causal.CheckpointStorage],
	})
	causaltest.TestRejectedStorage(t, causaltest.Config[causal.RejectedStorage]{
		Open: func(testing.TB) causal.RejectedStorage { return &causal.MemRejectedStorage{} },
		Peer: same[causal.RejectedStorage],
	})
	for _, limit := range []int{1, 2, 7, causal.DefaultErrorLimit} {
		causaltest.TestErrorStorage(t, causaltest.Config[causal.ErrorStorage]{
			Open: func(t testing.TB) causal.ErrorStorage {
				s, err := causal.NewMemErrorStorage(limit)
				require.NoError(t, err)
				return s
			},
			Peer:   same[causal.ErrorStorage],
			Limits: causaltest.Limits{Entries: limit},
		})
	}
}

// bare is an event store without capabilities.
type bare struct{ causal.EventStore }

func TestBare(t *testing.T) {
	causaltest.TestEventStore(t, causaltest.Config[causal.EventStore]{
		Open: func(testing.TB) causal.EventStore { return bare{&causal.MemEventStore{}} },
	})
	causaltest.TestClockStorage(t, causaltest.Config[causal.ClockStorage]{
		Open: func(testing.TB) causal.ClockStorage {
			return struct{ causal.ClockStorage }{&causal.MemClockStorage{}}
		},
	})
}

// reworded is the clock storage in memory with other error texts.
type reworded struct{ causal.MemClockStorage }

func (s *reworded) AdvanceClock(ctx context.Context, nodeID string, floor, by int64) (int64, error) {
	value, err := s.MemClockStorage.AdvanceClock(ctx, nodeID, floor, by)
	return value, reword(err)
}

func (s *reworded) SaveClock(ctx context.Context, nodeID string, value int64) error {
	return reword(s.MemClockStorage.SaveClock(ctx, nodeID, value))
}

// reword returns an error of the same kind and fields as err.
func reword(err error) error {
	var invalid *causal.ValidationError
	if errors.As(err, &invalid) {
		return &causal.ValidationError{Fields: []causal.FieldError{{Field: invalid.Fields[0].Field, Reason: "is out of range"}}}
	}
	return err
}

// The suite does not require the error texts of the storages in memory.
func TestOtherWords(t *testing.T) {
	causaltest.TestClockStorage(t, causaltest.Config[causal.ClockStorage]{
		Open: func(testing.TB) causal.ClockStorage { return &reworded{} },
	})
}

// journalConfig returns the configuration of a journal as one of the storages.
func journalConfig[S any](as func(*journal) S, of func(S) *journal) causaltest.Config[S] {
	open := func(t testing.TB, path string) S {
		j, err := openJournal(path)
		require.NoError(t, err)
		t.Cleanup(func() { j.Close() })
		return as(j)
	}
	return causaltest.Config[S]{
		Open: func(t testing.TB) S { return open(t, filepath.Join(t.TempDir(), "journal")) },
		Reopen: func(t testing.TB, s S) S {
			path := of(s).file.Name()
			require.NoError(t, of(s).Close())
			return open(t, path)
		},
		Crash: func(t testing.TB) causaltest.Crash[S] {
			path := filepath.Join(t.TempDir(), "journal")
			return causaltest.Crash[S]{
				Command: func() *exec.Cmd {
					cmd := exec.Command(os.Args[0], "-test.run=^TestJournalWriter$")
					cmd.Env = append(os.Environ(), "CAUSALTEST_JOURNAL="+path)
					return cmd
				},
				Open: func(t testing.TB) S { return open(t, path) },
			}
		},
	}
}

func TestJournal(t *testing.T) {
	causaltest.TestEventStore(t, journalConfig(
		func(j *journal) causal.EventStore { return journalEvents{j} },
		func(s causal.EventStore) *journal { return s.(journalEvents).journal },
	))
	causaltest.TestClockStorage(t, journalConfig(
		func(j *journal) causal.ClockStorage { return journalClocks{j} },
		func(s causal.ClockStorage) *journal { return s.(journalClocks).journal },
	))
	causaltest.TestErrorStorage(t, journalConfig(
		func(j *journal) causal.ErrorStorage { return journalErrors{j} },
		func(s causal.ErrorStorage) *journal { return s.(journalErrors).journal },
	))
}

// TestJournalWriter runs in the processes killed by the suite.
func TestJournalWriter(t *testing.T) {
	path := os.Getenv("CAUSALTEST_JOURNAL")
	if path == "" {
		return
	}
	j, err := openJournal(path)
	require.NoError(t, err)
	type all struct {
		journalEvents
		journalClocks
		journalErrors
	}
	require.NoError(t, causaltest.Write(t.Context(), all{journalEvents{j}, journalClocks{j}, journalErrors{j}}, os.Stdout))
}

// Write returns the error of the storage, and ends when its context is done.
func TestWriteEnds(t *testing.T) {
	boom := errors.New("boom")
	ctx, cancel := context.WithCancelCause(t.Context())
	lines := 0
	w := writerFunc(func(line []byte) (int, error) {
		if lines++; lines == 20 {
			cancel(boom)
		}
		return len(line), nil
	})
	require.ErrorIs(t, causaltest.Write(ctx, &causal.MemClockStorage{}, w), boom)
	require.ErrorIs(t, causaltest.Write(t.Context(), &causal.MemEventStore{}, writerFunc(func([]byte) (int, error) {
		return 0, boom
	})), boom)
	require.ErrorIs(t, causaltest.Write(ctx, &causal.MemErrorStorage{}, w), boom)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func ExampleConfig() {
	config := causaltest.Config[causal.EventStore]{
		Open: func(testing.TB) causal.EventStore { return &causal.MemEventStore{} },
		Skip: map[string]string{"fidelity/large": "the server takes 1 MB"},
	}
	fmt.Println(config.Reopen == nil) // nothing outlives the handle
	// Output: true
}
