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

// Options are the options of [Open], [New] and [Migrate]. nil and the zero value
// mean the defaults.
type Options struct {
	// Schema is the schema that holds the tables. It defaults to "causal". It is
	// used as it is: letters keep their case, and any character but NUL may
	// occur. It has at most 63 bytes, and is not "$user" or one of the server's own.
	Schema string
	// ErrorLimit is how many entries of the error log are kept, and the most that
	// RecentErrors returns. Zero means [causal.DefaultErrorLimit].
	ErrorLimit int
}

// Store keeps events, clocks, an error log, checkpoints and what was rejected in a schema of
// a PostgreSQL database, with every capability. It is safe for concurrent use, even by
// several processes and by several Stores on one schema. Use [Open] or [New]; the zero value
// is a closed store. A Store must not be copied.
type Store struct {
	pool       *pgxpool.Pool // nil in the zero value
	sql        statements
	errorLimit int
	writer     writer
	close      func()          // runs once
	ctx        context.Context // ends with the store
	cancel     func()          // ends ctx
	saved      chan struct{}   // has a token if a save is to be told of
	waiters    adapter.Waiters
	watching   sync.Once

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // that use the pool
}

// Open opens the store in a schema that [Migrate] has made, with a connection
// pool of its own. dsn is a URL or a list of settings as for libpq, with the pool
// settings that package pgxpool documents; the environment (PGHOST and so on)
// supplies the rest. ctx bounds the opening, not the store's life.
//
// Open returns a [*causal.ValidationError] if dsn or an option is invalid, and a
// [*causal.StorageError] if the schema is missing or is that of an earlier or
// later version of this package. Every other failure is a StorageError, too,
// except that of ctx.
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

// New returns a store that uses the caller's pool, in a schema that [Migrate] has
// made. The caller closes the pool, after the store. Errors are those of [Open];
// if pool is nil, New returns a [*causal.ValidationError].
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

// Close waits for running calls, and closes the pool if Open has made it. Every
// later call, and every range that continues, returns an error that matches
// [causal.ErrClosed]. Closing again does nothing. The error is always nil.
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

// begin registers a call, which Close waits for, if it returns nil.
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
