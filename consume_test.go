package causal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

var errEnough = errors.New("the test has seen enough")

// projection counts its entries in the state of its checkpoint.
type projection struct {
	t     require.TestingT
	calls int
	seen  []causal.EventID // in call order
}

// handle checks that the state matches the entries before the batch.
func (p *projection) handle(_ context.Context, b *causal.Batch) error {
	p.calls++
	count := uint64(0)
	if b.State != nil {
		count = binary.BigEndian.Uint64(b.State)
	}
	for _, entry := range b.Entries {
		count++
		require.Equal(p.t, count, entry.Cursor.Position(), "the state is not that of the log before the batch")
		p.seen = append(p.seen, entry.Event.ID())
	}
	b.State = binary.BigEndian.AppendUint64(nil, count)
	return nil
}

func (p *projection) requireSeen(n int) {
	require.Len(p.t, p.seen, n)
	for i, id := range p.seen {
		require.Equal(p.t, eventtest.ID(i), id)
	}
}

// consumeUntil consumes until n entries are handled, and then saves one more to
// be woken.
func consumeUntil(t *testing.T, s causal.Store, name string, n int, p *projection, o causal.ConsumeOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := causal.Consume(ctx, s, name, func(ctx context.Context, b *causal.Batch) error {
		err := p.handle(ctx, b)
		if len(p.seen) >= n {
			cancel()
		}
		return err
	}, &o)
	require.ErrorIs(t, err, context.Canceled)
}

func newMemStore(t *testing.T, events int) *causal.MemStore {
	t.Helper()
	s := &causal.MemStore{}
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, events)))
	return s
}

// Each entry is handled once, in order, by successive consumers, in batches of
// any size, whether it exists already or is saved later.
func TestConsume(t *testing.T) {
	for _, size := range []int{0, 1, 7, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newMemStore(t, 100)
			p := &projection{t: t}
			consumeUntil(t, s, "p", 50, p, causal.ConsumeOptions{BatchSize: size})
			done := len(p.seen)
			require.Contains(t, []int{50, 56, 100}, done)
			go func() {
				for n := 100; n < 200; n += 10 {
					time.Sleep(time.Millisecond)
					_ = s.SaveEvents(t.Context(), eventtest.NewRange(t, n, n+10))
				}
			}()
			consumeUntil(t, s, "p", 200, p, causal.ConsumeOptions{BatchSize: size})
			p.requireSeen(200)
			lag, err := causal.Lag(t.Context(), s, "p")
			require.NoError(t, err)
			require.Zero(t, lag)
			c, err := s.LoadCheckpoint(t.Context(), "p")
			require.NoError(t, err)
			require.Equal(t, uint64(200), c.Cursor.Position())
		})
	}
}

// A batch has the available entries, up to its size, which has a default.
func TestBatches(t *testing.T) {
	s := newMemStore(t, 2500)
	for size, want := range map[int][]int{0: {1000, 1000, 500}, 900: {900, 900, 700}, 2500: {2500}, 5000: {2500}} {
		var sizes []int
		sum := 0
		ctx, cancel := context.WithCancel(t.Context())
		err := causal.Consume(ctx, s, fmt.Sprint("p", size), func(_ context.Context, b *causal.Batch) error {
			sizes = append(sizes, len(b.Entries))
			if sum += len(b.Entries); sum == 2500 {
				cancel()
			}
			return nil
		}, &causal.ConsumeOptions{BatchSize: size})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, want, sizes)
	}
}

