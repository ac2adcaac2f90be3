package causalpg

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

var _ adapter.Store = (*Store)(nil)

// Options are the options of [Open], [New] and [Migrate]. nil and the zero
// value mean the defaults.
type Options struct {
	// Schema is the schema for the tables. It defaults to "causal". It is used
	// unchanged: letters keep their case, and any character but NUL may occur.
	// It has at most 63 bytes, and is not "$user" or one of the server's own.
	Schema string
	// ErrorLimit is the number of entries kept in the error log, and the
	// maximum number returned by RecentErrors. Zero means
	// [causal.DefaultErrorLimit].
	ErrorLimit int
}

// A Store keeps events, clocks, an error log, checkpoints and rejected events
// in a schema of a PostgreSQL database, with every capability. It is safe for
// concurrent use, even by several processes and by several Stores on one
// schema. Use [Open] or [New]; the zero value is a closed store. A Store must
// not be copied.
type Store struct {
	pool       *pgxpool.Pool // nil in the zero value
	sql        statements
	errorLimit int
	writer     writer
	close      func()          // runs once
	ctx        context.Context // done once the store is closed
	cancel     func()          // cancels ctx
	saved      chan struct{}   // holds a token if a save has to be announced
	waiters    adapter.Waiters
	watching   sync.Once

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // calls using the pool
}

// Open opens the store in a schema created by [Migrate], with a new connection
// pool. dsn is a URL or a list of settings as for libpq, with the pool settings
// documented by package pgxpool; the environment (PGHOST and so on) supplies
// the rest. ctx limits the opening, not the store's life.
//
// Open returns a [*causal.ValidationError] if dsn or an option is invalid, and
// a [*causal.StorageError] if the schema is missing, or was made by an earlier
// or later version of this package. Any other failure except the error of ctx
// is a StorageError, too.
func Open(ctx context.Context, dsn string, o *Options) (*Store, error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errDSN()
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, wrapError(ctx, opOpen, err)
	}
	s, err := New(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.close = sync.OnceFunc(func() { s.shutDown(); pool.Close() })
	return s, nil
}

const opOpen = "open store"

// New returns a store using the caller's pool, in a schema created by
// [Migrate]. The caller must close the pool after the store. Errors are those
// of [Open]; if pool is nil, New returns a [*causal.ValidationError].
//
// The store works with every default_transaction_isolation and every query
// execution mode of package pgx.
func New(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Store, error) {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return nil, err
	}
	if o == nil {
		o = &Options{}
	}
	if pool == nil {
		return nil, causaladapter.Invalid("pool", "must not be nil")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	schema := o.schemaName()
	if err := checkMeta(ctx, pool, schema); err != nil {
		return nil, wrapError(ctx, opOpen, err)
	}
	s := &Store{pool: pool, sql: newStatements(schema), errorLimit: o.ErrorLimit}
	if s.errorLimit == 0 {
		s.errorLimit = causal.DefaultErrorLimit
	}
	s.writer.save = s.saveAll
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.saved = make(chan struct{}, 1)
	s.calls.Go(s.notify)
	s.close = sync.OnceFunc(s.shutDown)
	return s, nil
}

// Close waits for running calls, and closes a pool created by Open. Later
// calls, and ranges in progress, return an error matching [causal.ErrClosed].
// Closing again does nothing. The error is always nil.
func (s *Store) Close() error {
	if s.close != nil {
		s.close()
	}
	return nil
}

func (s *Store) shutDown() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.calls.Wait()
}

// begin registers a call, for which Close waits. It returns an error if the
// store is closed.
func (s *Store) begin(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool == nil || s.closed {
		return adapter.Closed(op)
	}
	s.calls.Add(1)
	return nil
}

// check returns an error if ctx is nil or done or the store is closed.
func (s *Store) check(ctx context.Context, op string) error {
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	return s.checkOpen(op)
}

func (s *Store) checkOpen(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool == nil || s.closed {
		return adapter.Closed(op)
	}
	return nil
}
