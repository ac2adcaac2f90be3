package causal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// A Batch is passed to the function given to [Consume]. The function owns it
// until it returns, and may keep the entries after that. The zero value is
// never passed.
type Batch struct {
	// Entries has the next entries of the log, at least one, in arrival order.
	Entries []LogEntry
	// State is the state of the checkpoint, initially nil. What the function
	// leaves in it is stored together with the position after the entries, so a
	// projection kept here always matches its position in the log. See
	// [Checkpoint].
	State []byte
	// Seen is the vector clock of the events in the log up to the last entry,
	// for the project [ConsumeOptions.SeenOf]; pass it to a projection's
	// MarkSeen. For each node, it has the clock up to which no event is
	// missing, as far as its stamped events tell. A plain event stands for all
	// earlier events of its node. A plain event after a stamped one is a fault
	// of its node: neither it nor the events that follow it are counted. Seen
	// is zero unless SeenOf is set.
	Seen VectorClock
}

// ConsumeOptions are the options of [Consume]. nil and the zero value mean the
// defaults.
type ConsumeOptions struct {
	// BatchSize is the maximum number of entries in a batch. Zero means 1000.
	BatchSize int
	// Tries is the number of times the function is called with a batch, or an
	// operation of the storage is tried, before Consume returns the error. Zero
	// means 10, which with the default pauses bridges an outage of 25 seconds.
	Tries int
	// Pause is the time between the first try and the second. It doubles with
	// each further try, up to 64 times the first. Zero means 100 milliseconds.
	Pause time.Duration
	// FromHead starts a name without a checkpoint at the current end of the
	// log. Otherwise it starts at the first entry.
	FromHead bool
	// SeenOf is the UUID of the project for which [Batch.Seen] is computed.
	// Consume reads the log from its beginning once, and keeps the result in a
	// checkpoint named "causal/seen/", the project, "/" and the name. You may
	// delete it while nobody is consuming.
	SeenOf string
}

const (
	defaultBatchSize = 1000
	defaultTries     = 10
	defaultPause     = 100 * time.Millisecond
	// lastSave limits the time for saving the last checkpoint after ctx is
	// done.
	lastSave = 5 * time.Second
)

// Consume calls f with all entries of a log in arrival order: first those after
// the checkpoint with the given name, then each new one as it is saved. After f
// returns nil, Consume advances the checkpoint past the batch while it reads
// the next entries. If the process stops earlier, the same entries are passed
// to f again. Delivery is therefore at least once, but the effect on
// [Batch.State] is exactly once, because the state is saved with the
// checkpoint.
//
// If f returns an error, Consume pauses and retries the same batch. It retries
// storage failures, which match [ErrStorage], in the same way, except for
// [ErrClosed] and [errors.ErrUnsupported]. Nothing is skipped. Consume returns
// the error of the last try, unchanged. When ctx is done, it saves the
// checkpoint of the last batch handled, which may take up to 5 seconds, and
// returns the error of ctx, never nil. It returns [ErrConcurrentSave] if
// someone else has moved or deleted the checkpoint, such as another consumer
// with the same name. It returns [ErrInvalidCursor] or [ErrCursorAhead] if the
// log is a different one or has lost its end; see [LogReader]. It returns a
// [*ValidationError] if the name is empty, not UTF-8 or begins with "causal/",
// if an option is negative, or if a State is too large.
//
// f is called by one goroutine at a time, and may use the store. [Lag] returns
// how far a consumer is behind.
func Consume(ctx context.Context, s ConsumerStorage, name string, f func(context.Context, *Batch) error, o *ConsumeOptions) error {
	if o == nil {
		o = &ConsumeOptions{}
	}
	if err := checkContext(ctx); err != nil {
		return err
	}
	if err := checkConsume(s, name, f, o); err != nil {
		return err
	}
	c := &consumer{storage: s, name: name, handle: f, options: *o}
	c.options.BatchSize = cmp.Or(o.BatchSize, defaultBatchSize)
	return c.run(ctx)
}

