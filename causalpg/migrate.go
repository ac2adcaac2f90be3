package causalpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/spec-kitty/causal/causaladapter"
)

// Migrate creates the schema named by the options, or updates one of an earlier
// version of this package. If it is up to date, Migrate does nothing. It runs
// in one transaction, and any number of processes may call it concurrently. dsn
// is as for [Open]; settings of the pool have no effect. Its role must be
// allowed to create tables, and the schema if there is none. o.ErrorLimit has
// no effect; nil means the defaults.
//
// Migrate returns a [*causal.ValidationError] if dsn or an option is invalid.
// For a schema of a later version, and any other failure except the error of
// ctx, it returns a [*causal.StorageError]. On error it changes nothing.
func Migrate(ctx context.Context, dsn string, o *Options) error {
	return migrate(ctx, dsn, o, migrations)
}

func migrate(ctx context.Context, dsn string, o *Options, migrations []string) error {
	const op = "migrate"
	if err := causaladapter.CheckContext(ctx); err != nil {
		return err
	}
	if o == nil {
		o = &Options{}
	}
	if err := o.check(); err != nil {
		return err
	}
	pool, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return errDSN()
	}
	config := pool.ConnConfig
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // each statement runs once
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return wrapError(ctx, op, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		return migrateIn(ctx, tx, o.schemaName(), migrations)
	})
	return wrapError(ctx, op, err)
}

// migrateIn migrates the schema to the newest version.
func migrateIn(ctx context.Context, tx pgx.Tx, schema string, migrations []string) error {
	if err := checkServer(ctx, tx); err != nil {
		return err
	}
	// Other processes wait here. Each later statement sees their changes.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockOf(schema)); err != nil {
		return err
	}
	version, err := versionIn(ctx, tx, schema)
	if err != nil || version == len(migrations) {
		return err
	}
	switch {
	case version > len(migrations):
		return errNewer(version, len(migrations))
	case 0 < version && version < firstVersion:
		return errors.New("the schema was made by an unreleased version of this package")
	}
	for _, script := range migrations[version:] {
		// The simple protocol accepts several statements.
		if _, err := tx.Conn().PgConn().Exec(ctx, inSchema(schema, script)).ReadAll(); err != nil {
			return err
		}
	}
	if version > 0 {
		_, err = tx.Exec(ctx, inSchema(schema, "UPDATE {s}.meta SET version = $1"), len(migrations))
		return err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	_, err = tx.Exec(ctx, inSchema(schema, "INSERT INTO {s}.meta (version, log_id) VALUES ($1, $2)"), len(migrations), id)
	return err
}

// versionIn returns the version of the schema, or 0 if it is empty. It creates
// the schema if there is none.
func versionIn(ctx context.Context, tx pgx.Tx, schema string) (version int, err error) {
	var exists bool
	err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema).Scan(&exists)
	if err != nil {
		return 0, err
	}
	if !exists { // IF NOT EXISTS would need the privilege to create it even if it exists
		_, err = tx.Exec(ctx, inSchema(schema, "CREATE SCHEMA {s}"))
		return 0, err
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'meta')`, schema).Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = tx.QueryRow(ctx, inSchema(schema, "SELECT version FROM {s}.meta")).Scan(&version)
	return version, err
}

// lockOf returns the key of the lock held by migrations of a schema.
func lockOf(schema string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("causalpg\x00" + schema)) // never fails
	return int64(h.Sum64())
}

// checkServer returns an error if the server speaks the protocol of PostgreSQL,
// but does not have its table locks and advisory locks.
func checkServer(ctx context.Context, q querier) error {
	var answer string
	if err := q.QueryRow(ctx, "SELECT version()").Scan(&answer); err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "PostgreSQL ") || strings.Contains(answer, "-YB-") || strings.Contains(answer, "Redshift") {
		return errors.New("the server is not PostgreSQL, and its locks may not hold")
	}
	return nil
}

// checkMeta returns an error if the server is refused, or the schema is not of
// the newest version.
func checkMeta(ctx context.Context, q querier, schema string) error {
	if err := checkServer(ctx, q); err != nil {
		return err
	}
	var version int
	var id []byte
	err := q.QueryRow(ctx, inSchema(schema, "SELECT version, log_id FROM {s}.meta")).Scan(&version, &id)
	var server *pgconn.PgError
	switch {
	case errors.As(err, &server) && (server.Code == "42P01" || server.Code == "3F000") || errors.Is(err, pgx.ErrNoRows):
		return errors.New("the schema does not exist; call Migrate")
	case err != nil:
		return err
	case version > len(migrations):
		return errNewer(version, len(migrations))
	case version < len(migrations):
		return fmt.Errorf("the schema has version %d, and this package needs %d; call Migrate", version, len(migrations))
	case len(id) != 16:
		return errors.New("the ID of the log is damaged")
	}
	return nil
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func errNewer(version, newest int) error {
	return fmt.Errorf("the schema has version %d, and this package supports versions up to %d", version, newest)
}

// errDSN omits the parser's error, which quotes the DSN.
func errDSN() error {
	return causaladapter.Invalid("dsn", "must be a PostgreSQL connection string")
}
