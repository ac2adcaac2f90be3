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

// ConsumerStorage is what [Consume] needs of a store.
type ConsumerStorage interface {
	LogReader
	CheckpointStorage
}

// Batch is what a function of [Consume] is given, and owns.
type Batch struct {
	// Entries are the next entries of the log, in arrival order. There is at least one.
	Entries []LogEntry
	// State is the state of the checkpoint, nil at first. What the function leaves in it
	// is stored together with the position after the entries, so that a projection that
	// is kept there is never ahead of its log, nor behind: see [Checkpoint].
	State []byte
	// Seen is what the log has of the project [ConsumeOptions.SeenOf] up to the last
	// entry: of each node, the clock up to which none of its events is missing. It is what
	// a projection hands to a MarkSeen. It is zero without that option.
	Seen VectorClock
}

// ConsumeOptions are the options of [Consume]. nil and the zero value mean the defaults.
type ConsumeOptions struct {
	// BatchSize is how many entries a batch has at most: as many as there are, up to
	// that. Zero means 1000.
	BatchSize int
	// Tries is how often the function is called with one batch, and the storage
	// tried, before Consume returns the error. Zero means 10.
	Tries int
	// Pause is the time between the first try and the second. It doubles with each
	// further one, up to 64 times as long. Zero means 100 milliseconds.
	Pause time.Duration
	// FromHead means that a name without a checkpoint begins with what is saved from now
	// on. Otherwise it begins with the first entry of the log.
	FromHead bool
	// SeenOf is the UUID of the project of which [Batch.Seen] is. To know that, Consume
	// reads the log from its beginning once, and keeps what it has found in a
	// checkpoint of its own, beside that of the name.
	SeenOf string
}

const (
	defaultBatchSize = 1000
	defaultTries     = 10
	defaultPause     = 100 * time.Millisecond
	// lastSave is how long the checkpoint of what was handled may take to save once the
	// context has ended.
	lastSave = 5 * time.Second
	// internalNames begin the names of the checkpoints that this package keeps.
	internalNames = "causal/"
)

// Consume calls f with all entries of a log, in arrival order: from where the checkpoint of
// this name is, and then with each one when it is saved. After f has returned nil, the
// checkpoint is moved behind the batch. If the process ends before that, f is called with the
// batch again: at least once, but with [Batch.State] exactly once, as that is saved with the
// checkpoint.
//
// An error of f is tried again with the same batch, after a pause, and so are failures of
// the storage, which match [ErrStorage]; nothing is skipped. Consume returns the error of the
// last try, unchanged. It returns that of ctx when that ends, never nil. It returns
// [ErrConcurrentSave] if somebody else has moved the checkpoint, as two that consume under one
// name do, and [ErrInvalidCursor] if the log is not the one that was consumed; see
// [LogReader]. A name that is no text or begins with "causal/", and an option that is
// negative, is a [*ValidationError].
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
	case s == nil:
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

