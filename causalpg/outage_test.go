package causalpg_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Connections terminated at random moments, during every operation, cost
// nothing: the calls succeed, events are stored once, and no clock value is
// issued twice. Only an error entry may be refused, or be duplicated if the
// caller repeats it.
func TestTerminatedConnections(t *testing.T) {
	ctx := t.Context()
	schema, name := newSchema(t), "terminated"
	s := openAt(t, withSetting("application_name", name), &causalpg.Options{Schema: schema})
	killer := connect(t, testDSN)
	stop, killed := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		pause := 20 * time.Millisecond
		for {
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(pause):
			}
			begin := time.Now()
			tag, err := killer.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE application_name = $1 ORDER BY random() LIMIT 2`, name)
			if err != nil {
				t.Error(err)
			}
			n += int(tag.RowsAffected())
			pause = 20*time.Millisecond + 10*time.Since(begin) // on a busy machine everything else takes longer, too
		}
	}()
	rounds := 20
	if testing.Short() {
		rounds = 8
	}
	var seen sync.Map
	var refused atomic.Int64
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := range rounds {
				first := worker*10_000 + n*10
				err := errors.Join(s.SaveEvent(ctx, eventtest.New(t, first)), s.SaveEvents(ctx, eventtest.NewRange(t, first+1, first+4)))
				value, advanceErr := s.AdvanceClock(ctx, "alice", 0, 1)
				if _, twice := seen.LoadOrStore(value, true); twice {
					t.Errorf("clock value %d twice", value)
				}
				_, loadErr := s.LoadEvents(ctx, "WP001")
				_, clockErr := s.LoadClock(ctx, "alice")
				_, entriesErr := s.RecentErrors(ctx, 5)
				if err := errors.Join(err, advanceErr, loadErr, clockErr, entriesErr, s.SaveClock(ctx, "bob", 5)); err != nil {
					t.Error(err)
				}
				for name, all := range eventtest.Ranges {
					for _, err := range all(ctx, s) {
						if err != nil {
							t.Error(name, err)
						}
					}
				}
				if err := s.AppendError(ctx, eventtest.NewEntry(n)); err != nil {
					eventtest.RequireStorageError(t, err)
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	t.Logf("%d connections ended, %d error entries refused", <-killed, refused.Load())
	require.Len(t, eventtest.LoadAll(t, s), 4*rounds*4)
	requirePositions(t, schema, 4*rounds*4)
}

// A server that crashes and restarts during writes loses no acknowledged event;
// most calls do not even notice.
func TestServerCrash(t *testing.T) {
	ctx := t.Context()
	t.Parallel() // it mostly waits
	server := startServer(t, "fsync=off")
	migrate(t, server.dsn(), "causal")
	s := openAt(t, server.dsn(), nil)
	var acknowledged, failed atomic.Int64
	var events, values sync.Map
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				e := eventtest.New(t, worker*1_000_000+n)
				if err := s.SaveEvent(ctx, e); err != nil {
					eventtest.RequireStorageError(t, err)
					failed.Add(1)
				} else {
					events.Store(e.ID(), true)
					acknowledged.Add(1)
				}
				value, err := s.AdvanceClock(ctx, "alice", 0, 1)
				if err != nil {
					eventtest.RequireStorageError(t, err)
				} else if _, twice := values.LoadOrStore(value, true); twice {
					t.Errorf("clock value %d twice", value)
				}
			}
		})
	}
	crashes := 3
	if testing.Short() {
		crashes = 1
	}
	for range crashes {
		before := acknowledged.Load()
		require.Eventually(t, func() bool { return acknowledged.Load() > before+20 }, 20*time.Second, time.Millisecond)
		server.crash()
		require.NoError(t, server.start())
	}
	before := acknowledged.Load()
	require.Eventually(t, func() bool { return acknowledged.Load() > before+20 }, 20*time.Second, time.Millisecond)
	close(stop)
	wg.Wait()
	t.Logf("%d saves acknowledged, %d failed", acknowledged.Load(), failed.Load())
	stored := map[causal.EventID]bool{}
	for _, e := range eventtest.LoadAll(t, s) {
		require.False(t, stored[e.ID()])
		stored[e.ID()] = true
	}
	events.Range(func(id, _ any) bool {
		require.True(t, stored[id.(causal.EventID)], "an acknowledged event is lost")
		return true
	})
	require.Len(t, eventtest.ReadLog(t, s, causal.Cursor{}), len(stored))
}

// A missing server results in an error that says so, after a limited time.
func TestNoServer(t *testing.T) {
	ctx := t.Context()
	t.Parallel() // it mostly waits
	server := startServer(t)
	migrate(t, server.dsn(), "causal")
	s := openAt(t, server.dsn(), nil)
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 1)))
	server.stop(ctx)
	start := time.Now()
	errs := make(chan error)
	for name, call := range adaptertest.Calls {
		if name != "SaveEvents of nothing" {
			go func() { errs <- call(ctx, s, eventtest.New(t, 2)) }()
		}
	}
	for range len(adaptertest.Calls) - 1 {
		err := <-errs
		eventtest.RequireStorageError(t, err)
		require.ErrorContains(t, err, "connect")
		var connect *pgconn.ConnectError
		require.False(t, errors.As(err, &connect), "no type of the driver")
	}
	require.Less(t, time.Since(start), 20*time.Second)

	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.SaveEvent(short, eventtest.New(t, 2)), context.DeadlineExceeded)
	for _, err := range []error{second(causalpg.Open(ctx, server.dsn(), nil)), causalpg.Migrate(ctx, server.dsn(), nil)} {
		eventtest.RequireStorageError(t, err)
	}
	secret := "postgres://someone:hush@127.0.0.1:1/nowhere"
	for _, err := range []error{second(causalpg.Open(ctx, secret, nil)), causalpg.Migrate(ctx, secret, nil)} {
		eventtest.RequireStorageError(t, err)
		require.NotContains(t, err.Error(), "hush")
		require.ErrorContains(t, err, "refused")
	}
	require.NoError(t, server.start())
	require.NoError(t, s.SaveEvent(ctx, eventtest.New(t, 2)))
	require.Len(t, eventtest.LoadAll(t, s), 2)
}

// dialing makes a pool use connections wrapped by wrap.
func dialing(wrap func(net.Conn) net.Conn) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return wrap(conn), nil
		}
	}
}

// fragile is a connection that breaks after a number of bytes, counted over all
// connections.
type fragile struct {
	net.Conn
	left *atomic.Int64 // negative if it must not break
}

func (c *fragile) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 4096)])
	if left := c.left.Load(); left >= 0 && c.left.CompareAndSwap(left, left-int64(n)) && left < int64(n) {
		_ = c.Close()
		return 0, errors.New("lost by the test")
	}
	return n, err
}

// Reads whose connection is lost in the middle of a page are complete
// nevertheless, and yield nothing twice.
func TestReadsThatAreCutShort(t *testing.T) {
	ctx := t.Context()
	schema := newSchema(t)
	const count = 3000
	require.NoError(t, openIn(t, schema).SaveEvents(ctx, eventtest.NewRange(t, 0, count)))
	var left atomic.Int64
	left.Store(-1)
	pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn { return &fragile{c, &left} }))
	s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
	require.NoError(t, err)
	defer s.Close()
	for name, all := range eventtest.Ranges {
		for _, bytes := range []int64{100, 10_000, 50_000, 200_000, 500_000} {
			left.Store(bytes)
			n := 0
			for id, err := range all(ctx, s) {
				require.NoError(t, err)
				require.Equal(t, eventtest.ID(n), id, name)
				n++
			}
			require.Equal(t, count, n, name)
			require.Negative(t, left.Load(), "a connection was lost")
		}
	}
	left.Store(300_000)
	loaded, err := s.LoadEvents(ctx, "WP001")
	require.NoError(t, err)
	require.Len(t, loaded, count)
}

// frozen is a connection that stops sending after a number of bytes, until its
// deadline passes or it is closed.
type frozen struct {
	net.Conn
	left   int
	froze  chan<- struct{} // receives a token then
	closed chan struct{}
	close  func()
}

func (c *frozen) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	if c.left -= n; n < len(p) && err == nil {
		c.froze <- struct{}{}
		<-c.closed
		err = net.ErrClosed
	}
	return n, err
}

func (c *frozen) SetDeadline(t time.Time) error {
	if !t.IsZero() {
		c.close()
	}
	return c.Conn.SetDeadline(t)
}

func (c *frozen) Close() error {
	c.close()
	return c.Conn.Close()
}

// A client that stops while sending a large batch, with the connection open,
// does not block others.
func TestFrozenBatch(t *testing.T) {
	for _, size := range []int{1 << 20, 40 << 20} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			ctx := t.Context()
			schema := newSchema(t)
			other := openIn(t, schema)
			froze := make(chan struct{}, 100) // more than there are connections
			pool := newPool(t, testDSN, dialing(func(c net.Conn) net.Conn {
				f := &frozen{Conn: c, left: size / 2, froze: froze, closed: make(chan struct{})}
				f.close = sync.OnceFunc(func() { close(f.closed) })
				return f
			}))
			s, err := causalpg.New(ctx, pool, &causalpg.Options{Schema: schema})
			require.NoError(t, err)
			const count = 8
			batch := eventtest.NewRange(t, 0, count, eventtest.WithPayload(`{"x":"`+strings.Repeat("x", size/count)+`"}`))
			freezing, cancel := context.WithCancel(ctx)
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- s.SaveEvents(freezing, batch) }()
			<-froze
			time.Sleep(200 * time.Millisecond) // for the server to process everything it received
			bounded, stop := context.WithTimeout(ctx, 10*time.Second)
			defer stop()
			require.NoError(t, other.SaveEvent(bounded, eventtest.New(t, 100)))
			require.Empty(t, result)
			cancel()
			require.Error(t, <-result)
			require.NoError(t, other.SaveEvents(ctx, batch))
			requirePositions(t, schema, count+1)
			require.NoError(t, s.Close())
		})
	}
}
