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

// Batch is what a function of [Consume] is given, and owns until it returns; the entries
// also after that. The zero value is never given.
type Batch struct {
	// Entries are the next entries of the log, in arrival order. There is at least one.
	Entries []LogEntry
	// State is the state of the checkpoint, nil at first. What the function leaves in it
	// is stored together with the position after the entries, so that a projection that
	// is kept there is never ahead of its log, nor behind: see [Checkpoint].
	State []byte
	// Seen is what the log has of the project [ConsumeOptions.SeenOf] up to the last
	// entry, and what a projection hands to a MarkSeen: of each node, the clock up to which
	// no event is missing between stamped ones. A plain event stands for the earlier ones of its
	// node; after a stamped one of its node it is a fault of that node, and neither it nor
	// what follows is seen. Seen is zero without that option.
	Seen VectorClock
}

// ConsumeOptions are the options of [Consume]. nil and the zero value mean the defaults.
type ConsumeOptions struct {
	// BatchSize is how many entries a batch has at most: as many as there are, up to
	// that. Zero means 1000.
	BatchSize int
	// Tries is how often the function is called with one batch, and each call of the storage
	// tried, before Consume returns the error. Zero means 10, which with the
	// default pauses bridges an outage of 25 seconds.
	Tries int
	// Pause is the time between the first try and the second. It doubles with each
	// further one, up to 64 times as long. Zero means 100 milliseconds.
	Pause time.Duration
	// FromHead means that a name without a checkpoint begins with what is saved from now
	// on. Otherwise it begins with the first entry of the log.
	FromHead bool
	// SeenOf is the UUID of the project of which [Batch.Seen] is. To know that, Consume
	// reads the log from its beginning once, and keeps what it has found in a
	// checkpoint of its own, "causal/seen/", the project, "/" and the name, which may be
	// deleted when nobody consumes.
	SeenOf string
}

const (
	defaultBatchSize = 1000
	defaultTries     = 10
	defaultPause     = 100 * time.Millisecond
	// lastSave is how long the checkpoint of what was handled may take to save once the
	// context has ended.
	lastSave = 5 * time.Second
)

// Consume calls f with all entries of a log, in arrival order: from where the checkpoint of
// this name is, and then with each one when it is saved. After f has returned nil, the
// checkpoint is moved behind the batch, while the next entries are read. If the process ends
// before that, f is called with the batch again: each entry at least once, but each exactly
// once in what [Batch.State] says, as that is saved with the checkpoint.
//
// An error of f is tried again with the same batch, after a pause, and so are failures of
// the storage, which match [ErrStorage]; nothing is skipped. Consume returns the error of the
// last try, unchanged. It returns that of ctx when that ends, never nil, and saves the
// checkpoint of what f has handled before, for which it takes up to 5 seconds. It returns
// [ErrConcurrentSave] if somebody else has moved or deleted the checkpoint, as two that consume
// under one name do, and [ErrInvalidCursor] or [ErrCursorAhead] if the log is not the one that
// was consumed, or has lost its end; see [LogReader]. A name that is no text or begins with
// "causal/", an option that is negative and a State that is too large are
// [*ValidationError]s.
//
// f is called by one goroutine at a time. It may use the store. [Lag] tells how far it is
// behind.
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

// Lag returns how many entries a log has after the checkpoint of this name: all, if there is
// none. Errors are those
// of [CheckpointStorage] and of reading after the checkpoint's cursor.
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

	done    Checkpoint // as it is stored
	entries []LogEntry // after it, that were read
	seen    seenLog

	saving chan error // has the result of saving done and seen, which is under way; nil if nothing is
}

func (c *consumer) run(ctx context.Context) error {
	err := c.begin(ctx)
	if err == nil {
		failed := 0 // times of reading, since one that has led to something
		err = c.try(ctx, &failed, isReading, func() error { return c.follow(ctx, &failed) })
	}
	if savingErr := c.saved(); savingErr != nil && ctx.Err() == nil {
		err = savingErr
	}
	return ofHandler(err)
}

// isReading reports whether the error is one of reading that may work again.
func isReading(err error) bool {
	_, isHandler := errors.AsType[handlerError](err)
	return !isHandler && isFailure(err)
}

// follow handles what is after the checkpoint, until something fails. It sets failed to 0 when
// it has read something, or could wait.
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
	if len(c.entries) > 0 && isReading(err) && ctx.Err() == nil { // what was read before
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

// begin loads the checkpoint, and makes one if the consumer begins at the head.
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

// beginSeen finds out what is seen at the checkpoint.
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

// flush handles what was read, and begins to save the checkpoint, while the next entries are
// read.
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
		next.State = bytes.Clone(b.State) // which is the caller's
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

// saveAll saves what is known after a batch, also if ctx has ended meanwhile, so that the
// batch need not be handled again.
func (c *consumer) saveAll(ctx context.Context, next Checkpoint) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := c.save(ctx, next); err != nil {
		return err
	}
	return c.try(ctx, new(int), isFailure, func() error { return c.seen.save(ctx, c.storage) })
}

// lasting returns a context that ends some time after ctx.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastSave, cancel) })
	return longer, func() { stop(); cancel() }
}

// save stores the checkpoint that follows the one that is stored.
func (c *consumer) save(ctx context.Context, next Checkpoint) error {
	next.Revision = c.done.Revision
	isUnknown := false
	err := c.try(ctx, new(int), isFailure, func() error {
		revision, err := c.storage.SaveCheckpoint(ctx, c.name, next)
		isUnknown = isUnknown || errors.Is(err, ErrOutcomeUnknown)
		if isUnknown && errors.Is(err, ErrConcurrentSave) { // perhaps of what an earlier try has stored
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

// try calls f until it returns nil or what cannot be tried again, with pauses. failed counts
// how often it has failed.
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

// isFailure reports whether the error is that of a storage that may work again.
func isFailure(err error) bool {
	return errors.Is(err, ErrStorage) && !errors.Is(err, ErrClosed) && !errors.Is(err, errors.ErrUnsupported)
}
