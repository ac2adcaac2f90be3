package causal

import (
	"context"
	"iter"
)

// MaxCheckpointState is how large the State of a [Checkpoint] may be, in bytes.
const MaxCheckpointState = 16 << 20

// Checkpoint is how far somebody has come in a log, and what they keep with that. The zero
// value is the beginning. It is a value, but State is a slice: who is given one owns it.
type Checkpoint struct {
	// Cursor is the entry up to which all was handled. It may be one of another log, such
	// as that of a peer, under a name for it, if it is saved after [Node.Receive] has returned.
	Cursor Cursor
	// State is what belongs to the cursor, such as the content of a projection: up to
	// [MaxCheckpointState] bytes of any form. No bytes and nil are the same.
	State []byte
	// Revision is the revision of what is stored, as it was loaded or as the latest
	// save returned it. Zero means that nothing is stored.
	Revision uint64
}

// A CheckpointStorage keeps checkpoints by name, and is implemented by storage adapters.
// Its methods must be safe for concurrent use. Contexts and failures are as for
// [EventStore]. A name that is no text is reported as a [*ValidationError].
type CheckpointStorage interface {
	// LoadCheckpoint returns the checkpoint of this name. It is zero, and the error
	// nil, if there is none. The caller owns it.
	LoadCheckpoint(ctx context.Context, name string) (Checkpoint, error)

	// SaveCheckpoint replaces the checkpoint of this name, cursor and state together,
	// if what is stored has c.Revision, and returns its new revision, which no
	// checkpoint of this name has ever had. Otherwise the error matches
	// [ErrConcurrentSave], and nothing has changed: somebody else has saved. It returns a
	// [*ValidationError] if the state is too large. After an error that matches
	// [ErrOutcomeUnknown], load and compare. c.State is not retained.
	SaveCheckpoint(ctx context.Context, name string, c Checkpoint) (revision uint64, err error)

	// DeleteCheckpoint deletes the checkpoint of this name, whatever its revision. If
	// there is none, it does nothing.
	DeleteCheckpoint(ctx context.Context, name string) error

	// Checkpoints yields the names of all checkpoints, in the order of their bytes.
	// Errors and ranges are as in AllEvents of [EventStore], with "" beside the error.
	Checkpoints(ctx context.Context) iter.Seq2[string, error]
}

// internalNames begin the names of the checkpoints that this package keeps.
const internalNames = "causal/"