func checkConsume(s ConsumerStorage, name string, f func(context.Context, *Batch) error, o *ConsumeOptions) error {
	switch {
	case isNil(s):
		return invalid("store", reasonNil)
	case f == nil:
		return invalid("f", reasonNil)
	case strings.HasPrefix(name, internalNames):
		return invalid("name", `must not begin with "causal/"`)
	case o.BatchSize < 0:
		return invalid("batch_size", reasonNotNegative)
	case o.Tries < 0:
		return invalid("tries", reasonNotNegative)
	case o.Pause < 0:
		return invalid("pause", reasonNotNegative)
	case o.SeenOf != "" && !isHyphenatedUUID(o.SeenOf):
		return invalid("seen_of", reasonUUID)
	}
	return checkText("name", name)
}

// Lag returns the number of entries after the checkpoint with this name, or of
// all entries if there is none. Errors are those of [CheckpointStorage] and of
// reading after the checkpoint's cursor.
func Lag(ctx context.Context, s ConsumerStorage, name string) (uint64, error) {
	if isNil(s) {
		return 0, invalid("store", reasonNil)
	}
	c, err := s.LoadCheckpoint(ctx, name)
	if err != nil {
		return 0, err
	}
	for _, err := range s.ReadLog(ctx, c.Cursor) { // which checks the cursor
		if err != nil {
			return 0, err
		}
		break
	}
	head, err := s.Head(ctx)
	if err == nil && head.position < c.Cursor.position { // the log has just lost its end
		err = ErrCursorAhead
	}
	if err != nil {
		return 0, err
	}
	return head.position - c.Cursor.position, nil
}

// consumer is one call of Consume.
type consumer struct {
	storage ConsumerStorage
	name    string
	handle  func(context.Context, *Batch) error
	options ConsumeOptions

	done    Checkpoint // as stored
	entries []LogEntry // read, and not handled yet
	seen    seenLog
	saving  chan error // receives the result of the save in progress; nil if there is none
}

func (c *consumer) run(ctx context.Context) error {
	err := c.begin(ctx)
	if err == nil {
		failed := 0 // failed reads since the last success
		err = c.try(ctx, &failed, isReading, func() error { return c.follow(ctx, &failed) })
	}
	if savingErr := c.saved(); savingErr != nil && ctx.Err() == nil {
		err = savingErr
	}
	return ofHandler(err)
}

// isReading reports whether err is a read failure that may be temporary.
func isReading(err error) bool {
	_, isHandler := errors.AsType[handlerError](err)
	return !isHandler && isFailure(err)
}

// follow handles the entries after the checkpoint until something fails. It
// resets failed to 0 when it has read an entry or could wait.
func (c *consumer) follow(ctx context.Context, failed *int) error {
	if err := c.saved(); err != nil {
		return handlerError{err}
	}
	hasWaited := false
	c.entries = c.entries[:0]
	err := follow(ctx, c.storage, c.done.Cursor, func(entry LogEntry) error {
		c.entries = append(c.entries, entry)
		if len(c.entries) < c.options.BatchSize {
			return nil
		}
		*failed = 0
		return c.flush(ctx)
	}, func() error {
		if hasWaited || len(c.entries) > 0 {
			*failed = 0
		}
		hasWaited = true
		if err := c.flush(ctx); err != nil {
			return err
		}
		return c.saved()
	})
	if len(c.entries) > 0 && isReading(err) && ctx.Err() == nil { // entries read before the failure
		*failed = 0
		if flushErr := c.flush(ctx); flushErr != nil {
			return handlerError{flushErr}
		}
	}
	return err
}

// saved waits until the checkpoint of the latest batch is saved.
func (c *consumer) saved() error {
	if c.saving == nil {
		return nil
	}
	err := <-c.saving
	c.saving = nil
	return err
}

// begin loads the checkpoint, and creates one if the consumer starts at the
// head.
func (c *consumer) begin(ctx context.Context) error {
	err := c.try(ctx, new(int), isFailure, func() (err error) {
		c.done, err = c.storage.LoadCheckpoint(ctx, c.name)
		return err
	})
	if err == nil && c.done.Revision == 0 && c.options.FromHead {
		var head Cursor
		err = c.try(ctx, new(int), isFailure, func() (err error) {
			head, err = c.storage.Head(ctx)
			return err
		})
		if err == nil {
			err = c.save(ctx, Checkpoint{Cursor: head})
		}
	}
	if err == nil && c.options.SeenOf != "" {
		err = c.beginSeen(ctx)
	}
	return err
}