// While the function is busy, entries accumulate, and form one batch.
func TestConsumeSlowly(t *testing.T) {
	s := newMemStore(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	p := &projection{t: t}
	err := causal.Consume(ctx, s, "p", func(ctx context.Context, b *causal.Batch) error {
		if p.calls == 0 {
			for n := 1; n < 500; n++ {
				require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
			}
		}
		err := p.handle(ctx, b)
		if len(p.seen) == 500 {
			cancel()
		}
		return err
	}, nil)
	require.ErrorIs(t, err, context.Canceled)
	p.requireSeen(500)
	require.Equal(t, 2, p.calls)
}

// A failing function is called again with the same batch, whatever it has done
// to it, and finally Consume returns its error and has skipped nothing.
func TestConsumeTriesAgain(t *testing.T) {
	s := newMemStore(t, 10)
	p := &projection{t: t}
	calls := 0
	failing := func(ctx context.Context, b *causal.Batch) error {
		if calls++; calls%3 != 0 {
			clear(b.Entries)
			for i := range b.State {
				b.State[i] = 0xff
			}
			b.State = append(b.State, 1)
			return fmt.Errorf("failure %d", calls)
		}
		return p.handle(ctx, b)
	}
	o := &causal.ConsumeOptions{BatchSize: 4, Tries: 3, Pause: time.Microsecond}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, causal.Consume(ctx, s, "p", failing, o), context.DeadlineExceeded)
	p.requireSeen(10)
	require.Equal(t, 9, calls)

	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 10)))
	calls = 0
	o.Tries = 2
	require.EqualError(t, causal.Consume(t.Context(), s, "p", failing, o), "failure 2")
	lag, err := causal.Lag(t.Context(), s, "p")
	require.NoError(t, err)
	require.Equal(t, uint64(1), lag)
	consumeUntil(t, s, "p", 11, p, *o)
	p.requireSeen(11)
}

func TestConsumeFromHead(t *testing.T) {
	s := newMemStore(t, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	o := &causal.ConsumeOptions{FromHead: true, Tries: 1}
	err := causal.Consume(ctx, s, "p", func(context.Context, *causal.Batch) error { return errEnough }, o)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 10, 12)), "while nobody consumes")
	var first causal.EventID
	err = causal.Consume(t.Context(), s, "p", func(_ context.Context, b *causal.Batch) error {
		first = b.Entries[0].Event.ID()
		return errEnough
	}, o)
	require.ErrorIs(t, err, errEnough)
	require.Equal(t, eventtest.ID(10), first)
}

// Of two consumers with the same name, one continues.
func TestTwoConsumers(t *testing.T) {
	s := newMemStore(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	handled := make(chan struct{}, 200)
	for range 2 {
		go func() {
			ended <- causal.Consume(ctx, s, "p", func(context.Context, *causal.Batch) error {
				handled <- struct{}{}
				return nil
			}, nil)
		}()
	}
	for n := 1; len(ended) == 0; n++ {
		require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, n)))
		<-handled
	}
	require.ErrorIs(t, <-ended, causal.ErrConcurrentSave)
	for len(handled) > 0 {
		<-handled
	}
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 100_000)))
	<-handled
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// Entries handled when the context is canceled are not handled again.
func TestConsumeCancelled(t *testing.T) {
	s := newMemStore(t, 10)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the reason")
	calls := 0
	err := causal.Consume(ctx, s, "p", func(context.Context, *causal.Batch) error {
		calls++
		cancel(cause)
		return nil
	}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
	lag, err := causal.Lag(t.Context(), s, "p")
	require.NoError(t, err)
	require.Zero(t, lag)

	require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 10)))
	ctx, stop := context.WithCancel(t.Context())
	err = causal.Consume(ctx, s, "p", func(context.Context, *causal.Batch) error {
		calls++
		stop()
		return errors.New("not done")
	}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 2, calls)
	lag, err = causal.Lag(t.Context(), s, "p")
	require.NoError(t, err)
	require.Equal(t, uint64(1), lag)
}

// flaky is a store whose calls fail at random, before or after taking effect.
type flaky struct {
	*causal.MemStore
	fails func() bool
}

var errDown = errors.New("the server is down")

func (s flaky) failure(op string) error { return &causal.StorageError{Op: op, Err: errDown} }

// unknown is an error of a save with unknown outcome.
type unknown struct{ error }

func (unknown) Is(target error) bool { return target == causal.ErrOutcomeUnknown }

func (e unknown) Unwrap() error { return e.error }