// Lag returns how many entries a log has after the checkpoint of this name. Errors are those
// of [CheckpointStorage] and of reading after the checkpoint's cursor.
func Lag(ctx context.Context, s ConsumerStorage, name string) (uint64, error) {
	if s == nil {
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

	done     Checkpoint // as it is stored
	entries  []LogEntry // after it, that were read
	seen     seenLog
	readings int // that have failed since the last one that did not

	saving chan error // has the result of saving done and seen, which is under way; nil if nothing is
}

func (c *consumer) run(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	hasFailed := false // otherwise than in reading
	flush := func() error {
		c.readings = 0
		err := c.flush(ctx)
		hasFailed = err != nil
		return err
	}
	atEnd := func() error {
		err := flush()
		if err == nil {
			err = c.saved()
			hasFailed = err != nil
		}
		return err
	}
	isTemporary := func(err error) bool { return !hasFailed && isFailure(err) }
	err := c.try(ctx, &c.readings, isTemporary, func() error {
		if err := c.saved(); err != nil {
			hasFailed = true
			return err
		}
		c.entries = c.entries[:0]
		return follow(ctx, c.storage, c.done.Cursor, func(entry LogEntry) error {
			c.entries = append(c.entries, entry)
			if len(c.entries) < c.options.BatchSize {
				return nil
			}
			return flush()
		}, atEnd)
	})
	if savingErr := c.saved(); savingErr != nil && ctx.Err() == nil {
		return savingErr
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
	var head Cursor
	err := c.try(ctx, new(int), isFailure, func() (err error) {
		if c.done, err = c.storage.LoadCheckpoint(ctx, c.name); err == nil {
			head, err = c.storage.Head(ctx)
		}
		return err
	})
	if err == nil && c.done.Revision == 0 && c.options.FromHead {
		err = c.save(ctx, Checkpoint{Cursor: head})
	}
	if err == nil && c.options.SeenOf != "" {
		c.seen = seenLog{project: strings.ToLower(c.options.SeenOf), consumer: c.name}
		err = c.try(ctx, new(int), isFailure, func() error { return c.seen.load(ctx, c.storage, c.done.Cursor) })
	}
	return err
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
		next.State = b.State
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
	return c.try(ctx, new(int), isFailure, func() error { return c.seen.save(ctx, c.storage, next.Cursor) })
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
func isFailure(err error) bool { return errors.Is(err, ErrStorage) && !errors.Is(err, ErrClosed) }

// seenLog knows what the log has of a project up to an entry.
type seenLog struct {
	project, consumer string
	chains            chains
	unsaved           int // entries
}

// seenSaves is how many entries come between two saves of a seenLog.
const seenSaves = 4096

func (s *seenLog) name() string { return internalNames + "seen/" + s.project + "/" + s.consumer }

// load reads what was saved last, and the log from there up to a cursor.
func (s *seenLog) load(ctx context.Context, storage ConsumerStorage, upTo Cursor) error {
	saved, err := storage.LoadCheckpoint(ctx, s.name())
	if err != nil {
		return err
	}
	if saved.Cursor.log != upTo.log || saved.Cursor.position > upTo.position || s.chains.unmarshal(saved.State) != nil {
		saved.Cursor, s.chains = Cursor{}, chains{} // the consumer has begun anew
	}
	if saved.Cursor.position == upTo.position {
		return nil
	}
	for entry, err := range storage.ReadLog(ctx, saved.Cursor) {
		if err == nil && entry.Event.p == nil {
			err = errYieldedZero()
		}
		if err != nil {
			return err
		}
		s.addEntry(entry)
		if entry.Cursor.position >= upTo.position {
			break
		}
	}
	return nil
}

func (s *seenLog) addEntry(entry LogEntry) {
	s.unsaved++
	if entry.Event.p.ProjectUUID == s.project {
		s.chains.add(entry.Event)
	}
}

// add adds the entries that follow, and returns what is seen with them; nothing if nobody asks.
func (s *seenLog) add(entries []LogEntry) VectorClock {
	if s.project == "" {
		return VectorClock{}
	}
	for _, entry := range entries {
		s.addEntry(entry)
	}
	return s.chains.seen()
}

// save saves from time to time what is known up to a cursor, so that the log need not be read
// from its beginning again.
func (s *seenLog) save(ctx context.Context, storage ConsumerStorage, cursor Cursor) error {
	if s.unsaved < seenSaves {
		return nil
	}
	state, err := s.chains.marshal()
	if err != nil {
		return err
	}
	if s.unsaved = 0; len(state) > MaxCheckpointState {
		return nil // what was saved before serves, too
	}
	saved, err := storage.LoadCheckpoint(ctx, s.name())
	if err == nil {
		_, err = storage.SaveCheckpoint(ctx, s.name(), Checkpoint{Cursor: cursor, State: state, Revision: saved.Revision})
	}
	return err
}