// beginSeen computes the vector clock at the checkpoint.
func (c *consumer) beginSeen(ctx context.Context) error {
	c.seen = seenLog{project: strings.ToLower(c.options.SeenOf), consumer: c.name}
	err := c.try(ctx, new(int), isFailure, func() error { return c.seen.load(ctx, c.storage, c.done.Cursor) })
	if err != nil {
		return err
	}
	failed := 0
	return c.try(ctx, &failed, isFailure, func() error {
		before := c.seen.at
		err := c.seen.readTo(ctx, c.storage, c.done.Cursor)
		if c.seen.at != before {
			failed = 0
		}
		return err
	})
}

// flush handles the entries read, and starts saving the checkpoint while the
// next entries are read.
func (c *consumer) flush(ctx context.Context) error {
	if len(c.entries) == 0 {
		return nil
	}
	if err := c.saved(); err != nil {
		return err
	}
	next := Checkpoint{Cursor: c.entries[len(c.entries)-1].Cursor}
	seen := c.seen.add(c.entries)
	err := c.try(ctx, new(int), func(error) bool { return true }, func() error {
		b := Batch{Entries: slices.Clone(c.entries), State: bytes.Clone(c.done.State), Seen: seen}
		err := c.handle(ctx, &b)
		next.State = bytes.Clone(b.State) // b.State belongs to the caller
		return err
	})
	clear(c.entries) // so that the events can be freed
	c.entries = c.entries[:0]
	if err == nil {
		c.saving = make(chan error, 1)
		go func(saving chan<- error) { saving <- c.saveAll(ctx, next) }(c.saving)
	}
	return err
}

// saveAll saves the checkpoints after a batch, even if ctx is done by now, so
// that the batch need not be handled again.
func (c *consumer) saveAll(ctx context.Context, next Checkpoint) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := c.save(ctx, next); err != nil {
		return err
	}
	return c.try(ctx, new(int), isFailure, func() error { return c.seen.save(ctx, c.storage) })
}

// lasting returns a context that is done some time after ctx.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastSave, cancel) })
	return longer, func() { stop(); cancel() }
}

// save stores the successor of the stored checkpoint.
func (c *consumer) save(ctx context.Context, next Checkpoint) error {
	next.Revision = c.done.Revision
	isUnknown := false
	err := c.try(ctx, new(int), isFailure, func() error {
		revision, err := c.storage.SaveCheckpoint(ctx, c.name, next)
		isUnknown = isUnknown || errors.Is(err, ErrOutcomeUnknown)
		if isUnknown && errors.Is(err, ErrConcurrentSave) { // an earlier try may have stored next
			stored, loadErr := c.storage.LoadCheckpoint(ctx, c.name)
			if loadErr != nil {
				return loadErr
			}
			if stored.Cursor == next.Cursor && bytes.Equal(stored.State, next.State) {
				revision, err = stored.Revision, nil
			}
		}
		if err == nil {
			next.Revision = revision
		}
		return err
	})
	if err == nil {
		c.done = next
	}
	return err
}

// try calls f until it returns nil or a permanent error, with pauses. failed
// counts the failures.
func (c *consumer) try(ctx context.Context, failed *int, isTemporary func(error) bool, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		*failed++
		switch {
		case ctx.Err() != nil:
			return checkContext(ctx)
		case *failed >= cmp.Or(c.options.Tries, defaultTries) || !isTemporary(err):
			return err
		}
		pause := cmp.Or(c.options.Pause, defaultPause) << min(*failed-1, 6)
		if err := waitFor(ctx, nil, pause); err != nil {
			return err
		}
	}
}

// isFailure reports whether err is a storage failure that may be temporary.
func isFailure(err error) bool {
	return errors.Is(err, ErrStorage) && !errors.Is(err, ErrClosed) && !errors.Is(err, errors.ErrUnsupported)
}
