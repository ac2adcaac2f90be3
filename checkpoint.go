package causal

import (
	"context"
	"iter"
)

// MaxCheckpointState is the maximum length of the State of a [Checkpoint], in
// bytes.
const MaxCheckpointState = 16 << 20

// A Checkpoint records how far a consumer has come in a log, and the state it
// keeps with that position. The zero value is the beginning. It is a value, but
// State is a slice, owned by the caller who received the checkpoint.
type Checkpoint struct {
	// Cursor is the position up to which all entries were handled. It may
	// belong to another log, such as that of a peer, if the checkpoint has a
	// name of its own and is saved after [Node.Receive] has returned.
	Cursor Cursor
	// State belongs to the position; an example is the content of a projection.
	// It may have up to [MaxCheckpointState] bytes of any form. Empty and nil
	// are the same.
	State []byte
	// Revision is the revision of the stored checkpoint, as loaded or as
	// returned by the latest save. Zero means none is stored.
	Revision uint64
}

// A CheckpointStorage keeps checkpoints by name, and is implemented by storage
// adapters. Its methods must be safe for concurrent use. Contexts and failures
// are as for [EventStore]. An empty name, or one that is not UTF-8, is reported
// as a [*ValidationError].
type CheckpointStorage interface {
	// LoadCheckpoint returns the checkpoint with this name. If there is none,
	// it returns the zero Checkpoint and no error. The caller owns it.
	LoadCheckpoint(ctx context.Context, name string) (Checkpoint, error)

	// SaveCheckpoint replaces the checkpoint with this name, cursor and state
	// together, if the stored revision is c.Revision. It returns the new
	// revision, which no checkpoint with this name has ever had. Otherwise
	// someone else has saved: nothing changes and the error matches
	// [ErrConcurrentSave]. If the state is too large, it returns a
	// [*ValidationError]. After an error that matches [ErrOutcomeUnknown], load
	// and compare. c.State is not retained.
	SaveCheckpoint(ctx context.Context, name string, c Checkpoint) (revision uint64, err error)

	// DeleteCheckpoint deletes the checkpoint with this name, whatever its
	// revision. If there is none, it does nothing.
	DeleteCheckpoint(ctx context.Context, name string) error

	// Checkpoints yields the names of all checkpoints in bytewise order. Errors
	// and ranges are as in AllEvents of [EventStore]; the name yielded with an
	// error is "".
	Checkpoints(ctx context.Context) iter.Seq2[string, error]
}

// internalNames is the prefix of names reserved for checkpoints of this
// package.
const internalNames = "causal/"
