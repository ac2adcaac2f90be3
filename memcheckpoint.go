package causal

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
)

// MemCheckpointStorage is a [CheckpointStorage] in memory. It lasts as long as
// the process. The zero value is empty. It is safe for concurrent use, and must
// not be copied after first use.
type MemCheckpointStorage struct {
	mu     sync.Mutex
	stored map[string]Checkpoint
	latest uint64 // revision
}

// LoadCheckpoint returns the checkpoint with this name. See
// [CheckpointStorage].
func (s *MemCheckpointStorage) LoadCheckpoint(ctx context.Context, name string) (Checkpoint, error) {
	if err := checkName(ctx, name); err != nil {
		return Checkpoint{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.stored[name]
	c.State = bytes.Clone(c.State)
	return c, nil
}

// SaveCheckpoint replaces the checkpoint with this name. See
// [CheckpointStorage].
func (s *MemCheckpointStorage) SaveCheckpoint(ctx context.Context, name string, c Checkpoint) (revision uint64, err error) {
	if err := checkName(ctx, name); err != nil {
		return 0, err
	}
	if len(c.State) > MaxCheckpointState {
		return 0, invalid("state", "must have at most 16 MiB")
	}
	c.State = bytes.Clone(c.State)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored[name].Revision != c.Revision {
		return 0, ErrConcurrentSave
	}
	if s.stored == nil {
		s.stored = map[string]Checkpoint{}
	}
	s.latest++
	c.Revision = s.latest
	s.stored[name] = c
	return c.Revision, nil
}

// DeleteCheckpoint deletes the checkpoint with this name. See
// [CheckpointStorage].
func (s *MemCheckpointStorage) DeleteCheckpoint(ctx context.Context, name string) error {
	if err := checkName(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stored, name)
	return nil
}

// Checkpoints yields the names of all checkpoints. See [CheckpointStorage]. A
// range yields those existing when it began.
func (s *MemCheckpointStorage) Checkpoints(ctx context.Context) iter.Seq2[string, error] {
	return texts(ctx, func() ([]string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Sorted(maps.Keys(s.stored)), nil
	})
}

func checkName(ctx context.Context, name string) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return checkText("name", name)
}
