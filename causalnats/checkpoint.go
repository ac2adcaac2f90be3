package causalnats

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// storedCheckpoint is the stored part of a checkpoint beside its state.
type storedCheckpoint struct {
	Name   string        `json:"name"`
	Cursor causal.Cursor `json:"cursor"`
}

func (s *Store) checkpointSubject(name string) string {
	return s.client.names.checkpoints + hashed(name)
}

// checkpointOf returns a checkpoint, or the zero value if there is none.
func checkpointOf(v value) (c causal.Checkpoint, name string, err error) {
	if len(v.content) == 0 {
		return causal.Checkpoint{}, "", nil
	}
	var stored storedCheckpoint
	state, err := decodeContent(v, &stored)
	if err != nil {
		return causal.Checkpoint{}, "", err
	}
	return causal.Checkpoint{Cursor: stored.Cursor, State: bytes.Clone(state), Revision: v.sequence}, stored.Name, nil
}

// LoadCheckpoint returns the checkpoint with this name, from the leader of the
// stream. See [causal.CheckpointStorage].
func (s *Store) LoadCheckpoint(ctx context.Context, name string) (c causal.Checkpoint, err error) {
	if err := causaladapter.CheckLoadCheckpoint(ctx, name); err != nil {
		return causal.Checkpoint{}, err
	}
	err = s.call("load checkpoint", func() error {
		return s.client.retry(ctx, 0, func(ctx context.Context) error {
			v, err := s.client.loadValue(ctx, s.client.names.state, s.checkpointSubject(name))
			if err == nil {
				c, _, err = checkpointOf(v)
			}
			return err
		})
	})
	return c, err
}

// SaveCheckpoint replaces the checkpoint with this name. See
// [causal.CheckpointStorage]. If it does not fit into one message of the
// servers, SaveCheckpoint returns a [*causal.StorageError].
func (s *Store) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (revision uint64, err error) {
	if err := causaladapter.CheckSaveCheckpoint(ctx, name, c); err != nil {
		return 0, err
	}
	err = s.call("save checkpoint", func() error {
		content, err := encodeContent(storedCheckpoint{name, c.Cursor}, c.State)
		if err == nil {
			err = s.checkSize("checkpoint", len(content))
		}
		if err != nil {
			return err
		}
		revision, err = s.client.change(ctx, s.checkpointSubject(name), func(old value) ([]byte, error) {
			stored, _, err := checkpointOf(old)
			if err == nil && stored.Revision != c.Revision {
				err = causal.ErrConcurrentSave
			}
			return content, err
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	return revision, nil
}

// DeleteCheckpoint deletes the checkpoint with this name. See
// [causal.CheckpointStorage]. A few bytes of it remain.
func (s *Store) DeleteCheckpoint(ctx context.Context, name string) error {
	if err := causaladapter.CheckLoadCheckpoint(ctx, name); err != nil {
		return err
	}
	return s.call("delete checkpoint", func() error {
		_, err := s.client.change(ctx, s.checkpointSubject(name), func(old value) ([]byte, error) {
			if len(old.content) == 0 {
				return nil, nil
			}
			return []byte{}, nil
		})
		return err
	})
}

// Checkpoints yields the names of all checkpoints. See
// [causal.CheckpointStorage]. A range reads all of them when it begins.
func (s *Store) Checkpoints(ctx context.Context) iter.Seq2[string, error] {
	const op = "read checkpoints"
	return func(yield func(string, error) bool) {
		var names []string
		err := causaladapter.CheckContext(ctx)
		if err == nil {
			err = s.call(op, func() (err error) {
				names, err = s.checkpointNames(ctx)
				return err
			})
		}
		for i := 0; err == nil && i < len(names); i++ {
			if err = s.check(ctx, op); err == nil && !yield(names[i], nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

func (s *Store) checkpointNames(ctx context.Context) ([]string, error) {
	c, subjects := s.client, s.client.names.checkpoints+"*"
	var last message
	err := c.retry(ctx, 0, func(ctx context.Context) (err error) {
		if last, err = c.getMessage(ctx, c.names.state, lastBySubject(subjects)); err == nil {
			_, err = c.currentInfo(ctx, c.names.state)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	bySubject := map[string]string{}
	err = c.readValues(ctx, c.names.state, subjects, 0, last.Sequence, func(v value, subject string) error {
		_, name, err := checkpointOf(v)
		if bySubject[subject] = name; name == "" {
			delete(bySubject, subject)
		}
		return err
	})
	return slices.Sorted(maps.Values(bySubject)), err
}