func (s flaky) ReadLog(ctx context.Context, after causal.Cursor) iter.Seq2[causal.LogEntry, error] {
	return func(yield func(causal.LogEntry, error) bool) {
		for entry, err := range s.MemStore.ReadLog(ctx, after) {
			if s.fails() {
				yield(causal.LogEntry{}, s.failure("read log"))
				return
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

func (s flaky) Head(ctx context.Context) (causal.Cursor, error) {
	if s.fails() {
		return causal.Cursor{}, s.failure("head")
	}
	return s.MemStore.Head(ctx)
}

func (s flaky) WaitLog(ctx context.Context, after causal.Cursor) error {
	if s.fails() {
		return s.failure("wait")
	}
	return s.MemStore.WaitLog(ctx, after)
}

func (s flaky) LoadCheckpoint(ctx context.Context, name string) (causal.Checkpoint, error) {
	if s.fails() {
		return causal.Checkpoint{}, s.failure("load")
	}
	return s.MemStore.LoadCheckpoint(ctx, name)
}

func (s flaky) SaveCheckpoint(ctx context.Context, name string, c causal.Checkpoint) (uint64, error) {
	if s.fails() {
		return 0, s.failure("save")
	}
	if s.fails() { // the connection is lost before the save
		return 0, unknown{s.failure("save")}
	}
	revision, err := s.MemStore.SaveCheckpoint(ctx, name, c)
	if err == nil && s.fails() { // and here after it
		return 0, unknown{s.failure("save")}
	}
	return revision, err
}

// Whatever fails and whenever consumers are replaced, a projection in the
// checkpoint has each entry once.
func TestConsumeWithFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rate := rapid.SampledFrom([]float64{0, 0.01, 0.05}).Draw(t, "rate")
		var mu sync.Mutex
		s := flaky{&causal.MemStore{}, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return r.Float64() < rate
		}}
		count := rapid.IntRange(1, 30).Draw(t, "count")
		o := &causal.ConsumeOptions{
			BatchSize: rapid.IntRange(1, 10).Draw(t, "size"), Tries: rapid.IntRange(1, 30).Draw(t, "tries"),
			Pause: 1, FromHead: rapid.Bool().Draw(t, "from head"), SeenOf: eventtest.Params(0).ProjectUUID,
		}
		for n := range count {
			require.NoError(t, s.SaveEvent(context.Background(), eventtest.New(t, n)))
			if n == 0 && o.FromHead { // as started before
				_, err := s.MemStore.SaveCheckpoint(context.Background(), "p", causal.Checkpoint{Cursor: causal.Cursor{}})
				require.NoError(t, err)
			}
		}
		p := &projection{t: t}
		for run := 0; ; run++ {
			ctx, cancel := context.WithCancel(context.Background())
			err := causal.Consume(ctx, s, "p", func(ctx context.Context, b *causal.Batch) error {
				require.Equal(t, b.Entries[len(b.Entries)-1].Event.LamportClock(), b.Seen.At("alice"))
				if err := p.handle(ctx, b); err != nil {
					return err
				}
				if b.Entries[len(b.Entries)-1].Cursor.Position() == uint64(count) {
					cancel()
				}
				return nil
			}, o)
			cancel()
			require.NotErrorIs(t, err, causal.ErrConcurrentSave, "nobody else consumes")
			c, loadErr := s.MemStore.LoadCheckpoint(context.Background(), "p")
			require.NoError(t, loadErr)
			if c.Cursor.Position() == uint64(count) {
				require.Equal(t, uint64(count), binary.BigEndian.Uint64(c.State))
				return
			}
			require.Less(t, run, 10_000, "no end: %v", err)
		}
	})
}

// Permanent errors are returned immediately.
func TestConsumeEnds(t *testing.T) {
	ctx := t.Context()
	s, other := newMemStore(t, 3), newMemStore(t, 3)
	none := func(context.Context, *causal.Batch) error { return nil }
	patient := &causal.ConsumeOptions{Tries: 100, Pause: time.Hour}
	head, err := other.Head(ctx)
	require.NoError(t, err)
	_, err = s.SaveCheckpoint(ctx, "foreign", causal.Checkpoint{Cursor: head})
	require.NoError(t, err)
	require.ErrorIs(t, causal.Consume(ctx, s, "foreign", none, patient), causal.ErrInvalidCursor)
	_, err = causal.Lag(ctx, s, "foreign")
	require.ErrorIs(t, err, causal.ErrInvalidCursor)

	closed := brokenLog{s, func(context.Context, causal.Cursor) iter.Seq2[causal.LogEntry, error] {
		return func(yield func(causal.LogEntry, error) bool) {
			yield(causal.LogEntry{}, &causal.StorageError{Op: "read log", Err: causal.ErrClosed})
		}
	}}
	require.ErrorIs(t, causal.Consume(ctx, closed, "p", none, patient), causal.ErrClosed)

	large := func(_ context.Context, b *causal.Batch) error {
		b.State = make([]byte, causal.MaxCheckpointState+1)
		return nil
	}
	requireFault(t, causal.Consume(ctx, s, "p", large, patient), "state must have at most 16 MiB")

	storage := func(context.Context, *causal.Batch) error {
		return &causal.StorageError{Op: "elsewhere", Err: causal.ErrClosed}
	}
	twice := &causal.ConsumeOptions{Tries: 2, Pause: 1}
	require.ErrorContains(t, causal.Consume(ctx, s, "p", storage, twice), "elsewhere")

	down := flaky{s, func() bool { return true }}
	require.ErrorIs(t, causal.Consume(ctx, down, "p", none, twice), errDown)
	_, err = causal.Lag(ctx, down, "p")
	require.ErrorIs(t, err, errDown)
}

func TestConsumeArguments(t *testing.T) {
	s := newMemStore(t, 1)
	none := func(context.Context, *causal.Batch) error { return nil }
	for want, err := range map[string]error{
		"ctx must not be nil":                 causal.Consume(nil, s, "p", none, nil), //nolint:staticcheck // the nil context is tested
		"store must not be nil":               causal.Consume(t.Context(), nil, "p", none, nil),
		"f must not be nil":                   causal.Consume(t.Context(), s, "p", nil, nil),
		"name must not be empty":              causal.Consume(t.Context(), s, "", none, nil),
		"name must be valid UTF-8":            causal.Consume(t.Context(), s, "\xff", none, nil),
		`name must not begin with "causal/"`:  causal.Consume(t.Context(), s, "causal/p", none, nil),
		"batch_size must not be negative":     causal.Consume(t.Context(), s, "p", none, &causal.ConsumeOptions{BatchSize: -1}),
		"tries must not be negative":          causal.Consume(t.Context(), s, "p", none, &causal.ConsumeOptions{Tries: -1}),
		"pause must not be negative":          causal.Consume(t.Context(), s, "p", none, &causal.ConsumeOptions{Pause: -1}),
		"seen_of must be a UUID with hyphens": causal.Consume(t.Context(), s, "p", none, &causal.ConsumeOptions{SeenOf: "x"}),
	} {
		requireFault(t, err, want)
	}
	_, err := causal.Lag(t.Context(), nil, "p")
	requireFault(t, err, "store must not be nil")
	_, err = causal.Lag(t.Context(), s, "")
	requireFault(t, err, "name must not be empty")
}

func TestLag(t *testing.T) {
	s := newMemStore(t, 10)
	for done, want := range map[uint64]uint64{0: 10, 4: 6, 10: 0} {
		name := fmt.Sprint("p", done)
		at := causal.Cursor{}
		for _, entry := range eventtest.ReadLog(t, s, at)[:done] {
			at = entry.Cursor
		}
		_, err := s.SaveCheckpoint(t.Context(), name, causal.Checkpoint{Cursor: at})
		require.NoError(t, err)
		lag, err := causal.Lag(t.Context(), s, name)
		require.NoError(t, err)
		require.Equal(t, want, lag)
	}
	lag, err := causal.Lag(t.Context(), s, "new")
	require.NoError(t, err)
	require.Equal(t, uint64(10), lag)
}
